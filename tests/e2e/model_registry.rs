//! `/v1/insula/models`

use insula_tenancy::quota::{self, Quotas};
use insula_tests::{TestApp, assert_invariants, eventually, model_file};
use serde_json::{Value, json};

const PATH: &str = "/v1/insula/models";

#[tokio::test]
async fn a_model_and_its_versions_are_made_shown_and_deleted() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let new = json!({"name": "iris", "description": "flowers", "metadata": {"team": "garden"}});
    let made = ada.post(PATH, new.clone()).await.ok();
    let expected = json!({
        "id": made["id"], "object": "registered_model", "name": "iris", "description": "flowers",
        "created_at": made["created_at"], "updated_at": made["updated_at"], "metadata": {"team": "garden"},
        "latest_version": null, "aliases": {"production": null, "canary": null}, "canary_percent": null, "gate": null,
        "cache_ttl_seconds": null,
    });
    assert_eq!(made, expected);
    assert_eq!(ada.post(PATH, new.clone()).await.refused(400)["param"], "name");
    // A name is one's own.
    bob.post(PATH, new).await.ok();

    let spec = json!({
        "description": "first", "metrics": {"accuracy": 0.97}, "parameters": {"c": "1.0"}, "dataset": "iris of 1936",
        "tags": {"by": "ada"}, "labels": ["setosa", "versicolor", "virginica"],
        "columns": ["sepal_length", "sepal_width", "petal_length", "petal_width"], "preprocessing": null,
    });
    let version = ada.model_version("iris", "linear.onnx", spec).await.ok();
    let bytes = model_file("linear.onnx").len();
    let expected = json!({
        "id": version["id"], "object": "model_version", "model": "iris", "version": 1,
        "created_at": version["created_at"], "created_by": version["created_by"], "description": "first", "bytes": bytes,
        "sha256": version["sha256"],
        "signature": {
            "inputs": [{"name": "features", "datatype": "FP32", "shape": [-1, 4]}],
            "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}],
        },
        "metrics": {"accuracy": 0.97}, "parameters": {"c": "1.0"}, "dataset": "iris of 1936", "tags": {"by": "ada"},
        "labels": ["setosa", "versicolor", "virginica"], "preprocessing": null,
        "columns": ["sepal_length", "sepal_width", "petal_length", "petal_width"], "output": null, "batching": true,
        "aliases": [],
    });
    assert_eq!(version, expected);
    assert!(version["created_by"].as_str().unwrap().starts_with("key_"));
    assert_eq!(version["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(
        ada.get("/v1/insula/usage/storage").await.ok()["bytes"]["used"],
        bytes
    );

    let second = ada.model_version("iris", "linear.onnx", json!({})).await.ok();
    assert_eq!(second["version"], 2);
    let id = made["id"].as_str().unwrap();
    for path in [
        format!("{PATH}/iris/versions/2"),
        format!("{PATH}/{id}/versions/2"),
        format!("{PATH}/iris/versions/{}", second["id"].as_str().unwrap()),
    ] {
        assert_eq!(ada.get(&path).await.ok(), second);
    }
    let listed = ada.get(&format!("{PATH}/iris/versions")).await.ok();
    assert_eq!(listed["data"], json!([second, version]));
    for path in [
        format!("{PATH}/{id}"),
        format!("{PATH}/{id}/versions"),
        format!("{PATH}/{id}/versions/1"),
    ] {
        bob.get(&path).await.refused(404);
    }

    ada.delete(&format!("{PATH}/iris/versions/2")).await.ok();
    ada.get(&format!("{PATH}/iris/versions/2")).await.refused(404);
    // A number is given once.
    let third = ada.model_version("iris", "linear.onnx", json!({})).await.ok();
    assert_eq!(third["version"], 3);
    eventually("the second version's bytes are removed", async || {
        (app.blob_names().len() == 2).then_some(())
    })
    .await;

    let deleted = ada.delete(&format!("{PATH}/iris")).await.ok();
    assert_eq!(
        deleted,
        json!({"id": made["id"], "object": "registered_model.deleted", "deleted": true})
    );
    app.run_jobs().await;
    assert!(app.blob_names().is_empty());
    assert_eq!(ada.get("/v1/insula/usage/storage").await.ok()["bytes"]["used"], 0);
    let logged = ada.get("/v1/organization/audit_logs?limit=20").await.ok();
    let events: Vec<&str> = logged["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["type"].as_str())
        .filter(|event| event.starts_with("model"))
        .collect();
    let expected = [
        "model.deleted",
        "model_version.created",
        "model_version.deleted",
        "model_version.created",
        "model_version.created",
        "model.created",
    ];
    assert_eq!(events, expected);
    assert_invariants(app.owner()).await;
}

async fn aliases(client: &insula_tests::Client) -> Value {
    let model = client.get(&format!("{PATH}/m")).await.ok();
    json!([
        model["aliases"]["production"],
        model["aliases"]["canary"],
        model["canary_percent"]
    ])
}

#[tokio::test]
async fn versions_are_activated_tried_on_some_and_rolled_back() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    ada.registered_model("m").await;
    for file in ["add-1.onnx", "add-2.onnx", "add-3.onnx"] {
        ada.model_version("m", file, json!({})).await.ok();
    }
    let post = async |path: &str, body: Value| ada.post(&format!("{PATH}/m/{path}"), body).await;
    let nobody = ada.predict("m", json!({"inputs": {"x": [[0, 0]]}})).await;
    assert_eq!(nobody.refused(409)["code"], "no_active_version");
    let canary_of_nothing = post("activate", json!({"version": 1, "canary_percent": 5})).await;
    assert_eq!(canary_of_nothing.refused(409)["code"], "no_active_version");
    assert_eq!(
        post("rollback", json!({})).await.refused(409)["code"],
        "nothing_to_roll_back"
    );
    ada.activate("m", 9).await.refused(404);
    bob.activate("m", 1).await.refused(404);

    ada.activate("m", 1).await.ok();
    ada.activate("m", 2).await.ok();
    assert_eq!(aliases(&ada).await, json!([2, null, null]));
    post("activate", json!({"version": 3, "canary_percent": 10}))
        .await
        .ok();
    assert_eq!(aliases(&ada).await, json!([2, 3, 10]));
    for percent in [0, 100] {
        let refused = post("activate", json!({"version": 3, "canary_percent": percent})).await;
        assert_eq!(refused.refused(400)["param"], "canary_percent");
    }
    let in_use = ada.delete(&format!("{PATH}/m/versions/3")).await;
    assert_eq!(in_use.refused(409)["code"], "version_in_use");
    // First the canary goes, then production.
    post("rollback", json!({})).await.ok();
    assert_eq!(aliases(&ada).await, json!([2, null, null]));
    post("rollback", json!({})).await.ok();
    assert_eq!(aliases(&ada).await, json!([1, null, null]));
    assert_eq!(
        post("rollback", json!({})).await.refused(409)["code"],
        "nothing_to_roll_back"
    );

    // A canary that has proved itself.
    post("activate", json!({"version": 3, "canary_percent": 99}))
        .await
        .ok();
    ada.activate("m", 3).await.ok();
    assert_eq!(aliases(&ada).await, json!([3, null, null]));
    post("activate", json!({"version": 2, "canary_percent": 1}))
        .await
        .ok();
    assert_eq!(
        post("canary/end", json!({})).await.ok()["aliases"]["canary"],
        json!(null)
    );
    post("canary/end", json!({})).await.ok();
    // What is gone is none to go back to.
    ada.delete(&format!("{PATH}/m/versions/1")).await.ok();
    assert_eq!(
        post("rollback", json!({})).await.refused(409)["code"],
        "nothing_to_roll_back"
    );

    let listed = ada
        .get(&format!("{PATH}/m/activations?limit=100&order=asc"))
        .await
        .ok();
    let told: Vec<Value> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            json!([
                change["alias"],
                change["version"],
                change["canary_percent"],
                change["replaced"]
            ])
        })
        .collect();
    let expected = [
        json!(["production", 1, null, null]),
        json!(["production", 2, null, 1]),
        json!(["canary", 3, 10, null]),
        json!(["canary", null, null, 3]),
        json!(["production", 1, null, 2]),
        json!(["canary", 3, 99, null]),
        json!(["production", 3, null, 1]),
        json!(["canary", 2, 1, null]),
        json!(["canary", null, null, 2]),
    ];
    assert_eq!(told, expected);
    bob.get(&format!("{PATH}/m/activations")).await.refused(404);
}

#[tokio::test]
async fn a_gate_lets_through_what_reaches_its_metrics() {
    let app = TestApp::without_worker().await;
    let (ada, _bob) = app.two_tenants().await;
    let gate = json!({"metrics": [{"name": "accuracy", "at_least": 0.9, "at_most": null}]});
    ada.post(PATH, json!({"name": "m", "gate": gate})).await.ok();
    for metrics in [json!({}), json!({"accuracy": 0.89}), json!({"accuracy": 0.9})] {
        ada.model_version("m", "add-1.onnx", json!({"metrics": metrics}))
            .await
            .ok();
    }
    for version in [1, 2] {
        let refused = ada.activate("m", version).await.refused(409);
        assert_eq!(refused["code"], "gate_failed");
        assert!(
            refused["message"].as_str().unwrap().contains("'accuracy'"),
            "{refused}"
        );
    }
    ada.activate("m", 3).await.ok();
    let path = format!("{PATH}/m");
    let changed = ada.post(&path, json!({"cache_ttl_seconds": 60})).await.ok();
    assert_eq!(
        (&changed["gate"], &changed["cache_ttl_seconds"]),
        (&gate, &json!(60))
    );
    assert_eq!(
        ada.post(&path, json!({"gate": null})).await.ok()["gate"],
        json!(null)
    );
    ada.activate("m", 2).await.ok();
    let crossed = json!({"gate": {"metrics": [{"name": "a", "at_least": 2, "at_most": 1}]}});
    assert_eq!(
        ada.post(&path, crossed).await.refused(400)["param"],
        "gate.metrics[0].at_least"
    );
}

#[tokio::test]
async fn a_version_that_is_refused_leaves_nothing() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    ada.registered_model("m").await;
    for (spec, param) in [
        (json!({"columns": ["a", "b", "c"]}), "spec.columns"),
        (json!({"metrics": {"a": "b"}}), "spec.metrics.a"),
        (json!({"preprocessing": {"text": {}}}), "spec.preprocessing.text"),
        (
            json!({"preprocessing": {"image": {"input": "pixels"}}}),
            "spec.preprocessing.image.input",
        ),
    ] {
        let refused = ada.model_version("m", "add-1.onnx", spec).await;
        assert_eq!(refused.refused(400)["param"], param);
    }
    bob.model_version("m", "add-1.onnx", json!({})).await.refused(404);
    let tokenizer = b"{}".as_slice();
    let graph = model_file("sentiment.onnx");
    let broken = ada
        .model_version_of("m", &graph, Some(tokenizer), json!({}))
        .await;
    assert_eq!(broken.refused(400)["code"], "invalid_model");
    eventually("nothing is left", async || {
        app.blob_names().is_empty().then_some(())
    })
    .await;
    let mut tx = app.services.db.operator().await.unwrap();
    let quotas = Quotas {
        bytes: Some(100),
        ..Quotas::default()
    };
    quota::set(&mut tx, ada.tenant_id(), quotas).await.unwrap();
    tx.commit().await.unwrap();
    let refused = ada.model_version("m", "add-1.onnx", json!({})).await;
    assert_eq!(refused.refused(429)["code"], "storage_quota_exceeded");
    assert_eq!(
        ada.get(&format!("{PATH}/m")).await.ok()["latest_version"],
        json!(null)
    );
    eventually("nothing is left", async || {
        app.blob_names().is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn hostile_files_are_refused_and_say_why() {
    let app = TestApp::with(insula_tests::Setup {
        worker: false,
        serving: crate::model_faults::strict(),
        ..Default::default()
    })
    .await;
    let (ada, _bob) = app.two_tenants().await;
    ada.registered_model("m").await;
    for (file, said) in [
        ("corrupt.onnx", "damaged"),
        ("external.onnx", "another file"),
        ("giant.onnx", "data is of another size"),
        ("unknown.onnx", "Frobnicate"),
        ("sequence.onnx", "sequence"),
        ("liar.onnx", "y"),
        ("endless.onnx", "longer than allowed"),
        ("loaded-bomb.onnx", "more memory than allowed"),
        ("make.py", "not an ONNX model"),
    ] {
        let refused = ada.model_version("m", file, json!({})).await.refused(400);
        assert_eq!(
            (&refused["code"], &refused["param"]),
            (&json!("invalid_model"), &json!("model")),
            "{file}"
        );
        let message = refused["message"].as_str().unwrap();
        assert!(message.contains(said), "{file}: {message}");
        assert!(
            !message.contains("/onnxruntime") && !message.contains("/work"),
            "{file}: {message}"
        );
    }
    eventually("nothing is left", async || {
        app.blob_names().is_empty().then_some(())
    })
    .await;
    assert_eq!(
        ada.get(&format!("{PATH}/m/versions")).await.ok()["data"],
        json!([]),
        "none was offered"
    );
}
