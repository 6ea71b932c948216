//! A streamed answer, put together.

use crate::model::{ChatEvent, Completion, ToolCall};

/// Puts the events of a stream together to a whole answer.
#[derive(Debug, Clone, Default)]
pub struct Gather {
    answer: Completion,
}

impl Gather {
    /// Adds an event.
    pub fn take(&mut self, event: &ChatEvent) {
        let answer = &mut self.answer;
        match event {
            ChatEvent::Content(text) => answer.content.get_or_insert_default().push_str(text),
            ChatEvent::Refusal(text) => answer.refusal.get_or_insert_default().push_str(text),
            ChatEvent::ToolCalls(deltas) => {
                for delta in deltas {
                    let index = delta.index as usize;
                    // A provider that skips indices cannot make this list long.
                    if index > answer.tool_calls.len() {
                        continue;
                    }
                    if index == answer.tool_calls.len() {
                        answer.tool_calls.push(ToolCall {
                            id: String::new(),
                            name: String::new(),
                            arguments: String::new(),
                        });
                    }
                    let call = &mut answer.tool_calls[index];
                    if let Some(id) = &delta.id {
                        call.id.clone_from(id);
                    }
                    if let Some(name) = &delta.name {
                        call.name.clone_from(name);
                    }
                    call.arguments.push_str(&delta.arguments);
                }
            }
            ChatEvent::Citations(citations) => answer.citations.clone_from(citations),
            ChatEvent::Finish(reason) => answer.finish_reason = Some(*reason),
            ChatEvent::Usage(usage) => answer.usage = Some(*usage),
        }
    }

    /// The answer so far. It is whole once it has a reason for its end.
    pub fn answer(&self) -> &Completion {
        &self.answer
    }

    /// The answer so far.
    pub fn into_answer(self) -> Completion {
        self.answer
    }
}
