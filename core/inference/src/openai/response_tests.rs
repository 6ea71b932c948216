use insula_core::Error;
use serde_json::json;

use super::*;

fn read(body: &Value) -> Result<Completion> {
    completion(
        &Provider::new("acme".into(), Vec::new()),
        body.to_string().as_bytes(),
    )
}

#[test]
fn a_plain_answer() {
    let completion = read(&json!({
        "choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1},
                  "completion_tokens_details": null},
    }))
    .expect("an answer");
    assert_eq!(completion.content.as_deref(), Some("hi"));
    assert_eq!(completion.finish_reason, Some(FinishReason::Length));
    let usage = TokenUsage {
        prompt_tokens: 3,
        completion_tokens: 2,
        cached_tokens: 1,
        reasoning_tokens: 0,
    };
    assert_eq!(completion.usage, Some(usage));
}

#[test]
fn the_least_that_is_an_answer() {
    let completion = read(&json!({"choices": [{}], "usage": null})).expect("an answer");
    assert_eq!(completion.content, None);
    assert_eq!(completion.finish_reason, Some(FinishReason::Stop));
    assert_eq!(completion.usage, None);
}

#[test]
fn parts_and_odd_types() {
    let completion = read(&json!({
        "choices": [{"message": {"content": [{"type": "text", "text": "a"}, {"type": "?"}, {"text": "b"}],
                                 "tool_calls": null, "role": ""}, "finish_reason": "eos"}],
        "usage": {"prompt_tokens": "many"},
    }))
    .expect("an answer");
    assert_eq!(completion.content.as_deref(), Some("ab"));
    assert_eq!(completion.finish_reason, Some(FinishReason::Stop));
    assert_eq!(completion.usage, None);
}

#[test]
fn tool_calls_with_and_without_ids() {
    let completion = read(&json!({"choices": [{"message": {"content": "", "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "c2", "function": {"name": "g", "arguments": {"x": 1}}},
    ]}}]}))
    .expect("an answer");
    assert_eq!(completion.content, None);
    assert_eq!(completion.finish_reason, Some(FinishReason::ToolCalls));
    let expected = [("c1", "f", "{}"), ("c2", "g", "{\"x\":1}")];
    let found: Vec<_> = completion
        .tool_calls
        .iter()
        .map(|c| (c.id.as_str(), c.name.as_str(), c.arguments.as_str()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn errors_and_nonsense_are_upstream_failures() {
    for body in [
        json!({"error": {"message": "down", "code": 502}}),
        json!({"choices": []}),
        json!({"choices": null}),
        json!([]),
        json!("hello"),
    ] {
        assert!(matches!(read(&body), Err(Error::Upstream { .. })), "{body}");
    }
    let Err(Error::Upstream { status, .. }) = read(&json!({"error": {"code": 502}})) else {
        panic!()
    };
    assert_eq!(status, Some(502));
}

#[test]
fn unnumbered_fragments_find_their_call() {
    let mut indexes = CallIndexes::default();
    let mut next = |call: Value| deltas(&json!([call]), &mut indexes).remove(0).index;
    assert_eq!(next(json!({"id": "a", "function": {"name": "f"}})), 0);
    assert_eq!(next(json!({"function": {"arguments": "{"}})), 0);
    assert_eq!(next(json!({"id": "a", "function": {"arguments": "}"}})), 0);
    assert_eq!(next(json!({"id": "b", "function": {"name": "g"}})), 1);
    assert_eq!(next(json!({"function": {"arguments": "{}"}})), 1);
    assert_eq!(next(json!({"index": 5, "id": "c"})), 5);
}

#[test]
fn fragments_of_one_index_are_joined() {
    let calls = json!([
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}},
        {"index": 0, "function": {"arguments": "}"}},
    ]);
    let deltas = deltas(&calls, &mut CallIndexes::default());
    let expected = ToolCallDelta {
        index: 0,
        id: Some("a".into()),
        name: Some("f".into()),
        arguments: "{}".into(),
    };
    assert_eq!(deltas, [expected]);
}

#[test]
fn a_whole_answer_becomes_events_in_order() {
    let completion = read(
        &json!({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}],
                                  "usage": {"completion_tokens": 1}}),
    )
    .expect("an answer");
    let usage = TokenUsage {
        completion_tokens: 1,
        ..TokenUsage::default()
    };
    assert_eq!(
        events(completion),
        [
            ChatEvent::Content("hi".into()),
            ChatEvent::Finish(FinishReason::Stop),
            ChatEvent::Usage(usage)
        ]
    );
}
