//! `POST /v1/chat/completions`, answered in one piece by the extractive model.

use insula_tenancy::Scope;
use insula_tests::{Client, TestApp};
use serde_json::{Value, json};

use crate::library::{ARABIC, FACTS};

/// A call grounded in a store by `data_sources`.
pub(crate) fn grounded(store: &str, question: &str) -> Value {
    json!({
        "model": "insula/extractive",
        "messages": [{"role": "user", "content": question}],
        "data_sources": [{"type": "insula_vector_stores", "parameters": {"vector_store_ids": [store]}}],
    })
}

/// Every citation of a message points at its marker in the answer and at its text in the file. `text_of` gives a
/// file's text by its name.
pub(crate) fn assert_cited(content: &str, annotations: &Value, text_of: impl Fn(&str) -> String) {
    let characters: Vec<char> = content.chars().collect();
    let annotations = annotations
        .as_array()
        .unwrap_or_else(|| panic!("no citations: {content}"));
    assert!(!annotations.is_empty(), "no citations: {content}");
    for annotation in annotations {
        assert_eq!(annotation["type"], "url_citation");
        let citation = &annotation["file_citation"];
        let (known, start) = (&annotation["url_citation"], citation["index"].as_u64().unwrap());
        assert_eq!(
            (&known["start_index"], &known["title"]),
            (&citation["index"], &citation["filename"])
        );
        let end = known["end_index"].as_u64().unwrap();
        let marker: String = characters[start as usize..end as usize].iter().collect();
        assert_eq!(
            marker,
            format!("[{}]", citation["passage"]),
            "{content}: {annotation}"
        );
        let number = |key: &str| {
            citation[key]
                .as_u64()
                .unwrap_or_else(|| panic!("{key}: {citation}")) as usize
        };
        assert_eq!(characters[number("index")], '[', "{content}: {citation}");
        let text = text_of(citation["filename"].as_str().unwrap());
        let quote: String = text
            .chars()
            .skip(number("start"))
            .take(number("end") - number("start"))
            .collect();
        assert!(!quote.is_empty());
        assert_eq!(citation["quote"], quote, "{citation}");
        assert!(citation["file_id"].as_str().unwrap().starts_with("file-"));
        assert!(citation["chunk_id"].as_str().unwrap().starts_with("chunk_"));
    }
}

/// The library's text of that name. What is not Markdown is its own parsed text.
pub(crate) fn plain(name: &str) -> String {
    let (_, text) = FACTS
        .iter()
        .chain(&ARABIC)
        .find(|(known, _)| *known == name)
        .expect("a file of the library");
    text.to_string()
}

async fn ask(client: &Client, body: Value) -> Value {
    client.post("/v1/chat/completions", body).await.ok()
}

#[tokio::test]
async fn a_question_is_answered_with_cited_sentences_of_the_documents() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let (store, files) = ada.library(&FACTS).await;
    let completion = ask(
        &ada,
        grounded(&store, "How do honeybees show the direction of flowers?"),
    )
    .await;
    let message = &completion["choices"][0]["message"];
    let content = message["content"].as_str().unwrap();
    assert!(
        content.contains("The angle of the waggle dance shows the direction relative to the sun."),
        "{content}"
    );
    assert!(content.contains("[1]"), "{content}");
    assert_cited(content, &message["annotations"], plain);
    assert_eq!(
        message["annotations"][0]["file_citation"]["file_id"],
        json!(files[2])
    );

    assert_eq!(completion["object"], "chat.completion");
    assert!(completion["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert_eq!(completion["model"], "insula/extractive");
    let choice = completion["choices"][0].as_object().unwrap();
    assert_eq!(
        (&choice["index"], &choice["finish_reason"], &choice["logprobs"]),
        (&json!(0), &json!("stop"), &json!(null))
    );
    assert_eq!(
        (&message["role"], message.get("refusal")),
        (&json!("assistant"), Some(&json!(null)))
    );
    assert_eq!(message.get("tool_calls"), None);
    let usage = &completion["usage"];
    let sum = usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], sum);

    // Another tenant can neither use the store nor learn that it is there.
    let error = bob
        .post("/v1/chat/completions", grounded(&store, "How do honeybees?"))
        .await
        .refused(404);
    assert_eq!(error["param"], "data_sources[0].parameters.vector_store_ids[0]");
}

#[tokio::test]
async fn markdown_and_arabic_are_cited_at_their_place() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (english, _) = ada.library(&FACTS).await;
    let (arabic, _) = ada.library(&ARABIC).await;
    for (store, question, fact) in [
        (
            &english,
            "Within how many days may a customer return a lantern?",
            "45 days",
        ),
        (&arabic, "متى تفتح المكتبة العامة أبوابها؟", "التاسعة"),
    ] {
        let completion = ask(&ada, grounded(store, question)).await;
        let message = &completion["choices"][0]["message"];
        let content = message["content"].as_str().unwrap();
        assert!(content.contains(fact), "{question}: {content}");
        for annotation in message["annotations"].as_array().unwrap() {
            let citation = &annotation["file_citation"];
            let index = citation["index"].as_u64().unwrap() as usize;
            assert_eq!(content.chars().nth(index), Some('['), "{citation}");
            // Parsed Markdown is not the file's bytes, so the quote is compared with what was stored.
            let stored: Option<String> = sqlx::query_scalar(
                "select substr(content, ($2 - start_char + 1)::int, ($3 - $2)::int) from chunks where id = $1",
            )
            .bind(chunk(citation))
            .bind(citation["start"].as_i64())
            .bind(citation["end"].as_i64())
            .fetch_optional(app.owner())
            .await
            .unwrap();
            assert_eq!(stored.as_deref(), citation["quote"].as_str(), "{citation}");
        }
    }
}

fn chunk(citation: &Value) -> uuid::Uuid {
    citation["chunk_id"]
        .as_str()
        .unwrap()
        .parse::<insula_tenancy::ChunkId>()
        .unwrap()
        .uuid()
}

#[tokio::test]
async fn what_the_documents_do_not_say_is_not_answered() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada.library(&FACTS).await;
    for question in [
        "Who won the football world cup in 1994?",
        "What is the boiling point of mercury?",
    ] {
        let completion = ask(&ada, grounded(&store, question)).await;
        let message = &completion["choices"][0]["message"];
        assert_eq!(
            message["content"], "I could not find an answer to this in the documents.",
            "{question}"
        );
        assert_eq!(message.get("annotations"), None);
        assert_eq!(completion["choices"][0]["finish_reason"], "stop");
    }
    let empty = ada.store("empty", &[]).await;
    let completion = ask(&ada, grounded(&empty, "كم عدد سكان القمر؟")).await;
    assert!(
        completion["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .starts_with("لم أجد")
    );
}

#[tokio::test]
async fn without_documents_the_extractive_model_says_what_it_needs() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let body = json!({"model": "insula/extractive", "messages": [{"role": "user", "content": "Hello?"}]});
    let content = ask(&ada, body).await["choices"][0]["message"]["content"].clone();
    assert!(content.as_str().unwrap().contains("data_sources"), "{content}");
}

#[tokio::test]
async fn an_assistant_is_a_model_that_brings_its_stores() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let (store, _) = ada.library(&FACTS).await;
    let new = json!({"name": "helper", "model": "insula/extractive", "vector_store_ids": [store]});
    ada.post("/v1/insula/assistants", new).await.ok();
    let body = json!({
        "model": "helper",
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "What does express shipping cost?"}]},
        ],
    });
    let completion = ask(&ada, body.clone()).await;
    assert_eq!(completion["model"], "helper");
    let content = completion["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(content.contains("nineteen euros"), "{content}");
    let error = bob.post("/v1/chat/completions", body).await.refused(404);
    assert_eq!(
        (&error["code"], &error["param"]),
        (&json!("model_not_found"), &json!("model"))
    );
}

#[tokio::test]
async fn grounding_can_be_narrowed() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let store = ada.store("s", &[]).await;
    for (name, text, year) in [
        ("old.txt", "The museum ticket costs five pounds.", 2019),
        ("new.txt", "The museum ticket costs eight pounds.", 2026),
    ] {
        let file = ada.upload(name, text).await;
        let new = json!({"file_id": file, "attributes": {"year": year}});
        ada.post(&format!("/v1/vector_stores/{store}/files"), new)
            .await
            .ok();
    }
    ada.ready(&store).await;
    for (year, price, other) in [(2019, "five", "eight"), (2026, "eight", "five")] {
        let mut body = grounded(&store, "What does a museum ticket cost?");
        body["data_sources"][0]["parameters"]["filters"] =
            json!({"type": "eq", "key": "year", "value": year});
        let content = ask(&ada, body).await["choices"][0]["message"]["content"].to_string();
        assert!(
            content.contains(price) && !content.contains(other),
            "{year}: {content}"
        );
    }
}

#[tokio::test]
async fn limits_and_stops_end_the_answer() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada.library(&FACTS).await;
    let question = "How do honeybees show the direction of flowers?";
    let mut body = grounded(&store, question);
    body["max_completion_tokens"] = json!(4);
    let choice = ask(&ada, body).await["choices"][0].clone();
    assert_eq!(choice["finish_reason"], "length");
    assert!(
        choice["message"]["content"]
            .as_str()
            .unwrap()
            .split_whitespace()
            .count()
            <= 4
    );
    let mut body = grounded(&store, question);
    body["stop"] = json!(["relative"]);
    let choice = ask(&ada, body).await["choices"][0].clone();
    assert_eq!(choice["finish_reason"], "stop");
    assert!(
        !choice["message"]["content"]
            .as_str()
            .unwrap()
            .contains("relative")
    );
}

#[tokio::test]
async fn a_key_that_may_only_chat_cannot_read_stores_through_answers() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada.library(&FACTS).await;
    let chatter = app.with_scopes(&ada, &[Scope::ChatWrite]).await;
    let error = chatter
        .post("/v1/chat/completions", grounded(&store, "How do bees?"))
        .await
        .refused(403);
    assert!(
        error["message"].as_str().unwrap().contains("vector_stores.read"),
        "{error}"
    );
    let plain = json!({"model": "insula/extractive", "messages": [{"role": "user", "content": "Hello?"}]});
    chatter.post("/v1/chat/completions", plain).await.ok();
}

#[tokio::test]
async fn assistants_are_no_way_round_the_scope_for_stores() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada.library(&FACTS).await;
    let builder = app
        .with_scopes(
            &ada,
            &[Scope::ChatWrite, Scope::AssistantsRead, Scope::AssistantsWrite],
        )
        .await;
    let new = json!({"name": "spy", "model": "insula/extractive", "vector_store_ids": [store]});
    builder.post("/v1/insula/assistants", new).await.refused(403);
    let bare = builder
        .post(
            "/v1/insula/assistants",
            json!({"name": "bare", "model": "insula/extractive"}),
        )
        .await
        .ok();
    let path = format!("/v1/insula/assistants/{}", bare["id"].as_str().unwrap());
    builder
        .post(&path, json!({"vector_store_ids": [store]}))
        .await
        .refused(403);
    builder
        .post(&path, json!({"instructions": "Be kind."}))
        .await
        .ok();
}

#[tokio::test]
async fn refusals_name_their_field() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let user = json!({"role": "user", "content": "x"});
    for (patch, status, param) in [
        (json!({"messages": []}), 400, "messages"),
        (
            json!({"messages": [{"role": "robot", "content": "x"}]}),
            400,
            "messages[0].role",
        ),
        (
            json!({"messages": [user, {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}),
            400,
            "messages[1].content[0].image_url.url",
        ),
        (json!({"model": "no-such-model"}), 404, "model"),
        (json!({"model": "all-MiniLM-L6-v2"}), 400, "model"),
        (json!({"temperature": 2.5}), 400, "temperature"),
        (json!({"n": 2}), 400, "n"),
        (json!({"logprobs": true}), 400, "logprobs"),
        (json!({"tools": [{"type": "custom"}]}), 400, "tools[0].type"),
        (
            json!({"data_sources": [{"type": "azure_search", "parameters": {"vector_store_ids": []}}]}),
            400,
            "data_sources[0].type",
        ),
        (
            json!({"data_sources": [{"type": "insula_vector_stores", "parameters": {"vector_store_ids": []}}]}),
            400,
            "data_sources[0].parameters.vector_store_ids",
        ),
        (
            json!({"data_sources": [{"type": "insula_vector_stores",
                                  "parameters": {"vector_store_ids": ["vs_x"], "max_num_results": 51}}]}),
            400,
            "data_sources[0].parameters.max_num_results",
        ),
    ] {
        for stream in [false, true] {
            let mut body = json!({"model": "insula/extractive", "messages": [user], "stream": stream});
            body.as_object_mut()
                .unwrap()
                .extend(patch.as_object().unwrap().clone());
            let error = ada.post("/v1/chat/completions", body).await.refused(status);
            assert!(
                error["param"]
                    .as_str()
                    .is_some_and(|given| given.starts_with(param)),
                "{patch}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn what_a_document_orders_is_not_obeyed() {
    let Some(path) = insula_tests::shared_data("hostile/prompt_injection.md") else {
        return;
    };
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let text = std::fs::read_to_string(path).unwrap();
    let (store, _) = ada.library(&[("prompt_injection.md", &text), FACTS[2]]).await;
    let completion = ask(
        &ada,
        grounded(&store, "How do honeybees show the direction of flowers?"),
    )
    .await;
    let message = &completion["choices"][0]["message"];
    assert!(
        message["content"].as_str().unwrap().contains("waggle dance"),
        "{message}"
    );
    assert_eq!(message["annotations"][0]["file_citation"]["filename"], "bees.txt");
}
