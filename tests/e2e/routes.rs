//! Routes: who answers when somebody does not, and what operators and tenants say about it.

use insula_tests::{Answer, Client, FakeProvider, Setup, TestApp};
use reqwest::Method;
use serde_json::{Value, json};

/// A provider, and a server whose routes are `text`; in it, ADDRESS is the provider's.
pub(crate) async fn serving(text: &str) -> (FakeProvider, TestApp) {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let app = TestApp::with(Setup {
        worker: false,
        routes: Some(with_providers(&provider, text)),
        ..Setup::default()
    })
    .await;
    (provider, app)
}

/// `fake`; `here`, which is the same and counts as local; and `gone`, where nobody listens.
fn with_providers(provider: &FakeProvider, text: &str) -> String {
    let address = provider.address();
    let timeouts = "timeouts = { connect = 1, first_token = 1, between_chunks = 1, total = 1 }";
    format!(
        "[[provider]]\nname = \"fake\"\nkind = \"openai_compatible\"\nbase_url = \"http://{address}/v1\"\n{timeouts}\n\
         [[provider]]\nname = \"here\"\nkind = \"local\"\nbase_url = \"http://{address}/v1\"\n{timeouts}\n\
         [[provider]]\nname = \"gone\"\nkind = \"openai_compatible\"\nbase_url = \"http://127.0.0.1:9/v1\"\n{timeouts}\n\
         {text}"
    )
}

/// A route of these models of `fake`, in order; `more` are further lines of the route.
fn route(name: &str, targets: &[&str], more: &str) -> String {
    let mut text = format!("[[route]]\nmodel = \"{name}\"\n{more}\n");
    for target in targets {
        let (provider, model) = target.split_once('/').unwrap_or(("fake", target));
        text += &format!("[[route.target]]\nprovider = \"{provider}\"\nupstream_model = \"{model}\"\n");
    }
    text
}

fn ask(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "Hello?"}]})
}

async fn answer(client: &Client, body: Value) -> Answer {
    client.post("/v1/chat/completions", body).await
}

async fn put(client: &Client, path: &str, body: Value) -> Answer {
    client.send(client.request(Method::PUT, path).json(&body)).await
}

#[tokio::test]
async fn whatever_fails_before_the_first_byte_the_next_target_answers() {
    let faults = ["error-500", "error-503", "limit-429", "hang", "html", "gone/ok"];
    let text: String = faults
        .iter()
        .map(|fault| route(fault, &[fault, "ok"], ""))
        .collect();
    let (provider, app) = serving(&text).await;
    let ada = app.tenant("ada").await;
    for fault in faults {
        for streamed in [false, true] {
            let before = provider.count("ok").await.requests;
            let mut body = ask(fault);
            if streamed {
                body["stream"] = json!(true);
                let events = ada.stream("/v1/chat/completions", body).await.rest().await;
                assert_eq!(
                    events.last().map(String::as_str),
                    Some("[DONE]"),
                    "{fault}: {events:?}"
                );
            } else {
                let completion = answer(&ada, body).await.ok();
                assert_eq!(completion["model"], fault, "the route's name, whoever answered");
                assert_eq!(
                    completion["choices"][0]["message"]["content"],
                    "Hello from the provider [1]."
                );
            }
            assert_eq!(provider.count("ok").await.requests, before + 1, "{fault}");
        }
    }
}

#[tokio::test]
async fn what_the_caller_did_wrong_is_not_tried_elsewhere() {
    let (provider, app) = serving(&route("m", &["bad-400", "ok"], "retries = 3")).await;
    let ada = app.tenant("ada").await;
    answer(&ada, ask("m")).await.refused(400);
    let counts = (
        provider.count("bad-400").await.requests,
        provider.count("ok").await.requests,
    );
    assert_eq!(counts, (1, 0));
}

#[tokio::test]
async fn a_stream_that_has_begun_is_not_begun_again() {
    let (provider, app) = serving(&route("m", &["cut", "ok"], "")).await;
    let ada = app.tenant("ada").await;
    let mut body = ask("m");
    body["stream"] = json!(true);
    let events = ada.stream("/v1/chat/completions", body).await.rest().await;
    let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
    assert!(last["error"].is_object(), "{events:?}");
    assert_eq!(provider.count("ok").await.requests, 0);
}

#[tokio::test]
async fn a_pause_that_a_provider_asks_for_is_kept() {
    let text = route("short", &["wait-700"], "retries = 1") + &route("long", &["limit-429"], "retries = 3");
    let (provider, app) = serving(&text).await;
    let ada = app.tenant("ada").await;
    let asked = std::time::Instant::now();
    answer(&ada, ask("short")).await.ok();
    assert!(asked.elapsed().as_millis() >= 700, "{:?}", asked.elapsed());
    assert_eq!(provider.count("wait-700").await.requests, 2);
    // Seven seconds are more than a caller is made to wait; it is told.
    let refused = answer(&ada, ask("long")).await;
    refused.refused(503);
    assert_eq!(refused.header("retry-after"), Some("7"));
    assert_eq!(provider.count("limit-429").await.requests, 1);
}

#[tokio::test]
async fn a_target_that_fails_rests_and_is_tried_by_one_call() {
    let more = "retries = 0\ncooldown = { failures = 2, seconds = 2 }";
    let (provider, app) = serving(&route("m", &["mend-2", "ok"], more)).await;
    let ada = app.tenant("ada").await;
    for _ in 0..6 {
        answer(&ada, ask("m")).await.ok();
    }
    assert_eq!(
        provider.count("mend-2").await.requests,
        2,
        "after two failures it rests"
    );
    let state = || async {
        let routes = ada.get("/v1/insula/routes").await.ok();
        let found = routes["data"]
            .as_array()
            .unwrap()
            .iter()
            .find(|route| route["model"] == "m");
        found.unwrap()["targets"][0]["state"].clone()
    };
    assert_eq!(state().await, "resting");
    insula_tests::eventually("it has rested", async || {
        (state().await == "probing").then_some(())
    })
    .await;
    answer(&ada, ask("m")).await.ok();
    assert_eq!(provider.count("mend-2").await.requests, 3);
    assert_eq!(state().await, "healthy");
    answer(&ada, ask("m")).await.ok();
    assert_eq!(provider.count("mend-2").await.requests, 4, "it is first again");
}

#[tokio::test]
async fn when_all_rest_one_is_called_nevertheless() {
    let more = "retries = 0\ncooldown = { failures = 1, seconds = 600 }";
    let (provider, app) = serving(&route("m", &["mend-1"], more)).await;
    let ada = app.tenant("ada").await;
    answer(&ada, ask("m")).await.refused(502);
    answer(&ada, ask("m")).await.ok();
    assert_eq!(provider.count("mend-1").await.requests, 2);
}

#[tokio::test]
async fn weights_share_calls_out() {
    let text = "[[route]]\nmodel = \"m\"\nstrategy = \"weighted\"\n\
        [[route.target]]\nprovider = \"fake\"\nupstream_model = \"ok-a\"\nweight = 3\n\
        [[route.target]]\nprovider = \"fake\"\nupstream_model = \"ok-b\"\nweight = 1\n\
        [[route.target]]\nprovider = \"fake\"\nupstream_model = \"ok-c\"\nweight = 0\n";
    let (provider, app) = serving(text).await;
    let ada = app.tenant("ada").await;
    for _ in 0..200 {
        answer(&ada, ask("m")).await.ok();
    }
    let (a, b) = (
        provider.count("ok-a").await.requests,
        provider.count("ok-b").await.requests,
    );
    // Six standard deviations from 150: once in half a billion runs.
    assert!(a + b == 200 && (113..187).contains(&a), "{a} and {b}");
    assert_eq!(provider.count("ok-c").await.requests, 0);
}

#[tokio::test]
async fn the_fastest_is_called_most() {
    let (provider, app) = serving(&route("m", &["late-60", "ok"], "strategy = \"least_latency\"")).await;
    let ada = app.tenant("ada").await;
    for _ in 0..40 {
        answer(&ada, ask("m")).await.ok();
    }
    let (slow, fast) = (
        provider.count("late-60").await.requests,
        provider.count("ok").await.requests,
    );
    assert!(
        slow >= 1 && slow + fast == 40 && fast > 25,
        "{slow} slow, {fast} fast"
    );
}

#[tokio::test]
async fn a_prompt_that_is_too_long_goes_to_a_larger_window() {
    let text = route(
        "small",
        &["too-long"],
        "context_window_fallbacks = [\"large\"]\nfallbacks = [\"other\"]",
    ) + &route("large", &["ok-large"], "")
        + &route("other", &["ok"], "")
        + &route("alone", &["too-long"], "fallbacks = [\"other\"]");
    let (provider, app) = serving(&text).await;
    let ada = app.tenant("ada").await;
    assert_eq!(answer(&ada, ask("small")).await.ok()["model"], "small");
    assert_eq!(provider.count("ok-large").await.requests, 1);
    let error = answer(&ada, ask("alone")).await.refused(400);
    assert_eq!(
        (&error["code"], &error["param"]),
        (&json!("context_length_exceeded"), &json!("messages"))
    );
    assert_eq!(
        provider.count("ok").await.requests,
        0,
        "another model of the same size would not help"
    );
}

#[tokio::test]
async fn when_all_targets_fail_the_fallback_answers() {
    let text = route(
        "m",
        &["error-500", "gone/ok"],
        "fallbacks = [\"spare\"]\nretries = 0",
    ) + &route("spare", &["ok"], "");
    let (_provider, app) = serving(&text).await;
    let ada = app.tenant("ada").await;
    assert_eq!(answer(&ada, ask("m")).await.ok()["model"], "m");
}

#[tokio::test]
async fn what_a_model_cannot_do_is_refused_by_its_field() {
    let (provider, app) = serving(&route("plain", &["ok"], "capabilities = []")).await;
    let ada = app.tenant("ada").await;
    let schema = json!({"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}});
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    for (field, value) in [
        ("tools", tools),
        ("response_format", schema),
        ("response_format", json!({"type": "json_object"})),
    ] {
        let mut body = ask("plain");
        body[field] = value;
        let error = answer(&ada, body).await.refused(400);
        assert_eq!(
            (&error["param"], &error["code"]),
            (&json!(field), &json!("unsupported_parameter"))
        );
    }
    answer(&ada, ask("plain")).await.ok();
    assert_eq!(provider.count("ok").await.requests, 1);
}

#[tokio::test]
async fn images_are_for_models_that_see_and_for_tenants_whose_rules_need_not_look() {
    let text =
        route("sees", &["ok"], "capabilities = [\"vision\"]") + &route("blind", &["ok"], "capabilities = []");
    let (provider, app) = serving(&text).await;
    let (ada, bob) = app.two_tenants().await;
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url, "detail": "low"}});
    let show = |model: &str, url: &str| {
        let mut body = ask(model);
        body["messages"][0]["content"] = json!([{"type": "text", "text": "What is this?"}, image(url)]);
        body["insula_cache"] = json!({"ttl_seconds": 60});
        body
    };
    let (one, other) = ("https://example.com/a.png", "data:image/png;base64,iVBORw0KGgo=");
    for url in [one, other] {
        let seen = answer(&ada, show("sees", url)).await;
        assert_eq!(
            (seen.status, seen.header("x-insula-cache")),
            (200, Some("miss")),
            "{seen}"
        );
        let sent = provider.count("ok").await.body["messages"][0]["content"].clone();
        assert_eq!(
            sent,
            json!([{"type": "text", "text": "What is this?"}, image(url)])
        );
    }
    let again = answer(&ada, show("sees", one)).await;
    assert_eq!(again.header("x-insula-cache"), Some("hit"));
    for model in ["blind", "insula/extractive"] {
        let error = answer(&ada, show(model, one)).await.refused(400);
        assert_eq!(
            (&error["param"], &error["code"]),
            (&json!("messages"), &json!("unsupported_parameter")),
            "{model}"
        );
    }
    let rules = json!({"blocked_terms": [{"name": "t", "terms": ["never"], "action": "block"}]});
    put(&bob, "/v1/insula/guardrails", rules).await.ok();
    let error = answer(&bob, show("sees", one)).await.refused(400);
    assert_eq!(
        (&error["param"], &error["code"]),
        (&json!("messages[0].content"), &json!("content_policy_violation"))
    );
    answer(&bob, ask("sees")).await.ok();
}

#[tokio::test]
async fn the_language_of_the_question_chooses() {
    let text = route(
        "m",
        &["ok"],
        "match = [{ language = [\"ar\"], route = \"arabic\" }]",
    ) + &route("arabic", &["ok-ar"], "");
    let (provider, app) = serving(&text).await;
    let ada = app.tenant("ada").await;
    let mut arabic = ask("m");
    arabic["messages"][0]["content"] = json!("ما هي عاصمة العراق؟");
    answer(&ada, arabic).await.ok();
    answer(&ada, ask("m")).await.ok();
    let counts = (
        provider.count("ok-ar").await.requests,
        provider.count("ok").await.requests,
    );
    assert_eq!(counts, (1, 1));
}

#[tokio::test]
async fn a_tenants_own_names_and_rules_are_its_own() {
    let text = route("m", &["ok", "here/ok-here"], "") + &route("far", &["ok"], "");
    let (provider, app) = serving(&text).await;
    let (ada, bob) = app.two_tenants().await;
    // Another name.
    let set = put(&ada, "/v1/insula/routes/gpt-4o", json!({"target_model": "m"}))
        .await
        .ok();
    assert_eq!(
        (&set["object"], &set["model"], &set["target_model"]),
        (&json!("insula.route_override"), &json!("gpt-4o"), &json!("m"))
    );
    assert_eq!(answer(&ada, ask("gpt-4o")).await.ok()["model"], "gpt-4o");
    answer(&bob, ask("gpt-4o")).await.refused(404);
    let names = |list: &Value| -> Vec<String> {
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|model| model["model"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names(&ada.get("/v1/insula/routes").await.ok()),
        ["insula/extractive", "m", "far", "gpt-4o"]
    );
    assert_eq!(
        names(&bob.get("/v1/insula/routes").await.ok()),
        ["insula/extractive", "m", "far"]
    );
    assert!(
        ada.get("/v1/models/gpt-4o").await.status == 200 && bob.get("/v1/models/gpt-4o").await.status == 404
    );
    let new = json!({"name": "gpt-4o", "model": "m"});
    ada.post("/v1/insula/assistants", new.clone()).await.refused(400);
    bob.post("/v1/insula/assistants", new).await.ok();

    // Nothing leaves the machine.
    put(&ada, "/v1/insula/routes/*", json!({"local_only": true}))
        .await
        .ok();
    let before = provider.count("ok").await.requests;
    answer(&ada, ask("gpt-4o")).await.ok();
    answer(&ada, ask("m")).await.ok();
    assert_eq!(
        (
            provider.count("ok").await.requests,
            provider.count("ok-here").await.requests
        ),
        (before, 2)
    );
    let error = answer(&ada, ask("far")).await.refused(400);
    assert_eq!(
        (&error["param"], &error["code"]),
        (&json!("model"), &json!("no_allowed_target"))
    );
    answer(&bob, ask("far")).await.ok();

    // Field by field, and back.
    put(
        &ada,
        "/v1/insula/routes/*",
        json!({"local_only": null, "providers": ["fake"]}),
    )
    .await
    .ok();
    answer(&ada, ask("far")).await.ok();
    put(&ada, "/v1/insula/routes/m", json!({"disabled": true}))
        .await
        .ok();
    answer(&ada, ask("m")).await.refused(404);
    ada.delete("/v1/insula/routes/m").await.ok();
    answer(&ada, ask("m")).await.ok();
    ada.delete("/v1/insula/routes/m").await.refused(404);
    bob.delete("/v1/insula/routes/gpt-4o").await.refused(404);
}

#[tokio::test]
async fn what_cannot_be_set_is_refused_by_its_field() {
    let (_provider, app) = serving(&route("m", &["ok"], "")).await;
    let ada = app.tenant("ada").await;
    for (name, body, status, param) in [
        ("x", json!({}), 404, "model"),
        ("x", json!({"target_model": "nobody"}), 404, "target_model"),
        ("m", json!({"providers": ["fake", "nobody"]}), 400, "providers[1]"),
        ("m", json!({"providers": []}), 400, "providers"),
        ("m", json!({"cache_ttl": 999_999_999}), 400, "cache_ttl"),
        ("*", json!({"target_model": "m"}), 400, "target_model"),
        ("a%20b", json!({"target_model": "m"}), 400, "model"),
        ("all-MiniLM-L6-v2", json!({"target_model": "m"}), 400, "model"),
    ] {
        let error = put(&ada, &format!("/v1/insula/routes/{name}"), body)
            .await
            .refused(status);
        assert_eq!(error["param"], param, "{name}: {error}");
    }
}

#[tokio::test]
async fn embedding_servers_stand_in_for_each_other() {
    let text = "[[route]]\nmodel = \"remote\"\nkind = \"embeddings\"\ndimensions = 8\nmax_tokens = 512\n\
        [[route.target]]\nprovider = \"fake\"\nupstream_model = \"error-500\"\n\
        [[route.target]]\nprovider = \"gone\"\nupstream_model = \"embed-8\"\n\
        [[route.target]]\nprovider = \"fake\"\nupstream_model = \"embed-8\"\n";
    let (provider, app) = serving(text).await;
    let ada = app.tenant("ada").await;
    let body = json!({"model": "remote", "input": ["one two", "three"]});
    let made = ada.post("/v1/embeddings", body).await.ok();
    assert_eq!(made["data"][1]["embedding"].as_array().unwrap().len(), 8);
    assert_eq!(
        (
            provider.count("error-500").await.requests,
            provider.count("embed-8").await.requests
        ),
        (1, 1)
    );
    let error = answer(&ada, ask("remote")).await.refused(400);
    assert_eq!(error["param"], "model");
}
