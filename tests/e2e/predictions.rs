//! `/v1/insula/predict` and `/v2`: tenants' own models, asked.

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use insula_core::prediction::PredictionSettings;
use insula_tenancy::Money;
use insula_tests::{Client, Setup, TestApp, assert_invariants, model_file};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn rows_by_column_name_become_labels_with_probabilities() {
    let app = TestApp::with(Setup {
        worker: false,
        predictions: PredictionSettings {
            price: Money::from_nanos(250_000),
            ..PredictionSettings::default()
        },
        ..Setup::default()
    })
    .await;
    let (ada, bob) = app.two_tenants().await;
    let spec = json!({
        "labels": ["setosa", "versicolor", "virginica"],
        "columns": ["sepal_length", "sepal_width", "petal_length", "petal_width"],
    });
    ada.served_model("iris", "linear.onnx", spec).await;
    let setosa = json!({"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2});
    let virginica =
        json!({"sepal_length": 6.3, "sepal_width": 3.3, "petal_length": 6.0, "petal_width": 2.5, "x": null});
    let answer = ada
        .predict("iris", json!({"rows": [setosa, virginica], "top_k": 2}))
        .await
        .ok();
    assert_eq!(
        (
            &answer["object"],
            &answer["model"],
            &answer["version"],
            &answer["cached"]
        ),
        (&json!("prediction"), &json!("iris"), &json!(1), &json!(false))
    );
    let [first, second] = answer["predictions"].as_array().unwrap().as_slice() else {
        panic!("{answer}")
    };
    assert_eq!(
        (&first["label"], &second["label"]),
        (&json!("setosa"), &json!("virginica"))
    );
    assert_eq!(first["top"].as_array().unwrap().len(), 2);
    assert_eq!(first["top"][0]["probability"], first["probability"]);
    let sum: f64 = first["outputs"]["probabilities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|share| share.as_f64().unwrap())
        .sum();
    assert!((sum - 1.0).abs() < 1e-5, "{answer}");
    // The same as tensors.
    let tensors = json!({"inputs": {"features": [[5.1, 3.5, 1.4, 0.2]]}});
    let told = ada.predict("iris", tensors).await.ok()["predictions"][0].clone();
    assert_eq!(told["outputs"], first["outputs"]);
    assert!(told.get("top").is_none());

    for (body, param) in [
        (
            json!({"rows": [{"sepal_length": 1}]}),
            json!("rows[0].sepal_width"),
        ),
        (json!({"rows": []}), json!("inputs")),
        (json!({"rows": [], "texts": []}), json!("inputs")),
        (json!({"inputs": {"y": [[1]]}}), json!("inputs")),
        (
            json!({"inputs": {"features": [[1, 2]]}}),
            json!("inputs.features"),
        ),
        (
            json!({"inputs": {"features": [["a", 2, 3, 4]]}}),
            json!("inputs.features"),
        ),
        (json!({"texts": ["a"]}), json!("texts")),
        (json!({"rows": [{}], "top_k": 1001}), json!("top_k")),
    ] {
        let refused = ada.predict("iris", body.clone()).await.refused(400);
        assert_eq!(refused["param"], param, "{body}");
    }
    bob.predict("iris", json!({"rows": [{}]})).await.refused(404);

    // Two answers, and one refusal that came after the call had begun are on the ledger, by their version.
    assert!(app.services.meter.settled(Duration::from_secs(10)).await);
    let events = ada.get("/v1/insula/usage/events?limit=100").await.ok();
    let outcomes: Vec<&Value> = events["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["outcome"])
        .collect();
    assert_eq!(outcomes, ["failed", "completed", "completed"], "{events}");
    let versions: Vec<String> =
        sqlx::query_scalar("select upstream_model from usage_events where tenant_id = $1")
            .bind(ada.tenant_id())
            .fetch_all(app.owner())
            .await
            .unwrap();
    assert_eq!(versions, ["iris/1"; 3]);
    let spent: i64 = sqlx::query_scalar("select sum(cost)::bigint from usage_events where tenant_id = $1")
        .bind(ada.tenant_id())
        .fetch_one(app.owner())
        .await
        .unwrap();
    assert_eq!(spent, 500_000);
    assert_invariants(app.owner()).await;
}

/// A digit as somebody would draw it: white on black, of 64 × 64 pixels, as a PNG.
fn drawing(digit: usize) -> Vec<u8> {
    let script = std::fs::read_to_string(insula_tests::workspace().join("tests/models/make.py")).unwrap();
    let glyphs = script
        .split("\"\"\"")
        .find(|part| part.contains(".###."))
        .unwrap();
    let rows: Vec<&str> = glyphs
        .lines()
        .filter_map(|line| line.split_whitespace().nth(digit))
        .collect();
    let image = image::GrayImage::from_fn(64, 64, |x, y| {
        let (column, row) = ((x / 8) as usize, (y / 8) as usize);
        let dot = rows
            .get(row)
            .and_then(|line| line.as_bytes().get(column.checked_sub(1)?));
        image::Luma([if dot == Some(&b'#') { 230 } else { 20 }])
    });
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

#[tokio::test]
async fn images_are_prepared_as_the_version_declares() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let spec = json!({
        "labels": ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
        "preprocessing": {"image": {
            "resize": {"width": 8, "height": 8}, "channels": "gray", "scale": 0.01, "layout": "flat", "mean": null,
        }},
        "output": {"activation": "softmax"},
    });
    ada.served_model("digits", "digits.onnx", spec.clone()).await;
    let drawings: Vec<Vec<u8>> = (0..10).map(drawing).collect();
    let all: Vec<&[u8]> = drawings.iter().map(Vec::as_slice).collect();
    let answer = ada.predict_images("digits", &all).await.ok();
    let labels: Vec<&Value> = answer["predictions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["label"])
        .collect();
    assert_eq!(json!(labels), spec["labels"]);
    let alone = ada.predict_images("digits", &[all[7]]).await.ok();
    assert_eq!(alone["predictions"][0], answer["predictions"][7]);
    let refused = ada
        .predict_images("digits", &[all[0], b"GIF89a"])
        .await
        .refused(400);
    assert_eq!(refused["code"], "model_failed");
    assert!(
        refused["message"].as_str().unwrap().contains("Image 1"),
        "{refused}"
    );
    assert_eq!(
        ada.predict_images("digits", &[]).await.refused(400)["param"],
        "image"
    );
    bob.predict_images("digits", &[all[7]]).await.refused(404);
    // It says nothing of images.
    bob.served_model("plain", "digits.onnx", json!({})).await;
    assert_eq!(
        bob.predict_images("plain", &[all[7]]).await.refused(400)["param"],
        "image"
    );
}

#[tokio::test]
async fn texts_are_tokenized_by_what_came_with_the_model() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    ada.registered_model("mood").await;
    let spec = json!({
        "labels": ["bad", "good"], "output": {"activation": "softmax"}, "preprocessing": {"text": {"max_tokens": 16}},
    });
    let tokenizer = model_file("sentiment.tokenizer.json");
    let graph = model_file("sentiment.onnx");
    let made = ada.model_version_of("mood", &graph, Some(&tokenizer), spec).await;
    made.ok();
    ada.activate("mood", 1).await.ok();
    let texts = json!({"texts": ["The film was great", "awful", "Bad, BAD film!", "فيلم"]});
    let answer = ada.predict("mood", texts.clone()).await.ok();
    let told: Vec<&Value> = answer["predictions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["label"])
        .collect();
    assert_eq!(told[..3], [&json!("good"), &json!("bad"), &json!("bad")]);
    assert_eq!(
        answer["predictions"][3]["probability"], 0.5,
        "it knows no word of it"
    );
    bob.predict("mood", texts).await.refused(404);
    // A graph that reads texts by itself.
    bob.served_model("echo", "echo.onnx", json!({})).await;
    let answer = bob.predict("echo", json!({"texts": ["ا", ""]})).await.ok();
    assert_eq!(answer["predictions"][0]["outputs"], json!({"u": ["ا"]}));
    assert_eq!(
        bob.predict("echo", json!({"texts": ["a\u{0}b"]}))
            .await
            .refused(400)["code"],
        "model_failed"
    );
}

#[tokio::test]
async fn the_open_inference_protocol_is_spoken_in_json_and_binary() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    ada.served_model("m", "add-1.onnx", json!({})).await;
    ada.model_version("m", "add-2.onnx", json!({})).await.ok();
    let stranger = ada.with_key("");
    for path in ["/v2/health/live", "/v2/health/ready"] {
        assert_eq!(stranger.get(path).await.status, 200);
    }
    assert_eq!(
        ada.get("/v2").await.ok()["extensions"],
        json!(["binary_tensor_data"])
    );
    let described = ada.get("/v2/models/m").await.ok();
    let expected = json!({
        "name": "m", "versions": ["2", "1"], "platform": "onnxruntime_onnx",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 2]}],
    });
    assert_eq!(described, expected);
    ada.get("/v2/models/m/ready").await.ok();
    ada.get("/v2/models/m/versions/2/ready").await.ok();

    let request = json!({
        "id": "a", "inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]}],
    });
    let answer = ada.post("/v2/models/m/infer", request.clone()).await.ok();
    let expected = json!({
        "model_name": "m", "model_version": "1", "id": "a",
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [2, 2], "data": [2.0, 3.0, 4.0, 5.0]}],
    });
    assert_eq!(answer, expected);
    let answer = ada
        .post("/v2/models/m/versions/2/infer", request.clone())
        .await
        .ok();
    assert_eq!(
        (&answer["model_version"], &answer["outputs"][0]["data"]),
        (&json!("2"), &json!([3.0, 4.0, 5.0, 6.0]))
    );
    let by_header = ada.request(Method::POST, "/v2/models/m/infer").json(&request);
    let answer = ada
        .send(by_header.header("x-insula-model-version", "2"))
        .await
        .ok();
    assert_eq!(answer["model_version"], "2");

    let head = json!({
        "inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}],
        "parameters": {"binary_data_output": true},
    })
    .to_string();
    let tensor: Vec<u8> = [0.5f32, -1.0]
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let body = [head.as_bytes(), &tensor].concat();
    let binary = ada
        .request(Method::POST, "/v2/models/m/infer")
        .header("inference-header-content-length", head.len())
        .body(body);
    let answer = ada.send(binary).await;
    assert_eq!(answer.status, 200, "{answer}");
    let length: usize = answer
        .header("inference-header-content-length")
        .unwrap()
        .parse()
        .unwrap();
    let told: Value = serde_json::from_slice(&answer.bytes[..length]).unwrap();
    assert_eq!(told["outputs"][0]["parameters"]["binary_data_size"], 8);
    let numbers: Vec<f32> = answer.bytes[length..]
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    assert_eq!(numbers, [1.5, 0.0]);

    // Errors are the protocol's own.
    let error = async |client: &Client, path: &str, body: Value| {
        let answer = client.post(path, body).await;
        let told = answer.json();
        assert!(
            told["error"].is_string() && told.as_object().unwrap().len() == 1,
            "{answer}"
        );
        (answer.status, told["error"].as_str().unwrap().to_owned())
    };
    for (patch, said) in [
        (json!({"shape": [2, 3]}), "6 elements"),
        (json!({"shape": [4, 1]}), "[-1, 2]"),
        (json!({"datatype": "FP64"}), "FP32"),
        (json!({"datatype": "FP128"}), "FP128"),
        (json!({"name": "z"}), "'z'"),
        (json!({"data": [1, 2, 3, "4"]}), "no FP32"),
        (json!({"shape": [18446744073709551615u64, 2]}), "elements"),
    ] {
        let mut request = request.clone();
        for (name, value) in patch.as_object().unwrap() {
            request["inputs"][0][name] = value.clone();
        }
        let (status, message) = error(&ada, "/v2/models/m/infer", request).await;
        assert!(
            status == 400 && message.contains(said),
            "{patch}: {status} {message}"
        );
    }
    assert_eq!(error(&bob, "/v2/models/m/infer", request.clone()).await.0, 404);
    assert_eq!(
        error(&stranger, "/v2/models/m/infer", request.clone()).await.0,
        401
    );
    assert_eq!(
        error(&ada, "/v2/models/m/versions/7/infer", request.clone())
            .await
            .0,
        404
    );
    assert_eq!(error(&ada, "/v2/nothing", request).await.0, 404);
}

#[tokio::test]
async fn a_canary_gets_its_share_and_who_got_it_keeps_it() {
    let app = TestApp::without_worker().await;
    let (ada, _bob) = app.two_tenants().await;
    ada.served_model("m", "add-1.onnx", json!({})).await;
    ada.model_version("m", "add-2.onnx", json!({})).await.ok();
    let canary = json!({"version": 2, "canary_percent": 30});
    ada.post("/v1/insula/models/m/activate", canary).await.ok();
    let ask = async |affinity: Option<usize>| {
        let body = json!({"inputs": {"x": [[0, 0]]}});
        let mut request = ada.request(Method::POST, "/v1/insula/predict/m").json(&body);
        if let Some(affinity) = affinity {
            request = request.header("x-insula-affinity", format!("visitor-{affinity}"));
        }
        let answer = ada.send(request).await.ok();
        let version = answer["version"].as_i64().unwrap();
        assert_eq!(
            answer["predictions"][0]["outputs"]["y"][0], version as f64,
            "{answer}"
        );
        version
    };
    let mut canaries = 0;
    for visitor in 0..100 {
        let first = ask(Some(visitor)).await;
        assert_eq!(first, ask(Some(visitor)).await, "visitor {visitor}");
        canaries += i64::from(first == 2);
    }
    // Of a hundred with 30 % each, between 12 and 48 with a chance of more than 0.9999.
    assert!((12..=48).contains(&canaries), "{canaries}");
    let mut seen = [0; 2];
    for _ in 0..60 {
        seen[usize::try_from(ask(None).await - 1).unwrap()] += 1;
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
    let by_alias = ada
        .request(Method::POST, "/v1/insula/predict/m")
        .json(&json!({"inputs": {"x": [[0, 0]]}}));
    let answer = ada
        .send(by_alias.header("x-insula-model-version", "canary"))
        .await
        .ok();
    assert_eq!(answer["version"], 2);
}

#[tokio::test]
async fn a_swap_under_load_fails_no_call_and_is_complete_when_it_is_acknowledged() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    ada.served_model("m", "add-1.onnx", json!({})).await;
    ada.model_version("m", "add-2.onnx", json!({})).await.ok();
    bob.served_model("m", "add-3.onnx", json!({})).await;
    // The version that must answer whoever asks now; 0: it is being changed.
    let (expected, stop) = (Arc::new(AtomicI64::new(1)), Arc::new(AtomicBool::new(false)));
    let load = (0..8).map(|caller| {
        let (ada, bob, expected, stop) = (ada.clone(), bob.clone(), Arc::clone(&expected), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut calls = 0;
            while !stop.load(Ordering::SeqCst) {
                let before = expected.load(Ordering::SeqCst);
                let body = json!({"inputs": {"x": [[caller, 0]]}});
                let answer = ada.predict("m", body.clone()).await.ok();
                let after = expected.load(Ordering::SeqCst);
                let version = answer["version"].as_i64().unwrap();
                let shown = answer["predictions"][0]["outputs"]["y"][0].as_f64().unwrap();
                assert_eq!(shown, (version + caller) as f64, "{answer}");
                if before == after && before != 0 {
                    assert_eq!(version, before, "{answer}");
                }
                let neighbours = bob.predict("m", body).await.ok();
                assert_eq!(
                    neighbours["predictions"][0]["outputs"]["y"][0],
                    (3 + caller) as f64
                );
                calls += 1;
            }
            calls
        })
    });
    let load: Vec<_> = load.collect();
    let mut swaps = 0;
    for round in 0..6 {
        tokio::time::sleep(Duration::from_millis(60)).await;
        expected.store(0, Ordering::SeqCst);
        let next = if round % 2 == 0 {
            ada.activate("m", 2).await.ok();
            2
        } else {
            ada.post("/v1/insula/models/m/rollback", json!({})).await.ok();
            1
        };
        expected.store(next, Ordering::SeqCst);
        swaps += 1;
    }
    tokio::time::sleep(Duration::from_millis(60)).await;
    stop.store(true, Ordering::SeqCst);
    let mut calls = 0;
    for caller in load {
        calls += caller.await.unwrap();
    }
    assert!(swaps == 6 && calls > 20, "{calls} calls");
}

#[tokio::test]
async fn calls_that_come_together_are_answered_together_and_each_gets_its_own() {
    let app = TestApp::without_worker().await;
    let (ada, _bob) = app.two_tenants().await;
    ada.served_model("sum", "add-1.onnx", json!({})).await;
    // Its rows mind each other: they must not be put together.
    ada.registered_model("centred").await;
    let made = ada.model_version("centred", "centred.onnx", json!({})).await.ok();
    assert_eq!(made["batching"], false);
    ada.activate("centred", 1).await.ok();
    let off = ada
        .model_version("sum", "add-1.onnx", json!({"batching": false}))
        .await
        .ok();
    assert_eq!(off["batching"], false);
    let calls = (0..64).map(|n| {
        let ada = ada.clone();
        async move {
            let rows = 1 + n % 3;
            let x: Vec<_> = (0..rows).map(|row| json!([n, row])).collect();
            let body = json!({"inputs": {"x": x}});
            let (sum, centred) = tokio::join!(ada.predict("sum", body.clone()), ada.predict("centred", body));
            let sum = sum.ok();
            assert_eq!(sum["predictions"].as_array().unwrap().len(), rows);
            for (row, told) in sum["predictions"].as_array().unwrap().iter().enumerate() {
                assert_eq!(told["outputs"]["y"], json!([(n + 1) as f64, (row + 1) as f64]));
            }
            assert_eq!(centred.ok()["predictions"][0]["outputs"]["y"][0], 0.0);
        }
    });
    futures::future::join_all(calls).await;
}

#[tokio::test]
async fn what_was_predicted_is_given_again_for_as_long_as_the_model_says() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    for client in [&ada, &bob] {
        let new = json!({"name": "m", "cache_ttl_seconds": 1});
        client.post("/v1/insula/models", new).await.ok();
    }
    for (client, file) in [(&ada, "add-1.onnx"), (&bob, "add-2.onnx")] {
        client.model_version("m", file, json!({})).await.ok();
        client.activate("m", 1).await.ok();
    }
    let ask = async |client: &Client, x: i64| {
        let answer = client.predict("m", json!({"inputs": {"x": [[x, x]]}})).await.ok();
        (
            answer["cached"] == true,
            answer["predictions"][0]["outputs"]["y"][0].as_f64().unwrap(),
        )
    };
    assert_eq!(ask(&ada, 1).await, (false, 2.0));
    assert_eq!(ask(&ada, 1).await, (true, 2.0));
    assert_eq!(ask(&bob, 1).await, (false, 3.0), "a neighbour's is its own");
    assert_eq!(ask(&ada, 2).await, (false, 3.0));
    // Another version is another answer at once.
    ada.model_version("m", "add-3.onnx", json!({})).await.ok();
    ada.activate("m", 2).await.ok();
    assert_eq!(ask(&ada, 1).await, (false, 4.0));
    insula_tests::eventually("its time is over", async || {
        let (cached, value) = ask(&bob, 1).await;
        assert_eq!(value, 3.0);
        (!cached).then_some(())
    })
    .await;
    // What is asked for at the same time is computed once.
    let together = (0..16).map(|_| ask(&ada, 7));
    let answers = futures::future::join_all(together).await;
    assert_eq!(
        answers.iter().filter(|(cached, _)| !cached).count(),
        1,
        "{answers:?}"
    );
    assert!(answers.iter().all(|(_, value)| *value == 10.0));
    assert!(app.services.meter.settled(Duration::from_secs(10)).await);
    let hits: i64 = sqlx::query_scalar("select count(*) from usage_events where cache_hit")
        .fetch_one(app.owner())
        .await
        .unwrap();
    assert!(hits >= 16, "{hits}");
}

#[tokio::test]
async fn a_limit_of_calls_holds_for_predictions() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    for client in [&ada, &bob] {
        client.served_model("m", "add-1.onnx", json!({})).await;
    }
    let path = format!("/v1/insula/operator/tenants/{}/limits", ada.tenant_id());
    let limits = json!({"limits": [{"subject_kind": "tenant", "requests_per_minute": 2}]});
    app.operator().await.put(&path, limits).await.ok();
    let body = json!({"inputs": {"x": [[0, 0]]}});
    let mut refused = 0;
    for _ in 0..6 {
        let answer = ada.predict("m", body.clone()).await;
        refused += i64::from(answer.status == 429);
        bob.predict("m", body.clone()).await.ok();
    }
    assert!(refused >= 3, "{refused}");
}
