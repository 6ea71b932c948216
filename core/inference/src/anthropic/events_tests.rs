use insula_core::Error;
use insula_core::model::FinishReason;
use serde_json::json;

use super::*;

fn read(tool: Option<&'static str>, events: &[Value]) -> Result<Progress> {
    let provider = Provider::new("acme".into(), Vec::new());
    let (mut reader, mut progress) = (Events::new(tool), Progress::default());
    for event in events {
        reader.accept(event.to_string().as_bytes(), &provider, &mut progress)?;
    }
    Ok(progress)
}

fn start(index: usize, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: usize, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn stop(index: usize) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn begin() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "role": "assistant", "content": [],
           "usage": {"input_tokens": 4, "cache_read_input_tokens": 6, "output_tokens": 1}}})
}

fn end(reason: &str) -> [Value; 2] {
    [
        json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 9}}),
        json!({"type": "message_stop"}),
    ]
}

fn content(text: &str) -> ChatEvent {
    ChatEvent::Content(text.into())
}

#[test]
fn text_with_thinking_and_pings() {
    let [last, over] = end("end_turn");
    let progress = read(
        None,
        &[
            begin(),
            json!({"type": "ping"}),
            start(0, json!({"type": "thinking", "thinking": ""})),
            delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
            delta(0, json!({"type": "signature_delta", "signature": "x"})),
            stop(0),
            start(1, json!({"type": "text", "text": ""})),
            delta(1, json!({"type": "text_delta", "text": "a"})),
            delta(1, json!({"type": "text_delta", "text": "b"})),
            stop(1),
            json!({"type": "invented_later", "x": 1}),
            last,
            over,
        ],
    )
    .expect("an answer");
    assert_eq!(progress.ready, [content("a"), content("b")]);
    assert!(progress.done && progress.begun);
    assert_eq!(progress.finish, Some(FinishReason::Stop));
    let usage = TokenUsage {
        prompt_tokens: 10,
        completion_tokens: 9,
        cached_tokens: 6,
        reasoning_tokens: 0,
    };
    assert_eq!(progress.usage, Some(usage));
}

#[test]
fn calls_are_numbered_among_themselves() {
    let [last, over] = end("tool_use");
    let progress = read(
        None,
        &[
            begin(),
            start(0, json!({"type": "text", "text": ""})),
            delta(0, json!({"type": "text_delta", "text": "let me see"})),
            stop(0),
            start(
                1,
                json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}}),
            ),
            delta(1, json!({"type": "input_json_delta", "partial_json": ""})),
            delta(1, json!({"type": "input_json_delta", "partial_json": "{\"x\":"})),
            delta(1, json!({"type": "input_json_delta", "partial_json": "1}"})),
            stop(1),
            start(
                2,
                json!({"type": "tool_use", "id": "t2", "name": "g", "input": {}}),
            ),
            stop(2),
            last,
            over,
        ],
    )
    .expect("an answer");
    let named = |index, id: &str, name: &str| {
        ChatEvent::ToolCalls(vec![ToolCallDelta {
            index,
            id: Some(id.into()),
            name: Some(name.into()),
            arguments: String::new(),
        }])
    };
    let expected = [
        content("let me see"),
        named(0, "t1", "f"),
        arguments(0, "{\"x\":".into()),
        arguments(0, "1}".into()),
        named(1, "t2", "g"),
        arguments(1, "{}".into()),
    ];
    assert_eq!(progress.ready, expected);
    assert_eq!(progress.finish, Some(FinishReason::ToolCalls));
}

#[test]
fn the_answer_tool_is_the_answer() {
    let [last, over] = end("tool_use");
    let progress = read(
        Some("answer"),
        &[
            begin(),
            start(
                0,
                json!({"type": "tool_use", "id": "t1", "name": "answer", "input": {}}),
            ),
            delta(
                0,
                json!({"type": "input_json_delta", "partial_json": "{\"x\":1}"}),
            ),
            stop(0),
            last,
            over,
        ],
    )
    .expect("an answer");
    assert_eq!(progress.ready, [content("{\"x\":1}")]);
    assert_eq!(progress.finish, Some(FinishReason::Stop));
}

#[test]
fn failures_under_way_keep_their_status() {
    for (kind, expected) in [
        ("overloaded_error", Some(529)),
        ("api_error", Some(500)),
        ("rate_limit_error", Some(429)),
        ("new_error", None),
    ] {
        let error = json!({"type": "error", "error": {"type": kind, "message": "no"}});
        let Err(Error::Upstream { status, .. }) = read(None, &[begin(), error]) else {
            panic!("{kind}")
        };
        assert_eq!(status, expected, "{kind}");
    }
}

#[test]
fn what_is_no_answer_is_an_upstream_failure() {
    for events in [
        vec![json!("hello")],
        vec![json!({"type": "content_block_delta", "index": "x"})],
        vec![begin(), json!({"type": "message_stop"})],
        vec![start(usize::MAX, json!({"type": "text"}))],
    ] {
        let Err(Error::Upstream { .. }) = read(None, &events) else {
            panic!("{events:?}")
        };
    }
}
