//! OpenAI-compatible providers against a real HTTP server that misbehaves on demand.

mod embed;
mod upstream;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use insula_core::model::{
    ChatEvent, ChatMessage, ChatModel, ChatOptions, ChatRequest, FinishReason, Role, TokenUsage,
};
use insula_core::{Error, Result};
use insula_inference::endpoint::{Endpoint, Wire};
use insula_inference::openai::{Quirks, Timeouts};
use serde_json::json;

use self::upstream::{Step, Upstream};

const KEY: &str = "sk-hush-hush";

fn model(upstream: &Upstream) -> Arc<dyn ChatModel> {
    let timeouts = Timeouts {
        connect: Timeouts::default().connect,
        first_token: Duration::from_millis(400),
        between_chunks: Duration::from_millis(400),
        total: Duration::from_secs(20),
    };
    let base_url = format!("{}/v1/", upstream.url).parse().expect("URL");
    let endpoint = Endpoint {
        api_key_env: Some("KEY".into()),
        headers: vec![("x-extra".into(), "yes".into())],
        timeouts,
        ..Endpoint::new(Wire::OpenAi(Quirks::default()), base_url)
    };
    let connection = endpoint.connect("acme", |_| Some(KEY.into()));
    connection.expect("config").chat()
}

fn request() -> ChatRequest {
    ChatRequest {
        model: "m-1".into(),
        messages: vec![ChatMessage::text(Role::User, "hi")],
        options: ChatOptions {
            max_tokens: Some(9),
            ..ChatOptions::default()
        },
        passages: Vec::new(),
        grounded: false,
    }
}

/// All events of a stream, and the error that ended it.
async fn drain(upstream: &Upstream) -> (Vec<ChatEvent>, Option<Error>) {
    let mut stream = match model(upstream).stream(&request()).await {
        Ok(stream) => stream,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        match event {
            Ok(event) => events.push(event),
            Err(error) => {
                assert!(stream.next().await.is_none(), "nothing follows an error");
                return (events, Some(error));
            }
        }
    }
    (events, None)
}

fn content(text: &str) -> ChatEvent {
    ChatEvent::Content(text.into())
}

fn piece(text: &str) -> Step {
    Step::event(
        json!({"choices": [{"index": 0, "delta": {"role": "", "content": text, "tool_calls": null},
                                    "finish_reason": null, "logprobs": null}], "usage": null, "x": [1]}),
    )
}

fn finish(reason: &str) -> Step {
    Step::event(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
}

fn usage() -> Step {
    Step::event(json!({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}))
}

const USED: TokenUsage = TokenUsage {
    prompt_tokens: 5,
    completion_tokens: 2,
    cached_tokens: 0,
    reasoning_tokens: 0,
};

fn done() -> Step {
    Step::Bytes("data: [DONE]\n\n".into())
}

#[track_caller]
fn assert_upstream(error: Option<Error>, words: &str) {
    let Some(Error::Upstream { message, .. }) = error else {
        panic!("{error:?}")
    };
    assert!(message.contains(words) && message.contains("acme"), "{message}");
}

#[tokio::test]
async fn a_good_stream() -> Result<()> {
    let keep_alive = Step::Bytes(": still thinking\n\n".into());
    let upstream = Upstream::stream(vec![
        keep_alive,
        piece(""),
        piece("hel"),
        piece("lo"),
        finish("stop"),
        usage(),
        done(),
    ])
    .await;
    let (events, error) = drain(&upstream).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(
        events,
        [
            content("hel"),
            content("lo"),
            ChatEvent::Finish(FinishReason::Stop),
            ChatEvent::Usage(USED)
        ]
    );
    let seen = upstream.seen();
    assert_eq!(seen.path, "/v1/chat/completions");
    assert_eq!(seen.headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(seen.headers["x-extra"], "yes");
    assert_eq!(
        seen.body,
        json!({"model": "m-1", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9,
               "stream": true, "stream_options": {"include_usage": true}})
    );
    Ok(())
}

#[tokio::test]
async fn tool_calls_are_streamed() {
    let call = |call| Step::event(json!({"choices": [{"delta": {"tool_calls": [call]}}]}));
    let upstream = Upstream::stream(vec![
        call(json!({"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}})),
        call(json!({"index": 0, "function": {"arguments": "{}"}})),
        done(),
    ])
    .await;
    let (events, error) = drain(&upstream).await;
    assert!(error.is_none(), "{error:?}");
    let [
        ChatEvent::ToolCalls(first),
        ChatEvent::ToolCalls(second),
        ChatEvent::Finish(reason),
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(
        (first[0].id.as_deref(), first[0].name.as_deref()),
        (Some("c"), Some("f"))
    );
    assert_eq!((second[0].index, second[0].arguments.as_str()), (0, "{}"));
    assert_eq!(*reason, FinishReason::ToolCalls, "[DONE] without a reason");
}

#[tokio::test]
async fn missing_usage_and_missing_done_are_no_failure() {
    let upstream = Upstream::stream(vec![piece("hi"), finish("length")]).await;
    let (events, error) = drain(&upstream).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(events, [content("hi"), ChatEvent::Finish(FinishReason::Length)]);
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_never_a_clean_end() {
    for last in [Step::End, Step::Cut] {
        let upstream = Upstream::stream(vec![piece("half an"), last]).await;
        let (events, error) = drain(&upstream).await;
        assert_eq!(events, [content("half an")]);
        assert_upstream(error, "");
    }
}

#[tokio::test]
async fn a_cut_after_the_finish_reason_loses_nothing() {
    let upstream = Upstream::stream(vec![piece("all"), finish("stop"), Step::Cut]).await;
    let (events, error) = drain(&upstream).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(events, [content("all"), ChatEvent::Finish(FinishReason::Stop)]);
}

#[tokio::test]
async fn garbage_is_an_upstream_failure() {
    let upstream = Upstream::stream(vec![piece("a"), Step::Bytes("data: {oops\n\n".into()), done()]).await;
    let (events, error) = drain(&upstream).await;
    assert_eq!(events, [content("a")]);
    assert_upstream(error, "not JSON");
    let upstream = Upstream::stream(vec![Step::Bytes("<html>\nwelcome\n\n".into())]).await;
    assert_upstream(drain(&upstream).await.1, "broke off");
    let upstream = Upstream::stream(vec![done()]).await;
    assert_upstream(drain(&upstream).await.1, "without a choice");
    let upstream = Upstream::stream(vec![piece("a"), done()])
        .await
        .with_header("content-type", "text/html; charset=utf-8");
    assert_upstream(drain(&upstream).await.1, "not an answer");
}

#[tokio::test]
async fn an_error_event_ends_the_stream() {
    let event = Step::event(json!({"error": {"message": "overloaded, key sk-hush-hush", "code": 529}}));
    let upstream = Upstream::stream(vec![piece("a"), event, done()]).await;
    let (events, error) = drain(&upstream).await;
    assert_eq!(events, [content("a")]);
    assert!(
        !error
            .as_ref()
            .is_some_and(|error| error.to_string().contains("hush")),
        "{error:?}"
    );
    assert_upstream(error, "reported an error");
}

#[tokio::test]
async fn a_line_without_end_is_given_up() {
    let flood = std::iter::repeat_with(|| Step::Bytes("x".repeat(64 * 1024))).take(64);
    let upstream = Upstream::stream([piece("a")].into_iter().chain(flood).collect()).await;
    let (events, error) = drain(&upstream).await;
    assert_eq!(events, [content("a")]);
    assert_upstream(error, "too long");
}

#[tokio::test]
async fn silence_is_bounded() {
    let upstream = Upstream::stream(vec![Step::Hang]).await;
    assert_upstream(
        model(&upstream).stream(&request()).await.err(),
        "too long to begin",
    );
    // Comments show that the connection lives, not that an answer begins.
    let chatter = [
        Step::Bytes(": wait\n\n".into()),
        Step::Sleep(Duration::from_millis(150)),
    ];
    let upstream = Upstream::stream(chatter.into_iter().cycle().take(20).collect()).await;
    assert_upstream(
        model(&upstream).stream(&request()).await.err(),
        "too long to begin",
    );
    let upstream = Upstream::stream(vec![piece("a"), Step::Hang]).await;
    let (events, error) = drain(&upstream).await;
    assert_eq!(events, [content("a")]);
    assert_upstream(error, "too long to continue");
}

#[tokio::test]
async fn comments_keep_a_stream_alive() {
    let pause = || {
        [
            Step::Sleep(Duration::from_millis(250)),
            Step::Bytes(": wait\n".into()),
        ]
    };
    let steps = [piece("a")]
        .into_iter()
        .chain(pause())
        .chain(pause())
        .chain(pause())
        .chain([piece("b"), done()]);
    let (events, error) = drain(&Upstream::stream(steps.collect()).await).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(events[..2], [content("a"), content("b")]);
}

#[tokio::test]
async fn thinking_counts_as_beginning() {
    let thought =
        || Step::event(json!({"choices": [{"delta": {"content": null, "reasoning_content": "hm"}}]}));
    let steps = [thought(), Step::Sleep(Duration::from_millis(250))]
        .into_iter()
        .cycle()
        .take(6);
    let (events, error) = drain(&Upstream::stream(steps.chain([piece("a"), done()]).collect()).await).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(events, [content("a"), ChatEvent::Finish(FinishReason::Stop)]);
}

#[tokio::test]
async fn dropping_the_stream_hangs_up() {
    let upstream = Upstream::stream(vec![piece("a"), Step::Hang]).await;
    let mut stream = model(&upstream).stream(&request()).await.expect("a stream");
    stream.next().await.expect("an event").expect("content");
    assert!(!upstream.hung_up());
    drop(stream);
    upstream.wait_for_hang_up().await;
}

#[tokio::test]
async fn one_piece_instead_of_a_stream_is_taken_too() {
    let body = json!({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}],
                      "usage": {"prompt_tokens": 5, "completion_tokens": 2}});
    let (events, error) = drain(&Upstream::json(200, body).await).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(
        events,
        [
            content("hi"),
            ChatEvent::Finish(FinishReason::Stop),
            ChatEvent::Usage(USED)
        ]
    );
}

#[tokio::test]
async fn a_whole_answer() {
    let body = json!({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}],
                      "usage": {"prompt_tokens": 5, "completion_tokens": 2}});
    let upstream = Upstream::json(200, body).await;
    let completion = model(&upstream).complete(&request()).await.expect("an answer");
    assert_eq!(
        (completion.content.as_deref(), completion.usage),
        (Some("hi"), Some(USED))
    );
    assert!(upstream.seen().body.get("stream").is_none());
}

#[tokio::test]
async fn statuses_become_the_domains_errors() {
    let error =
        |message: &str| json!({"error": {"message": message, "param": "messages", "code": "invalid_value"}});
    let upstream = Upstream::json(400, error("too many messages")).await;
    let Err(Error::Invalid { message, param, code }) = model(&upstream).complete(&request()).await else {
        panic!()
    };
    let expected = ("too many messages", Some("messages"), Some("invalid_value"));
    assert_eq!((message.as_str(), param.as_deref(), code), expected);

    let upstream = Upstream::json(401, error("Incorrect API key: sk-hush-hush")).await;
    let refused = model(&upstream).stream(&request()).await.err().expect("an error");
    assert!(!format!("{refused:?} {refused}").contains("hush"), "{refused:?}");
    assert!(matches!(
        refused,
        Error::Upstream {
            status: Some(401),
            ..
        }
    ));

    let upstream = Upstream::json(429, error("slow down"))
        .await
        .with_header("retry-after", "12");
    let limited = model(&upstream).stream(&request()).await.err();
    let Some(Error::Upstream {
        status, retry_after, ..
    }) = limited
    else {
        panic!("{limited:?}")
    };
    assert_eq!((status, retry_after), (Some(429), Some(Duration::from_secs(12))));

    let upstream = Upstream::json(502, json!("<html>")).await;
    let failed = model(&upstream).complete(&request()).await.err();
    assert!(
        matches!(
            failed,
            Some(Error::Upstream {
                status: Some(502),
                ..
            })
        ),
        "{failed:?}"
    );
}

#[tokio::test]
async fn nobody_there_is_an_upstream_failure() {
    let upstream = Upstream::closed().await;
    assert_upstream(
        model(&upstream).complete(&request()).await.err(),
        "cannot be reached",
    );
}
