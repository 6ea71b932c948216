//! Some seconds of a batch's work: lines are called, some at once, and written down as they are answered.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use insula_tenancy::job::Progress;
use insula_tenancy::meter::Settled;
use insula_tenancy::{AccessError, TenantContext, new_uuid};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::check::{self, Input};
use super::endpoint::{Answered, Call, Endpoints, Wait};
use super::input::{self, Line, Place};
use super::job::Run;
use super::lines::{self, Written};
use super::{Batch, store};
use crate::blob::storage_error;
use crate::{Error, Result, Services};

/// After this long no more lines are begun: others have their turn.
const SLICE: Duration = Duration::from_secs(5);
/// Answers that are written in one transaction, at most.
const AT_ONCE: usize = 64;
/// For how long the rights of the batch's key are believed.
const BELIEVED: Duration = Duration::from_secs(1);
/// Times that a line is called before "too busy" is its answer.
const MOST_ATTEMPTS: i32 = 5;
/// Longest pause, whatever is asked for: limits and providers change their mind.
const MOST_PAUSE: Duration = Duration::from_secs(60);
/// Pause while others make as many calls at once as may be made.
const FULL: Duration = Duration::from_secs(1);
/// Pause of a batch whose tenant is suspended.
const SUSPENDED: Duration = Duration::from_secs(60);

/// How a slice ended.
pub(super) enum Ended {
    /// There is more to do, after a pause.
    Later(Duration),
    /// Every line is done.
    Through,
    /// No more lines are to be called.
    Stopped,
    /// The input is gone.
    NoInput,
}

/// Works on a batch for some seconds.
pub(super) async fn run(run: &Run<'_>, batch: &Batch) -> Result<Ended> {
    let Some(mut input) = check::open(run.services, &run.lease.cx, batch).await? else {
        return Ok(Ended::NoInput);
    };
    match input.skip_to(batch.resume).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(Error::internal("the input of a batch has become shorter"));
        }
        skipped => skipped.map_err(storage_error)?,
    }
    let tried = run
        .write(async |tx| lines::tried(tx, batch.id, batch.resume.line).await)
        .await?;
    let slice = Slice {
        run,
        batch,
        started: Instant::now(),
        attempts: tried.iter().map(|tried| (tried.line, tried.attempts)).collect(),
        input,
        done: tried
            .iter()
            .filter(|tried| tried.is_done)
            .map(|tried| tried.line)
            .collect(),
        open: BTreeMap::new(),
        calls: JoinSet::new(),
        at_once: run.services.batches.lines_at_once,
        again: Vec::new(),
        recorded: Vec::new(),
        rights: None,
        answered: batch.completed + batch.failed,
        busy: 0,
        pause: Duration::ZERO,
        pause_of_some: Duration::ZERO,
        is_closing: false,
        is_stopped: false,
        is_through: false,
    };
    slice.run().await
}

struct Slice<'a> {
    run: &'a Run<'a>,
    batch: &'a Batch,
    started: Instant,
    input: Input,
    /// How often lines were tried before.
    attempts: HashMap<i64, i32>,
    done: HashSet<i64>,
    /// Where the lines begin that are read and not done.
    open: BTreeMap<i64, u64>,
    calls: JoinSet<Called>,
    /// How many calls there may be at once.
    at_once: usize,
    /// Lines for which there was no room.
    again: Vec<Line>,
    /// Lines whose calls are on the ledger, and in their rows still.
    recorded: Vec<i64>,
    /// On whose behalf lines are called, and since when that is believed.
    rights: Option<(Instant, Result<TenantContext, AccessError>)>,
    /// Lines that are done.
    answered: i32,
    /// Lines in a row that found somebody too busy.
    busy: usize,
    /// How long everything has to wait.
    pause: Duration,
    /// How long the lines have to wait that found somebody too busy.
    pause_of_some: Duration,
    /// Whether no more lines are begun in this slice,
    is_closing: bool,
    /// because none are to be called any more,
    is_stopped: bool,
    /// or because there are no more.
    is_through: bool,
}

/// A line that was called.
struct Called {
    line: Line,
    attempts: i32,
    request_id: Uuid,
    custom_id: String,
    answered: Answered,
    settled: Settled,
}

impl Slice<'_> {
    async fn run(mut self) -> Result<Ended> {
        loop {
            while !self.is_closing && self.calls.len() < self.at_once {
                self.begin_next().await?;
                if self.is_through && self.again.is_empty() {
                    break;
                }
            }
            let Some(first) = self.calls.join_next().await else {
                break;
            };
            let mut called = vec![first.map_err(Error::internal)?];
            while called.len() < AT_ONCE
                && let Some(next) = self.calls.try_join_next()
            {
                called.push(next.map_err(Error::internal)?);
            }
            self.write(called).await?;
        }
        self.close().await
    }

    /// Begins to call the next line that is not done, or finds out that there is none.
    async fn begin_next(&mut self) -> Result<()> {
        if self.started.elapsed() >= SLICE {
            self.is_closing = true;
            return Ok(());
        }
        let next = match self.again.pop() {
            Some(line) => Some(line),
            None => self.input.next().await.map_err(storage_error)?,
        };
        let Some(line) = next else {
            // One that is under way may be turned away and have to be begun again.
            self.is_through = true;
            self.is_closing = self.calls.is_empty();
            return Ok(());
        };
        let Place { line: number, offset } = line.at;
        if self.done.contains(&number) {
            return Ok(());
        }
        self.open.insert(number, offset);
        match self.rights().await? {
            Err(AccessError::Suspended) => {
                self.is_closing = true;
                self.pause = SUSPENDED;
            }
            rights => self.begin(line, rights),
        }
        Ok(())
    }

    /// What the batch's key may do now.
    async fn rights(&mut self) -> Result<Result<TenantContext, AccessError>> {
        if let Some((since, rights)) = &self.rights
            && since.elapsed() < BELIEVED
        {
            return Ok(rights.clone());
        }
        let mut tx = self.run.services.db.tenant(&self.run.lease.cx).await?;
        let rights = match self.run.lease.act_for(&mut tx, self.batch.key_id).await {
            Err(insula_tenancy::Error::Access(refused)) => Err(refused),
            rights => Ok(rights?),
        };
        tx.commit().await?;
        self.rights = Some((Instant::now(), rights.clone()));
        Ok(rights)
    }

    fn begin(&mut self, line: Line, rights: Result<TenantContext, AccessError>) {
        let services = self.run.services;
        // What the line calls is charged with its answer, or not at all.
        let (meter, tab) = services.meter.tab(services.batches.price_factor);
        let services = Services {
            meter,
            ..services.clone()
        };
        let endpoints = Arc::clone(&services.endpoints);
        let (endpoint, request_id) = (self.batch.endpoint, new_uuid());
        let attempts = self.attempts.get(&line.at.line).copied().unwrap_or_default();
        self.calls.spawn(async move {
            let (custom_id, answered) = match input::read(&line, endpoint) {
                Ok(asked) => {
                    let call = Call {
                        endpoint,
                        request_id,
                        body: asked.body.to_owned(),
                    };
                    (asked.custom_id, answer(&*endpoints, services, rights, call).await)
                }
                // It was good when the batch was checked.
                Err(error) => (
                    String::new(),
                    endpoints.refuse(Error::internal(error.message)).await,
                ),
            };
            Called {
                line,
                attempts,
                request_id,
                custom_id,
                answered,
                settled: tab.take(),
            }
        });
    }

    /// Writes lines down, with what they are charged; then brings that to the ledger.
    async fn write(&mut self, called: Vec<Called>) -> Result<()> {
        let (mut rows, mut settled) = (Vec::with_capacity(called.len()), Vec::with_capacity(called.len()));
        let (mut good, mut bad) = (0, 0);
        let is_full = |called: &Called| called.answered.wait == Some(Wait::Full);
        if called.iter().any(is_full) {
            let admitted = called.iter().filter(|called| !is_full(called)).count();
            self.give_room(admitted + self.calls.len());
        }
        for called in called {
            let number = called.line.at.line;
            let mut row = Written {
                line: number,
                attempts: called.attempts,
                done: None,
                events: None,
            };
            if !called.settled.is_empty() {
                row.events = Some(called.settled.to_json()?);
            }
            if is_full(&called) {
                self.again.push(called.line);
                if row.events.is_none() {
                    continue;
                }
            } else if self.is_to_wait(&mut row, &called.answered) {
                if row.attempts == called.attempts && row.events.is_none() {
                    continue;
                }
            } else {
                match called.answered.status {
                    200 => good += 1,
                    _ => bad += 1,
                }
                self.open.remove(&number);
                row.done = Some((called.answered.status.into(), called.output()?));
            }
            if !called.settled.is_empty() {
                settled.push((number, called.settled));
            }
            rows.push(row);
        }
        if rows.is_empty() {
            return Ok(());
        }
        let recorded = std::mem::take(&mut self.recorded);
        self.answered += good + bad;
        let progress = Progress {
            stage: "answering",
            done: self.answered.into(),
            total: self.batch.total.into(),
        };
        let goes_on = self.run.write(async |tx| {
            lines::forget_events(tx, self.batch.id, &recorded).await?;
            lines::write(tx, self.batch.id, &rows).await?;
            self.run.lease.progress(tx, progress).await?;
            store::count(tx, self.batch.id, good, bad).await
        });
        if !goes_on.await? {
            (self.is_closing, self.is_stopped) = (true, true);
        }
        self.record(settled).await;
        Ok(())
    }

    /// Calls no more lines at once than there was room for.
    fn give_room(&mut self, room: usize) {
        self.at_once = room.max(1);
        if room == 0 {
            // Others have all of it.
            self.is_closing = true;
            self.pause = self.pause.max(FULL);
        }
    }

    /// Whether a line is called again later, and what follows from that.
    fn is_to_wait(&mut self, row: &mut Written, answered: &Answered) -> bool {
        match answered.wait {
            Some(Wait::Limit(pause)) => {
                // The limit is of the tenant, the key or the model: the next line would not fare better.
                self.is_closing = true;
                self.pause = self.pause.max(pause.min(MOST_PAUSE));
                true
            }
            Some(Wait::Busy(pause)) if row.attempts + 1 < MOST_ATTEMPTS => {
                row.attempts += 1;
                self.busy += 1;
                let growing = Duration::from_secs(1 << row.attempts);
                let pause = pause.max(growing).min(MOST_PAUSE);
                self.pause_of_some = self.pause_of_some.max(pause);
                // One line may have been unlucky. When as many as are called at once were, all are.
                if self.busy >= self.run.services.batches.lines_at_once {
                    self.is_closing = true;
                    self.pause = self.pause.max(pause);
                }
                true
            }
            Some(Wait::Full | Wait::Busy(_)) | None => {
                self.busy = 0;
                false
            }
        }
    }

    async fn record(&mut self, settled: Vec<(i64, Settled)>) {
        let mut settled = settled.into_iter();
        let Some((line, mut all)) = settled.next() else {
            return;
        };
        let mut written = vec![line];
        for (line, more) in settled {
            written.push(line);
            all.append(more);
        }
        match all.record().await {
            Ok(()) => self.recorded.append(&mut written),
            Err(error) => {
                tracing::warn!(%error, batch = %self.batch.id, "usage of a batch is not recorded yet")
            }
        }
    }

    async fn close(self) -> Result<Ended> {
        let first_open = self.open.first_key_value();
        let resume = first_open.map_or_else(
            || self.input.place(),
            |(line, offset)| Place {
                line: *line,
                offset: *offset,
            },
        );
        self.run
            .write(async |tx| {
                lines::forget_events(tx, self.batch.id, &self.recorded).await?;
                store::set_resume(tx, self.batch.id, resume).await
            })
            .await?;
        Ok(if self.is_stopped {
            Ended::Stopped
        } else if self.is_through && self.open.is_empty() {
            Ended::Through
        } else if self.is_through {
            // Only those are left that have to wait.
            Ended::Later(self.pause.max(self.pause_of_some))
        } else {
            Ended::Later(self.pause)
        })
    }
}

async fn answer(
    endpoints: &dyn Endpoints,
    services: Services,
    rights: Result<TenantContext, AccessError>,
    call: Call,
) -> Answered {
    match rights {
        Ok(cx) => endpoints.call(services, cx, call).await,
        Err(refused) => endpoints.refuse(refused.into()).await,
    }
}

impl Called {
    /// The line of the answer.
    fn output(&self) -> Result<String> {
        let custom_id = serde_json::to_string(&self.custom_id).map_err(Error::internal)?;
        let (id, status, body) = (
            self.request_id.simple(),
            self.answered.status,
            &self.answered.body,
        );
        Ok(format!(
            r#"{{"id":"batch_req_{id}","custom_id":{custom_id},"response":{{"status_code":{status},"request_id":"req_{id}","body":{body}}},"error":null}}"#
        ))
    }
}
