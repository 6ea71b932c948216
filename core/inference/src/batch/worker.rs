//! The loop of one worker thread.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use insula_core::Error;

use super::queue::{Item, RequestId};
use super::{BoxError, Engine, Shared};

/// Embeds batches until the batcher stops.
pub(super) fn run<E: Engine>(shared: &Shared, mut engine: E) {
    let _leaving = Leaving(shared);
    while let Some(batch) = shared.next_batch() {
        let tokens: usize = batch.iter().map(Item::tokens).sum();
        let started = Instant::now();
        match embed(&mut engine, &batch) {
            Ok(vectors) => deliver(shared, &batch, vectors),
            Err(error) => retry_by_request(shared, &mut engine, batch, error),
        }
        shared.lock().rate.note(tokens, started.elapsed());
    }
}

/// When the last worker leaves, for whatever reason, nobody may be left waiting.
struct Leaving<'a>(&'a Shared);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let last = {
            let mut state = self.0.lock();
            state.workers = state.workers.saturating_sub(1);
            state.workers == 0
        };
        if last {
            self.0.stop();
        }
    }
}

/// Runs the model, turning a panic into an error.
fn embed<E: Engine>(engine: &mut E, batch: &[Item]) -> Result<Vec<Vec<f32>>, BoxError> {
    let texts: Vec<&[u32]> = batch.iter().map(|item| item.ids.as_slice()).collect();
    // An engine holds nothing across calls that an unwinding could leave half done.
    let vectors = catch_unwind(AssertUnwindSafe(|| engine.embed(&texts)))
        .map_err(|panic| format!("the model panicked: {}", describe(panic.as_ref())))??;
    if vectors.len() != texts.len() {
        return Err(format!("{} vectors for {} texts", vectors.len(), texts.len()).into());
    }
    Ok(vectors)
}

fn describe(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

fn deliver(shared: &Shared, batch: &[Item], vectors: Vec<Vec<f32>>) {
    let mut answers = Vec::new();
    {
        let mut state = shared.lock();
        for (item, vector) in batch.iter().zip(vectors) {
            answers.extend(state.queue.store(item.request, item.index, vector));
        }
    }
    for (reply, vectors) in answers {
        // A caller that has gone away is no failure.
        let _ = reply.send(Ok(vectors));
    }
}

/// A batch may hold texts of several callers: the one whose text breaks the model must not take the others
/// along.
fn retry_by_request<E: Engine>(shared: &Shared, engine: &mut E, mut batch: Vec<Item>, error: BoxError) {
    batch.sort_by_key(|item| item.request);
    let requests: Vec<&[Item]> = batch.chunk_by(|a, b| a.request == b.request).collect();
    if let [only] = requests[..] {
        return fail(shared, only[0].request, error);
    }
    for part in requests {
        match embed(engine, part) {
            Ok(vectors) => deliver(shared, part, vectors),
            Err(error) => fail(shared, part[0].request, error),
        }
    }
}

fn fail(shared: &Shared, id: RequestId, error: BoxError) {
    let reply = shared.lock().queue.remove(id);
    if let Some(reply) = reply {
        let _ = reply.send(Err(Error::internal(error)));
    }
}
