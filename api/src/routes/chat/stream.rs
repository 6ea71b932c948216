//! An answer as server-sent events.

use axum::response::Response;
use axum::response::sse::Event;
use futures::{Stream, StreamExt, stream};
use insula_core::model::{ChatEvent, ChatStream, FinishReason, Passage};
use tracing::Span;

use super::response::{ChatCompletionChunk, ChunkChoice, Delta, Head, annotations, finish_reason};
use super::sse;

/// The response that streams `events`. Dropping it, as when the client leaves, drops them too.
pub(super) fn respond(
    head: Head,
    events: ChatStream,
    passages: Vec<Passage>,
    include_usage: bool,
) -> Response {
    let writer = Writer {
        head,
        passages,
        include_usage,
        finished: false,
    };
    sse::response(write(writer, events, Span::current()))
}

/// Turns events into chunks.
struct Writer {
    head: Head,
    passages: Vec<Passage>,
    include_usage: bool,
    finished: bool,
}

impl Writer {
    /// The first chunk, which carries the role.
    fn start(&self) -> ChatCompletionChunk {
        self.delta(
            Delta {
                role: Some("assistant"),
                content: Some(String::new()),
                ..Delta::default()
            },
            None,
        )
    }

    /// The chunk for an event, if it has one.
    fn event(&mut self, event: ChatEvent) -> Option<ChatCompletionChunk> {
        let delta = match event {
            ChatEvent::Content(text) => Delta {
                content: Some(text),
                ..Delta::default()
            },
            ChatEvent::Refusal(text) => Delta {
                refusal: Some(text),
                ..Delta::default()
            },
            ChatEvent::ToolCalls(calls) => Delta {
                tool_calls: calls.into_iter().map(Into::into).collect(),
                ..Delta::default()
            },
            ChatEvent::Citations(citations) => {
                let annotations = annotations(citations, &self.passages);
                if annotations.is_empty() {
                    return None;
                }
                Delta {
                    annotations,
                    ..Delta::default()
                }
            }
            ChatEvent::Finish(_) if self.finished => return None,
            ChatEvent::Finish(reason) => {
                self.finished = true;
                return Some(self.delta(Delta::default(), Some(reason)));
            }
            ChatEvent::Usage(usage) => {
                return self
                    .include_usage
                    .then(|| self.chunk(Vec::new(), Some(usage.into())));
            }
        };
        Some(self.delta(delta, None))
    }

    fn delta(&self, delta: Delta, finished: Option<FinishReason>) -> ChatCompletionChunk {
        let finish_reason = finished.map(finish_reason);
        self.chunk(
            vec![ChunkChoice {
                index: 0,
                delta,
                logprobs: None,
                finish_reason,
            }],
            None,
        )
    }

    fn chunk(&self, choices: Vec<ChunkChoice>, usage: Option<super::response::Usage>) -> ChatCompletionChunk {
        let Head { id, created, model } = self.head.clone();
        ChatCompletionChunk {
            id,
            object: "chat.completion.chunk",
            created,
            model,
            choices,
            usage,
        }
    }
}

/// The stream of events as it goes over the wire: chunks, then `[DONE]`; or chunks, then an error and the end. A clean
/// end after half an answer would be read as success.
fn write(writer: Writer, events: ChatStream, span: Span) -> impl Stream<Item = Event> {
    let first = sse::event(&writer.start());
    let rest = stream::unfold(Some((writer, events)), move |state| {
        let span = span.clone();
        async move {
            let (mut writer, mut events) = state?;
            loop {
                match events.next().await {
                    Some(Ok(event)) => {
                        if let Some(chunk) = writer.event(event) {
                            return Some((sse::event(&chunk), Some((writer, events))));
                        }
                    }
                    None if writer.finished => return Some((sse::done(), None)),
                    None => return Some((sse::failure(sse::broken_off(), &span), None)),
                    Some(Err(error)) => return Some((sse::failure(error, &span), None)),
                }
            }
        }
    });
    stream::once(async { first }).chain(rest)
}

#[cfg(test)]
mod tests {
    use super::super::response::tests::{head, passage};
    use super::*;
    use axum::body::to_bytes;
    use insula_core::Error;
    use insula_core::model::{Citation, TokenUsage, ToolCallDelta};
    use serde_json::{Value, json};

    /// The `data` lines of a stream of `events`.
    async fn lines(events: Vec<Result<ChatEvent, Error>>, include_usage: bool) -> Vec<String> {
        let response = respond(
            head(),
            stream::iter(events).boxed(),
            vec![passage()],
            include_usage,
        );
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        body.split("\n\n")
            .filter(|event| !event.is_empty())
            .map(|event| event["data: ".len()..].to_owned())
            .collect()
    }

    fn deltas(lines: &[String]) -> Vec<Value> {
        let chunks = lines
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        chunks
            .map(|chunk| json!([chunk["choices"][0]["delta"], chunk["choices"][0]["finish_reason"]]))
            .collect()
    }

    fn text(text: &str) -> Result<ChatEvent, Error> {
        Ok(ChatEvent::Content(text.into()))
    }

    const FINISH: Result<ChatEvent, Error> = Ok(ChatEvent::Finish(FinishReason::Stop));

    #[tokio::test]
    async fn role_text_finish_done_without_empty_keys() {
        let lines = lines(vec![text("a\nb"), text("c"), FINISH], false).await;
        assert_eq!(lines.last().unwrap(), "[DONE]");
        let expected = [
            json!([{"role": "assistant", "content": ""}, null]),
            json!([{"content": "a\nb"}, null]),
            json!([{"content": "c"}, null]),
            json!([{}, "stop"]),
        ];
        assert_eq!(deltas(&lines), expected);
        let first: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(
            (&first["id"], &first["object"]),
            (&json!("chatcmpl-1"), &json!("chat.completion.chunk"))
        );
        assert!(first.get("usage").is_none());
    }

    #[tokio::test]
    async fn usage_comes_only_if_asked_and_has_no_choices() {
        let usage = || {
            Ok(ChatEvent::Usage(TokenUsage {
                prompt_tokens: 1,
                completion_tokens: 2,
                ..Default::default()
            }))
        };
        let asked = lines(vec![FINISH, usage()], true).await;
        let chunk: Value = serde_json::from_str(&asked[asked.len() - 2]).unwrap();
        assert_eq!(
            (&chunk["choices"], &chunk["usage"]["total_tokens"]),
            (&json!([]), &json!(3))
        );
        let not_asked = lines(vec![FINISH, usage()], false).await;
        assert!(
            not_asked.iter().all(|line| !line.contains("usage")),
            "{not_asked:?}"
        );
    }

    #[tokio::test]
    async fn tool_calls_and_sources_are_deltas() {
        let piece = |id: Option<&str>, arguments: &str| {
            let delta = ToolCallDelta {
                index: 0,
                id: id.map(str::to_owned),
                name: id.map(|_| "f".into()),
                arguments: arguments.into(),
            };
            Ok(ChatEvent::ToolCalls(vec![delta]))
        };
        let cited = Ok(ChatEvent::Citations(vec![Citation {
            passage: 0,
            index: 0,
            start: 100,
            end: 104,
        }]));
        let deltas = deltas(
            &lines(
                vec![piece(Some("call_1"), ""), piece(None, "{}"), cited, FINISH],
                false,
            )
            .await,
        );
        let first = json!([{"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}]);
        assert_eq!(deltas[1][0], json!({ "tool_calls": first }));
        assert_eq!(
            deltas[2][0],
            json!({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]})
        );
        assert_eq!(deltas[3][0]["annotations"][0]["file_citation"]["quote"], "Über");
    }

    #[tokio::test]
    async fn half_an_answer_ends_in_an_error_and_not_in_done() {
        let failed = Err(Error::Upstream {
            message: "gone".into(),
            status: Some(500),
            retry_after: None,
        });
        for events in [vec![text("a"), failed], vec![text("a")]] {
            let lines = lines(events, true).await;
            let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
            assert_eq!(last["error"]["type"], "server_error");
            assert!(last["error"].get("param").is_some() && last["error"].get("code").is_some());
            assert!(!lines.iter().any(|line| line == "[DONE]"));
        }
    }
}
