//! `POST /v1/vector_stores/{vector_store_id}/search`

use insula_tests::{Client, TestApp};
use serde_json::{Value, json};

use crate::library::{ARABIC, FACTS};

fn names(results: &Value) -> Vec<String> {
    results["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hit| hit["filename"].as_str().unwrap().to_owned())
        .collect()
}

/// Scores are in 0..=1 and descend.
fn assert_ranked(results: &Value) {
    let scores: Vec<f64> = results["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hit| hit["score"].as_f64().unwrap())
        .collect();
    assert!(
        scores.iter().all(|score| (0.0..=1.0).contains(score)),
        "{scores:?}"
    );
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
}

#[tokio::test]
async fn the_right_passage_is_first_by_meaning_and_by_words() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let (store, _) = ada.library(&FACTS).await;
    for (query, expected) in [
        // No word in common with the answer.
        (
            "Can I send back something I bought and get my money?",
            "refunds.md",
        ),
        ("How do insects communicate the location of food?", "bees.txt"),
        ("Which mountain in Sicily erupts?", "volcano.txt"),
        // An identifier, which no model embeds well.
        ("XK-4471-Q", "invoice.txt"),
        ("express shipping norway", "shipping.md"),
    ] {
        let results = ada.search(&store, json!({"query": query})).await;
        assert_eq!(names(&results)[0], expected, "{query}: {results}");
        assert_ranked(&results);
    }
    bob.post(
        &format!("/v1/vector_stores/{store}/search"),
        json!({"query": "x"}),
    )
    .await
    .refused(404);
}

#[tokio::test]
async fn an_answer_has_every_key_and_explains_itself() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (store, files) = ada.library(&FACTS).await;
    let path = format!("/v1/vector_stores/{store}/search");
    let answer = ada
        .post(
            &path,
            json!({"query": "waggle dance of honeybees", "rewrite_query": false}),
        )
        .await;
    assert!(
        answer.header("server-timing").unwrap().contains("embed;dur="),
        "{answer}"
    );
    let page = answer.ok();
    let hit = &page["data"][0];
    assert_eq!(page["object"], "vector_store.search_results.page");
    assert_eq!(page["search_query"], json!(["waggle dance of honeybees"]));
    assert_eq!(
        (&page["has_more"], &page["next_page"]),
        (&json!(false), &json!(null))
    );
    assert_eq!(
        page["recall"],
        json!({"mode": "exact", "scanned": 5, "vector_weight": 1.0})
    );
    assert_eq!(
        (&hit["file_id"], &hit["filename"]),
        (&json!(files[2]), &json!("bees.txt"))
    );
    assert_eq!(
        (&hit["attributes"], &hit["content"][0]["type"]),
        (&json!({}), &json!("text"))
    );
    assert!(
        hit["score"].as_f64().unwrap() > 0.5,
        "first in both halves: {hit}"
    );
    assert_eq!(hit["vector_store_id"], json!(store));
    assert_eq!(
        (
            &hit["score_parts"]["vector_rank"],
            &hit["score_parts"]["text_rank"]
        ),
        (&json!(1), &json!(1))
    );
    // The position is that of the text in the file, which here is its own parsed text.
    let (start, end) = (
        hit["start"].as_u64().unwrap() as usize,
        hit["end"].as_u64().unwrap() as usize,
    );
    let cut: String = FACTS[2].1.chars().skip(start).take(end - start).collect();
    assert_eq!(hit["content"][0]["text"], cut);
}

/// A store whose files have these attributes, named by their letter.
async fn with_attributes(ada: &Client) -> String {
    let store = ada.store("filtered", &[]).await;
    for (name, attributes) in [
        ("a", json!({"year": 2020, "kind": "note", "draft": true})),
        ("b", json!({"year": 2021.5, "kind": "note", "draft": false})),
        ("c", json!({"year": 2022, "kind": "memo"})),
        ("d", json!({"year": "2022", "kind": "memo, \"quoted\" ' \\ $ ?"})),
        ("e", json!({})),
    ] {
        let file = ada
            .upload(
                &format!("{name}.txt"),
                format!("A lighthouse keeper writes entry {name}."),
            )
            .await;
        let new = json!({"file_id": file, "attributes": attributes});
        ada.post(&format!("/v1/vector_stores/{store}/files"), new)
            .await
            .ok();
    }
    assert_eq!(ada.ready(&store).await["file_counts"]["completed"], 5);
    store
}

#[tokio::test]
async fn filters_keep_exactly_the_files_that_match() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let store = with_attributes(&ada).await;
    let compare = |kind: &str, key: &str, value: Value| json!({"type": kind, "key": key, "value": value});
    let join = |kind: &str, filters: &[&Value]| json!({"type": kind, "filters": filters});
    let (notes, late) = (
        compare("eq", "kind", json!("note")),
        compare("gt", "year", json!(2021)),
    );
    for (filter, expected) in [
        (notes.clone(), "ab"),
        (compare("ne", "kind", json!("note")), "cde"),
        (compare("eq", "draft", json!(true)), "a"),
        (compare("ne", "draft", json!(true)), "bcde"),
        (compare("eq", "year", json!(2022)), "c"),
        (compare("eq", "year", json!(2022.0)), "c"),
        (compare("eq", "year", json!("2022")), "d"),
        (late.clone(), "bc"),
        (compare("gte", "year", json!(2021.5)), "bc"),
        (compare("lt", "year", json!(2021.5)), "a"),
        (compare("lte", "year", json!(2021.5)), "ab"),
        (compare("gt", "kind", json!("memo")), "abd"),
        (compare("in", "kind", json!(["note", "letter"])), "ab"),
        (compare("in", "year", json!([2020, "2022"])), "ad"),
        (compare("nin", "year", json!([2020, "2022"])), "bce"),
        (compare("eq", "missing", json!(1)), ""),
        (compare("ne", "missing", json!(1)), "abcde"),
        (compare("nin", "missing", json!([1])), "abcde"),
        (compare("lt", "missing", json!(1)), ""),
        (compare("eq", "kind", json!("memo, \"quoted\" ' \\ $ ?")), "d"),
        (join("and", &[&notes, &late]), "b"),
        (join("or", &[&notes, &late]), "abc"),
        (
            join(
                "and",
                &[&join("or", &[&notes, &late]), &compare("ne", "year", json!(2022))],
            ),
            "ab",
        ),
    ] {
        let found = ada
            .search(&store, json!({"query": "lighthouse", "filters": filter}))
            .await;
        let mut letters: Vec<String> = names(&found)
            .iter()
            .map(|name| name.replace(".txt", ""))
            .collect();
        letters.sort();
        assert_eq!(letters.concat(), expected, "{filter}");
        assert_ranked(&found);
    }
}

#[tokio::test]
async fn refusals_name_their_field() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let store = ada.store("s", &[]).await;
    let deep = (0..20).fold(
        json!({"type": "eq", "key": "k", "value": 1}),
        |inner, _| json!({"type": "and", "filters": [inner]}),
    );
    let wide = json!({"type": "in", "key": "k", "value": (0..5000).collect::<Vec<_>>()});
    for (body, param) in [
        (json!({}), "query"),
        (json!({"query": ""}), "query"),
        (json!({"query": "  \n"}), "query"),
        (json!({"query": []}), "query"),
        (json!({"query": ["a", ""]}), "query"),
        (json!({"query": 5}), "query"),
        (json!({"query": "x ".repeat(3000)}), "query"),
        (json!({"query": "x", "max_num_results": 0}), "max_num_results"),
        (json!({"query": "x", "max_num_results": 51}), "max_num_results"),
        (
            json!({"query": "x", "ranking_options": {"score_threshold": 1.1}}),
            "ranking_options.score_threshold",
        ),
        (
            json!({"query": "x", "ranking_options": {"ranker": "best"}}),
            "ranking_options.ranker",
        ),
        (
            json!({"query": "x", "filters": {"type": "like", "key": "k", "value": "v"}}),
            "filters.type",
        ),
        (
            json!({"query": "x", "filters": {"type": "in", "key": "k", "value": "v"}}),
            "filters.value",
        ),
        (json!({"query": "x", "filters": deep}), "filters"),
        (json!({"query": "x", "filters": wide}), "filters"),
    ] {
        let error = ada
            .post(&format!("/v1/vector_stores/{store}/search"), body.clone())
            .await
            .refused(400);
        let shown: String = body.to_string().chars().take(100).collect();
        assert!(
            error["param"]
                .as_str()
                .is_some_and(|given| given.starts_with(param)),
            "{shown}: {error}"
        );
    }
    assert_eq!(
        ada.search(&store, json!({"query": "nothing here"})).await["data"],
        json!([])
    );
}

#[tokio::test]
async fn results_are_as_many_as_asked_for_and_above_the_threshold() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let texts: Vec<(String, String)> = (0..12)
        .map(|n| (format!("{n}.txt"), format!("The harbour has pier number {n}.")))
        .collect();
    let texts: Vec<(&str, &str)> = texts
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let (store, _) = ada.library(&texts).await;
    for (asked, expected) in [(None, 10), (Some(1), 1), (Some(3), 3), (Some(50), 12)] {
        let found = ada
            .search(&store, json!({"query": "harbour pier", "max_num_results": asked}))
            .await;
        assert_eq!(names(&found).len(), expected);
        assert_ranked(&found);
    }
    let all = ada
        .search(&store, json!({"query": "pier number 7", "max_num_results": 50}))
        .await;
    let threshold = all["data"][4]["score"].as_f64().unwrap();
    let body = json!({"query": "pier number 7", "max_num_results": 50,
                      "ranking_options": {"score_threshold": threshold, "ranker": "auto"}});
    let above = ada.search(&store, body).await;
    assert!(!above["data"].as_array().unwrap().is_empty());
    assert!(
        above["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|hit| hit["score"].as_f64().unwrap() >= threshold)
    );
    let expected = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|hit| hit["score"].as_f64().unwrap() >= threshold);
    assert_eq!(above["data"].as_array().unwrap().len(), expected.count());
}

#[tokio::test]
async fn several_phrasings_are_one_search() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada.library(&FACTS).await;
    let found = ada
        .search(
            &store,
            json!({"query": ["Mount Etna lava", "honeybees dancing"], "max_num_results": 2}),
        )
        .await;
    let mut found_names = names(&found);
    found_names.sort();
    assert_eq!(found_names, ["bees.txt", "volcano.txt"]);
    assert_eq!(
        found["search_query"],
        json!(["Mount Etna lava", "honeybees dancing"])
    );
}

#[tokio::test]
async fn a_language_that_the_model_cannot_read_is_searched_by_its_words() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada.library(&ARABIC).await;
    for (query, expected) in [
        // Other forms of the words in the texts.
        ("أين تُزرع القهوة؟", "coffee.txt"),
        ("إنتاج تمور النخيل", "palm.txt"),
        ("متى تفتح المكتبات أبوابها؟", "library.txt"),
    ] {
        let found = ada.search(&store, json!({"query": query})).await;
        assert_eq!(found["recall"]["vector_weight"], 0.0, "{query}");
        assert_eq!(names(&found)[0], expected, "{query}: {found}");
        assert_eq!(found["data"][0]["score_parts"]["vector_rank"], json!(null));
        assert_ranked(&found);
    }
}

#[tokio::test]
async fn each_tenant_finds_its_own_among_equal_texts() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let (adas, _) = ada.library(&FACTS).await;
    let (bobs, files) = bob
        .library(&[("secret.txt", "Bob's waggle dance is secret.")])
        .await;
    let found = bob
        .search(&bobs, json!({"query": "waggle dance", "max_num_results": 50}))
        .await;
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    assert_eq!(found["data"][0]["file_id"], json!(files[0]));
    let found = ada
        .search(
            &adas,
            json!({"query": "Bob secret waggle dance", "max_num_results": 50}),
        )
        .await;
    assert!(!found.to_string().contains("secret.txt"), "{found}");
}
