//! What a tenant wants done around a call to a model: guardrails, the response cache, the log. A tenant that wants
//! nothing of this pays nothing.

use std::sync::Arc;

use futures::{StreamExt, stream};
use insula_tenancy::TenantContext;
use serde_json::{Value, json};

use crate::cache::{CachedAnswer, Gather, Slot, Wanted};
use crate::guard::{self, Decisions, Settings};
use crate::model::{ChatMessage, ChatOptions, ChatRequest, ChatStream, Completion, Passage};
use crate::request_log::{Logging, NewRequestLog, RequestLogs};
use crate::{Result, Services, metering};

/// Where an answer came from, for a call that may be answered from the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheStatus {
    /// It had been given before.
    Hit,
    /// It was made for this call.
    Miss,
}

/// Around one call.
pub(super) struct Around {
    /// What guardrails have decided by now.
    pub(super) decisions: Decisions,
    settings: Arc<Settings>,
    slot: Option<Slot>,
    log: Option<Log>,
}

impl Around {
    /// Looks up what the caller's tenant wants.
    pub(super) async fn of(services: &Services, cx: &TenantContext) -> Result<Self> {
        Ok(Self {
            decisions: Decisions::default(),
            settings: services.policies.of(&services.db, cx).await?,
            slot: None,
            log: None,
        })
    }

    /// Guards what the caller sends. Whether it has to stay on this machine.
    pub(super) fn input(&self, messages: &mut [ChatMessage], options: &mut ChatOptions) -> Result<bool> {
        match &self.settings.policy {
            Some(policy) => guard::input(policy, messages, options, &self.decisions),
            None => Ok(false),
        }
    }

    /// Guards what was retrieved. Whether it has to stay on this machine.
    pub(super) fn passages(&self, passages: &mut Vec<Passage>) -> Result<bool> {
        match &self.settings.policy {
            Some(policy) => guard::passages(policy, passages, &self.decisions),
            None => Ok(false),
        }
    }

    /// Finds the answer's place in the cache, and begins the log: `request` is what will be sent, by `model` as the caller
    /// names it to that `route`.
    pub(super) fn ready(
        &mut self,
        services: &Services,
        cx: &TenantContext,
        call: &metering::Request,
        [model, route]: [&str; 2],
        wanted: Option<Wanted>,
        request: &ChatRequest,
    ) {
        let policy = self.settings.policy.as_deref();
        self.slot = wanted.and_then(|wanted| {
            services
                .responses
                .slot(cx, wanted, [model, route], request, policy)
        });
        self.log = self.settings.logging.map(|logging| Log {
            logs: services.request_logs.clone(),
            cx: cx.clone(),
            logging,
            new: Some(NewRequestLog {
                usage_event_id: Some(call.id),
                endpoint: call.endpoint.as_str(),
                model: model.to_owned(),
                request: described(model, request),
                response: Value::Null,
            }),
            gather: Gather::default(),
        });
    }

    /// The answer that was given before.
    pub(super) fn hit(&self) -> Option<Arc<CachedAnswer>> {
        self.slot.as_ref()?.find()
    }

    /// What an answer that is made now is to the cache.
    pub(super) fn miss(&self) -> Option<CacheStatus> {
        self.slot.as_ref().map(|_| CacheStatus::Miss)
    }

    /// Guards an answer in one piece.
    pub(super) fn guard(&self, completion: Completion) -> Completion {
        match &self.settings.policy {
            Some(policy) => guard::completion(policy, completion, &self.decisions),
            None => completion,
        }
    }

    /// Guards a stream.
    pub(super) fn guard_stream(&self, events: ChatStream) -> ChatStream {
        match &self.settings.policy {
            Some(policy) => guard::stream(Arc::clone(policy), events, self.decisions.clone()),
            None => events,
        }
    }

    /// Keeps and logs a finished answer.
    pub(super) fn finish(self, completion: &Completion, passages: &[Passage]) {
        if let Some(slot) = self.slot {
            slot.keep(completion, passages);
        }
        if let Some(log) = self.log {
            log.finish(completion);
        }
    }

    /// Keeps and logs a stream, once it is over.
    pub(super) fn follow(self, events: ChatStream, passages: &[Passage]) -> ChatStream {
        let events = match self.slot {
            Some(slot) => slot.record(events, passages.to_vec()),
            None => events,
        };
        match self.log {
            Some(log) => log.follow(events),
            None => events,
        }
    }

    /// Logs an answer that was given before.
    pub(super) fn log(self, completion: &Completion) {
        if let Some(log) = self.log {
            log.finish(completion);
        }
    }
}

/// Whether there is personal data in a conversation.
pub(super) fn speak_of_persons(messages: &[ChatMessage]) -> bool {
    let mut texts = messages.iter().filter_map(|message| message.content.as_deref());
    texts.any(guard::has_personal_data)
}

/// The entry of a call under way. It is written when the call is over, however it ends.
struct Log {
    logs: RequestLogs,
    cx: TenantContext,
    logging: Logging,
    /// Taken when it is written.
    new: Option<NewRequestLog>,
    gather: Gather,
}

impl Log {
    fn finish(mut self, completion: &Completion) {
        self.write(completion);
    }

    fn follow(self, events: ChatStream) -> ChatStream {
        stream::unfold((events, self), async |(mut events, mut log)| {
            let event = events.next().await?;
            if let Ok(event) = &event {
                log.gather.take(event);
            }
            Some((event, (events, log)))
        })
        .boxed()
    }

    fn write(&mut self, completion: &Completion) {
        if let Some(new) = self.new.take() {
            let response = answered(completion);
            self.logs
                .record(&self.cx, self.logging, NewRequestLog { response, ..new });
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let gathered = std::mem::take(&mut self.gather).into_answer();
        self.write(&gathered);
    }
}

fn described(model: &str, request: &ChatRequest) -> Value {
    let ChatOptions { tools, user, .. } = &request.options;
    let passages: Vec<&str> = request
        .passages
        .iter()
        .map(|passage| passage.chunk_id.as_str())
        .collect();
    let messages: Vec<Value> = request
        .messages
        .iter()
        .map(|message| {
            json!({
                "role": message.role, "content": message.content, "images": message.images.len(), "name": message.name,
                "tool_calls": message.tool_calls, "tool_call_id": message.tool_call_id,
            })
        })
        .collect();
    json!({
        "model": model, "messages": messages, "tools": tools, "user": user, "chunk_ids": passages,
        "max_tokens": request.options.max_tokens, "temperature": request.options.temperature,
    })
}

fn answered(completion: &Completion) -> Value {
    json!({
        "content": completion.content, "refusal": completion.refusal, "tool_calls": completion.tool_calls,
        "finish_reason": completion.finish_reason,
        "usage": completion.usage.map(|usage| json!({
            "prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens,
        })),
    })
}
