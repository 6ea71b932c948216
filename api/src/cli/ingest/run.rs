//! Carrying out a plan: files go to the store side by side, and are waited for at the same time.

use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio_util::sync::CancellationToken;

use super::client::Api;
use super::disk::{LocalFile, hex};
use super::error::ApiError;
use super::plan::{Action, Plan, Step};
use super::progress::Progress;
use super::remote::{Store, StoreFile, fresh_key};
use super::report::FailedFile;
use super::upload::Upload;
use super::watch::{Pending, Watch};

/// What a plan is carried out with.
pub(super) struct Run<'a> {
    /// The server.
    pub(super) api: &'a Api,
    /// The store.
    pub(super) store: &'a Store,
    /// Where everything is counted.
    pub(super) progress: &'a Progress,
    /// Tells to begin nothing more.
    pub(super) stop: &'a CancellationToken,
    /// How many files go at once.
    pub(super) parallel: usize,
    /// Bytes of a part of a large file.
    pub(super) part_size: u64,
}

impl Run<'_> {
    /// Does it all, or until `stop`.
    ///
    /// # Errors
    /// With what makes going on pointless. What concerns one file is counted as its failure.
    pub(super) async fn carry_out(&self, plan: Plan) -> Result<(), ApiError> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let Plan { steps, gone } = plan;
        let sending = async move {
            let steps = stream::iter(steps).map(Ok);
            steps
                .try_for_each_concurrent(self.parallel, async |step| self.take(step, &sender).await)
                .await
        };
        let watching = Watch::new(self.api, self.store, self.progress).run(receiver, self.stop);
        tokio::try_join!(sending, watching)?;
        let gone = stream::iter(gone).map(Ok);
        gone.try_for_each_concurrent(self.parallel, async |file| {
            if !self.stop.is_cancelled() {
                self.api.delete(&file.id).await?;
                self.progress.deleted();
            }
            Ok(())
        })
        .await
    }

    async fn take(&self, step: Step, sender: &UnboundedSender<Pending>) -> Result<(), ApiError> {
        if self.stop.is_cancelled() {
            return Ok(());
        }
        let Step {
            file,
            action,
            superseded,
        } = step;
        let replaces = superseded.first().map(String::as_str);
        let attached = match action {
            Action::Skip => {
                for id in &superseded {
                    self.api.delete(id).await?;
                }
                return Ok(());
            }
            Action::Wait { id, created_at } => Ok(Some((id, created_at))),
            Action::Attach { id } => match self.attach(&id, &file, replaces).await {
                Err(error) if error.blames("file_id") => self.send(&file, replaces).await,
                attached => attached.map(Some),
            }
            .map(|file| file.map(|file| (file.id, file.created_at))),
            Action::Upload => {
                let sent = self.send(&file, replaces).await;
                sent.map(|file| file.map(|file| (file.id, file.created_at)))
            }
        };
        match attached {
            Ok(Some((id, created_at))) => {
                self.progress.sent();
                // Fails only when the watch has ended, and then so has everything.
                let _ = sender.send(Pending {
                    id,
                    path: file.path,
                    created_at,
                    superseded,
                });
            }
            Ok(None) => {}
            Err(error) if error.ends_the_run() => return Err(error),
            Err(error) => self.progress.failed(FailedFile {
                path: file.path,
                code: error.code(),
                message: error.to_string(),
            }),
        }
        Ok(())
    }

    /// Uploads and attaches. `None` if it was stopped before all bytes were sent; once they are, the file is attached, so
    /// that nothing is left lying about.
    async fn send(&self, file: &LocalFile, replaces: Option<&str>) -> Result<Option<StoreFile>, ApiError> {
        let key = upload_key(self.store, file);
        let Some(uploaded) = self.upload(file, &key).await else {
            return Ok(None);
        };
        let attached = match uploaded {
            Ok(id) => self.attach(&id, file, replaces).await,
            Err(error) => Err(error),
        };
        match attached {
            // The server remembers an upload of an earlier run: one whose file was deleted since, or one under
            // whose key other bytes came, because the file was written to meanwhile.
            Err(error) if error.blames("file_id") || error.code() == "idempotency_key_in_use" => {
                let Some(uploaded) = self.upload(file, &fresh_key()).await else {
                    return Ok(None);
                };
                self.attach(&uploaded?, file, replaces).await.map(Some)
            }
            attached => attached.map(Some),
        }
    }

    async fn upload(&self, file: &LocalFile, key: &str) -> Option<Result<String, ApiError>> {
        let upload = Upload {
            api: self.api,
            file,
            part_size: self.part_size,
            progress: self.progress,
        };
        tokio::select! {
            uploaded = upload.send(key) => Some(uploaded),
            () = self.stop.cancelled() => None,
        }
    }

    async fn attach(
        &self,
        id: &str,
        file: &LocalFile,
        replaces: Option<&str>,
    ) -> Result<StoreFile, ApiError> {
        match self.api.attach(self.store, id, file, replaces).await {
            // What was to be replaced is gone already.
            Err(error) if error.blames("replaces") => self.api.attach(self.store, id, file, None).await,
            attached => attached,
        }
    }
}

/// The same for the same bytes under the same path in the same store, so that an upload that was repeated makes one file.
fn upload_key(store: &Store, file: &LocalFile) -> String {
    let mut hasher = Sha256::new();
    for part in [&store.id, &file.path, &file.sha256] {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    format!("insula-ingest-{}", hex(hasher))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_by_store_path_and_bytes() {
        let key = |store: &str, path: &str, sha256: &str| {
            let store = Store {
                id: store.into(),
                name: String::new(),
            };
            let file = LocalFile {
                path: path.into(),
                full: path.into(),
                bytes: 0,
                modified: 0,
                sha256: sha256.into(),
            };
            upload_key(&store, &file)
        };
        let keys = [
            key("s", "p", "h"),
            key("t", "p", "h"),
            key("s", "q", "h"),
            key("s", "p", "i"),
            key("s", "ph", ""),
        ];
        assert!(keys.iter().all(|key| key.len() < 100));
        assert_eq!(
            keys.iter().collect::<std::collections::HashSet<_>>().len(),
            keys.len()
        );
        assert_eq!(key("s", "p", "h"), keys[0]);
    }
}
