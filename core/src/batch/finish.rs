//! The end of a batch: its answers become files of the tenant's.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use insula_tenancy::{RequestBatchId, TenantContext, new_uuid};
use tokio_util::io::StreamReader;

use super::check::{self, Input};
use super::input::{self, Line};
use super::job::{Run, told};
use super::{Batch, BatchError, Status, lines, store};
use crate::blob::{StoredBlob, Unclaimed, storage_error};
use crate::file::{self, NewFile, Purpose};
use crate::webhook::{self, EventType};
use crate::worker::Failure;
use crate::{Error, Result, Services};

/// How long a batch waits whose tenant has no room for its answers, before it looks again.
const WITHOUT_ROOM: Duration = Duration::from_secs(300);
/// How long it does so.
const PATIENCE: chrono::TimeDelta = chrono::TimeDelta::hours(24);

/// What a batch comes to.
pub(super) enum Ending {
    Completed,
    Expired,
    Cancelled,
    Failed(Vec<BatchError>),
}

impl Ending {
    fn status(&self) -> Status {
        match self {
            Self::Completed => Status::Completed,
            Self::Expired => Status::Expired,
            Self::Cancelled => Status::Cancelled,
            Self::Failed(_) => Status::Failed,
        }
    }

    fn event(&self) -> EventType {
        match self {
            Self::Completed => EventType::BatchCompleted,
            Self::Expired => EventType::BatchExpired,
            Self::Cancelled => EventType::BatchCancelled,
            Self::Failed(_) => EventType::BatchFailed,
        }
    }

    /// What is said of lines that were not called: code and message.
    fn of_the_rest(&self) -> Option<[&'static str; 2]> {
        match self {
            Self::Expired => Some([
                "batch_expired",
                "This request could not be executed before the completion window expired.",
            ]),
            Self::Cancelled => Some([
                "batch_cancelled",
                "This request was not executed because the batch was cancelled.",
            ]),
            Self::Completed | Self::Failed(_) => None,
        }
    }
}

/// Writes the files of a batch and ends it, and with it the job.
pub(super) async fn finish(run: &Run<'_>, batch: &Batch, ending: Ending) -> Result<(), Failure> {
    // Their lines are about to go.
    run.record_what_is_left().await?;
    match write(run, batch, &ending).await {
        // What was answered was paid for. Somebody may make room.
        Err(Error::QuotaExceeded(message)) => {
            let times = &batch.times;
            let since = times
                .finalizing_at
                .or(times.cancelling_at)
                .unwrap_or(times.created_at);
            if batch.now - since < PATIENCE {
                return run.go_on_later(WITHOUT_ROOM).await;
            }
            let error = check::of_the_batch("storage_quota_exceeded", message);
            end(run, batch, &Ending::Failed(vec![error]), Vec::new()).await?;
            Ok(())
        }
        written => Ok(written?),
    }
}

async fn write(run: &Run<'_>, batch: &Batch, ending: &Ending) -> Result<()> {
    let (services, cx) = (run.services, &run.lease.cx);
    let mut answers: Vec<(&str, BoxStream<'static, io::Result<Bytes>>)> = Vec::new();
    if batch.completed > 0 {
        answers.push(("output", done(services, cx, batch.id, true)));
    }
    let rest = match ending.of_the_rest() {
        Some(why) => rest(services, cx, batch, why).await?,
        None => None,
    };
    if batch.failed > 0 || rest.is_some() {
        let rest = rest.unwrap_or_else(|| stream::empty().boxed());
        answers.push(("error", done(services, cx, batch.id, false).chain(rest).boxed()));
    }
    let mut files = Vec::new();
    for (kind, answers) in answers {
        let mut reader = StreamReader::new(answers);
        let blob = services.blobs.put(cx.tenant_id(), &mut reader).await;
        let blob = blob.map_err(storage_error)?;
        files.push((kind, Unclaimed::new(&services.blobs, &blob), blob));
    }
    end(run, batch, ending, files).await
}

async fn end(
    run: &Run<'_>,
    batch: &Batch,
    ending: &Ending,
    files: Vec<(&str, Unclaimed, StoredBlob)>,
) -> Result<()> {
    let mut tx = run.services.db.tenant(&run.lease.cx).await?;
    run.lease.hold(&mut tx).await?;
    let mut ids = [None, None];
    for (kind, _, blob) in &files {
        let new = NewFile {
            filename: format!("{}_{kind}.jsonl", batch.id),
            purpose: Purpose::BatchOutput,
            blob: blob.clone(),
            expires_after: batch.output_expires_after,
        };
        // An empty file says nothing that the counts do not say.
        if blob.bytes > 0 {
            ids[usize::from(*kind == "error")] = Some(file::create(&mut tx, &new).await?.id);
        }
    }
    let errors: &[BatchError] = match ending {
        Ending::Failed(errors) => errors,
        _ => &[],
    };
    store::end(&mut tx, batch.id, ending.status(), errors, ids).await?;
    lines::delete(&mut tx, batch.id).await?;
    webhook::emit(&mut tx, ending.event(), told(batch.id)).await?;
    run.lease.complete(&mut tx).await?;
    // From here on the rows may exist, even if the commit is not confirmed: the bytes must stay.
    for (_, unclaimed, blob) in files {
        if blob.bytes > 0 {
            unclaimed.claim();
        }
    }
    tx.commit().await?;
    tracing::info!(batch = %batch.id, status = ending.status().as_str(), lines = batch.total, "batch ended");
    Ok(())
}

/// The answers of one sort, in the order of their lines.
fn done(
    services: &Services,
    cx: &TenantContext,
    id: RequestBatchId,
    good: bool,
) -> BoxStream<'static, io::Result<Bytes>> {
    let (db, cx) = (services.db.clone(), cx.clone());
    let pages = stream::try_unfold(0, move |after| {
        let (db, cx) = (db.clone(), cx.clone());
        async move {
            let read = async {
                let mut tx = db.tenant(&cx).await?;
                let page = lines::answers(&mut tx, id, good, after).await?;
                tx.commit().await?;
                Ok::<_, Error>(page)
            };
            let page = read.await.map_err(io::Error::other)?;
            let Some((last, _)) = page.last() else {
                return Ok(None);
            };
            let last = *last;
            let mut text = Vec::new();
            for (_, answer) in page {
                text.extend_from_slice(answer.as_bytes());
                text.push(b'\n');
            }
            Ok(Some((Bytes::from(text), last)))
        }
    });
    pages.boxed()
}

/// A line for each that was not called, in the order of the input; `None` if the input is gone.
async fn rest(
    services: &Services,
    cx: &TenantContext,
    batch: &Batch,
    [code, message]: [&'static str; 2],
) -> Result<Option<BoxStream<'static, io::Result<Bytes>>>> {
    // A batch that was given up before it was read through has no lines that count.
    if batch.total == 0 {
        return Ok(None);
    }
    let Some(input) = check::open(services, cx, batch).await? else {
        return Ok(None);
    };
    let mut tx = services.db.tenant(cx).await?;
    let done: HashSet<i64> = lines::done(&mut tx, batch.id).await?.into_iter().collect();
    tx.commit().await?;
    let endpoint = batch.endpoint;
    let not_called = move |line: &Line| -> Option<Bytes> {
        let asked = input::read(line, endpoint)
            .ok()
            .filter(|_| !done.contains(&line.at.line))?;
        let said = serde_json::json!({
            "id": format!("batch_req_{}", new_uuid().simple()), "custom_id": asked.custom_id, "response": null,
            "error": {"code": code, "message": message},
        });
        Some(Bytes::from(format!("{said}\n")))
    };
    let lines = stream::try_unfold(
        (input, not_called),
        |(mut input, not_called): (Input, _)| async move {
            while let Some(line) = input.next().await? {
                if let Some(said) = not_called(&line) {
                    return Ok(Some((said, (input, not_called))));
                }
            }
            Ok(None)
        },
    );
    Ok(Some(lines.boxed()))
}
