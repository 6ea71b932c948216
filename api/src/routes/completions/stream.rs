//! Answers as server-sent events, one prompt after the other.

use std::collections::VecDeque;

use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use insula_core::Error;
use insula_core::chat::{Answer, PreparedChat};
use insula_core::model::{ChatEvent, ChatStream, TokenUsage};
use tracing::Span;

use super::response::{Choice, Completion};
use crate::http::caching::Cached;
use crate::http::limits::Limited;
use crate::routes::chat::{Head, sse};

/// The response that streams what is answered to the calls.
///
/// # Errors
/// What the first call fails with before its first piece; what fails later is an event.
pub(super) async fn respond(
    head: Head,
    calls: Vec<PreparedChat>,
    echo: Option<Vec<String>>,
    include_usage: bool,
) -> Result<Response, Error> {
    let mut calls: VecDeque<PreparedChat> = calls.into();
    let first = calls
        .pop_front()
        .ok_or_else(|| Error::internal("a completion without a prompt"))?;
    let Answer {
        answer,
        standings,
        cache,
        ..
    } = first.stream().await?;
    let mut writer = Writer {
        head,
        calls,
        echo: echo.unwrap_or_default().into(),
        include_usage,
        events: Some(answer),
        index: 0,
        ended: false,
        usage: Vec::new(),
        ready: VecDeque::new(),
        span: Span::current(),
    };
    writer.begin_choice();
    let events = stream::unfold(writer, async |mut writer| {
        let event = writer.next().await?;
        Some((event, writer))
    });
    Ok(Limited(standings, Cached(cache, sse::response(events))).into_response())
}

struct Writer {
    head: Head,
    /// Those that are not answered yet.
    calls: VecDeque<PreparedChat>,
    /// Their prompts, if they are to be given back; the first is of the call under way.
    echo: VecDeque<String>,
    include_usage: bool,
    /// Of the call under way; `None` once all is said.
    events: Option<ChatStream>,
    index: u32,
    /// Whether the call under way has said why it ended.
    ended: bool,
    usage: Vec<TokenUsage>,
    ready: VecDeque<Event>,
    span: Span,
}

impl Writer {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            match self.events.as_mut()?.next().await {
                Some(Ok(event)) => self.take(event),
                Some(Err(error)) => self.fail(error),
                None if !self.ended => self.fail(sse::broken_off()),
                None => self.next_call().await,
            }
        }
    }

    fn take(&mut self, event: ChatEvent) {
        match event {
            ChatEvent::Content(text) | ChatEvent::Refusal(text) => {
                self.write(Choice::piece(self.index, text));
            }
            ChatEvent::Finish(reason) if !self.ended => {
                self.ended = true;
                self.write(Choice::end(self.index, reason));
            }
            ChatEvent::Usage(usage) => self.usage.push(usage),
            ChatEvent::Finish(_) | ChatEvent::ToolCalls(_) | ChatEvent::Citations(_) => {}
        }
    }

    async fn next_call(&mut self) {
        let Some(call) = self.calls.pop_front() else {
            return self.finish();
        };
        match call.stream().await {
            Ok(answered) => {
                self.events = Some(answered.answer);
                self.index += 1;
                self.ended = false;
                self.begin_choice();
            }
            Err(error) => self.fail(error),
        }
    }

    fn begin_choice(&mut self) {
        if let Some(prompt) = self.echo.pop_front() {
            self.write(Choice::piece(self.index, prompt));
        }
    }

    fn finish(&mut self) {
        self.events = None;
        if self.include_usage {
            let mut chunk = Completion::new(self.head.clone());
            for usage in std::mem::take(&mut self.usage) {
                chunk.add(Some(usage));
            }
            self.ready.push_back(sse::event(&chunk));
        }
        self.ready.push_back(sse::done());
    }

    /// A clean end after half an answer would be read as success.
    fn fail(&mut self, error: Error) {
        self.events = None;
        self.ready.push_back(sse::failure(error, &self.span));
    }

    fn write(&mut self, choice: Choice) {
        let mut chunk = Completion::new(self.head.clone());
        chunk.choices.push(choice);
        self.ready.push_back(sse::event(&chunk));
    }
}
