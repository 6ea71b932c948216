//! `/v1/insula/provider_keys`: a tenant's own keys for the providers behind models.

use insula_tenancy::vault::{self, MasterKeys, Vault};
use insula_tests::{Client, FakeProvider, Setup, TestApp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

const PATH: &str = "/v1/insula/provider_keys";
const KEY: &str = "sk-of-ada-0123456789";

async fn leave(client: &Client, provider: &str, key: &str) -> Value {
    client
        .post(PATH, json!({"provider": provider, "key": key}))
        .await
        .ok()
}

/// What a route would call the provider with.
async fn used(app: &TestApp, client: &Client, provider: &str) -> Option<String> {
    let cx = app.context(client).await;
    let key = app.services.vault.provider_key(&cx, provider).await.unwrap();
    key.map(|key| key.expose_secret().to_owned())
}

#[tokio::test]
async fn a_key_is_left_replaced_used_and_deleted_and_never_shown() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    assert_eq!(used(&app, &ada, "openai").await, None);
    let first = leave(&ada, "openai", KEY).await;
    let expected = json!({
        "id": first["id"], "object": "insula.provider_key", "provider": "openai", "last_four": "6789",
        "created_at": first["created_at"], "last_used_at": null,
    });
    assert_eq!(first, expected);
    assert_eq!(used(&app, &ada, "openai").await.as_deref(), Some(KEY));
    assert_eq!(used(&app, &ada, "other").await, None);
    assert_eq!(used(&app, &bob, "openai").await, None);
    let listed = ada.get(PATH).await.ok();
    assert!(listed["data"][0]["last_used_at"].is_i64());
    assert!(!listed.to_string().contains("0123"), "{listed}");
    assert_eq!(bob.get(PATH).await.ok()["data"], json!([]));

    let second = leave(&ada, "openai", "sk-of-ada-abcdefghij").await;
    assert_ne!(first["id"], second["id"]);
    assert_eq!(
        used(&app, &ada, "openai").await.as_deref(),
        Some("sk-of-ada-abcdefghij")
    );
    assert_eq!(ada.get(PATH).await.ok()["data"].as_array().unwrap().len(), 1);

    let path = format!("{PATH}/{}", second["id"].as_str().unwrap());
    bob.delete(&path).await.refused(404);
    assert_eq!(
        ada.delete(&path).await.ok(),
        json!({"id": second["id"], "object": "insula.provider_key.deleted", "deleted": true})
    );
    assert_eq!(used(&app, &ada, "openai").await, None);
    ada.delete(&path).await.refused(404);
}

#[tokio::test]
async fn a_provider_is_called_with_the_callers_own_key_and_no_other_provider_is() {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let app = TestApp::with(Setup {
        routes: Some(provider.routes(&["ok"], "")),
        ..Setup::default()
    })
    .await;
    let (ada, bob) = app.two_tenants().await;
    leave(&ada, "fake", KEY).await;
    leave(&bob, "another", "sk-of-bob-0123456789").await;
    for (client, stream, sent) in [
        (&ada, false, Some(format!("Bearer {KEY}"))),
        (&bob, false, None),
        (&ada, true, Some(format!("Bearer {KEY}"))),
        (&bob, true, None),
    ] {
        let body = json!({
            "model": "fake/ok", "messages": [{"role": "user", "content": "Hello?"}], "stream": stream,
        });
        let answer = client.post("/v1/chat/completions", body).await;
        assert_eq!(answer.status, 200, "{answer}");
        assert_eq!(provider.count("ok").await.authorization, sent);
    }
}

#[tokio::test]
async fn nothing_in_the_database_is_the_key_and_nothing_opens_elsewhere() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    leave(&ada, "openai", KEY).await;
    leave(&ada, "second", "sk-second-0123456789").await;
    leave(&bob, "openai", "sk-of-bob-0123456789").await;
    let dump: String = sqlx::query_scalar(
        "select string_agg(t, ' ') from (
           select k::text || encode(sealed, 'escape') as t from provider_keys k
           union all select d::text || encode(wrapped, 'escape') from tenant_data_keys d
           union all select i::text from idempotency_keys i) x",
    )
    .fetch_one(app.owner())
    .await
    .unwrap();
    assert!(!dump.contains("0123456") && !dump.contains("sk-"), "{dump}");

    // A sealed value of another row, of another tenant, and a data key of another tenant.
    let moves = [
        "update provider_keys t set sealed = s.sealed from provider_keys s
         where t.tenant_id = $1 and s.tenant_id = $1 and t.provider = 'openai' and s.provider = 'second'",
        "update provider_keys t set sealed = s.sealed, id = s.id from provider_keys s
         where t.tenant_id = $1 and s.tenant_id <> $1 and t.provider = 'openai'",
        "update tenant_data_keys t set wrapped = s.wrapped from tenant_data_keys s
         where t.tenant_id = $1 and s.tenant_id <> $1",
    ];
    let cx = app.context(&ada).await;
    for statement in moves {
        leave(&ada, "openai", KEY).await;
        assert_eq!(used(&app, &ada, "openai").await.as_deref(), Some(KEY));
        let moved = sqlx::query(statement)
            .bind(ada.tenant_id())
            .execute(app.owner())
            .await
            .unwrap();
        assert_eq!(moved.rows_affected(), 1, "{statement}");
        app.services.vault.forget(&cx, "openai").await;
        let opened = app.services.vault.provider_key(&cx, "openai").await;
        assert!(opened.is_err(), "{statement}");
    }
}

#[tokio::test]
async fn the_master_key_is_changed_while_keys_are_used() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let (old, new) = (MasterKeys::generate(), MasterKeys::generate());
    let keys = |lines: &[&SecretString]| {
        let lines: Vec<&str> = lines.iter().map(|line| line.expose_secret()).collect();
        MasterKeys::parse(&lines.join("\n")).unwrap()
    };
    let db = &app.services.db;
    let vault = |keys| Vault::new(db.clone(), Some(keys));
    let before = vault(keys(&[&old]));
    for client in [&ada, &bob] {
        let cx = app.context(client).await;
        let mut tx = db.tenant(&cx).await.unwrap();
        before.put(&mut tx, "openai", &KEY.into()).await.unwrap().unwrap();
        tx.commit().await.unwrap();
    }
    let cx = app.context(&ada).await;
    assert!(
        vault(keys(&[&new])).provider_key(&cx, "openai").await.is_err(),
        "not yet wrapped by the new one"
    );
    assert!(vault::rewrap(db, &keys(&[&new])).await.is_err());
    let both = keys(&[&new, &old]);
    assert_eq!(vault::rewrap(db, &both).await.unwrap(), 2);
    assert_eq!(vault::rewrap(db, &both).await.unwrap(), 0);
    for (who, good) in [
        (vault(both), true),
        (vault(keys(&[&new])), true),
        (vault(keys(&[&old])), false),
        (Vault::new(db.clone(), None), false),
    ] {
        let key = who.provider_key(&cx, "openai").await;
        assert_eq!(key.is_ok_and(|key| key.unwrap().expose_secret() == KEY), good);
    }
}

#[tokio::test]
async fn without_a_master_key_the_answer_says_what_the_operator_has_to_do() {
    let app = TestApp::with(Setup {
        vault: false,
        worker: false,
        ..Setup::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    let error = ada
        .post(PATH, json!({"provider": "openai", "key": KEY}))
        .await
        .refused(400);
    assert_eq!(error["code"], "not_configured");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("INSULA_MASTER_KEY_FILE")
    );
    assert_eq!(used(&app, &ada, "openai").await, None);
}

#[tokio::test]
async fn bad_requests_are_refused_without_repeating_the_key() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    for (body, param) in [
        (json!({"key": KEY}), "provider"),
        (json!({"provider": "openai"}), "key"),
        (json!({"provider": "-x", "key": KEY}), "provider"),
        (json!({"provider": "a b", "key": KEY}), "provider"),
        (json!({"provider": "openai", "key": "secret!"}), "key"),
        (json!({"provider": "openai", "key": "secret with spaces"}), "key"),
        (json!({"provider": "openai", "key": "secret\nx-header: 1"}), "key"),
        (json!({"provider": "openai", "key": ["secret-secret"]}), "key"),
    ] {
        let error = ada.post(PATH, body.clone()).await.refused(400);
        assert_eq!(error["param"], param, "{body}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
