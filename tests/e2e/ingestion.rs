//! Documents become searchable: formats, charsets, real files.

use insula_tests::{TestApp, assert_invariants, eventually, shared_data};
use serde_json::{Value, json};

async fn content(client: &insula_tests::Client, store: &str, file: &str) -> String {
    let content = client
        .get(&format!("/v1/vector_stores/{store}/files/{file}/content"))
        .await
        .ok();
    let parts = content["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["text"].as_str().unwrap().to_owned());
    parts.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn html_loses_its_markup_and_markdown_keeps_its_headings() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let html = "<!doctype html><title>Ferry</title><script>alert('hidden-script')</script><style>.hidden-style{}</style>\
                <h1>Ferry &amp; timetable</h1><p>The ferry leaves at <b>noon</b>.</p><!-- hidden-comment -->\
                <ul><li>Monday</li><li>Thursday</li></ul>";
    let markdown = "# Harbour\n\n## Tides\n\nHigh tide is at **six**. See [the table](https://example.com/t).\n\n```rust\nfn tide() {}\n```\n";
    let (store, files) = ada
        .library(&[("ferry.html", html), ("harbour.md", markdown)])
        .await;
    let text = content(&ada, &store, &files[0]).await;
    assert!(
        text.contains("Ferry & timetable") && text.contains("The ferry leaves at noon"),
        "{text}"
    );
    assert!(!text.contains("hidden") && !text.contains('<'), "{text}");
    let text = content(&ada, &store, &files[1]).await;
    assert!(
        text.contains("High tide is at") && text.contains("fn tide()"),
        "{text}"
    );
    let found = ada
        .search(
            &store,
            json!({"query": "when is high tide", "max_num_results": 1}),
        )
        .await;
    let path: Vec<&str> = found["data"][0]["heading_path"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(path.first(), Some(&"Harbour"));
}

#[tokio::test]
async fn charsets_are_detected_and_what_postgres_cannot_hold_is_dropped() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let mut files = Vec::new();
    for name in [
        "utf16le_bom.txt",
        "win1256.txt",
        "nul_bytes.txt",
        "invalid_utf8.txt",
        "rtl_override.txt",
        "sqlish.txt",
    ] {
        let Some(path) = shared_data(&format!("hostile/{name}")) else {
            return;
        };
        files.push((name, ada.upload(name, std::fs::read(path).unwrap()).await));
    }
    let ids: Vec<&str> = files.iter().map(|(_, id)| id.as_str()).collect();
    let store = ada.store("charsets", &ids).await;
    let counts = ada.ready(&store).await["file_counts"].clone();
    assert_eq!(counts["completed"], files.len(), "{counts}");
    for (name, id) in &files {
        let text = content(&ada, &store, id).await;
        assert!(!text.contains('\0'), "{name}");
        if ["utf16le_bom.txt", "win1256.txt"].contains(name) {
            let arabic = text
                .chars()
                .filter(|c| ('\u{600}'..='\u{6ff}').contains(c))
                .count();
            assert!(
                arabic * 2 > text.chars().filter(|c| c.is_alphabetic()).count(),
                "{name} was misread: {text}"
            );
        }
    }
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn real_documents_are_read_and_found() {
    let Some(folder) = shared_data("documents") else {
        return;
    };
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let mut files: Vec<(String, String)> = Vec::new();
    for kind in ["html", "md", "txt"] {
        let mut paths: Vec<_> = std::fs::read_dir(folder.join(kind))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        for path in paths
            .iter()
            .filter(|path| path.metadata().unwrap().len() < 60_000)
            .take(10)
        {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            files.push((
                name.clone(),
                ada.upload(&name, std::fs::read(path).unwrap()).await,
            ));
        }
    }
    let ids: Vec<&str> = files.iter().map(|(_, id)| id.as_str()).collect();
    let store = ada.store("real", &ids).await;
    let counts = ada.ready(&store).await["file_counts"].clone();
    assert_eq!(counts["total"], files.len());
    let list = ada
        .get(&format!(
            "/v1/vector_stores/{store}/files?limit=100&filter=failed"
        ))
        .await
        .ok();
    for failed in list["data"].as_array().unwrap() {
        let (name, _) = files.iter().find(|(_, id)| failed["id"] == json!(id)).unwrap();
        assert_ne!(failed["last_error"]["code"], "server_error", "{name}: {failed}");
    }
    assert!(
        counts["completed"].as_u64().unwrap() * 10 >= files.len() as u64 * 8,
        "most are readable: {counts}"
    );
    if let Some((_, duck)) = files.iter().find(|(name, _)| name.contains("wiki_duck")) {
        let found = ada
            .search(
                &store,
                json!({"query": "which family do ducks belong to", "max_num_results": 5}),
            )
            .await;
        assert!(
            found["data"]
                .as_array()
                .unwrap()
                .iter()
                .any(|hit| hit["file_id"] == json!(duck)),
            "{found}"
        );
    }
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn passages_of_a_real_question_set_are_found() {
    // XQuAD: paragraphs of Wikipedia with questions that people asked of them.
    let Some(path) = shared_data("ir/xquad/xquad.en.json") else {
        return;
    };
    let set: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let paragraphs: Vec<&Value> = set["data"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|article| article["paragraphs"].as_array().unwrap())
        .take(40)
        .collect();
    let texts: Vec<(String, &str)> = (0..)
        .zip(&paragraphs)
        .map(|(n, p)| (format!("p{n}.txt"), p["context"].as_str().unwrap()))
        .collect();
    let (store, files) = ada
        .library(
            &texts
                .iter()
                .map(|(name, text)| (name.as_str(), *text))
                .collect::<Vec<_>>(),
        )
        .await;
    let (mut asked, mut found) = (0, 0);
    for (paragraph, file) in paragraphs.iter().zip(&files) {
        let question = paragraph["qas"][0]["question"].as_str().unwrap();
        let hits = ada
            .search(&store, json!({"query": question, "max_num_results": 3}))
            .await;
        asked += 1;
        found += usize::from(
            hits["data"]
                .as_array()
                .unwrap()
                .iter()
                .any(|hit| hit["file_id"] == json!(file)),
        );
    }
    assert!(
        found * 100 >= asked * 90,
        "{found} of {asked} questions found their paragraph among the first three"
    );
}

#[tokio::test]
async fn arabic_documents_of_every_format_are_found_by_arabic_questions() {
    // Paragraphs of XQuAD's Arabic half, laid out as PDF, Word, PowerPoint and Excel, among the same in English.
    let (Some(folder), Some(set)) = (
        shared_data("synthetic_ar_en"),
        shared_data("ir/xquad/xquad.ar.json"),
    ) else {
        return;
    };
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let mut arabic = Vec::new();
    let mut ids = Vec::new();
    for (ending, known) in [
        ("_table.pdf", "table"),
        (".docx", "docx"),
        (".pptx", "pptx"),
        (".xlsx", "xlsx"),
    ] {
        for language in ["ar", "en"] {
            let name = format!("{language}{ending}");
            let id = ada
                .upload(&name, std::fs::read(folder.join(&name)).unwrap())
                .await;
            if language == "ar" {
                let text = std::fs::read_to_string(folder.join(format!("ar_{known}.gt.txt"))).unwrap();
                arabic.push((name, id.clone(), text));
            }
            ids.push(id);
        }
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let store = ada.store("two languages", &ids).await;
    // The model spends a token on nearly every Arabic letter, so there is a lot to embed: patience for each file.
    for id in &ids {
        eventually("a file is searchable", async || {
            let file = ada
                .get(&format!("/v1/vector_stores/{store}/files/{id}"))
                .await
                .ok();
            assert_ne!(file["status"], "failed", "{file}");
            (file["status"] == "completed").then_some(())
        })
        .await;
    }

    let set: Value = serde_json::from_slice(&std::fs::read(set).unwrap()).unwrap();
    let paragraphs = set["data"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|article| article["paragraphs"].as_array().unwrap());
    let mut asked = std::collections::BTreeMap::<&str, (usize, usize)>::new();
    for paragraph in paragraphs {
        let begins: String = paragraph["context"].as_str().unwrap().chars().take(40).collect();
        let holds = arabic.iter().find(|(_, _, text)| text.contains(begins.trim()));
        let Some((name, id, _)) = holds else { continue };
        for question in paragraph["qas"].as_array().unwrap().iter().take(2) {
            let query = json!({"query": question["question"], "max_num_results": 3});
            let hits = ada.search(&store, query).await;
            let found = hits["data"]
                .as_array()
                .unwrap()
                .iter()
                .any(|hit| hit["file_id"] == json!(id));
            let counts = asked.entry(name.as_str()).or_default();
            counts.0 += 1;
            counts.1 += usize::from(found);
        }
    }
    assert_eq!(asked.len(), 4, "{asked:?}");
    for (name, (asked, found)) in &asked {
        assert!(
            found * 10 >= asked * 8,
            "{name}: {found} of {asked} questions found their document"
        );
    }
}
