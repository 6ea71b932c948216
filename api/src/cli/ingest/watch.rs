//! Waiting until files are read. Asks for lists, not for files: two requests a round, however many are waited for.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::client::Api;
use super::error::ApiError;
use super::progress::Progress;
use super::remote::{LastError, Order, Page, Status, Store, StoreFile};
use super::report::FailedFile;

/// A file that the server is to read.
#[derive(Debug)]
pub(super) struct Pending {
    /// Its id.
    pub(super) id: String,
    /// What it is called.
    pub(super) path: String,
    /// When it was attached, in Unix seconds of the server.
    pub(super) created_at: i64,
    /// What is to be removed when it is searchable.
    pub(super) superseded: Vec<String>,
}

const SOON: Duration = Duration::from_millis(300);
const LATER: Duration = Duration::from_secs(1);
/// More than this many are not asked for as often.
const FEW: usize = 50;
/// How many files are removed at once.
const REMOVALS: usize = 4;

/// Watches the files of a store.
pub(super) struct Watch<'a> {
    api: &'a Api,
    store: &'a Store,
    progress: &'a Progress,
    pending: HashMap<String, Pending>,
    /// Those that were in no list in the last round.
    missed: HashSet<String>,
}

impl<'a> Watch<'a> {
    /// Of nothing yet.
    pub(super) fn new(api: &'a Api, store: &'a Store, progress: &'a Progress) -> Self {
        Self {
            api,
            store,
            progress,
            pending: HashMap::new(),
            missed: HashSet::new(),
        }
    }

    /// Until all that come in are read or could not be, or `stop`.
    ///
    /// # Errors
    /// When the server cannot be asked any more.
    pub(super) async fn run(
        mut self,
        mut incoming: UnboundedReceiver<Pending>,
        stop: &CancellationToken,
    ) -> Result<(), ApiError> {
        loop {
            if self.pending.is_empty() {
                let next = tokio::select! {
                    next = incoming.recv() => next,
                    () = stop.cancelled() => None,
                };
                let Some(next) = next else { return Ok(()) };
                self.pending.insert(next.id.clone(), next);
            }
            let pause = if self.pending.len() > FEW { LATER } else { SOON };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return Ok(()),
            }
            while let Ok(next) = incoming.try_recv() {
                self.pending.insert(next.id.clone(), next);
            }
            self.round().await?;
        }
    }

    async fn round(&mut self) -> Result<(), ApiError> {
        let waiting = self
            .api
            .files(self.store, Some(Status::InProgress), Order::Asc, None)
            .await?;
        let mut done = settled(&self.pending, &waiting);
        for status in [Status::Completed, Status::Failed, Status::Cancelled] {
            if !self.collect(status, &mut done).await? {
                return Ok(());
            }
        }
        // In no list: removed by somebody, or on its way from one list to another.
        for id in &done {
            if self.missed.contains(id)
                && let Some(file) = self.pending.remove(id)
            {
                self.fail(file.path, "removed", "It was removed from the vector store.");
            }
        }
        self.missed = done;
        Ok(())
    }

    /// Settles those of `wanted` that are in this state, newest first, as they have just got there. `false` if the list
    /// changed under our hands.
    async fn collect(&mut self, status: Status, wanted: &mut HashSet<String>) -> Result<bool, ApiError> {
        let mut superseded = Vec::new();
        let mut after: Option<String> = None;
        let mut whole = true;
        loop {
            let oldest = wanted
                .iter()
                .filter_map(|id| self.pending.get(id))
                .map(|file| file.created_at)
                .min();
            let Some(oldest) = oldest else { break };
            let page = match self
                .api
                .files(self.store, Some(status), Order::Desc, after.as_deref())
                .await
            {
                Err(error) if error.blames("after") => {
                    whole = false;
                    break;
                }
                page => page?,
            };
            let last = page.data.last().map(|file| (file.id.clone(), file.created_at));
            for file in page.data {
                if wanted.remove(&file.id)
                    && let Some(pending) = self.pending.remove(&file.id)
                {
                    superseded.extend(self.settle(file, pending));
                }
            }
            match last {
                Some((id, created_at)) if page.has_more && created_at >= oldest => after = Some(id),
                _ => break,
            }
        }
        let removals = stream::iter(superseded).map(Ok);
        removals
            .try_for_each_concurrent(REMOVALS, async |id| self.api.delete(&id).await)
            .await?;
        Ok(whole)
    }

    /// Counts a file, and tells what is to be removed now.
    fn settle(&self, file: StoreFile, pending: Pending) -> Vec<String> {
        match (file.status, file.last_error) {
            (Status::Completed, _) => {
                self.progress.ready();
                return pending.superseded;
            }
            (_, Some(LastError { code, message })) => self.fail(pending.path, &code, &message),
            _ => self.fail(pending.path, "cancelled", "Its reading was cancelled."),
        }
        Vec::new()
    }

    fn fail(&self, path: String, code: &str, message: &str) {
        self.progress.failed(FailedFile {
            path,
            code: code.to_owned(),
            message: message.to_owned(),
        });
    }
}

/// Those of `pending` that are certainly no longer in progress, given the oldest that are.
fn settled(pending: &HashMap<String, Pending>, in_progress: &Page<StoreFile>) -> HashSet<String> {
    let listed: HashSet<&str> = in_progress.data.iter().map(|file| file.id.as_str()).collect();
    // Of those that come after the page, nothing is known. Seconds are all that is known of their order.
    let known_before = match in_progress.data.last() {
        Some(last) if in_progress.has_more => last.created_at,
        _ => i64::MAX,
    };
    let is_settled = |file: &&Pending| file.created_at < known_before && !listed.contains(file.id.as_str());
    pending
        .values()
        .filter(is_settled)
        .map(|file| file.id.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn page(files: &[(&str, i64)], has_more: bool) -> Page<StoreFile> {
        let file = |(id, created_at): &(&str, i64)| json!({"id": id, "created_at": created_at, "status": "in_progress", "last_error": null});
        let data: Vec<_> = files.iter().map(file).collect();
        serde_json::from_value(json!({"data": data, "has_more": has_more})).unwrap()
    }

    fn settled_of(pending: &[(&str, i64)], page: &Page<StoreFile>) -> Vec<String> {
        let pending = pending.iter().map(|(id, created_at)| {
            let file = Pending {
                id: (*id).into(),
                path: (*id).into(),
                created_at: *created_at,
                superseded: Vec::new(),
            };
            (file.id.clone(), file)
        });
        let mut settled: Vec<_> = settled(&pending.collect(), page).into_iter().collect();
        settled.sort_unstable();
        settled
    }

    #[test]
    fn what_is_not_among_all_that_are_in_progress_is_settled() {
        let pending = [("a", 1), ("b", 2), ("c", 3)];
        assert_eq!(settled_of(&pending, &page(&[("b", 2)], false)), ["a", "c"]);
        assert_eq!(settled_of(&pending, &page(&[], false)), ["a", "b", "c"]);
    }

    #[test]
    fn of_a_list_that_goes_on_only_what_is_older_than_its_end_is_known() {
        let pending = [("a", 1), ("b", 2), ("c", 3), ("d", 4)];
        assert_eq!(settled_of(&pending, &page(&[("b", 2), ("x", 3)], true)), ["a"]);
    }
}
