//! One call of the model for a response: what it says becomes items, piece by piece.

use std::collections::VecDeque;

use insula_tenancy::new_uuid;

use super::event::Event;
use super::item::{
    Annotation, FileSearchCall, FileSearchResult, FunctionCall, Item, ItemId, ItemStatus, Message, Part,
    Speaker,
};
use crate::chat::find_citations;
use crate::model::{
    ChatEvent, ChatStream, Citation, FinishReason, Passage, TokenUsage, ToolCall, ToolCallDelta,
};

/// A call under way.
pub(super) struct Step {
    pub(super) events: ChatStream,
    /// What it may cite.
    passages: Vec<Passage>,
    /// What the search is called; calls of it are not the client's.
    search: Option<&'static str>,
    message: Option<OpenMessage>,
    calls: Vec<OpenCall>,
    /// All that was said, for the next call.
    said: String,
    finish: Option<FinishReason>,
    pub(super) usage: TokenUsage,
}

struct OpenMessage {
    index: usize,
    id: ItemId,
    content: Vec<Part>,
    citations: Vec<Citation>,
}

struct OpenCall {
    call: ToolCall,
    /// Its place in the answer; none for a search.
    item: Option<(usize, ItemId)>,
}

/// What a call came to.
pub(super) struct Stepped {
    /// Why it ended; `None`: it broke off.
    pub(super) finish: Option<FinishReason>,
    /// What the model said beside its calls.
    pub(super) said: String,
    /// Searches that it wants.
    pub(super) searches: Vec<ToolCall>,
    /// Whether it calls functions of the client's.
    pub(super) calls_functions: bool,
    pub(super) usage: TokenUsage,
}

/// Where events and finished items go.
pub(super) struct Sink<'a> {
    pub(super) events: &'a mut VecDeque<Event>,
    pub(super) output: &'a mut Vec<Option<Item>>,
}

impl Sink<'_> {
    /// A place for the next item.
    fn reserve(&mut self) -> usize {
        self.output.push(None);
        self.output.len() - 1
    }

    /// A search has its place, before it is made.
    pub(super) fn begin_search(&mut self) -> (usize, ItemId) {
        let (index, id) = (self.reserve(), ItemId::file_search_call());
        self.events.push_back(Event::SearchBegun {
            index,
            id: id.clone(),
        });
        (index, id)
    }

    /// A search was made.
    pub(super) fn end_search(
        &mut self,
        index: usize,
        id: ItemId,
        queries: Vec<String>,
        results: Vec<FileSearchResult>,
    ) {
        let call = FileSearchCall {
            id,
            status: ItemStatus::Completed,
            queries,
            results,
        };
        self.done(index, Item::FileSearchCall(call));
    }

    fn done(&mut self, index: usize, item: Item) {
        self.output[index] = Some(item.clone());
        self.events.push_back(Event::ItemDone { index, item });
    }
}

impl Step {
    pub(super) fn new(events: ChatStream, passages: Vec<Passage>, search: Option<&'static str>) -> Self {
        Self {
            events,
            passages,
            search,
            message: None,
            calls: Vec::new(),
            said: String::new(),
            finish: None,
            usage: TokenUsage::default(),
        }
    }

    /// Takes an event of the model's.
    pub(super) fn take(&mut self, event: ChatEvent, sink: &mut Sink<'_>) {
        match event {
            ChatEvent::Content(text) => self.say(text, false, sink),
            ChatEvent::Refusal(text) => self.say(text, true, sink),
            ChatEvent::ToolCalls(deltas) => {
                for delta in deltas {
                    self.call(delta, sink);
                }
            }
            ChatEvent::Citations(citations) => {
                if let Some(message) = &mut self.message {
                    message.citations = citations;
                }
            }
            ChatEvent::Finish(reason) => self.finish = Some(reason),
            ChatEvent::Usage(usage) => self.usage = usage,
        }
    }

    fn say(&mut self, text: String, refuses: bool, sink: &mut Sink<'_>) {
        // The database cannot keep a NUL, and what is kept is what was said.
        let text = text.replace('\0', "\u{fffd}");
        self.said.push_str(&text);
        let message = self.message.get_or_insert_with(|| {
            let (index, id) = (sink.reserve(), ItemId::message());
            sink.events.push_back(Event::MessageBegun {
                index,
                id: id.clone(),
            });
            OpenMessage {
                index,
                id,
                content: Vec::new(),
                citations: Vec::new(),
            }
        });
        let goes_on = match message.content.last() {
            Some(Part::Refusal { .. }) => refuses,
            Some(_) => !refuses,
            None => false,
        };
        if !goes_on {
            message.close_part(&self.passages, sink);
            let part = if refuses {
                Part::Refusal {
                    refusal: String::new(),
                }
            } else {
                Part::OutputText {
                    text: String::new(),
                    annotations: Vec::new(),
                }
            };
            message.content.push(part.clone());
            sink.events
                .push_back(message.part_event(|index, id, place| Event::PartBegun {
                    index,
                    id,
                    place,
                    part,
                }));
        }
        if let Some(Part::OutputText { text: so_far, .. } | Part::Refusal { refusal: so_far }) =
            message.content.last_mut()
        {
            so_far.push_str(&text);
        }
        sink.events
            .push_back(message.part_event(|index, id, place| Event::Said {
                index,
                id,
                place,
                delta: text,
                refuses,
            }));
    }

    fn call(&mut self, delta: ToolCallDelta, sink: &mut Sink<'_>) {
        let place = delta.index as usize;
        // A provider that skips indices cannot make this list long.
        if place > self.calls.len() {
            return;
        }
        if place == self.calls.len() {
            self.close_message(ItemStatus::Completed, sink);
            let call = ToolCall {
                id: delta
                    .id
                    .filter(|id| !id.is_empty())
                    .unwrap_or_else(|| format!("call_{}", new_uuid().simple())),
                name: delta.name.unwrap_or_default(),
                arguments: String::new(),
            };
            let item = (self.search != Some(call.name.as_str())).then(|| {
                let (index, id) = (sink.reserve(), ItemId::function_call());
                let item = function_call(&call, id.clone(), ItemStatus::InProgress);
                sink.events.push_back(Event::CallBegun { index, item });
                (index, id)
            });
            self.calls.push(OpenCall { call, item });
        }
        let open = &mut self.calls[place];
        let piece = delta.arguments.replace('\0', "\u{fffd}");
        if piece.is_empty() {
            return;
        }
        open.call.arguments.push_str(&piece);
        if let Some((index, id)) = &open.item {
            sink.events.push_back(Event::Arguments {
                index: *index,
                id: id.clone(),
                delta: piece,
            });
        }
    }

    /// The model has nothing more to say.
    pub(super) fn finish(mut self, sink: &mut Sink<'_>) -> Stepped {
        let status = match self.finish {
            Some(FinishReason::Stop | FinishReason::ToolCalls) => ItemStatus::Completed,
            _ => ItemStatus::Incomplete,
        };
        self.close_message(status, sink);
        let mut searches = Vec::new();
        let mut calls_functions = false;
        for OpenCall { call, item } in self.calls {
            match item {
                Some((index, id)) => {
                    calls_functions = true;
                    sink.done(index, Item::FunctionCall(function_call(&call, id, status)));
                }
                None => searches.push(call),
            }
        }
        Stepped {
            finish: self.finish,
            said: self.said,
            searches,
            calls_functions,
            usage: self.usage,
        }
    }

    fn close_message(&mut self, status: ItemStatus, sink: &mut Sink<'_>) {
        let Some(mut message) = self.message.take() else {
            return;
        };
        message.close_part(&self.passages, sink);
        let item = Item::Message(Message {
            id: message.id,
            role: Speaker::Assistant,
            status,
            content: message.content,
        });
        sink.done(message.index, item);
    }
}

impl OpenMessage {
    /// Ends the part that is open, with its sources.
    fn close_part(&mut self, passages: &[Passage], sink: &mut Sink<'_>) {
        let Some(part) = self.content.last_mut() else {
            return;
        };
        if let Part::OutputText { text, annotations } = part {
            let citations = std::mem::take(&mut self.citations);
            // A model of ours tells what it cites; others write markers.
            let citations = if citations.is_empty() {
                find_citations(text, passages)
            } else {
                citations
            };
            *annotations = Annotation::all(&citations, passages);
        }
        let part = part.clone();
        sink.events
            .push_back(self.part_event(|index, id, place| Event::PartDone {
                index,
                id,
                place,
                part,
            }));
    }

    fn part_event(&self, event: impl FnOnce(usize, ItemId, usize) -> Event) -> Event {
        event(self.index, self.id.clone(), self.content.len().saturating_sub(1))
    }
}

fn function_call(call: &ToolCall, id: ItemId, status: ItemStatus) -> FunctionCall {
    let (arguments, name, call_id) = (call.arguments.clone(), call.name.clone(), call.id.clone());
    FunctionCall {
        id,
        call_id,
        name,
        arguments,
        status,
    }
}
