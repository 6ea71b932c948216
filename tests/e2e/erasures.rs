//! Removing a tenant with all its data, and the receipt.

use std::collections::BTreeMap;

use insula_tests::{
    Client, ServerProcess, Setup, TestApp, assert_invariants, eventually, free_address, insula_binary,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;

use crate::walk::{furnish, two_models};

const ERASURES: &str = "/v1/insula/operator/erasures";
const PASSWORD: &str = "three-gulls-and-a-kettle";

fn path(tenant: &Client, verb: &str) -> String {
    format!("/v1/insula/operator/tenants/{}{verb}", tenant.tenant_id())
}

/// How many rows a tenant has in each table that there is.
async fn rows(app: &TestApp, tenant: &Client) -> BTreeMap<String, i64> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c
         join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition",
    )
    .fetch_all(app.owner())
    .await
    .unwrap();
    let mut counts = BTreeMap::new();
    for table in tables {
        let count = format!("select count(*) from {table} where tenant_id = $1");
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(count))
            .bind(tenant.tenant_id().uuid())
            .fetch_one(app.owner())
            .await
            .unwrap();
        counts.insert(table, count);
    }
    counts
}

async fn suspend(operator: &Client, tenant: &Client) {
    operator.post(&path(tenant, "/suspend"), json!({})).await.ok();
}

async fn completed(operator: &Client, id: &str) -> Value {
    eventually("the tenant is gone", async || {
        let erasure = operator.get(&format!("{ERASURES}/{id}")).await.ok();
        (erasure["status"] == "completed").then_some(erasure)
    })
    .await
}

/// The digest over a receipt as anybody can compute it.
fn digest(receipt: &Value) -> String {
    fn sorted(value: &Value) -> String {
        match value {
            Value::Object(object) => {
                let object: BTreeMap<_, _> = object.iter().collect();
                let pairs = object
                    .iter()
                    .map(|(key, value)| format!("{}:{}", json!(key), sorted(value)));
                format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
            }
            Value::Array(values) => {
                format!("[{}]", values.iter().map(sorted).collect::<Vec<_>>().join(","))
            }
            other => other.to_string(),
        }
    }
    let mut receipt = receipt.clone();
    receipt.as_object_mut().unwrap().remove("digest");
    Sha256::digest(sorted(&receipt))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[tokio::test]
async fn nothing_is_left_of_an_erased_tenant_and_its_neighbour_keeps_everything() {
    let app = two_models().await;
    let (ada, bob) = app.two_tenants().await;
    let operator = app.operator().await;
    furnish(&app, &ada, "ada").await;
    furnish(&app, &bob, "bob").await;
    // One who is in both, and one who runs the install.
    let shared = ada.member("grace@example.com", "admin", PASSWORD).await;
    let invite = json!({"email": "grace@example.com", "role": "viewer"});
    let invite = bob.post("/v1/insula/invites", invite).await.ok();
    let accept = json!({"token": invite["token"], "password": PASSWORD});
    bob.page()
        .post("/v1/insula/invitations/accept", accept)
        .await
        .ok();
    suspend(&operator, &ada).await;
    let before = rows(&app, &bob).await;
    let head: Vec<u8> =
        sqlx::query_scalar("select hash from audit_logs where tenant_id = $1 order by seq desc limit 1")
            .bind(ada.tenant_id().uuid())
            .fetch_one(app.owner())
            .await
            .unwrap();
    let charged: (i64, i64) = sqlx::query_as(
        "select sum(requests)::bigint, sum(input_tokens)::bigint from usage_hours where tenant_id = $1",
    )
    .bind(ada.tenant_id().uuid())
    .fetch_one(app.owner())
    .await
    .unwrap();

    let begun = operator
        .post(&path(&ada, "/erase"), json!({"confirm": "ada"}))
        .await
        .ok();
    let erasure = completed(&operator, begun["id"].as_str().unwrap()).await;
    let left: BTreeMap<_, _> = rows(&app, &ada)
        .await
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(left, BTreeMap::new());
    for (table, count) in rows(&app, &bob).await {
        // What runs by itself goes on running.
        if ![
            "jobs",
            "webhook_deliveries",
            "limit_slices",
            "limit_windows",
            "budget_slices",
        ]
        .contains(&table.as_str())
        {
            assert!(count >= before[&table], "{table}: {count} of {}", before[&table]);
        }
    }
    let of = |tenant: &Client| {
        let prefix = format!("{}/", tenant.tenant_id());
        app.blob_names()
            .into_iter()
            .filter(move |name| name.starts_with(&prefix))
            .count()
    };
    assert_eq!(of(&ada), 0);
    assert!(of(&bob) > 0);
    bob.get("/v1/files").await.ok();

    // The receipt says what went, and its digest can be computed by anybody.
    assert_eq!(erasure["name"], "ada");
    assert!(erasure["requested_by"].as_str().unwrap().starts_with("opk_"));
    let deleted = &erasure["deleted"];
    for what in [
        "files",
        "bytes",
        "chunks",
        "vector_stores",
        "responses",
        "conversations",
        "batches",
        "api_keys",
        "members",
        "people",
        "usage_events",
        "audit_events",
    ] {
        assert!(deleted[what].as_i64().unwrap() > 0, "{what}: {deleted}");
    }
    let billed: Vec<(i64, i64)> = erasure["billed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|month| {
            (
                month["requests"].as_i64().unwrap(),
                month["input_tokens"].as_i64().unwrap(),
            )
        })
        .collect();
    let billed = billed
        .iter()
        .fold((0, 0), |sum, month| (sum.0 + month.0, sum.1 + month.1));
    assert!(
        charged.0 > 0 && billed.0 >= charged.0 && billed.1 >= charged.1,
        "{erasure}"
    );
    let head: String = head.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(erasure["audit_head"], json!(head));
    assert_eq!(erasure["digest"], json!(digest(&erasure)));

    // Whoever was there only is unknown; whoever is elsewhere too goes on there.
    shared.get("/v1/insula/session").await.ok();
    let people: Vec<String> = sqlx::query_scalar("select email from people order by email")
        .fetch_all(app.owner())
        .await
        .unwrap();
    assert!(
        people.contains(&"grace@example.com".to_owned()) && !people.contains(&"ada@example.com".to_owned())
    );
    let invited: i64 = sqlx::query_scalar(
        "select count(*) from invites where email in ('ada@example.com', 'ada-next@example.com')",
    )
    .fetch_one(app.owner())
    .await
    .unwrap();
    assert_eq!(invited, 0);
    ada.get("/v1/files").await.refused(401);

    // The name is free, and the row stays for the receipt.
    let listed = async |query: &str| {
        let list = operator
            .get(&format!("/v1/insula/operator/tenants{query}"))
            .await
            .ok();
        list["data"].as_array().unwrap().len()
    };
    assert_eq!((listed("").await, listed("?include_erased=true").await), (1, 2));
    assert_eq!(operator.get(&path(&ada, "")).await.ok()["status"], "erased");
    operator
        .get(&format!("/v1/organization/projects/{}", ada.tenant_id()))
        .await
        .refused(404);
    operator
        .post("/v1/insula/operator/tenants", json!({"name": "ada"}))
        .await
        .ok();
    let events = operator
        .get("/v1/organization/audit_logs?event_types[]=tenant.erase_requested&event_types[]=tenant.erased")
        .await
        .ok();
    assert_eq!(events["data"].as_array().unwrap().len(), 2);
    let chains: i64 = sqlx::query_scalar("select count(*) from audit_logs where details like '%ada@example.com%' and tenant_id <> '00000000-0000-0000-0000-000000000000'")
        .fetch_one(app.owner())
        .await
        .unwrap();
    assert_eq!(chains, 0);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn it_takes_the_name_and_a_suspension_and_cannot_be_taken_back() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let operator = app.operator().await;
    let erase = path(&ada, "/erase");
    let owner = ada.member("grace@example.com", "admin", PASSWORD).await;
    for stranger in [&ada, &owner] {
        stranger
            .post(&erase, json!({"confirm": "ada"}))
            .await
            .refused(403);
    }
    assert_eq!(
        operator
            .post(&erase, json!({"confirm": "ada"}))
            .await
            .refused(400)["code"],
        "tenant_not_suspended"
    );
    suspend(&operator, &ada).await;
    for body in [json!({}), json!({"confirm": "bob"}), json!({"confirm": ""})] {
        assert_eq!(operator.post(&erase, body).await.refused(400)["param"], "confirm");
    }
    let nobody = insula_tenancy::TenantId::generate();
    operator
        .post(
            &format!("/v1/insula/operator/tenants/{nobody}/erase"),
            json!({"confirm": "x"}),
        )
        .await
        .refused(404);
    assert_eq!(operator.get(ERASURES).await.ok()["data"], json!([]));

    let begun = operator.post(&erase, json!({"confirm": "ada"})).await.ok();
    assert_eq!(
        (&begun["status"], &begun["digest"]),
        (&json!("running"), &Value::Null)
    );
    assert_eq!(begun["deleted"]["files"], 0);
    assert_eq!(operator.post(&erase, json!({"confirm": "ada"})).await.ok(), begun);
    assert_eq!(
        operator
            .post(&erase, json!({"confirm": "bob"}))
            .await
            .refused(400)["param"],
        "confirm"
    );
    assert_eq!(operator.get(&path(&ada, "")).await.ok()["status"], "erasing");
    // Nobody comes in, and nothing new is left with it.
    assert_eq!(
        operator
            .post(&path(&ada, "/resume"), json!({}))
            .await
            .refused(400)["code"],
        "project_archived"
    );
    let project = format!("/v1/organization/projects/{}", ada.tenant_id());
    operator
        .post(&project, json!({"name": "other"}))
        .await
        .refused(400);
    let runner = app.runner("root@example.com").await;
    let access = json!({"reason": "because I want to look"});
    assert_eq!(
        runner.post(&path(&ada, "/access"), access).await.refused(400)["code"],
        "tenant_suspended"
    );
    let mut tx = app.services.db.operator().await.unwrap();
    let late = insula_tenancy::key::create(
        &mut tx,
        ada.tenant_id(),
        &insula_tenancy::key::NewKey::all_scopes("late"),
    )
    .await;
    assert!(
        matches!(late, Err(insula_tenancy::Error::Erased)),
        "a key for a tenant that is going"
    );
    drop(tx);
    // Its secrets can be opened by nobody from now on.
    let keys: i64 = sqlx::query_scalar("select count(*) from tenant_data_keys where tenant_id = $1")
        .bind(ada.tenant_id().uuid())
        .fetch_one(app.owner())
        .await
        .unwrap();
    assert_eq!(keys, 0);
    app.run_erasures().await;
    let erasure = completed(&operator, begun["id"].as_str().unwrap()).await;
    for change in ["update erasures set name = 'x'", "delete from erasures"] {
        let changed = sqlx::query(AssertSqlSafe(change.to_owned()))
            .execute(app.owner())
            .await;
        assert!(changed.is_err(), "{change}");
    }
    assert_eq!(
        operator.post(&erase, json!({"confirm": "ada"})).await.ok(),
        erasure
    );
    // One that is over is not begun again, and lists walk.
    suspend(&operator, &bob).await;
    let second = operator
        .post(&path(&bob, "/erase"), json!({"confirm": "bob"}))
        .await
        .ok();
    let list = operator.get(&format!("{ERASURES}?limit=1")).await.ok();
    assert_eq!(
        (&list["data"][0]["id"], &list["has_more"]),
        (&second["id"], &json!(true))
    );
    let next = operator
        .get(&format!("{ERASURES}?after={}", second["id"].as_str().unwrap()))
        .await
        .ok();
    assert_eq!(next["data"], json!([erasure]));
}

#[tokio::test]
async fn what_comes_late_of_an_erased_tenant_is_removed_and_its_calls_are_dropped() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let operator = app.operator().await;
    suspend(&operator, &ada).await;
    let begun = operator
        .post(&path(&ada, "/erase"), json!({"confirm": "ada"}))
        .await
        .ok();
    app.run_erasures().await;
    let erasure = completed(&operator, begun["id"].as_str().unwrap()).await;
    // A call that was under way leaves something.
    sqlx::query("insert into files (tenant_id, id, filename, purpose, bytes, sha256, blob) values ($1, gen_random_uuid(), 'late.txt', 'assistants', 1, sha256('x'), 'x')")
        .bind(ada.tenant_id().uuid())
        .execute(app.owner())
        .await
        .unwrap();
    app.run_erasures().await;
    assert_eq!(rows(&app, &ada).await.values().sum::<i64>(), 0);
    let after = operator
        .get(&format!("{ERASURES}/{}", begun["id"].as_str().unwrap()))
        .await
        .ok();
    assert_eq!(after, erasure, "the receipt stays as it is");
}

#[tokio::test]
async fn an_erasure_goes_on_after_kill_9() {
    let app = TestApp::with(Setup {
        worker: false,
        ..Setup::default()
    })
    .await;
    let (ada, bob) = app.two_tenants().await;
    let operator = app.operator().await;
    for n in 0..30 {
        ada.upload(&format!("{n}.txt"), format!("text {n}")).await;
    }
    bob.upload("b.txt", "stays").await;
    // Enough rows for many transactions.
    sqlx::query(
        "insert into request_logs (tenant_id, id, endpoint, model, request, response)
         select $1, gen_random_uuid(), 'chat', 'm', '{}', '{}' from generate_series(1, 60000)",
    )
    .bind(ada.tenant_id().uuid())
    .execute(app.owner())
    .await
    .unwrap();
    suspend(&operator, &ada).await;
    let begun = operator
        .post(&path(&ada, "/erase"), json!({"confirm": "ada"}))
        .await
        .ok();
    let binary = insula_binary().await;
    let mut kills = 0;
    loop {
        let address = free_address();
        let server = ServerProcess::start(
            &binary,
            "serve",
            &["--listen", &address.to_string()],
            app.database.app_url().as_str(),
            &app.blobs(),
        );
        let client = Client::at(address, &operator);
        server.ready(&client).await;
        tokio::time::sleep(std::time::Duration::from_millis(40 * (kills + 1))).await;
        server.kill().await;
        kills += 1;
        let erasure = operator
            .get(&format!("{ERASURES}/{}", begun["id"].as_str().unwrap()))
            .await
            .ok();
        if erasure["status"] == "completed" {
            assert_eq!(erasure["deleted"]["files"], 30, "{erasure}");
            assert_eq!(erasure["deleted"]["request_logs"], 60_000, "counted once");
            break;
        }
        assert!(kills < 40, "{erasure}");
    }
    assert!(rows(&app, &ada).await.values().all(|count| *count == 0));
    assert_eq!(app.blob_names().len(), 1);
    assert_invariants(app.owner()).await;
}
