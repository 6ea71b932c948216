//! Every operation × another tenant's ids: not to be told from ids that never were.

use insula_tests::{Answer, Client};
use serde_json::json;

use super::{Call, Document, Ids, KINDS, chunk_of, furnish, nobodys, two_models};

/// What a caller can compare: status, headers and body, with the ids that were asked for taken out.
fn told(answer: &Answer, ids: &Ids) -> (u16, Vec<(String, String)>, String) {
    let blank = |text: &str| {
        ids.iter().fold(text.to_owned(), |text, (kind, id)| {
            text.replace(id, &format!("<{kind}>"))
        })
    };
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter(|(name, _)| {
            !["x-request-id", "date", "content-length", "openai-processing-ms"].contains(&name.as_str())
        })
        .map(|(name, value)| (name.to_string(), blank(value.to_str().unwrap_or_default())))
        .collect();
    headers.sort();
    (
        answer.status,
        headers,
        blank(&String::from_utf8_lossy(&answer.bytes)),
    )
}

/// Sends the same call with a foreign and with an unknown id, and compares.
async fn assert_indistinguishable(bob: &Client, what: &str, calls: [(&Call, &Ids); 2]) {
    let mut answers = Vec::new();
    for (call, ids) in calls {
        let answer = call.send(bob).await;
        assert!([400, 404].contains(&answer.status), "{what}: {answer}");
        answer.error();
        answers.push(told(&answer, ids));
    }
    assert_eq!(
        answers[0], answers[1],
        "{what}: a foreign id is answered otherwise than an unknown one"
    );
}

#[tokio::test]
async fn another_tenants_ids_are_answered_like_ids_that_never_were() {
    let app = two_models().await;
    let (ada, bob) = app.two_tenants().await;
    let (adas, bobs) = (
        furnish(&app, &ada, "canary-of-ada").await,
        furnish(&app, &bob, "canary-of-bob").await,
    );
    let document = Document::fetch(&ada).await;
    let mut walked = 0;
    for operation in &document.operations {
        let kinds = document.kinds(operation);
        // Each id alone beside one's own, and all together.
        let mut choices: Vec<Vec<&str>> = kinds.iter().map(|kind| vec![*kind]).collect();
        choices.push(kinds.clone());
        for foreign in choices.iter().filter(|foreign| !foreign.is_empty()) {
            let with = |theirs: &Ids| -> Ids {
                let pick = |kind: &'static str| {
                    if foreign.contains(&kind) {
                        &theirs[kind]
                    } else {
                        &bobs[kind]
                    }
                };
                KINDS.iter().map(|kind| (*kind, pick(kind).clone())).collect()
            };
            let (of_ada, of_nobody) = (with(&adas), with(&nobodys()));
            let calls = (
                document.call(operation, &of_ada),
                document.call(operation, &of_nobody),
            );
            let calls = same_but_for_ids(calls, &of_ada, &of_nobody);
            let what = format!("{} with a foreign {foreign:?}", operation.id);
            assert_indistinguishable(&bob, &what, [(&calls.0, &of_ada), (&calls.1, &of_nobody)]).await;
            walked += 1;
        }
    }
    assert!(walked >= 20, "only {walked} calls were compared");
    for (client, ids, canary) in [(&ada, &adas, "canary-of-ada"), (&bob, &bobs, "canary-of-bob")] {
        let store = client
            .get(&format!("/v1/vector_stores/{}", ids["vector_store_id"]))
            .await
            .ok();
        assert_eq!(
            (&store["name"], &store["file_counts"]["completed"]),
            (&json!(canary), &json!(1)),
            "untouched"
        );
        client
            .get(&format!("/v1/insula/assistants/{}", ids["assistant_id"]))
            .await
            .ok();
        client.get(&format!("/v1/files/{}/content", ids["file_id"])).await;
    }
}

/// Samples have random words in them; both calls shall have the same.
fn same_but_for_ids((first, second): (Call, Call), ids: &Ids, others: &Ids) -> (Call, Call) {
    let text = first.body.as_ref().map(ToString::to_string);
    let body = text.map(|text| {
        let text = ids
            .iter()
            .fold(text, |text, (kind, id)| text.replace(id, &others[kind]));
        serde_json::from_str(&text).unwrap()
    });
    (first, Call { body, ..second })
}

#[tokio::test]
async fn another_tenants_ids_are_no_cursors() {
    let app = two_models().await;
    let (ada, bob) = app.two_tenants().await;
    let (adas, bobs, nobodys) = (
        furnish(&app, &ada, "ada").await,
        furnish(&app, &bob, "bob").await,
        nobodys(),
    );
    let document = Document::fetch(&ada).await;
    let lists: Vec<_> = document
        .operations
        .iter()
        .filter(|operation| operation.is_list)
        .collect();
    assert!(lists.len() >= 4);
    for operation in lists {
        let call = document.call(operation, &bobs);
        // What a list holds is told by what it is called.
        let kind = match operation.id.as_str() {
            "list_conversation_items" => "item_id",
            "list_response_input_items" => "input_item_id",
            id if id.ends_with("conversations") => "conversation_id",
            id if id.ends_with("files") => "file_id",
            id if id.ends_with("vector_stores") => "vector_store_id",
            id if id.ends_with("accesses") => "access_id",
            id if id.ends_with("audit_logs") => "audit_log_id",
            id if id.ends_with("api_keys") => "api_key_id",
            id if id.ends_with("assistants") => "assistant_id",
            id if id.ends_with("chunks") => "chunk_id",
            id if id.ends_with("sources") => "source_id",
            id if id.ends_with("usage_events") => "usage_event_id",
            id if id.ends_with("webhooks") => "webhook_id",
            id if id.ends_with("deliveries") => "event_id",
            id if id.ends_with("jobs") => "job_id",
            id if id.ends_with("request_logs") => "request_log_id",
            id if id.ends_with("migrations") => "migration_id",
            id if id.ends_with("batches") => "request_batch_id",
            "list_registered_models" => "registered_model_id",
            "list_model_versions" => "model_version",
            "list_model_activations" => "activation_id",
            other => panic!("{other}: teach this walker whose ids its cursors are"),
        };
        assert_eq!(
            call.with_query(&format!("after={}", bobs[kind]))
                .send(&bob)
                .await
                .status,
            200
        );
        for cursor in ["after", "before"] {
            let foreign = call.with_query(&format!("{cursor}={}", adas[kind]));
            let unknown = call.with_query(&format!("{cursor}={}", nobodys[kind]));
            let what = format!("{} {cursor}", operation.id);
            assert_indistinguishable(&bob, &what, [(&foreign, &adas), (&unknown, &nobodys)]).await;
        }
    }
}

/// Operations that are refused when their moment is over.
const OF_A_MOMENT: [&str; 6] = [
    "cancel_batch",
    "cancel_response",
    "finish_vector_store_migration",
    "roll_back_model",
    "roll_back_vector_store_migration",
    "switch_vector_store_migration",
];

#[tokio::test]
async fn no_answer_ever_holds_another_tenants_words() {
    let app = two_models().await;
    let (ada, bob) = app.two_tenants().await;
    let (_, mut bobs) = (
        furnish(&app, &ada, "canary-of-ada").await,
        furnish(&app, &bob, "canary-of-bob").await,
    );
    let document = Document::fetch(&ada).await;
    let (mut answered, mut deletions) = (0, Vec::new());
    for operation in &document.operations {
        let call = document.call(operation, &bobs);
        if operation.method == reqwest::Method::DELETE {
            deletions.push(call);
            continue;
        }
        let answer = call.send(&bob).await;
        if operation.id == "create_vector_store_chunks" {
            // The file has other chunks now.
            let chunk = chunk_of(&bob, &bobs["vector_store_id"], &bobs["file_id"]).await;
            bobs.insert("chunk_id", chunk);
        }
        let too_late = [400, 409].contains(&answer.status) && OF_A_MOMENT.contains(&operation.id.as_str());
        assert!(
            answer.status == 200 || too_late,
            "{}, called on one's own: {answer}",
            operation.id
        );
        assert!(
            !String::from_utf8_lossy(&answer.bytes).contains("canary-of-ada"),
            "{}: {answer}",
            operation.id
        );
        answered += 1;
    }
    assert!(answered >= 15);
    // Questions for the word itself, in every way that searches.
    let store = &bobs["vector_store_id"];
    let question = "What is the word, is it canary-of-ada?";
    let grounded = json!({
        "model": "insula/extractive", "messages": [{"role": "user", "content": question}],
        "data_sources": [{"type": "insula_vector_stores", "parameters": {"vector_store_ids": [store]}}],
    });
    let by_assistant = json!({"model": bobs["model"], "messages": [{"role": "user", "content": question}]});
    for body in [grounded, by_assistant] {
        let message = bob.post("/v1/chat/completions", body).await.ok()["choices"][0]["message"].clone();
        assert!(!message.to_string().contains("canary-of-ada"), "{message}");
    }
    let hits = bob
        .search(store, json!({"query": "canary-of-ada", "max_num_results": 50}))
        .await;
    assert!(!hits["data"].to_string().contains("canary-of-ada"), "{hits}");
    // The most dependent first.
    deletions.sort_by_key(|call| std::cmp::Reverse(call.path.len()));
    for call in deletions {
        assert_eq!(call.send(&bob).await.status, 200, "{call:?}");
    }
}
