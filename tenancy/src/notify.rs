//! One LISTEN connection per server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::{Db, JobId, Result};

/// Hints from the database. They only make things faster: keys are re-read every second and jobs are polled, so a lost
/// notification costs time and never correctness.
#[derive(Clone)]
pub struct Notifications {
    ears: Ears,
    _task: Arc<AbortOnDrop>,
}

/// Jobs that somebody on this server watches.
type Jobs = HashMap<JobId, watch::Sender<()>>;
type Watched = Arc<Mutex<Jobs>>;

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Notifications {
    /// Starts listening, and keeps reconnecting for as long as the value lives.
    ///
    /// # Errors
    /// When the first connection fails.
    pub async fn listen(db: &Db) -> Result<Self> {
        let ears = Ears {
            keys: broadcast::Sender::new(256),
            queue: watch::Sender::default(),
            watched: Watched::default(),
        };
        let listener = connect(db).await?;
        let task = tokio::spawn(run(db.clone(), listener, ears.clone()));
        Ok(Self {
            ears,
            _task: Arc::new(AbortOnDrop(task)),
        })
    }

    /// Public ids of changed keys; the empty string means all of them.
    pub(crate) fn changed_keys(&self) -> broadcast::Receiver<String> {
        self.ears.keys.subscribe()
    }

    /// Tells when there may be new work in the queue.
    pub fn watch_queue(&self) -> QueueWatch {
        QueueWatch(self.ears.queue.subscribe())
    }

    /// Tells when a job changes, from now on.
    pub fn watch_job(&self, id: JobId) -> JobWatch {
        let watched = Arc::clone(&self.ears.watched);
        let changes = lock(&watched).entry(id).or_default().subscribe();
        JobWatch { id, changes, watched }
    }
}

/// Hints that the queue has new work.
pub struct QueueWatch(watch::Receiver<()>);

impl QueueWatch {
    /// Waits until a job was enqueued on any server since the last call, or `at_most` has passed.
    pub async fn changed_or(&mut self, at_most: Duration) {
        wait(&mut self.0, at_most).await;
    }
}

/// Hints that one job has changed.
pub struct JobWatch {
    id: JobId,
    changes: watch::Receiver<()>,
    watched: Watched,
}

impl JobWatch {
    /// Waits until the job was changed by any server since the last call, or `at_most` has passed. `true` if it may have
    /// changed.
    pub async fn changed_or(&mut self, at_most: Duration) -> bool {
        wait(&mut self.changes, at_most).await
    }
}

impl Drop for JobWatch {
    fn drop(&mut self) {
        let mut watched = lock(&self.watched);
        // This one is still counted.
        if watched
            .get(&self.id)
            .is_some_and(|changes| changes.receiver_count() <= 1)
        {
            watched.remove(&self.id);
        }
    }
}

async fn wait(changes: &mut watch::Receiver<()>, at_most: Duration) -> bool {
    match tokio::time::timeout(at_most, changes.changed()).await {
        Ok(Ok(())) => true,
        Err(_) => false,
        // Nobody listens any more; what is left is to look now and then.
        Ok(Err(_)) => {
            tokio::time::sleep(at_most).await;
            false
        }
    }
}

fn lock(watched: &Mutex<Jobs>) -> MutexGuard<'_, Jobs> {
    // Every change is one step, so a poisoned lock is still good.
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who is told.
#[derive(Clone)]
struct Ears {
    keys: broadcast::Sender<String>,
    queue: watch::Sender<()>,
    watched: Watched,
}

impl Ears {
    fn hear(&self, channel: &str, payload: &str) {
        match channel {
            "insula_jobs" => {
                self.queue.send_replace(());
            }
            "insula_job_changes" => {
                let id = Uuid::try_parse(payload).map(JobId::from);
                if let Some(changes) = id.ok().and_then(|id| lock(&self.watched).get(&id).cloned()) {
                    changes.send_replace(());
                }
            }
            _ => {
                // No receiver only means that nothing is cached.
                let _ = self.keys.send(payload.to_owned());
            }
        }
    }

    /// The connection was lost, and with it whatever was said meanwhile.
    fn miss(&self) {
        let _ = self.keys.send(String::new());
        self.queue.send_replace(());
        for changes in lock(&self.watched).values() {
            changes.send_replace(());
        }
    }
}

async fn connect(db: &Db) -> Result<PgListener> {
    let mut listener = PgListener::connect(db.listener_url()).await?;
    listener
        .listen_all(["insula_keys", "insula_jobs", "insula_job_changes"])
        .await?;
    Ok(listener)
}

async fn run(db: Db, mut listener: PgListener, ears: Ears) {
    loop {
        match listener.try_recv().await {
            Ok(Some(notification)) => ears.hear(notification.channel(), notification.payload()),
            // The connection is being made anew.
            Ok(None) | Err(_) => {
                ears.miss();
                tokio::time::sleep(Duration::from_millis(500)).await;
                if let Ok(fresh) = connect(&db).await {
                    listener = fresh;
                    ears.miss();
                }
            }
        }
    }
}
