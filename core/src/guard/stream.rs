//! Guardrails of an answer that comes piece by piece.
//!
//! A piece is passed on as far as nothing in it can be the beginning of something that a rule looks for; the rest waits
//! for the next piece, a word or a few groups of digits at most. Without a rule about answers the stream is not touched.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::{StreamExt, stream};

use super::{Action, Decisions, Place, Policy};
use crate::model::{ChatEvent, ChatStream, Citation, FinishReason};

/// How much of what was passed on is kept, in bytes, because words before a number tell what it is.
const CONTEXT: usize = 96;

/// Applies a policy to a stream. When something is blocked, or the answer is too long, it ends with
/// [`FinishReason::ContentFilter`] or [`FinishReason::Length`], and the model is not asked any further.
pub fn stream(policy: Arc<Policy>, events: ChatStream, decisions: Decisions) -> ChatStream {
    if !policy.looks_at(Place::Output) && policy.limits().max_characters.is_none() {
        return events;
    }
    let state = State {
        events: Some(events),
        ready: VecDeque::new(),
        content: Text::default(),
        refusal: Text::default(),
        left: policy.limits().max_characters,
        policy,
        decisions,
    };
    stream::unfold(state, async |mut state| {
        loop {
            if let Some(event) = state.ready.pop_front() {
                return Some((event, state));
            }
            match state.events.as_mut()?.next().await {
                Some(Ok(event)) => state.take(event),
                Some(Err(error)) => {
                    // What was held back is lost with the rest of the answer.
                    state.events = None;
                    return Some((Err(error), state));
                }
                None => {
                    state.release();
                    state.events = None;
                }
            }
        }
    })
    .boxed()
}

struct State {
    /// `None` once the answer has ended, here or there.
    events: Option<ChatStream>,
    ready: VecDeque<crate::Result<ChatEvent>>,
    content: Text,
    refusal: Text,
    /// Characters that may still be passed on.
    left: Option<u32>,
    policy: Arc<Policy>,
    decisions: Decisions,
}

/// One of the texts of an answer.
#[derive(Default)]
struct Text {
    /// What was passed on last, then what is held back.
    window: String,
    /// Where in the window the latter begins.
    held: usize,
    /// Characters of the original that were passed on.
    passed: usize,
    shifts: Shifts,
}

impl State {
    fn take(&mut self, event: ChatEvent) {
        match event {
            ChatEvent::Content(piece) => {
                let judged = self.content.take(&piece, &self.policy, &self.decisions);
                self.content(judged);
            }
            ChatEvent::Refusal(piece) => {
                let judged = self.refusal.take(&piece, &self.policy, &self.decisions);
                self.refusal(judged);
            }
            ChatEvent::Citations(mut citations) => {
                self.release();
                self.content.shifts.move_citations(&mut citations);
                self.push(ChatEvent::Citations(citations));
            }
            // What is held back goes before what follows it.
            other => {
                self.release();
                self.push(other);
            }
        }
    }

    fn push(&mut self, event: ChatEvent) {
        if self.events.is_some() {
            self.ready.push_back(Ok(event));
        }
    }

    /// Passes on what was held back: nothing more will be joined to it.
    fn release(&mut self) {
        let judged = self.content.finish(&self.policy, &self.decisions);
        self.content(judged);
        let judged = self.refusal.finish(&self.policy, &self.decisions);
        self.refusal(judged);
    }

    fn content(&mut self, judged: Judged) {
        match judged {
            Judged::Blocked => self.end(FinishReason::ContentFilter),
            Judged::Passed(mut text) => {
                let Some(left) = &mut self.left else {
                    if !text.is_empty() {
                        self.push(ChatEvent::Content(text));
                    }
                    return;
                };
                let end = text.char_indices().nth(*left as usize).map(|(end, _)| end);
                if let Some(end) = end {
                    text.truncate(end);
                } else {
                    *left -= u32::try_from(text.chars().count()).unwrap_or(*left);
                }
                if !text.is_empty() {
                    self.push(ChatEvent::Content(text));
                }
                if end.is_some() {
                    self.decisions
                        .note("output.max_characters", Action::Cut, Place::Output, 1);
                    self.end(FinishReason::Length);
                }
            }
        }
    }

    fn refusal(&mut self, judged: Judged) {
        match judged {
            Judged::Blocked => self.end(FinishReason::ContentFilter),
            Judged::Passed(text) if !text.is_empty() => self.push(ChatEvent::Refusal(text)),
            Judged::Passed(_) => {}
        }
    }

    /// Ends the answer. Dropping the model's events cancels the call.
    fn end(&mut self, reason: FinishReason) {
        self.push(ChatEvent::Finish(reason));
        self.events = None;
    }
}

enum Judged {
    Passed(String),
    Blocked,
}

impl Text {
    fn take(&mut self, piece: &str, policy: &Policy, decisions: &Decisions) -> Judged {
        self.window.push_str(piece);
        let open = policy.open_from(&self.window, Place::Output).max(self.held);
        self.pass(open, policy, decisions)
    }

    fn finish(&mut self, policy: &Policy, decisions: &Decisions) -> Judged {
        self.pass(self.window.len(), policy, decisions)
    }

    /// Judges what is held back and passes it on up to `end`.
    fn pass(&mut self, mut end: usize, policy: &Policy, decisions: &Decisions) -> Judged {
        if end == self.held {
            return Judged::Passed(String::new());
        }
        let verdict = policy.judge(&self.window, self.held..end, Place::Output, decisions);
        if verdict.blocked.is_some() {
            return Judged::Blocked;
        }
        let mut text = String::with_capacity(end - self.held);
        let mut at = self.held;
        for (range, placeholder) in verdict.redactions {
            let (before, what) = (&self.window[at..range.start], &self.window[range.clone()]);
            text.push_str(before);
            text.push_str(placeholder);
            self.passed += before.chars().count();
            let was = what.chars().count();
            self.shifts.push(self.passed, was, placeholder.chars().count());
            self.passed += was;
            at = range.end;
        }
        end = end.max(at);
        let rest = &self.window[at..end];
        text.push_str(rest);
        self.passed += rest.chars().count();
        let forget = (end.saturating_sub(CONTEXT)..end)
            .find(|at| self.window.is_char_boundary(*at))
            .unwrap_or(end);
        self.window.drain(..forget);
        self.held = end - forget;
        Judged::Passed(text)
    }
}

/// How positions of an answer move when parts of it are replaced by something longer or shorter. In characters.
#[derive(Debug, Default)]
pub(super) struct Shifts(Vec<(usize, usize, usize)>);

impl Shifts {
    /// `was` characters at `at` have become `is`.
    pub(super) fn push(&mut self, at: usize, was: usize, is: usize) {
        self.0.push((at, was, is));
    }

    /// Where a position of the original is now. Inside of what was replaced: at its beginning.
    pub(super) fn apply(&self, index: usize) -> usize {
        let mut moved = index;
        for (at, was, is) in self.0.iter().take_while(|(at, ..)| *at <= index) {
            moved = if index < at + was {
                moved - (index - at)
            } else {
                moved + is - was
            };
        }
        moved
    }

    fn move_citations(&self, citations: &mut [Citation]) {
        for citation in citations {
            citation.index = self.apply(citation.index);
        }
    }
}
