use futures::StreamExt;

use super::super::Target;
use super::super::testing::{Act, Scripted, answering, failure, limited, route, scripted};
use super::super::{Capabilities, Cooldown, Outcome, Prices};
use super::*;
use crate::model::{ChatMessage, ChatOptions, Role};

fn request(text: &str) -> ChatRequest {
    ChatRequest {
        model: "asked".into(),
        messages: vec![ChatMessage::text(Role::User, text)],
        options: ChatOptions::default(),
        passages: Vec::new(),
        grounded: false,
    }
}

fn call() -> RouteCall {
    RouteCall::new(DateTime::UNIX_EPOCH)
}

fn two(acts: Vec<Act>) -> (Route, [Arc<Scripted>; 2]) {
    let ((first, a), (second, b)) = (scripted("a", acts), scripted("b", []));
    (route("m", vec![first, second]), [a, b])
}

#[tokio::test]
async fn the_next_target_answers_under_its_own_name() {
    for act in [
        Act::Fail(failure(Some(500))),
        Act::Fail(failure(None)),
        Act::Fail(limited(60)),
    ] {
        let (route, [a, b]) = two(vec![act]);
        let answered = complete(&route, request("Hello?"), &call()).await.unwrap();
        assert_eq!(answered.answer.content.as_deref(), Some("answer"));
        assert_eq!(
            (a.asked(), b.asked()),
            (vec!["a-upstream".into()], vec!["b-upstream".into()])
        );
        let taken = answered.taken;
        assert_eq!(
            (&*taken.provider, &*taken.upstream_model, taken.attempts.len()),
            ("b", "b-upstream", 2)
        );
        assert_eq!(taken.attempts[1].outcome, Outcome::Answered);
    }
}

#[tokio::test]
async fn a_target_that_is_late_is_left_for_the_next() {
    let limit = std::time::Duration::from_millis(20);
    let (mut slow, a) = scripted("a", [Act::Late(limit, failure(None))]);
    slow.timeouts.total = limit;
    let mut route = route("m", vec![slow, answering("b")]);
    route.retries.rounds = 3;
    let answered = complete(&route, request("Hello?"), &call()).await.unwrap();
    assert_eq!(answered.taken.attempts[0].outcome, Outcome::TimedOut);
    assert!(answered.taken.attempts[0].micros >= 20_000);
    assert_eq!(a.asked().len(), 1);
}

#[tokio::test]
async fn nothing_is_called_for_what_cannot_be_done() {
    let (mut route, [a, b]) = two(Vec::new());
    route.capabilities = Capabilities::NONE;
    let mut with_tools = request("Hello?");
    with_tools.options.tools = vec![serde_json::json!({"type": "function"})];
    let Failed { error, attempts } = stream(&route, with_tools, &call()).await.err().unwrap();
    assert!(matches!(error, Error::Invalid { param: Some(param), .. } if param == "tools"));
    assert!(attempts.is_empty() && a.asked().is_empty() && b.asked().is_empty());
}

#[tokio::test]
async fn a_stream_that_breaks_is_not_begun_anew_and_counts_against_its_target() {
    let (mut route, [a, b]) = two(vec![Act::Break, Act::Break]);
    route.cooldown = Cooldown {
        failures: 2,
        ..Cooldown::default()
    };
    for _ in 0..2 {
        let answered = stream(&route, request("Hello?"), &call()).await.unwrap();
        let events: Vec<_> = answered.answer.collect().await;
        assert!(events[0].is_ok() && events[1].is_err() && events.len() == 2);
    }
    assert_eq!((a.asked().len(), b.asked().len()), (2, 0));
    let answered = stream(&route, request("Hello?"), &call()).await.unwrap();
    assert_eq!(&*answered.taken.provider, "b", "after two that broke it rests");
}

#[tokio::test]
async fn the_language_is_found_out_where_a_rule_asks() {
    let arabic = Target {
        condition: crate::route::Condition {
            languages: vec!["ara"],
            ..Default::default()
        },
        ..answering("arabic")
    };
    let route = route("m", vec![answering("plain"), arabic]);
    for (text, provider) in [
        ("ما هي عاصمة العراق؟", "arabic"),
        ("What is the capital of Iraq?", "plain"),
    ] {
        let answered = complete(&route, request(text), &call()).await.unwrap();
        assert_eq!(&*answered.taken.provider, provider, "{text}");
    }
}

#[tokio::test]
async fn the_price_is_that_of_the_target_at_the_time() {
    let price = |text: &str| crate::route::Price {
        input: text.parse().unwrap(),
        ..crate::route::Price::FREE
    };
    let day = |text: &str| format!("{text}T00:00:00Z").parse::<DateTime<Utc>>().unwrap();
    let dear = Target {
        prices: Prices::new(vec![
            (day("2026-01-01"), price("1")),
            (day("2026-07-01"), price("3")),
        ]),
        ..answering("a")
    };
    let route = route("m", vec![dear, answering("free")]);
    let later = RouteCall::new(day("2026-08-01"));
    let taken = complete(&route, request("Hello?"), &later).await.unwrap().taken;
    assert_eq!(taken.price, price("3"));
    assert_eq!(
        route.ceiling(1_000_000, 0, day("2026-02-01")),
        "1".parse().unwrap()
    );
    assert_eq!(
        route.ceiling(1_000_000, 0, day("2026-08-01")),
        "3".parse().unwrap()
    );
    assert!(!route.is_free());
}
