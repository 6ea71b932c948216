//! Whether search still finds the right passage among real ones: a small sample of `make bench-relevance`.

use insula_tests::{Client, TestApp, shared_data};
use serde_json::{Value, json};

/// Paragraphs of the sample.
const SAMPLE: usize = 40;

/// The first paragraphs of XQuAD that fit the model's window, each with its first two questions.
fn sample(language: &str) -> Option<Vec<(String, Vec<String>)>> {
    let path = shared_data(&format!("ir/xquad/xquad.{language}.json"))?;
    let data: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let articles = data["data"].as_array().unwrap();
    let paragraphs = articles
        .iter()
        .flat_map(|article| article["paragraphs"].as_array().unwrap())
        .filter(|paragraph| paragraph["context"].as_str().unwrap().chars().count() < 600)
        .map(|paragraph| {
            let questions = paragraph["qas"].as_array().unwrap().iter().take(2);
            let questions = questions.map(|question| question["question"].as_str().unwrap().to_owned());
            (
                paragraph["context"].as_str().unwrap().to_owned(),
                questions.collect(),
            )
        });
    Some(paragraphs.take(SAMPLE).collect())
}

/// A store of the paragraphs. `vector` brings one for each in place of the model's.
async fn bring(client: &Client, sample: &[(String, Vec<String>)], vector: Option<&[f32]>) -> String {
    let store = client.store("sample", &[]).await;
    let chunks: Vec<Value> = sample
        .iter()
        .enumerate()
        .map(|(place, (text, _))| {
            let mut chunk = json!({"text": text, "start_char": place, "end_char": place});
            if let Some(vector) = vector {
                chunk["embedding"] = json!(vector);
            }
            chunk
        })
        .collect();
    let path = format!("/v1/insula/vector_stores/{store}/chunks");
    let body = json!({"filename": "sample.jsonl", "chunks": chunks});
    client.post(&path, body).await.ok();
    store
}

/// The share of questions whose paragraph is first.
async fn first(client: &Client, store: &str, sample: &[(String, Vec<String>)], options: Value) -> f64 {
    let (mut right, mut asked) = (0.0, 0.0);
    for (place, (_, questions)) in sample.iter().enumerate() {
        for question in questions {
            let body = json!({"query": question, "max_num_results": 1, "ranking_options": options});
            let found = client.search(store, body).await;
            asked += 1.0;
            right += f64::from(u8::from(found["data"][0]["start"] == place));
        }
    }
    right / asked
}

fn weights(vector: f64, text: f64) -> Value {
    json!({"hybrid_search": {"embedding_weight": vector, "text_weight": text}})
}

#[tokio::test]
async fn both_halves_together_are_no_worse_than_either() {
    let Some(sample) = sample("en") else { return };
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let store = bring(&ada, &sample, None).await;
    let words = first(&ada, &store, &sample, weights(0.0, 1.0)).await;
    let meaning = first(&ada, &store, &sample, weights(1.0, 0.0)).await;
    let both = first(&ada, &store, &sample, json!({})).await;
    eprintln!("first is right: words {words:.3}, meaning {meaning:.3}, both {both:.3}");
    assert!(words > 0.85 && meaning > 0.85, "words {words}, meaning {meaning}");
    assert!(
        both >= words.max(meaning) - 0.02,
        "words {words}, meaning {meaning}, both {both}"
    );
}

#[tokio::test]
async fn what_the_model_cannot_read_does_not_spoil_what_words_find() {
    let Some(sample) = sample("ar") else { return };
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    // Vectors that say nothing, as a model's do of a script that it has never seen.
    let noise: Vec<f32> = (0..384u16).map(|n| (f32::from(n) * 0.7).sin()).collect();
    let store = bring(&ada, &sample, Some(&noise)).await;
    let words = first(&ada, &store, &sample, weights(0.0, 1.0)).await;
    let both = first(&ada, &store, &sample, json!({})).await;
    eprintln!("first is right: words {words:.3}, both {both:.3}");
    assert!(words > 0.8, "{words}");
    assert!((both - words).abs() < 1e-9, "words {words}, both {both}");
}
