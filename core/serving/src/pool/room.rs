//! Which versions are loaded, and who goes when there is no room.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use insula_core::prediction::{Loadable, Tensor};
use insula_core::{Error, Result};
use insula_tenancy::{ModelVersionId, TenantId};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use super::PoolOptions;
use super::actor::{self, Ask, Work};
use crate::child::Launch;

/// A version of a tenant's.
pub(super) type Key = (TenantId, ModelVersionId);

/// What a process takes besides its model, in bytes.
const OVERHEAD: u64 = 96 * 1024 * 1024;

pub(super) struct Shared {
    pub(super) options: PoolOptions,
    pub(super) launch: Launch,
    state: Mutex<State>,
    /// Told when a process has ended, or one has nothing more to do.
    freed: Notify,
}

#[derive(Default)]
struct State {
    /// Those that can be asked.
    entries: HashMap<Key, Entry>,
    /// Those whose processes run, also if they end soon.
    running: HashMap<u64, Running>,
    clock: u64,
}

struct Entry {
    asks: mpsc::UnboundedSender<Ask>,
    /// Calls that wait or are being answered.
    waiting: Arc<AtomicUsize>,
    /// When it was asked last.
    used: u64,
    /// Tells an entry from a later one of the same version.
    number: u64,
}

struct Running {
    key: Key,
    process: Option<u32>,
    /// What is assumed of it until it can be measured.
    expected: u64,
}

/// A place for a process. Dropped, it is free again.
pub(super) struct Slot {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.lock().running.remove(&self.number);
        self.shared.freed.notify_waiters();
    }
}

impl Slot {
    /// Notes which process has it, so that its memory can be seen.
    pub(super) fn taken_by(&self, process: Option<u32>) {
        if let Some(running) = self.shared.lock().running.get_mut(&self.number) {
            running.process = process;
        }
    }
}

/// A call's place in the queue. Dropped, the call is over.
pub(super) struct Ticket {
    shared: Arc<Shared>,
    waiting: Arc<AtomicUsize>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.freed.notify_waiters();
        }
    }
}

impl Shared {
    pub(super) fn new(options: PoolOptions, launch: Launch) -> Self {
        Self {
            options,
            launch,
            state: Mutex::default(),
            freed: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is consistent after every statement that can panic, so a poisoned lock is still good.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a version do something, loading it if it is not.
    pub(super) async fn ask(self: &Arc<Self>, model: &Loadable, work: Work) -> Result<Vec<Tensor>> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(model, work, reply)?;
        answer
            .await
            .map_err(|_| Error::internal("a model's queue ended without an answer"))?
    }

    fn enqueue(
        self: &Arc<Self>,
        model: &Loadable,
        work: Work,
        reply: oneshot::Sender<Result<Vec<Tensor>>>,
    ) -> Result<()> {
        let key = (model.tenant_id, model.version);
        let mut state = self.lock();
        state.clock += 1;
        let used = state.clock;
        let entry = state.entries.entry(key).or_insert_with(|| {
            let (asks, asked) = mpsc::unbounded_channel();
            tokio::spawn(actor::run(Arc::clone(self), model.clone(), used, asked));
            Entry {
                asks,
                waiting: Arc::default(),
                used,
                number: used,
            }
        });
        entry.used = used;
        if entry.waiting.load(Ordering::Acquire) >= self.options.queue {
            return Err(Error::Overloaded {
                message: "Too many calls wait for this model.".into(),
                retry_after: Duration::from_secs(1),
            });
        }
        entry.waiting.fetch_add(1, Ordering::AcqRel);
        let ask = Ask {
            work,
            reply,
            _ticket: Ticket {
                shared: Arc::clone(self),
                waiting: Arc::clone(&entry.waiting),
            },
        };
        let sent = entry.asks.send(ask);
        drop(state);
        // Its task ends only after its entry is gone.
        sent.map_err(|_| Error::internal("a model's queue has ended"))
    }

    /// Ends an entry that has nothing to do. `false`: something came meanwhile.
    pub(super) fn retire(&self, key: Key, number: u64) -> bool {
        let mut state = self.lock();
        match state.entries.get(&key) {
            Some(entry) if entry.number == number => {
                let is_idle = entry.waiting.load(Ordering::Acquire) == 0;
                if is_idle {
                    state.entries.remove(&key);
                }
                is_idle
            }
            // It was evicted: what was sent before is still answered.
            _ => true,
        }
    }

    pub(super) fn forget(&self, key: Key) {
        // Its task answers what waits, and ends.
        self.lock().entries.remove(&key);
    }

    pub(super) fn processes(&self) -> Vec<u32> {
        let state = self.lock();
        state
            .running
            .values()
            .filter_map(|running| running.process)
            .collect()
    }

    /// A place for a process, as soon as there is one; `None` if there is none for long. Models that have nothing to do make room,
    /// the one first that was asked the longest ago.
    pub(super) async fn slot(self: &Arc<Self>, key: Key, bytes: u64) -> Option<Slot> {
        let deadline = Instant::now() + self.options.patience;
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // From here on nothing is missed.
            freed.as_mut().enable();
            if let Some(slot) = self.try_slot(key, bytes) {
                return Some(slot);
            }
            if tokio::time::timeout_at(deadline, freed).await.is_err() {
                return None;
            }
        }
    }

    fn try_slot(self: &Arc<Self>, key: Key, bytes: u64) -> Option<Slot> {
        let mut state = self.lock();
        let expected = bytes.saturating_mul(2).saturating_add(OVERHEAD);
        let of_tenant = state
            .running
            .values()
            .filter(|running| running.key.0 == key.0)
            .count();
        let held: u64 = state.running.values().map(Running::memory).sum();
        let is_full = state.running.len() >= self.options.workers
            || !state.running.is_empty() && held.saturating_add(expected) > self.options.memory;
        if of_tenant >= self.options.workers_per_tenant {
            // A tenant makes room for itself.
            state.evict(|other| other.0 == key.0 && *other != key);
            return None;
        }
        if is_full {
            state.evict(|other| *other != key);
            return None;
        }
        state.clock += 1;
        let number = state.clock;
        let running = Running {
            key,
            process: None,
            expected,
        };
        state.running.insert(number, running);
        drop(state);
        Some(Slot {
            shared: Arc::clone(self),
            number,
        })
    }
}

impl State {
    /// Ends the one among these that was asked the longest ago and has nothing to do. Its place is free when its task has ended.
    fn evict(&mut self, among: impl Fn(&Key) -> bool) {
        let running: Vec<Key> = self.running.values().map(|running| running.key).collect();
        let idle = self.entries.iter().filter(|(key, entry)| {
            among(key) && running.contains(key) && entry.waiting.load(Ordering::Acquire) == 0
        });
        let oldest = idle.min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key);
        if let Some(key) = oldest {
            self.entries.remove(&key);
        }
    }
}

impl Running {
    fn memory(&self) -> u64 {
        let measured = self.process.and_then(insula_confine::memory);
        measured.map_or(self.expected, |memory| memory.resident)
    }
}
