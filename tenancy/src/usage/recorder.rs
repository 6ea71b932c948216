//! Brings events that have ended to the database, in batches.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use uuid::Uuid;

use super::UsageEvent;
use super::journal::{Journal, Segment};
use super::record::{Crossed, Recorded, record};
use crate::budget::{Draw, Purse};
use crate::{Db, Money, Result, alert};

/// Most events of one transaction.
const BATCH: usize = 4_000;
/// How long a batch waits for company: a commit costs the disk milliseconds, whatever is in it.
const GATHER: Duration = Duration::from_millis(30);
/// Pauses between attempts while the database is away.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// A call that is over.
pub(crate) struct Ended {
    pub(crate) event: UsageEvent,
    /// Where it is in the journal.
    pub(crate) segments: Vec<Segment>,
    /// Budgets that it was admitted on.
    pub(crate) purses: Vec<Arc<Purse>>,
}

/// The way to the database. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Recorder {
    sender: mpsc::UnboundedSender<Ended>,
    waiting: Arc<AtomicUsize>,
}

impl Recorder {
    /// Starts the task that records. It ends when the last clone is gone and everything is recorded.
    pub(crate) fn start(db: Db, server_id: Uuid, journal: Arc<Journal>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let task = Task {
            db,
            server_id,
            journal,
            waiting: Arc::clone(&waiting),
        };
        tokio::spawn(async move { task.run(receiver).await });
        Self { sender, waiting }
    }

    /// Hands over a call that is over.
    pub(crate) fn record(&self, ended: Ended) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // Without a receiver the process is at its end; the journal has the event.
        let _ = self.sender.send(ended);
    }

    /// Calls that the database does not have yet.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

struct Task {
    db: Db,
    server_id: Uuid,
    journal: Arc<Journal>,
    waiting: Arc<AtomicUsize>,
}

impl Task {
    async fn run(&self, mut receiver: mpsc::UnboundedReceiver<Ended>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            if receiver.recv_many(&mut batch, BATCH).await == 0 {
                return;
            }
            sleep(GATHER).await;
            while batch.len() < BATCH {
                match receiver.try_recv() {
                    Ok(ended) => batch.push(ended),
                    Err(_) => break,
                }
            }
            self.record(&batch).await;
            self.waiting.fetch_sub(batch.len(), Ordering::Relaxed);
            batch.clear();
        }
    }

    /// Records a batch, however long the database is away.
    async fn record(&self, batch: &[Ended]) {
        let mut failures = 0;
        let alerts = loop {
            match write(&self.db, self.server_id, batch).await {
                Ok(alerts) => break alerts,
                Err(error) => {
                    tracing::warn!(%error, events = batch.len(), "usage is not recorded yet");
                    sleep(PAUSES[failures.min(PAUSES.len() - 1)]).await;
                    failures += 1;
                }
            }
        };
        self.journal
            .release(batch.iter().flat_map(|ended| ended.segments.iter().copied()));
        tell(&self.db, alerts).await;
    }
}

/// Brings calls to the database, all or none of them. The alerts that follow are to be told.
pub(crate) async fn write(db: &Db, server_id: Uuid, batch: &[Ended]) -> Result<Vec<Crossed>> {
    let events: Vec<&UsageEvent> = batch.iter().map(|ended| &ended.event).collect();
    let spent = spent(batch);
    let draws: Vec<Draw> = spent.iter().map(|(purse, amount)| purse.draw(*amount)).collect();
    let Recorded { alerts, .. } = record(db, server_id, &events, &draws).await?;
    for (purse, amount) in spent {
        purse.recorded(amount);
    }
    Ok(alerts)
}

/// Tells tenants of alerts, by jobs of theirs.
pub(crate) async fn tell(db: &Db, alerts: Vec<Crossed>) {
    for crossed in alerts {
        if let Err(error) = alert::enqueue(db, crossed.tenant_id, crossed.id).await {
            // The sweep finds it.
            tracing::warn!(%error, "a budget's alert is not told yet");
        }
    }
}

/// What a batch takes from each purse.
fn spent(batch: &[Ended]) -> Vec<(&Arc<Purse>, Money)> {
    let mut spent: HashMap<*const Purse, (&Arc<Purse>, Money)> = HashMap::new();
    for ended in batch
        .iter()
        .filter(|ended| ended.event.details.cost > Money::ZERO)
    {
        for purse in &ended.purses {
            let (_, amount) = spent.entry(Arc::as_ptr(purse)).or_insert((purse, Money::ZERO));
            *amount += ended.event.details.cost;
        }
    }
    spent.into_values().collect()
}
