//! Whole answers, for callers who take one that was given before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use insula_tenancy::TenantContext;
use moka::Expiry;
use moka::sync::Cache;
use serde_json::{Value, json};

use super::{Gather, Key, KeyBuilder};
use crate::guard::Policy;
use crate::model::{
    ChatEvent, ChatMessage, ChatOptions, ChatRequest, ChatStream, Completion, FinishReason, Passage,
    ToolCallDelta,
};

/// Longest that an answer is kept, whatever a caller asks for.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// What an entry takes besides its texts, in bytes.
const OVERHEAD: usize = 512;

/// Whether, and for how long, an answer may come from the cache and go into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// For how long.
    pub ttl: Duration,
    /// Whether this very call asked for it, and not only its route.
    pub asked: bool,
}

impl Wanted {
    /// What a call asks for goes before what its route says; a ttl of zero keeps it out of the cache.
    pub fn choose(by_call: Option<Duration>, by_route: Option<Duration>) -> Option<Self> {
        let asked = by_call.is_some();
        let ttl = by_call.or(by_route)?.min(LONGEST);
        (!ttl.is_zero()).then_some(Self { ttl, asked })
    }

    /// Whether a call can be answered from the cache at all. A model that picks its tool calls by chance is asked again,
    /// unless the call says otherwise: an agent would go round in circles.
    fn suits(self, options: &ChatOptions) -> bool {
        self.asked || options.tools.is_empty() || options.temperature == Some(0.0)
    }
}

/// An answer with the passages that it cites.
#[derive(Debug, Clone, PartialEq)]
pub struct CachedAnswer {
    /// The answer, with the usage that it took when it was made.
    pub completion: Completion,
    /// The passages that its citations mean.
    pub passages: Vec<Passage>,
}

impl CachedAnswer {
    fn bytes(&self) -> usize {
        let completion = &self.completion;
        let texts = [&completion.content, &completion.refusal];
        let calls = completion.tool_calls.iter();
        OVERHEAD
            + texts.into_iter().flatten().map(String::len).sum::<usize>()
            + calls
                .map(|call| call.id.len() + call.name.len() + call.arguments.len())
                .sum::<usize>()
            + completion.citations.len() * 64
            + self
                .passages
                .iter()
                .map(|passage| passage.text.len() + 256)
                .sum::<usize>()
    }
}

#[derive(Clone)]
struct Entry {
    answer: Arc<CachedAnswer>,
    ttl: Duration,
}

struct OwnTtl;

impl Expiry<Key, Entry> for OwnTtl {
    fn expire_after_create(&self, _: &Key, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.ttl)
    }

    fn expire_after_update(
        &self,
        _: &Key,
        entry: &Entry,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.ttl)
    }
}

/// Answers that were given before, per tenant. Bounded in bytes.
#[derive(Clone)]
pub struct Responses {
    cache: Cache<Key, Entry>,
}

impl Responses {
    /// A cache of at most `bytes`; 0 keeps nothing.
    pub fn new(bytes: u64) -> Self {
        let weigh = |_: &Key, entry: &Entry| u32::try_from(entry.answer.bytes()).unwrap_or(u32::MAX);
        let cache = Cache::builder()
            .max_capacity(bytes)
            .weigher(weigh)
            .expire_after(OwnTtl)
            .build();
        Self { cache }
    }

    /// The place of a call's answer, if it can have one: a digest of everything that decides the answer. `names` are
    /// what the call asked for and which route answers, `request` is what would be sent.
    pub fn slot(
        &self,
        cx: &TenantContext,
        wanted: Wanted,
        names: [&str; 2],
        request: &ChatRequest,
        policy: Option<&Policy>,
    ) -> Option<Slot> {
        self.slot_under(KeyBuilder::new(cx, "answer"), wanted, names, request, policy)
    }

    fn slot_under(
        &self,
        builder: KeyBuilder,
        wanted: Wanted,
        names: [&str; 2],
        request: &ChatRequest,
        policy: Option<&Policy>,
    ) -> Option<Slot> {
        if !wanted.suits(&request.options) {
            return None;
        }
        let options = options(&request.options).to_string();
        let mut builder = builder
            .part(names[0])
            .part(names[1])
            .part(&request.model)
            .part(options)
            .part([u8::from(request.grounded)]);
        for message in &request.messages {
            builder = builder.part(described(message).to_string());
        }
        // A passage may have been corrected under the same id.
        for passage in &request.passages {
            builder = builder.part(&passage.chunk_id).part(&passage.text);
        }
        if let Some(policy) = policy {
            builder = builder.part(policy.fingerprint());
        }
        Some(Slot {
            cache: self.cache.clone(),
            key: builder.finish(),
            ttl: wanted.ttl,
        })
    }
}

/// Where one call's answer is kept.
#[derive(Clone)]
pub struct Slot {
    cache: Cache<Key, Entry>,
    key: Key,
    ttl: Duration,
}

impl Slot {
    /// The answer that was given before.
    pub fn find(&self) -> Option<Arc<CachedAnswer>> {
        self.cache.get(&self.key).map(|entry| entry.answer)
    }

    /// Keeps an answer, if it is whole and nothing was withheld.
    pub fn keep(&self, completion: &Completion, passages: &[Passage]) {
        let whole = matches!(
            completion.finish_reason,
            Some(FinishReason::Stop | FinishReason::Length | FinishReason::ToolCalls)
        );
        if !whole || completion.refusal.is_some() {
            return;
        }
        let answer = CachedAnswer {
            completion: completion.clone(),
            passages: passages.to_vec(),
        };
        let entry = Entry {
            answer: Arc::new(answer),
            ttl: self.ttl,
        };
        self.cache.insert(self.key, entry);
    }

    /// The same stream; its answer is kept when it has come to a whole end.
    pub fn record(self, events: ChatStream, passages: Vec<Passage>) -> ChatStream {
        let state = (events, Gather::default(), self, passages);
        stream::unfold(state, async |(mut events, mut gather, slot, passages)| {
            let Some(event) = events.next().await else {
                slot.keep(gather.answer(), &passages);
                return None;
            };
            if let Ok(event) = &event {
                gather.take(event);
            }
            Some((event, (events, gather, slot, passages)))
        })
        .boxed()
    }
}

/// A kept answer as a stream.
pub fn replay(answer: &CachedAnswer) -> ChatStream {
    let completion = answer.completion.clone();
    let calls: Vec<ToolCallDelta> = (0..)
        .zip(completion.tool_calls)
        .map(|(index, call)| ToolCallDelta {
            index,
            id: Some(call.id),
            name: Some(call.name),
            arguments: call.arguments,
        })
        .collect();
    let content = completion.content.filter(|text| !text.is_empty());
    let events = [
        content.map(ChatEvent::Content),
        completion.refusal.map(ChatEvent::Refusal),
        (!calls.is_empty()).then_some(ChatEvent::ToolCalls(calls)),
        (!completion.citations.is_empty()).then_some(ChatEvent::Citations(completion.citations)),
        Some(ChatEvent::Finish(
            completion.finish_reason.unwrap_or(FinishReason::Stop),
        )),
        completion.usage.map(ChatEvent::Usage),
    ];
    stream::iter(events.into_iter().flatten().map(Ok)).boxed()
}

/// Everything in the options that decides the answer; who asks does not.
fn options(options: &ChatOptions) -> Value {
    // By name, so that an option that is added does not compile before it is thought of.
    let ChatOptions {
        max_tokens,
        temperature,
        top_p,
        stop,
        presence_penalty,
        frequency_penalty,
        seed,
        tools,
        tool_choice,
        parallel_tool_calls,
        response_format,
        user: _,
    } = options;
    json!([
        max_tokens,
        temperature,
        top_p,
        stop,
        presence_penalty,
        frequency_penalty,
        seed,
        tools,
        tool_choice,
        parallel_tool_calls,
        response_format
    ])
}

fn described(message: &ChatMessage) -> Value {
    let ChatMessage {
        role,
        content,
        images,
        name,
        tool_calls,
        tool_call_id,
    } = message;
    json!([role, content, images, name, tool_calls, tool_call_id])
}

#[cfg(test)]
mod tests;
