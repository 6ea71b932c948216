use insula_core::model::{ChatMessage, Role};

use super::*;

fn send(options: ChatOptions, config: &AnthropicOptions) -> Result<Value> {
    let request = ChatRequest {
        model: "claude".into(),
        messages: vec![ChatMessage::text(Role::User, "hi")],
        options,
        passages: Vec::new(),
        grounded: false,
    };
    Ok(serde_json::to_value(Body::new(&request, false, config)?).expect("JSON"))
}

fn wire(options: ChatOptions) -> Value {
    send(options, &AnthropicOptions::default()).expect("a body")
}

fn function(strict: bool) -> Value {
    json!({"type": "function", "function": {"name": "f", "description": "does f", "strict": strict,
           "parameters": {"type": "object", "properties": {"x": {"type": "string"}}}}})
}

fn of_schema() -> ChatOptions {
    ChatOptions {
        response_format: Some(
            json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}),
        ),
        ..ChatOptions::default()
    }
}

#[test]
fn the_least_that_is_sent() {
    let body = wire(ChatOptions::default());
    assert_eq!(
        body,
        json!({"model": "claude", "max_tokens": 4096, "stream": false,
               "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]})
    );
}

#[test]
fn options_go_by_their_names_or_not_at_all() {
    let body = wire(ChatOptions {
        max_tokens: Some(9),
        temperature: Some(1.7),
        stop: vec!["END".into()],
        seed: Some(1),
        presence_penalty: Some(1.0),
        user: Some("u1".into()),
        ..ChatOptions::default()
    });
    assert_eq!(
        (&body["max_tokens"], &body["temperature"]),
        (&json!(9), &json!(1.0))
    );
    assert_eq!(
        (&body["stop_sequences"], &body["metadata"]),
        (&json!(["END"]), &json!({"user_id": "u1"}))
    );
    assert!(body.get("seed").is_none() && body.get("presence_penalty").is_none());
    let config = AnthropicOptions {
        unsupported: vec![ChatOption::Temperature],
        extra_body: Map::from_iter([("service_tier".to_owned(), json!("auto"))]),
        ..AnthropicOptions::default()
    };
    let cold = ChatOptions {
        temperature: Some(0.0),
        ..ChatOptions::default()
    };
    let body = send(cold, &config).expect("a body");
    assert!(body.get("temperature").is_none());
    assert_eq!(body["service_tier"], "auto");
}

#[test]
fn tools_and_their_choice() {
    let with = |choice: Option<Value>, parallel: Option<bool>| {
        wire(ChatOptions {
            tools: vec![function(true)],
            tool_choice: choice,
            parallel_tool_calls: parallel,
            ..ChatOptions::default()
        })
    };
    let body = with(None, None);
    assert_eq!(
        body["tools"],
        json!([{"name": "f", "description": "does f", "strict": true,
                "input_schema": {"type": "object", "properties": {"x": {"type": "string"}}}}])
    );
    assert!(body.get("tool_choice").is_none());
    let named = json!({"type": "function", "function": {"name": "f"}});
    for (choice, parallel, expected) in [
        (
            None,
            Some(false),
            json!({"type": "auto", "disable_parallel_tool_use": true}),
        ),
        (Some(json!("none")), Some(false), json!({"type": "none"})),
        (Some(json!("auto")), None, json!({"type": "auto"})),
        (Some(json!("required")), None, json!({"type": "any"})),
        (Some(named), None, json!({"type": "tool", "name": "f"})),
    ] {
        assert_eq!(
            with(choice.clone(), parallel)["tool_choice"],
            expected,
            "{choice:?}"
        );
    }
    let lonely = ChatOptions {
        tool_choice: Some(json!("auto")),
        ..ChatOptions::default()
    };
    assert!(
        wire(lonely).get("tool_choice").is_none(),
        "a choice among nothing"
    );
}

#[test]
fn tools_that_cannot_be_expressed_are_the_callers_mistake() {
    let options = ChatOptions {
        tools: vec![json!({"type": "custom", "custom": {"name": "x"}})],
        ..ChatOptions::default()
    };
    let Err(Error::Invalid { param, .. }) = send(options, &AnthropicOptions::default()) else {
        panic!("sent")
    };
    assert_eq!(param.as_deref(), Some("tools[0]"));
}

#[test]
fn a_schema_is_asked_for_in_either_way() {
    let body = wire(of_schema());
    assert_eq!(
        body["output_config"],
        json!({"format": {"type": "json_schema", "schema": {"type": "object"}}})
    );
    let config = AnthropicOptions {
        json_schema: JsonSchema::Tool,
        ..AnthropicOptions::default()
    };
    let body = send(of_schema(), &config).expect("a body");
    assert!(body.get("output_config").is_none());
    assert_eq!(body["tools"][0]["input_schema"], json!({"type": "object"}));
    assert_eq!(
        body["tool_choice"],
        json!({"type": "tool", "name": body["tools"][0]["name"]})
    );
    let both = ChatOptions {
        tools: vec![function(true)],
        ..of_schema()
    };
    let body = send(both, &config).expect("a body");
    assert_eq!(body["tool_choice"], json!({"type": "any"}));
    assert!(body["tools"][0].get("strict").is_none());
    assert_eq!(answers_by_tool(&of_schema(), &config), Some(ANSWER));
    assert_eq!(answers_by_tool(&of_schema(), &AnthropicOptions::default()), None);
}

#[test]
fn json_without_a_schema_is_an_instruction() {
    let options = ChatOptions {
        response_format: Some(json!({"type": "json_object"})),
        ..ChatOptions::default()
    };
    assert_eq!(wire(options)["system"], JSON_ONLY);
}
