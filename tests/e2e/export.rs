//! `/v1/insula/export`: all that a tenant has, as a file that it takes away.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};

use insula::routes::export::{Exported, TABLES};
use insula_tenancy::Scope;
use insula_tests::{Answer, Client, TestApp, eventually, model_file};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use crate::walk::{Ids, furnish, two_models};

const EXPORT: &str = "/v1/insula/export";

/// The entries of an archive, by their names.
fn unpack(answer: &Answer) -> BTreeMap<String, Vec<u8>> {
    assert_eq!(answer.status, 200, "{answer}");
    let mut zip = ZipArchive::new(Cursor::new(answer.bytes.clone())).unwrap();
    let names: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
    assert_eq!(names.last().unwrap(), "manifest.json", "the manifest is last");
    let mut entries = BTreeMap::new();
    for name in names {
        let mut content = Vec::new();
        zip.by_name(&name).unwrap().read_to_end(&mut content).unwrap();
        assert!(
            entries.insert(name.clone(), content).is_none(),
            "{name} is there twice"
        );
    }
    entries
}

fn lines(entries: &BTreeMap<String, Vec<u8>>, name: &str) -> Vec<Value> {
    let content = entries.get(name).unwrap_or_else(|| panic!("no {name}"));
    let lines = content
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// A kind's entry has the object that was made.
fn holds(entries: &BTreeMap<String, Vec<u8>>, name: &str, ids: &Ids, kind: &str) {
    let found = lines(entries, name);
    let id = json!(ids[kind]);
    let has = |object: &Value| object["id"] == id || object["model"] == id || object["item"]["id"] == id;
    assert!(found.iter().any(has), "{name} lacks {id}: {found:?}");
}

async fn tables(app: &TestApp) -> BTreeSet<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c
         join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
           and c.relname not like 'embeddings\\_%'",
    )
    .fetch_all(app.owner())
    .await
    .unwrap();
    tables.into_iter().collect()
}

#[tokio::test]
async fn everything_is_in_it_as_the_api_shows_it_and_nothing_of_the_neighbour() {
    let app = two_models().await;
    let (ada, bob) = app.two_tenants().await;
    let ids = furnish(&app, &ada, "canary-of-ada").await;
    furnish(&app, &bob, "canary-of-bob").await;
    let answer = ada.get(EXPORT).await;
    let entries = unpack(&answer);
    assert_eq!(answer.header("content-type"), Some("application/zip"));
    assert!(
        answer
            .header("content-disposition")
            .unwrap()
            .starts_with("attachment; filename=\"ada-20")
    );

    for (entry, kind) in [
        ("accesses.jsonl", "access_id"),
        ("api_keys.jsonl", "api_key_id"),
        ("assistants.jsonl", "assistant_id"),
        ("audit_logs.jsonl", "audit_log_id"),
        ("batches.jsonl", "request_batch_id"),
        ("budgets.jsonl", "budget_id"),
        ("chunks.jsonl", "chunk_id"),
        ("conversation_items.jsonl", "item_id"),
        ("conversations.jsonl", "conversation_id"),
        ("files.jsonl", "file_id"),
        ("invites.jsonl", "invite_id"),
        ("jobs.jsonl", "job_id"),
        ("members.jsonl", "member_id"),
        ("model_activations.jsonl", "activation_id"),
        ("model_versions.jsonl", "model_version"),
        ("models.jsonl", "registered_model_id"),
        ("provider_keys.jsonl", "provider_key_id"),
        ("request_logs.jsonl", "request_log_id"),
        ("response_input_items.jsonl", "input_item_id"),
        ("responses.jsonl", "response_id"),
        ("routes.jsonl", "alias"),
        ("sources.jsonl", "source_id"),
        ("usage_events.jsonl", "usage_event_id"),
        ("vector_store_files.jsonl", "file_id"),
        ("vector_store_migrations.jsonl", "migration_id"),
        ("vector_stores.jsonl", "vector_store_id"),
        ("webhook_deliveries.jsonl", "event_id"),
        ("webhooks.jsonl", "webhook_id"),
    ] {
        holds(&entries, entry, &ids, kind);
    }
    for (entry, least) in [
        ("settings.jsonl", 5),
        ("usage_days.jsonl", 1),
        ("search_analytics.jsonl", 1),
    ] {
        assert!(lines(&entries, entry).len() >= least, "{entry}");
    }
    lines(&entries, "source_pages.jsonl");
    // An object is what the API shows of it, and an original is what was uploaded.
    let shown = ada.get(&format!("/v1/files/{}", ids["file_id"])).await.ok();
    assert!(lines(&entries, "files.jsonl").contains(&shown));
    let original = format!("files/{}/canary-of-ada.txt", ids["file_id"]);
    assert_eq!(entries[&original], b"The word is canary-of-ada.");
    let graph = &entries["models/canary-of-ada-model/1.onnx"];
    assert_eq!(*graph, model_file("add-1.onnx"));

    // The manifest has the digests and the numbers of all the others.
    let manifest: Value = serde_json::from_slice(&entries["manifest.json"]).unwrap();
    assert_eq!(
        (&manifest["object"], &manifest["tenant_id"], &manifest["left_out"]),
        (&json!("insula.export"), &json!(ada.tenant_id()), &json!([]))
    );
    let listed = manifest["entries"].as_array().unwrap();
    assert_eq!(listed.len() + 1, entries.len());
    for entry in listed {
        let name = entry["name"].as_str().unwrap();
        let content = &entries[name];
        let sha256: String = Sha256::digest(content)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            (&entry["bytes"], &entry["sha256"]),
            (&json!(content.len()), &json!(sha256)),
            "{name}"
        );
        if !["files/", "models/"]
            .iter()
            .any(|folder| name.starts_with(folder))
        {
            assert_eq!(entry["objects"], lines(&entries, name).len(), "{name}");
        }
    }
    for (name, content) in &entries {
        let text = String::from_utf8_lossy(content);
        assert!(!text.contains("canary-of-bob"), "{name}");
        for secret in ["sk-canary", "isk_", "whsec_", "iit_"] {
            // The visible part of a key may be shown; a whole one is as long as the caller's.
            let whole = text.match_indices(secret).any(|(at, _)| {
                let rest = &text[at..];
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
                end.unwrap_or(rest.len()) >= 40 || secret == "sk-canary"
            });
            assert!(!whole, "{name} has a secret: {secret}");
        }
    }

    // Every table is in it, or was left out on purpose.
    let mapped: BTreeSet<String> = TABLES.iter().map(|(table, _)| (*table).to_owned()).collect();
    assert_eq!(mapped.len(), TABLES.len(), "twice on the list");
    assert_eq!(mapped, tables(&app).await);
    for (table, exported) in TABLES {
        match exported {
            Exported::In(entry) => assert!(entries.contains_key(*entry), "{table} is not in {entry}"),
            Exported::Not(why) => assert!(why.len() > 10, "{table}"),
        }
    }
    let acts = ada
        .get("/v1/organization/audit_logs?event_types[]=export.downloaded")
        .await
        .ok();
    assert_eq!(acts["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn long_lists_are_walked_to_their_end() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let big: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
    let file = ada.upload("big.bin", &big).await;
    sqlx::query(
        "insert into request_logs (tenant_id, id, endpoint, model, request, response)
         select $1, gen_random_uuid(), 'chat', 'm', jsonb_build_object('n', n), '{}' from generate_series(1, 1234) n",
    )
    .bind(ada.tenant_id().uuid())
    .execute(app.owner())
    .await
    .unwrap();
    let entries = unpack(&ada.get(EXPORT).await);
    assert_eq!(lines(&entries, "request_logs.jsonl").len(), 1234);
    assert_eq!(entries[&format!("files/{file}/big.bin")], big);
    // Empty kinds have an empty entry.
    assert_eq!(lines(&entries, "assistants.jsonl"), Vec::<Value>::new());
}

/// Begins a download, and takes no more than its head.
async fn begin(client: &Client) -> reqwest::Response {
    let answer = client.request(Method::GET, EXPORT).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer
}

#[tokio::test]
async fn one_at_a_time_and_whoever_leaves_makes_room() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    // More than fits into what is buffered on the way, and does not pack.
    let mut state = 1u64;
    let noise: Vec<u8> = (0..24_000_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    ada.upload("noise.bin", &noise).await;
    let open = begin(&ada).await;
    ada.get(EXPORT).await.refused(409);
    unpack(&bob.get(EXPORT).await);
    // Another server knows it too.
    let second = app.second_server().await;
    Client::at(second.address, &ada).get(EXPORT).await.refused(409);
    drop(open);
    eventually("there is room again", async || {
        (ada.get(EXPORT).await.status == 200).then_some(())
    })
    .await;
    // One whose server was killed is forgotten after a while.
    sqlx::query("insert into tenant_exports (tenant_id, token, lease_until) values ($1, gen_random_uuid(), now() + interval '1 minute')")
        .bind(ada.tenant_id().uuid())
        .execute(app.owner())
        .await
        .unwrap();
    ada.get(EXPORT).await.refused(409);
    sqlx::query("update tenant_exports set lease_until = now() - interval '1 second'")
        .execute(app.owner())
        .await
        .unwrap();
    unpack(&ada.get(EXPORT).await);
    // A right that is lost on the way breaks the download off, so that no part is taken for the whole.
    let open = begin(&ada).await;
    sqlx::query("delete from tenant_exports")
        .execute(app.owner())
        .await
        .unwrap();
    assert!(open.bytes().await.is_err(), "a broken export ended well");
}

#[tokio::test]
async fn owners_and_admins_may_and_an_access_shows_no_more_than_a_viewer_sees() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    for (role, status) in [("admin", 200), ("developer", 403), ("viewer", 403)] {
        let page = ada
            .member(&format!("{role}@example.com"), role, TestApp::PASSWORD)
            .await;
        assert_eq!(page.get(EXPORT).await.status, status, "{role}");
    }
    let least = app
        .with_scopes(&ada, &[Scope::ExportRead, Scope::FilesRead])
        .await;
    let entries = unpack(&least.get(EXPORT).await);
    assert!(entries.contains_key("files.jsonl") && !entries.contains_key("chunks.jsonl"));

    let runner = app.runner("root@example.com").await;
    runner.get(EXPORT).await.refused(403);
    let path = format!("/v1/insula/operator/tenants/{}/access", ada.tenant_id());
    runner
        .post(&path, json!({"reason": "You asked for a copy"}))
        .await
        .ok();
    runner
        .post("/v1/insula/session/tenant", json!({"tenant_id": ada.tenant_id()}))
        .await
        .ok();
    let entries = unpack(&runner.get(EXPORT).await);
    assert!(entries.contains_key("chunks.jsonl"));
    let manifest: Value = serde_json::from_slice(&entries["manifest.json"]).unwrap();
    let left_out = manifest["left_out"].as_array().unwrap();
    for name in ["request_logs.jsonl", "audit_logs.jsonl"] {
        assert!(
            left_out.contains(&json!(name)) && !entries.contains_key(name),
            "{manifest}"
        );
    }
    let used = ada
        .get("/v1/organization/audit_logs?event_types[]=operator_access.used")
        .await
        .ok();
    assert_eq!(
        used["data"][0]["operator_access.used"]["data"]["operation"],
        "download_export"
    );
}
