//! What waits to be embedded, and what goes next. Pure bookkeeping: no threads, no clocks.

use std::collections::HashMap;

use insula_core::model::{EmbedPurpose, EmbedWork};

use super::turns::{Flow, Turns};

/// Names one request for as long as it is unanswered.
pub(crate) type RequestId = u64;

/// Requests that one batch may be mixed from. Bounds the time under the lock when thousands wait.
const MIXED_REQUESTS: usize = 64;

/// Padding that is always worth it: starting the model once more costs about as much as this many tokens.
const FREE_PADDING: usize = 32;

/// One text on its way to the model.
#[derive(Debug)]
pub(crate) struct Item {
    /// Where it came from.
    pub(crate) request: RequestId,
    /// Position in that request.
    pub(crate) index: usize,
    /// The text's token ids, special tokens included.
    pub(crate) ids: Vec<u32>,
}

impl Item {
    /// Its length in tokens.
    pub(crate) fn tokens(&self) -> usize {
        self.ids.len()
    }
}

/// A lane is full.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full {
    /// Tokens that wait in it.
    pub(crate) waiting: usize,
}

#[derive(Debug)]
struct Request<R> {
    reply: R,
    purpose: EmbedPurpose,
    flow: Flow,
    /// Shortest first, so that the longest is the cheapest to take.
    waiting: Vec<Item>,
    vectors: Vec<Vec<f32>>,
    missing: usize,
}

/// Requests of one purpose: tenants take turns, and each tenant's requests take turns among themselves. However much one of
/// them asks for, another waits for the batch in progress.
#[derive(Debug, Default)]
struct Lane {
    flows: Turns<Flow>,
    requests: HashMap<Flow, Turns<RequestId>>,
    tokens: usize,
}

impl Lane {
    fn join(&mut self, flow: Flow, request: RequestId) {
        self.requests.entry(flow).or_default().join(request);
        self.flows.join(flow);
    }

    /// Takes a request out that has nothing left to be served, or that nobody waits for any more.
    fn leave(&mut self, flow: Flow, request: RequestId) {
        let Some(requests) = self.requests.get_mut(&flow) else {
            return;
        };
        requests.leave(&request);
        if requests.is_empty() {
            self.requests.remove(&flow);
            self.flows.leave(&flow);
        }
    }
}

/// Two lanes of requests, `R` being where an answer goes.
#[derive(Debug)]
pub(crate) struct Queue<R> {
    requests: HashMap<RequestId, Request<R>>,
    interactive: Lane,
    bulk: Lane,
    last_id: RequestId,
    batch_tokens: usize,
    queue_tokens: usize,
}

impl<R> Queue<R> {
    /// `batch_tokens` bounds a batch after padding, `queue_tokens` what waits in each lane.
    pub(crate) fn new(batch_tokens: usize, queue_tokens: usize) -> Self {
        Self {
            requests: HashMap::new(),
            interactive: Lane::default(),
            bulk: Lane::default(),
            last_id: 0,
            batch_tokens,
            queue_tokens,
        }
    }

    fn lane(&mut self, purpose: EmbedPurpose) -> &mut Lane {
        match purpose {
            EmbedPurpose::Interactive => &mut self.interactive,
            EmbedPurpose::Bulk => &mut self.bulk,
        }
    }

    /// Whether a request of `tokens` may be added. A request that alone exceeds the bound is let in when
    /// nothing waits, since it could never be served otherwise.
    pub(crate) fn room(&mut self, tokens: usize, purpose: EmbedPurpose) -> Result<(), Full> {
        let bound = self.queue_tokens;
        let waiting = self.lane(purpose).tokens;
        if waiting > 0 && waiting.saturating_add(tokens) > bound {
            Err(Full { waiting })
        } else {
            Ok(())
        }
    }

    /// Adds a request of at least one text, each as its token ids.
    pub(crate) fn push(
        &mut self,
        texts: Vec<Vec<u32>>,
        work: EmbedWork,
        reply: R,
    ) -> Result<RequestId, Full> {
        let purpose = work.purpose;
        let total: usize = texts.iter().map(Vec::len).sum();
        self.room(total, purpose)?;
        self.last_id += 1;
        let id = self.last_id;
        let missing = texts.len();
        let mut waiting: Vec<Item> = texts
            .into_iter()
            .enumerate()
            .map(|(index, ids)| Item {
                request: id,
                index,
                ids,
            })
            .collect();
        waiting.sort_by_key(Item::tokens);
        let flow = work.tenant.map_or(Flow::Request(id), Flow::Tenant);
        let lane = self.lane(purpose);
        lane.join(flow, id);
        lane.tokens += total;
        let vectors = vec![Vec::new(); missing];
        self.requests.insert(
            id,
            Request {
                reply,
                purpose,
                flow,
                waiting,
                vectors,
                missing,
            },
        );
        Ok(id)
    }

    /// Whether anything waits to be taken.
    pub(crate) fn has_work(&self) -> bool {
        !(self.interactive.flows.is_empty() && self.bulk.flows.is_empty())
    }

    /// The next batch, empty when nothing waits. Never mixes lanes: bulk texts would make a person wait.
    pub(crate) fn take(&mut self) -> Vec<Item> {
        let lane = if self.interactive.flows.is_empty() {
            &mut self.bulk
        } else {
            &mut self.interactive
        };
        let mut batch = Batch::new(self.batch_tokens);
        let mut looked_at = 0;
        for flow in lane.flows.next(MIXED_REQUESTS) {
            let Some(requests) = lane.requests.get_mut(&flow) else {
                continue;
            };
            let mut served_flow = 0;
            let mut done = Vec::new();
            for id in requests.next(MIXED_REQUESTS - looked_at) {
                looked_at += 1;
                let Some(request) = self.requests.get_mut(&id) else {
                    continue;
                };
                let mut served = 0;
                while let Some(item) = request.waiting.pop_if(|item| batch.admits(item.tokens())) {
                    served += item.tokens();
                    batch.push(item);
                }
                requests.serve(&id, served);
                served_flow += served;
                if request.waiting.is_empty() {
                    done.push(id);
                }
                if batch.is_full() {
                    break;
                }
            }
            requests.pass(served_flow);
            lane.flows.serve(&flow, served_flow);
            for id in done {
                lane.leave(flow, id);
            }
            if batch.is_full() || looked_at >= MIXED_REQUESTS {
                break;
            }
        }
        lane.tokens = lane.tokens.saturating_sub(batch.tokens);
        lane.flows.pass(batch.tokens);
        batch.items
    }

    /// Stores a vector. Returns where the answer goes, and the answer, when it was the last one missing.
    pub(crate) fn store(
        &mut self,
        id: RequestId,
        index: usize,
        vector: Vec<f32>,
    ) -> Option<(R, Vec<Vec<f32>>)> {
        let request = self.requests.get_mut(&id)?;
        *request.vectors.get_mut(index)? = vector;
        request.missing = request.missing.saturating_sub(1);
        if request.missing > 0 {
            return None;
        }
        let request = self.requests.remove(&id)?;
        Some((request.reply, request.vectors))
    }

    /// Forgets a request and what waits of it. `None` when it is unknown or already answered.
    pub(crate) fn remove(&mut self, id: RequestId) -> Option<R> {
        let request = self.requests.remove(&id)?;
        let waiting: usize = request.waiting.iter().map(Item::tokens).sum();
        let lane = self.lane(request.purpose);
        lane.leave(request.flow, id);
        lane.tokens = lane.tokens.saturating_sub(waiting);
        Some(request.reply)
    }

    /// The newest id given out.
    #[cfg(test)]
    pub(crate) fn last_id(&self) -> RequestId {
        self.last_id
    }

    /// Forgets everything, dropping all replies.
    pub(crate) fn clear(&mut self) {
        self.requests.clear();
        self.interactive = Lane::default();
        self.bulk = Lane::default();
    }
}

/// A batch being filled.
struct Batch {
    items: Vec<Item>,
    longest: usize,
    tokens: usize,
    budget: usize,
}

impl Batch {
    fn new(budget: usize) -> Self {
        Self {
            items: Vec::new(),
            longest: 0,
            tokens: 0,
            budget,
        }
    }

    /// Whether one more text fits the budget without wasting more than a fifth of the batch on padding.
    fn admits(&self, tokens: usize) -> bool {
        if self.items.is_empty() {
            return true;
        }
        let padded = (self.items.len() + 1) * self.longest.max(tokens);
        let real = self.tokens + tokens;
        padded <= self.budget && padded <= real + real / 4 + FREE_PADDING
    }

    fn push(&mut self, item: Item) {
        self.longest = self.longest.max(item.tokens());
        self.tokens += item.tokens();
        self.items.push(item);
    }

    fn is_full(&self) -> bool {
        (self.items.len() + 1) * self.longest > self.budget
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
