//! One LISTEN connection per server.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinHandle;

use crate::{Db, Result};

/// Hints from the database. They only make things faster: keys are re-read every second and jobs are polled, so a lost
/// notification costs time and never correctness.
#[derive(Clone)]
pub struct Notifications {
    keys: broadcast::Sender<String>,
    jobs: Arc<Notify>,
    _task: Arc<AbortOnDrop>,
}

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
        let keys = broadcast::Sender::new(256);
        let jobs = Arc::new(Notify::new());
        let listener = connect(db).await?;
        let task = tokio::spawn(run(db.clone(), listener, keys.clone(), Arc::clone(&jobs)));
        Ok(Self {
            keys,
            jobs,
            _task: Arc::new(AbortOnDrop(task)),
        })
    }

    /// Public ids of changed keys; the empty string means all of them.
    pub(crate) fn changed_keys(&self) -> broadcast::Receiver<String> {
        self.keys.subscribe()
    }

    /// Waits until a job was enqueued on any server, or `at_most` has passed.
    pub async fn job_or(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.jobs.notified()).await;
    }

    /// Wakes a waiting worker of this server.
    pub fn wake_workers(&self) {
        self.jobs.notify_one();
    }
}

async fn connect(db: &Db) -> Result<PgListener> {
    let mut listener = PgListener::connect(db.listener_url()).await?;
    listener.listen_all(["insula_keys", "insula_jobs"]).await?;
    Ok(listener)
}

async fn run(db: Db, mut listener: PgListener, keys: broadcast::Sender<String>, jobs: Arc<Notify>) {
    loop {
        match listener.try_recv().await {
            Ok(Some(notification)) if notification.channel() == "insula_jobs" => jobs.notify_one(),
            Ok(Some(notification)) => {
                // No receiver only means that nothing is cached.
                let _ = keys.send(notification.payload().to_owned());
            }
            // The connection was lost and is being made anew: whatever was said meanwhile is not known.
            Ok(None) | Err(_) => {
                let _ = keys.send(String::new());
                jobs.notify_one();
                tokio::time::sleep(Duration::from_millis(500)).await;
                if let Ok(fresh) = connect(&db).await {
                    listener = fresh;
                }
            }
        }
    }
}
