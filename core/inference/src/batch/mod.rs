//! The dynamic batcher: many small requests in, well-filled model runs out.
//!
//! There is no timer. An idle worker starts at once with whatever waits; batches grow by themselves while all
//! workers are busy.

mod queue;
mod rate;
mod turns;
mod worker;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use insula_core::model::{EmbedPurpose, EmbedWork};
use insula_core::{Error, Result};
use tokio::sync::oneshot;

use self::queue::{Full, Item, Queue, RequestId};
use self::rate::Rate;

/// Any error of a model run.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A model as a worker sees it: one call at a time.
pub(crate) trait Engine: Send + 'static {
    /// One vector per text, in order; texts come as their token ids.
    fn embed(&mut self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>, BoxError>;
}

/// Bounds of a [`Batcher`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Tokens of one batch after padding.
    pub(crate) batch_tokens: usize,
    /// Tokens that may wait per purpose.
    pub(crate) queue_tokens: usize,
}

type Reply = oneshot::Sender<Result<Vec<Vec<f32>>>>;

struct State {
    queue: Queue<Reply>,
    workers: usize,
    stopped: bool,
    /// How fast one worker is.
    rate: Rate,
}

struct Shared {
    state: Mutex<State>,
    ready: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is consistent after every statement that can panic, so a poisoned lock is still good.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for work. `None` when the batcher stops.
    fn next_batch(&self) -> Option<Vec<Item>> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            let batch = state.queue.take();
            if !batch.is_empty() {
                if state.queue.has_work() {
                    self.ready.notify_one();
                }
                return Some(batch);
            }
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        state.queue.clear();
        drop(state);
        self.ready.notify_all();
    }
}

/// Embeds tokenized texts on worker threads, one per engine.
pub(crate) struct Batcher {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Batcher {
    /// Starts one thread per engine.
    pub(crate) fn start<E: Engine>(engines: Vec<E>, limits: Limits) -> std::io::Result<Self> {
        let state = State {
            queue: Queue::new(limits.batch_tokens, limits.queue_tokens),
            workers: engines.len(),
            stopped: engines.is_empty(),
            rate: Rate::default(),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            ready: Condvar::new(),
        });
        let mut batcher = Self {
            shared: Arc::clone(&shared),
            threads: Vec::new(),
        };
        for (n, engine) in engines.into_iter().enumerate() {
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name(format!("embed-{n}"));
            batcher
                .threads
                .push(thread.spawn(move || worker::run(&shared, engine))?);
        }
        Ok(batcher)
    }

    /// Refuses at once when nothing more can be queued, so that a caller need not count tokens in vain.
    pub(crate) fn check_room(&self, purpose: EmbedPurpose) -> Result<()> {
        let mut state = self.shared.lock();
        state
            .queue
            .room(1, purpose)
            .map_err(|full| overloaded(&state, &full))
    }

    /// Embeds `texts`, which are their token ids, and returns the vectors in the same order.
    ///
    /// Dropping the future gives up what has not reached a worker.
    pub(crate) async fn embed(&self, texts: Vec<Vec<u32>>, work: EmbedWork) -> Result<Vec<Vec<f32>>> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, answer) = oneshot::channel();
        let id = {
            let mut state = self.shared.lock();
            if state.stopped {
                return Err(stopped());
            }
            state
                .queue
                .push(texts, work, reply)
                .map_err(|full| overloaded(&state, &full))?
        };
        let _ticket = Ticket {
            shared: &self.shared,
            id,
        };
        self.shared.ready.notify_one();
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }
}

impl Batcher {
    /// Tokens per second of all workers together, as of late. `None` before there was anything to measure.
    pub(crate) fn tokens_per_second(&self) -> Option<f64> {
        let state = self.shared.lock();
        state.rate.of_one().map(|rate| rate * state.workers as f64)
    }
}

impl Drop for Batcher {
    /// Waits for the batches in progress: a native library must not be torn down under a running thread.
    fn drop(&mut self) {
        self.shared.stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("an embedding worker had panicked");
            }
        }
    }
}

/// Takes an unanswered request out of the queue when its caller goes away.
struct Ticket<'a> {
    shared: &'a Shared,
    id: RequestId,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.shared.lock().queue.remove(self.id);
    }
}

/// Tokens per second that one worker is taken for before it has been measured.
const UNMEASURED: f64 = 4_000.0;

fn overloaded(state: &State, full: &Full) -> Error {
    let rate = (state.rate.of_one().unwrap_or(UNMEASURED) * state.workers as f64).max(1.0);
    let seconds = (full.waiting as f64 / rate).clamp(1.0, 60.0);
    Error::Overloaded {
        message: "Too many texts are waiting to be embedded.".into(),
        retry_after: Duration::from_secs_f64(seconds.ceil()),
    }
}

fn stopped() -> Error {
    Error::internal("the embedding workers have stopped")
}

#[cfg(test)]
mod tests;
