//! A response as server-sent events.

use axum::response::sse;
use futures::{Stream, StreamExt, stream};
use insula_core::Error;
use insula_core::response::{Event, Item, ItemId, Part, Run, Status};
use serde::Serialize;
use serde_json::{Value, json};

use super::wire::{AnnotationObject, FunctionCallItem, ItemObject, PartObject, ResponseObject};
use crate::routes::chat::sse as wire;

/// What the last event of a whole response begins with.
pub(crate) const ENDS: [&[u8]; 2] = [b"event: response.completed\n", b"event: response.incomplete\n"];

/// The response that streams a run. Dropping it, as when the client leaves, drops the run too.
pub(super) fn respond(run: Run, with_results: bool) -> axum::response::Response {
    wire::response(write(run, with_results))
}

/// Turns events into those of the wire, numbered without gaps.
struct Writer {
    number: u64,
    with_results: bool,
}

fn write(run: Run, with_results: bool) -> impl Stream<Item = sse::Event> {
    let mut writer = Writer {
        number: 0,
        with_results,
    };
    let first = stream::iter(writer.begin(&run));
    let rest = stream::unfold((run, writer), async |(mut run, mut writer)| {
        let event = run.next().await?;
        let events = writer.event(event);
        Some((stream::iter(events), (run, writer)))
    });
    first.chain(rest.flatten())
}

impl Writer {
    fn begin(&mut self, run: &Run) -> Vec<sse::Event> {
        let mut head = run.head().clone();
        head.output.clear();
        let head = ResponseObject::new(head, false);
        ["response.created", "response.in_progress"]
            .map(|kind| self.number(kind, json!({ "response": head })))
            .into()
    }

    /// The next event of the wire.
    fn number(&mut self, kind: &'static str, rest: Value) -> sse::Event {
        #[derive(Serialize)]
        struct Numbered {
            #[serde(rename = "type")]
            kind: &'static str,
            sequence_number: u64,
            #[serde(flatten)]
            rest: Value,
        }
        let numbered = Numbered {
            kind,
            sequence_number: self.number,
            rest,
        };
        self.number += 1;
        wire::named(kind, &numbered)
    }

    fn event(&mut self, event: Event) -> Vec<sse::Event> {
        match event {
            Event::SearchBegun { index, id } => {
                let item = json!({
                    "type": "file_search_call", "id": id.as_str(), "status": "in_progress", "queries": [],
                    "results": null,
                });
                let at = json!({"output_index": index, "item_id": id.as_str()});
                vec![
                    self.number(
                        "response.output_item.added",
                        json!({"output_index": index, "item": item}),
                    ),
                    self.number("response.file_search_call.in_progress", at.clone()),
                    self.number("response.file_search_call.searching", at),
                ]
            }
            Event::MessageBegun { index, id } => {
                let item = json!({
                    "type": "message", "id": id.as_str(), "status": "in_progress", "role": "assistant", "content": [],
                });
                vec![self.number(
                    "response.output_item.added",
                    json!({"output_index": index, "item": item}),
                )]
            }
            Event::PartBegun {
                index,
                id,
                place,
                part,
            } => {
                let rest = of_part(index, &id, place, json!({ "part": PartObject::from(part) }));
                vec![self.number("response.content_part.added", rest)]
            }
            Event::Said {
                index,
                id,
                place,
                delta,
                refuses,
            } => {
                let (kind, rest) = if refuses {
                    ("response.refusal.delta", json!({ "delta": delta }))
                } else {
                    (
                        "response.output_text.delta",
                        json!({"delta": delta, "logprobs": []}),
                    )
                };
                vec![self.number(kind, of_part(index, &id, place, rest))]
            }
            Event::PartDone {
                index,
                id,
                place,
                part,
            } => self.part_done(index, &id, place, part),
            Event::CallBegun { index, item } => {
                let item = ItemObject::FunctionCall(FunctionCallItem::from(item));
                vec![self.number(
                    "response.output_item.added",
                    json!({"output_index": index, "item": item}),
                )]
            }
            Event::Arguments { index, id, delta } => {
                let rest = json!({"output_index": index, "item_id": id.as_str(), "delta": delta});
                vec![self.number("response.function_call_arguments.delta", rest)]
            }
            Event::ItemDone { index, item } => self.item_done(index, item),
            Event::Finished(response) => {
                let kind = match response.status {
                    Status::Completed => "response.completed",
                    Status::Incomplete => "response.incomplete",
                    Status::InProgress | Status::Failed => "response.failed",
                };
                let response = ResponseObject::new(*response, self.with_results);
                vec![self.number(kind, json!({ "response": response }))]
            }
        }
    }

    fn part_done(&mut self, index: usize, id: &ItemId, place: usize, part: Part) -> Vec<sse::Event> {
        let mut events = Vec::new();
        match &part {
            Part::OutputText { text, annotations } => {
                for (n, annotation) in annotations.iter().enumerate() {
                    let annotation = AnnotationObject::from(annotation.clone());
                    let rest = json!({"annotation_index": n, "annotation": annotation});
                    let rest = of_part(index, id, place, rest);
                    events.push(self.number("response.output_text.annotation.added", rest));
                }
                let rest = of_part(index, id, place, json!({"text": text, "logprobs": []}));
                events.push(self.number("response.output_text.done", rest));
            }
            Part::Refusal { refusal } => {
                let rest = of_part(index, id, place, json!({ "refusal": refusal }));
                events.push(self.number("response.refusal.done", rest));
            }
            Part::InputText { .. } | Part::InputImage { .. } => {}
        }
        let rest = of_part(index, id, place, json!({ "part": PartObject::from(part) }));
        events.push(self.number("response.content_part.done", rest));
        events
    }

    fn item_done(&mut self, index: usize, item: Item) -> Vec<sse::Event> {
        let mut events = Vec::new();
        let id = item.id().as_str();
        match &item {
            Item::FunctionCall(call) => {
                let rest = json!({
                    "output_index": index, "item_id": id, "name": call.name, "arguments": call.arguments,
                });
                events.push(self.number("response.function_call_arguments.done", rest));
            }
            Item::FileSearchCall(_) => {
                let rest = json!({"output_index": index, "item_id": id});
                events.push(self.number("response.file_search_call.completed", rest));
            }
            Item::Message(_) | Item::FunctionCallOutput(_) => {}
        }
        let item = ItemObject::new(item, self.with_results);
        events.push(self.number(
            "response.output_item.done",
            json!({"output_index": index, "item": item}),
        ));
        events
    }
}

/// Where a part is, and what else there is to say of it.
fn of_part(index: usize, id: &ItemId, place: usize, rest: Value) -> Value {
    let mut whole = json!({"item_id": id.as_str(), "output_index": index, "content_index": place});
    if let (Value::Object(whole), Value::Object(rest)) = (&mut whole, rest) {
        whole.extend(rest);
    }
    whole
}

/// Fields of the domain's calls, as they are called in the body.
pub(super) fn in_request(error: Error, search_at: Option<usize>) -> Error {
    let place = |param: Option<String>| {
        param.map(|param| match (param.as_str(), search_at) {
            ("messages", _) => "input".to_owned(),
            ("response_format", _) => "text.format".to_owned(),
            (inner, Some(at))
                if ["vector_store_ids", "filters", "ranking_options"]
                    .iter()
                    .any(|field| inner.starts_with(field)) =>
            {
                format!("tools[{at}].{inner}")
            }
            _ => param,
        })
    };
    match error {
        Error::NotFound { message, param, code } => Error::NotFound {
            message,
            param: place(param),
            code,
        },
        Error::Invalid { message, param, code } => Error::Invalid {
            message,
            param: place(param),
            code,
        },
        other => other,
    }
}
