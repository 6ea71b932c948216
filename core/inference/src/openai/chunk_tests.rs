use insula_core::Error;
use insula_core::model::{TokenUsage, ToolCallDelta};
use serde_json::json;

use super::*;

/// What events with these data come to.
fn read(data: &[&str]) -> Result<Progress> {
    let provider = Provider::new("acme".into(), Vec::new());
    let (mut chunks, mut progress) = (Chunks::default(), Progress::default());
    for data in data {
        chunks.accept(data.as_bytes(), &provider, &mut progress)?;
    }
    Ok(progress)
}

fn text(progress: &Progress) -> String {
    let mut text = String::new();
    for event in &progress.ready {
        let ChatEvent::Content(piece) = event else {
            panic!("{event:?}")
        };
        text.push_str(piece);
    }
    text
}

#[test]
fn text_is_read_whatever_surrounds_it() {
    for chunk in [
        r#"{"choices":[{"index":0,"delta":{"content":"hé\n"},"finish_reason":null}]}"#,
        r#"{"id":"x","choices":[{"delta":{"role":"assistant","content":"h\u00e9\n","tool_calls":null}}],"usage":null}"#,
        r#"{"choices":[{"index":"0","delta":{"content":"hé\n"},"finish_reason":7}]}"#,
        r#"{"choices":[{"delta":{"content":[{"type":"text","text":"hé\n"}]}}]}"#,
        r#"{"choices":[{"delta":{"content":"hé\n"}}],"choices":[{"delta":{"content":"hé\n"}}]}"#,
    ] {
        let progress = read(&[chunk]).expect(chunk);
        assert_eq!(
            (text(&progress).as_str(), progress.begun),
            ("hé\n", true),
            "{chunk}"
        );
    }
}

#[test]
fn another_choice_is_not_mixed_in() {
    let of = |index: Value, text: &str| {
        json!({"choices": [{"index": index, "delta": {"content": text}}]}).to_string()
    };
    let chunks = [
        of(json!(0), "a"),
        of(json!(1), "X"),
        of(Value::Null, "b"),
        json!({"choices": [{"index": 1, "delta": {"content": "Y"}, "finish_reason": "length"},
                           {"index": 0, "delta": {"content": "c"}}]})
        .to_string(),
    ];
    let chunks: Vec<_> = chunks.iter().map(String::as_str).collect();
    let progress = read(&chunks).expect("chunks");
    assert_eq!((text(&progress).as_str(), progress.finish), ("abc", None));
}

#[test]
fn usage_is_found_wherever_it_is_and_the_last_word_counts() {
    let usage = |n: u64| json!({"prompt_tokens": 3, "completion_tokens": n, "total_tokens": 3 + n});
    let first = json!({"choices": [{"index": 0, "delta": {"content": "a"}}], "usage": usage(1)}).to_string();
    let last = json!({"choices": [{"index": 0, "delta": {"content": "b"}, "finish_reason": "stop"}], "usage": usage(2)})
        .to_string();
    let progress = read(&[&first, &last, r#"{"choices":[],"usage":null}"#, "[DONE]"]).expect("chunks");
    let expected = TokenUsage {
        prompt_tokens: 3,
        completion_tokens: 2,
        ..TokenUsage::default()
    };
    assert_eq!(progress.usage, Some(expected));
    assert_eq!((progress.finish, progress.done), (Some(FinishReason::Stop), true));
}

#[test]
fn thinking_shows_that_the_model_is_at_work() {
    for name in ["reasoning", "reasoning_content"] {
        let chunk = json!({"choices": [{"delta": {name: "hm"}}]}).to_string();
        let progress = read(&[&chunk]).expect("chunk");
        assert!(progress.begun && progress.ready.is_empty(), "{name}");
    }
}

#[test]
fn tool_calls_end_an_answer_that_gives_no_reason() {
    let call = r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]}}]}"#;
    let progress = read(&[call, " [DONE] "]).expect("chunks");
    let delta = ToolCallDelta {
        index: 0,
        id: Some("c".into()),
        name: Some("f".into()),
        arguments: "{}".into(),
    };
    assert_eq!(progress.ready, [ChatEvent::ToolCalls(vec![delta])]);
    assert_eq!(progress.finish, Some(FinishReason::ToolCalls));
}

#[test]
fn what_is_no_answer_is_an_upstream_failure() {
    for data in [
        "{not json",
        "\u{0}",
        "[DONE]",
        r#"{"error":{"message":"down","code":503}}"#,
        r#"{"error":"down"}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"a"}}],"error":{"message":"down"}}"#,
    ] {
        let error = read(&[data]).expect_err(data);
        assert!(matches!(error, Error::Upstream { .. }), "{data}: {error:?}");
    }
    let error = read(&[r#"{"error":{"code":503}}"#]).expect_err("an error");
    assert!(matches!(
        error,
        Error::Upstream {
            status: Some(503),
            ..
        }
    ));
}

#[test]
fn text_that_is_not_utf_8_is_an_upstream_failure() {
    let provider = Provider::new("acme".into(), Vec::new());
    let data = b"{\"choices\":[{\"delta\":{\"content\":\"\xff\xfe\"}}]}";
    let read = Chunks::default().accept(data, &provider, &mut Progress::default());
    assert!(matches!(read, Err(Error::Upstream { .. })));
}
