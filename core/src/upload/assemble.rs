//! Copying the parts of an upload into one blob.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use insula_tenancy::{PartId, TenantContext, TenantTx, UploadId, new_uuid};
use md5::{Digest, Md5};
use tokio_util::io::{InspectReader, ReaderStream, StreamReader};
use uuid::Uuid;

use super::store::{self, StoredPart};
use super::{Status, Upload, being_completed, get, lock, must_be_pending, order_of};
use crate::blob::{BlobStore, StoredBlob, Unclaimed, storage_error};
use crate::{Error, Result, Services};

/// Bytes that are read at once.
const BUFFER: usize = 256 * 1024;
/// How often an assembler shows that it lives: three times per lease.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);

/// What an upload is completed with.
#[derive(Debug, Clone)]
pub struct Completion {
    /// The parts in the order of the file.
    pub part_ids: Vec<PartId>,
    /// MD5 of the file, if the client knows it.
    pub md5: Option<[u8; 16]>,
}

/// The whole file of an upload, which nobody knows yet: dropped, it is removed again.
pub struct Assembly {
    pub(super) upload_id: UploadId,
    pub(super) token: Uuid,
    pub(super) order: [u8; 32],
    pub(super) blob: StoredBlob,
    unclaimed: Unclaimed,
}

impl Assembly {
    /// Keeps the bytes: [`super::complete`] has recorded them.
    pub fn claim(self) {
        self.unclaimed.claim();
    }
}

/// Copies the named parts into one blob, to be recorded by [`super::complete`]. `Err` of the inner result: the upload
/// was completed with the same parts before, and this is what it is now.
///
/// One request at a time does this for an upload. It takes minutes for gigabytes.
///
/// # Errors
/// [`Error::NotFound`] for an unknown upload or (param `part_ids[n]`) part; [`Error::Invalid`] when the parts do not add
/// up to what was announced, or the upload was ended; [`Error::Overloaded`] while another request assembles it, or when
/// the disk is full.
pub async fn assemble(
    services: &Services,
    cx: &TenantContext,
    id: UploadId,
    completion: &Completion,
) -> Result<Result<Assembly, Upload>> {
    let (order, token) = (order_of(&completion.part_ids), new_uuid());
    let mut tx = services.db.tenant(cx).await?;
    let parts = match begin(&mut tx, id, completion, &order, token).await? {
        Ok(parts) => parts,
        Err(completed) => return Ok(Err(completed)),
    };
    tx.commit().await?;

    let copied = tokio::select! {
        copied = copy(&services.blobs, cx, parts, completion.md5) => copied,
        lost = keep_alive(services, cx, id, token) => Err(lost),
    };
    match copied {
        Ok(blob) => Ok(Ok(Assembly {
            upload_id: id,
            token,
            order,
            unclaimed: Unclaimed::new(&services.blobs, &blob),
            blob,
        })),
        Err(error) => Err(abandon(services, cx, id, token, error).await),
    }
}

/// Checks what is to be assembled, and takes the right to do it.
async fn begin(
    tx: &mut TenantTx,
    id: UploadId,
    completion: &Completion,
    order: &[u8; 32],
    token: Uuid,
) -> Result<Result<Vec<String>, Upload>> {
    let upload = lock(tx, id).await?;
    if upload.status == Status::Completed && store::is_completed_with(tx, id, order).await? {
        return Ok(Err(upload));
    }
    must_be_pending(&upload)?;
    let parts = named(store::parts(tx, id).await?, &completion.part_ids)?;
    let bytes: i64 = parts.iter().map(|part| part.bytes).sum();
    if bytes != upload.bytes {
        return Err(Error::invalid(
            "part_ids",
            format!(
                "These parts have {bytes} bytes together, but the upload was announced with {}.",
                upload.bytes
            ),
        ));
    }
    if !store::take(tx, id, token).await? {
        return Err(being_completed());
    }
    Ok(Ok(parts.into_iter().map(|part| part.blob).collect()))
}

/// The parts in the order in which they are named.
fn named(stored: Vec<StoredPart>, wanted: &[PartId]) -> Result<Vec<StoredPart>> {
    let mut stored: HashMap<PartId, StoredPart> = stored.into_iter().map(|part| (part.id, part)).collect();
    let mut seen = std::collections::HashSet::new();
    let place = |n: usize| format!("part_ids[{n}]");
    wanted
        .iter()
        .enumerate()
        .map(|(n, id)| {
            if !seen.insert(*id) {
                return Err(Error::invalid(place(n), "This part is named twice."));
            }
            stored
                .remove(id)
                .ok_or_else(|| match Error::not_found("part in this upload", id) {
                    Error::NotFound { message, code, .. } => Error::NotFound {
                        message,
                        code,
                        param: Some(place(n)),
                    },
                    other => other,
                })
        })
        .collect()
}

async fn copy(
    blobs: &Arc<dyn BlobStore>,
    cx: &TenantContext,
    parts: Vec<String>,
    md5: Option<[u8; 16]>,
) -> Result<StoredBlob> {
    let opened = stream::iter(parts).then(|part| async move {
        let (reader, _) = blobs.open(&part).await?;
        Ok::<_, io::Error>(ReaderStream::with_capacity(reader, BUFFER))
    });
    let whole = StreamReader::new(opened.try_flatten().boxed());
    let mut digest = Md5::new();
    let mut whole = InspectReader::new(whole, |bytes| {
        if md5.is_some() {
            digest.update(bytes);
        }
    });
    let blob = blobs
        .put(cx.tenant_id(), &mut whole)
        .await
        .map_err(storage_error)?;
    drop(whole);
    let unclaimed = Unclaimed::new(blobs, &blob);
    if md5.is_some_and(|expected| digest.finalize().as_slice() != expected) {
        return Err(Error::invalid(
            "md5",
            "The parts in this order have another MD5. Send the damaged part again, or correct the order.",
        ));
    }
    unclaimed.claim();
    Ok(blob)
}

/// Keeps the right to assemble; returns when it is lost.
async fn keep_alive(services: &Services, cx: &TenantContext, id: UploadId, token: Uuid) -> Error {
    loop {
        tokio::time::sleep(SIGN_OF_LIFE).await;
        let kept = async {
            let mut tx = services.db.tenant(cx).await?;
            let kept = store::keep(&mut tx, id, token).await?;
            tx.commit().await?;
            Ok::<_, Error>(kept)
        };
        match kept.await {
            Ok(true) => {}
            Ok(false) => return being_completed(),
            // The database is away. The right may hold; whether it did is asked again when the file is recorded.
            Err(error) => {
                tracing::warn!(%error, upload = %id, "could not keep an upload that is being assembled")
            }
        }
    }
}

/// Gives the right back after a failure. What is to be told: that the upload was ended meanwhile (which removes its
/// parts under the assembler's feet), or else the failure.
async fn abandon(
    services: &Services,
    cx: &TenantContext,
    id: UploadId,
    token: Uuid,
    failure: Error,
) -> Error {
    let ended = async {
        let mut tx = services.db.tenant(cx).await?;
        store::give_back(&mut tx, id, token).await?;
        let ended = must_be_pending(&get(&mut tx, id).await?);
        tx.commit().await?;
        Ok::<_, Error>(ended)
    };
    match ended.await {
        Ok(Err(ended)) => ended,
        Ok(Ok(())) => failure,
        Err(error) => {
            tracing::warn!(%error, upload = %id, "could not give an upload back; it can be completed in a minute");
            failure
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(id: PartId) -> StoredPart {
        StoredPart {
            id,
            bytes: 1,
            blob: id.to_string(),
        }
    }

    #[test]
    fn parts_come_in_the_named_order_once_each_and_from_this_upload() {
        let ids: Vec<PartId> = (0..3).map(|_| PartId::generate()).collect();
        let stored = || ids.iter().copied().map(part).collect::<Vec<_>>();
        let order = [ids[2], ids[0]];
        let found = named(stored(), &order).unwrap();
        assert_eq!(found.iter().map(|part| part.id).collect::<Vec<_>>(), order);

        let param = |wanted: &[PartId]| match named(stored(), wanted).unwrap_err() {
            Error::Invalid { param, .. } | Error::NotFound { param, .. } => param.unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(param(&[ids[0], ids[1], ids[0]]), "part_ids[2]");
        assert_eq!(param(&[ids[0], PartId::generate()]), "part_ids[1]");
    }

    #[test]
    fn the_order_of_parts_is_part_of_what_is_remembered() {
        let (a, b) = (PartId::generate(), PartId::generate());
        assert_eq!(order_of(&[a, b]), order_of(&[a, b]));
        assert_ne!(order_of(&[a, b]), order_of(&[b, a]));
    }
}
