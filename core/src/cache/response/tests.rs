use insula_tenancy::TenantId;
use proptest::prelude::*;

use super::*;
use crate::model::{Role, TokenUsage, ToolCall};

fn request(text: &str) -> ChatRequest {
    ChatRequest {
        model: "upstream".into(),
        messages: vec![ChatMessage::text(Role::User, text)],
        options: ChatOptions::default(),
        passages: Vec::new(),
        grounded: false,
    }
}

fn passage(text: &str) -> Passage {
    Passage {
        vector_store_id: String::new(),
        file_id: "file-1".into(),
        filename: "a.md".into(),
        chunk_id: "chunk_1".into(),
        heading_path: vec![],
        page: None,
        start: 0,
        text: text.into(),
        score: 1.0,
    }
}

fn answer(text: &str) -> Completion {
    Completion {
        content: Some(text.into()),
        finish_reason: Some(FinishReason::Stop),
        usage: Some(TokenUsage {
            prompt_tokens: 3,
            completion_tokens: 1,
            ..TokenUsage::default()
        }),
        ..Completion::default()
    }
}

const MINUTE: Duration = Duration::from_secs(60);

fn slot(responses: &Responses, tenant: TenantId, request: &ChatRequest) -> Slot {
    let wanted = Wanted {
        ttl: MINUTE,
        asked: true,
    };
    let builder = KeyBuilder::of(tenant, "answer");
    responses
        .slot_under(builder, wanted, ["m", "r"], request, None)
        .unwrap()
}

#[test]
fn the_call_goes_before_its_route_and_zero_is_no() {
    let seconds = |n| Some(Duration::from_secs(n));
    assert_eq!(Wanted::choose(None, None), None);
    assert_eq!(
        Wanted::choose(None, seconds(5)),
        Some(Wanted {
            ttl: Duration::from_secs(5),
            asked: false
        })
    );
    assert_eq!(
        Wanted::choose(seconds(9), seconds(5)),
        Some(Wanted {
            ttl: Duration::from_secs(9),
            asked: true
        })
    );
    assert_eq!(Wanted::choose(seconds(0), seconds(5)), None);
    assert_eq!(Wanted::choose(seconds(u64::MAX), None).unwrap().ttl, LONGEST);
}

#[test]
fn tools_by_chance_are_only_kept_if_asked_for() {
    let by_route = Wanted {
        ttl: MINUTE,
        asked: false,
    };
    let mut options = ChatOptions {
        tools: vec![json!({})],
        ..ChatOptions::default()
    };
    assert!(!by_route.suits(&options) && by_route.suits(&ChatOptions::default()));
    assert!(
        Wanted {
            asked: true,
            ..by_route
        }
        .suits(&options)
    );
    options.temperature = Some(0.0);
    assert!(by_route.suits(&options));
}

#[test]
fn whatever_decides_the_answer_has_a_place_of_its_own() {
    let responses = Responses::new(1 << 20);
    let tenant = TenantId::generate();
    let mut base = request("hi");
    base.passages = vec![passage("tea")];
    slot(&responses, tenant, &base).keep(&answer("x"), &[]);
    assert!(slot(&responses, tenant, &base).find().is_some());
    let change = |change: &dyn Fn(&mut ChatRequest)| {
        let mut changed = base.clone();
        change(&mut changed);
        assert!(slot(&responses, tenant, &changed).find().is_none(), "{changed:?}");
    };
    change(&|r| r.model = "another".into());
    change(&|r| r.messages.push(ChatMessage::text(Role::User, "")));
    change(&|r| r.messages[0].role = Role::System);
    change(&|r| r.options.temperature = Some(0.5));
    change(&|r| r.options.max_tokens = Some(5));
    change(&|r| r.options.stop = vec!["x".into()]);
    change(&|r| r.options.response_format = Some(json!({"type": "json_object"})));
    change(&|r| r.passages[0].text = "coffee".into());
    change(&|r| r.passages.clear());
    change(&|r| r.grounded = true);
    let mut asked_by_another = base.clone();
    asked_by_another.options.user = Some("u".into());
    assert!(slot(&responses, tenant, &asked_by_another).find().is_some());
}

#[test]
fn what_is_not_whole_is_not_kept() {
    let responses = Responses::new(1 << 20);
    let slot = slot(&responses, TenantId::generate(), &request("hi"));
    let filtered = Completion {
        finish_reason: Some(FinishReason::ContentFilter),
        ..answer("x")
    };
    let cut = Completion {
        finish_reason: None,
        ..answer("x")
    };
    for answer in [filtered, cut] {
        slot.keep(&answer, &[]);
        assert!(slot.find().is_none(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_stream_is_kept_when_it_has_ended_and_replayed_as_one() {
    let responses = Responses::new(1 << 20);
    let slot = slot(&responses, TenantId::generate(), &request("hi"));
    let call = |arguments: &str, id: Option<&str>| ToolCallDelta {
        index: 0,
        id: id.map(str::to_owned),
        name: id.map(|_| "f".to_owned()),
        arguments: arguments.into(),
    };
    let events = [
        ChatEvent::Content("a ".into()),
        ChatEvent::Content("b".into()),
        ChatEvent::ToolCalls(vec![call("{", Some("call_1"))]),
        ChatEvent::ToolCalls(vec![call("}", None)]),
        ChatEvent::Finish(FinishReason::ToolCalls),
        ChatEvent::Usage(TokenUsage::default()),
    ];
    let stream = |count| stream::iter(events.clone().into_iter().take(count).map(Ok)).boxed();
    let broken: Vec<_> = slot.clone().record(stream(3), vec![]).collect().await;
    assert_eq!(broken.len(), 3);
    assert!(slot.find().is_none(), "half an answer was kept");
    let whole: Vec<_> = slot
        .clone()
        .record(stream(6), vec![passage("tea")])
        .collect()
        .await;
    assert_eq!(whole.len(), 6);
    let kept = slot.find().unwrap();
    assert_eq!(kept.passages, [passage("tea")]);
    let mut again = Gather::default();
    let mut replayed = replay(&kept);
    while let Some(event) = replayed.next().await {
        again.take(&event.unwrap());
    }
    let expected = Completion {
        content: Some("a b".into()),
        tool_calls: vec![ToolCall {
            id: "call_1".into(),
            name: "f".into(),
            arguments: "{}".into(),
        }],
        finish_reason: Some(FinishReason::ToolCalls),
        usage: Some(TokenUsage::default()),
        ..Completion::default()
    };
    assert_eq!(again.into_answer(), expected);
}

proptest! {
    #[test]
    fn two_tenants_never_share_an_answer(text in ".{0,40}", said in ".{1,40}") {
        let responses = Responses::new(1 << 20);
        let (ada, bob) = (TenantId::generate(), TenantId::generate());
        let request = request(&text);
        slot(&responses, ada, &request).keep(&answer(&said), &[]);
        prop_assert_eq!(
            slot(&responses, ada, &request).find().unwrap().completion.content.clone(),
            Some(said)
        );
        prop_assert!(slot(&responses, bob, &request).find().is_none());
    }
}
