//! Texts looked through by a classifier here or elsewhere.

use insula_tests::{FakeProvider, Setup, TestApp, assert_invariants};
use serde_json::{Value, json};

use crate::ledger::events;

const MODERATIONS: &str = "/v1/moderations";

async fn start() -> TestApp {
    TestApp::with(Setup {
        judges: true,
        ..Setup::default()
    })
    .await
}

/// The names of the categories that are there.
fn there(result: &Value) -> Vec<&str> {
    let categories = result["categories"].as_object().unwrap();
    for map in ["categories", "category_scores", "category_applied_input_types"] {
        assert_eq!(result[map].as_object().unwrap().len(), 13, "{map}");
    }
    categories
        .iter()
        .filter(|(_, there)| **there == true)
        .map(|(name, _)| name.as_str())
        .collect()
}

#[tokio::test]
async fn a_local_classifier_speaks_of_openais_categories() {
    let app = start().await;
    let ada = app.tenant("ada").await;
    // Longer than the model's window, with its end beyond it.
    let long = format!("{} blood", "all is well ".repeat(40));
    let body = json!({"input": ["I hate you.", "All is fine.", long, ""]});
    let answer = ada.post(MODERATIONS, body).await.ok();
    assert!(answer["id"].as_str().unwrap().starts_with("modr-"));
    assert_eq!(answer["model"], "omni-moderation-latest");
    let results = answer["results"].as_array().unwrap();
    let flagged: Vec<bool> = results
        .iter()
        .map(|result| result["flagged"].as_bool().unwrap())
        .collect();
    assert_eq!(flagged, [true, false, true, false]);
    assert_eq!(there(&results[0]), ["hate"]);
    assert!(there(&results[1]).is_empty());
    assert_eq!(there(&results[2]), ["violence", "violence/graphic"]);
    let score = results[0]["category_scores"]["hate"].as_f64().unwrap();
    assert!((score - 1.0 / (1.0 + (-5f64).exp())).abs() < 1e-6, "{score}");
    assert_eq!(
        results[0]["category_scores"]["sexual"], 0.0,
        "no label speaks of it"
    );
    assert_eq!(
        results[0]["category_applied_input_types"]["hate"],
        json!(["text"])
    );
    let recorded = events(&app, &ada).await;
    assert_eq!(
        (recorded.len(), recorded[0].outcome.as_str(), recorded[0].cost),
        (1, "completed", 0)
    );
    assert!(recorded[0].input > 100);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn without_a_classifier_there_is_no_such_model_and_images_are_refused() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    for body in [
        json!({"input": "x"}),
        json!({"input": "x", "model": "insula/extractive"}),
    ] {
        let error = ada.post(MODERATIONS, body).await.refused(404);
        assert_eq!(
            (&error["code"], &error["param"]),
            (&json!("model_not_found"), &json!("model"))
        );
    }
    let image = json!([{"type": "image_url", "image_url": {"url": "https://pictures.example/1.png"}}]);
    for (input, param) in [
        (image, "input[0].type"),
        (json!([]), "input"),
        (json!(7), "input"),
        (Value::Null, "input"),
    ] {
        let error = ada
            .post(MODERATIONS, json!({ "input": input }))
            .await
            .refused(400);
        assert_eq!(error["param"], param);
    }
}

#[tokio::test]
async fn a_provider_can_look_through_texts() {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let routes = format!(
        "[[provider]]\nname = \"fake\"\nkind = \"openai_compatible\"\nbase_url = \"http://{}/v1\"\n\
         [[route]]\nmodel = \"watch\"\nkind = \"moderations\"\nprovider = \"fake\"\nprice = [{{ input = \"1\", output = \"0\" }}]\n",
        provider.address()
    );
    let app = TestApp::with(Setup {
        routes: Some(routes),
        ..Setup::default()
    })
    .await;
    let (ada, bob) = app.two_tenants().await;
    let body = json!({"model": "watch", "input": ["I hate you.", "Hello."]});
    let answer = ada.post(MODERATIONS, body).await.ok();
    let results = answer["results"].as_array().unwrap();
    assert_eq!((there(&results[0]), there(&results[1])), (vec!["hate"], vec![]));
    assert_eq!(results[0]["category_scores"]["hate"], 0.9);
    let recorded = events(&app, &ada).await;
    assert_eq!(recorded[0].cost, recorded[0].input * 1_000);
    assert!(recorded[0].cost > 0);
    assert!(events(&app, &bob).await.is_empty());

    // What may not leave this machine is not sent.
    let rules = json!({"personal_data": [{"kinds": ["email"], "action": "route_local"}]});
    bob.put("/v1/insula/guardrails", rules).await.ok();
    let before = provider.count("watch").await.requests;
    let body = json!({"model": "watch", "input": "Write to someone@somewhere.example."});
    let error = bob.post(MODERATIONS, body).await.refused(400);
    assert_eq!(error["code"], "content_policy_violation");
    assert_eq!(provider.count("watch").await.requests, before);
    assert_invariants(app.owner()).await;
}
