//! What the server leans on goes away and comes back: nothing that was acknowledged is lost, nothing is done twice.

use std::path::Path;
use std::time::{Duration, Instant};

use insula::dev::postgres::{EmbeddedPostgres, PostgresOptions};
use insula_tests::{
    Client, ServerProcess, Setup, TestApp, assert_invariants, eventually, insula_binary, runtime,
};
use secrecy::ExposeSecret;
use serde_json::json;

/// Uploads a file and attaches it; whatever was acknowledged is told.
async fn try_add(client: &Client, store: &str, name: &str, acknowledged: &mut Vec<String>) {
    let text = format!("{name}: the harbour master writes down what came in and what went out.");
    let upload = client
        .upload_with(name, text.as_bytes(), &[("purpose", "assistants")])
        .await;
    if upload.status != 200 {
        assert_eq!(upload.status, 503, "{upload}");
        return;
    }
    let file = upload.ok()["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/vector_stores/{store}/files");
    let attached = client.post(&path, json!({"file_id": file})).await;
    if attached.status == 200 {
        acknowledged.push(file);
    } else {
        assert_eq!(attached.status, 503, "{attached}");
    }
}

async fn all_ready(client: &Client, store: &str, files: &[String]) {
    for file in files {
        eventually("an acknowledged file is ready", async || {
            let path = format!("/v1/vector_stores/{store}/files/{file}");
            let answer = client.get(&path).await;
            (answer.status == 200 && answer.json()["status"] == "completed").then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn killing_postgres_under_load_loses_nothing_that_was_acknowledged() {
    let data = tempfile::tempdir().unwrap();
    // An unprivileged Postgres has to get in.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(data.path(), open).unwrap();
    let install = runtime().join("postgres");
    let postgres = EmbeddedPostgres::start(PostgresOptions {
        install: install.clone(),
        data: data.path().to_owned(),
        port: None,
        durable: true,
    })
    .await
    .unwrap();
    let admin = postgres.admin_url("postgres");
    let app = TestApp::with(Setup {
        cluster: Some(admin.expose_secret().parse().unwrap()),
        ..Setup::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    let store = ada.store("log", &[]).await;
    let folder: String = sqlx::query_scalar("show data_directory")
        .fetch_one(app.owner())
        .await
        .unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        for n in 0..6 {
            try_add(
                &ada,
                &store,
                &format!("before-{round}-{n}.txt"),
                &mut acknowledged,
            )
            .await;
        }
        kill_postmaster(Path::new(&folder)).await;
        // Refused or served, but answered, and soon.
        let began = Instant::now();
        try_add(&ada, &store, &format!("during-{round}.txt"), &mut acknowledged).await;
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        eventually("the server serves again", async || {
            (ada.get("/health/ready").await.status == 200).then_some(())
        })
        .await;
    }
    assert!(acknowledged.len() >= 18);
    all_ready(&ada, &store, &acknowledged).await;
    assert_invariants(app.owner()).await;
    drop(app);
    postgres.stop().await;
    EmbeddedPostgres::remove(&install, data.path()).await.unwrap();
}

/// `kill -9`; the embedded Postgres is started again by its supervisor.
async fn kill_postmaster(folder: &Path) {
    let file = folder.join("postmaster.pid");
    let pid = eventually("a postmaster", async || {
        let text = std::fs::read_to_string(&file).ok()?;
        text.lines().next().map(str::to_owned)
    })
    .await;
    let killed = tokio::process::Command::new("kill")
        .args(["-KILL", &pid])
        .status()
        .await
        .unwrap();
    assert!(killed.success());
}

#[tokio::test]
async fn a_database_that_is_away_for_half_a_minute_is_waited_for() {
    let app = TestApp::with(Setup {
        proxy: true,
        ..Setup::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    let store = ada.store("log", &[]).await;
    let mut acknowledged = Vec::new();
    for n in 0..20 {
        try_add(&ada, &store, &format!("{n}.txt"), &mut acknowledged).await;
    }
    let proxy = app.proxy.as_ref().unwrap();
    proxy.refuse(true);
    let gone = Instant::now();
    let mut asked = 0;
    while gone.elapsed() < Duration::from_secs(30) {
        assert_eq!(ada.get("/health/live").await.status, 200);
        let began = Instant::now();
        let answer = ada.get("/v1/files").await;
        assert_eq!(answer.refused(503)["type"], "server_error");
        assert!(answer.header("retry-after").is_some());
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        assert_eq!(ada.get("/health/ready").await.status, 503);
        asked += 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(asked > 1);
    proxy.refuse(false);
    eventually("the server serves again", async || {
        (ada.get("/v1/files").await.status == 200).then_some(())
    })
    .await;
    all_ready(&ada, &store, &acknowledged).await;
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn two_workers_on_one_database_share_the_work_and_repeat_none() {
    let app = TestApp::without_worker().await;
    let binary = insula_binary().await;
    let url = app.database.app_url();
    let start = || ServerProcess::start(&binary, "worker", &[], url.as_str(), &app.blobs());
    let (one, two) = (start(), start());
    // Both are there before there is work, each with its listening connection besides this process's.
    eventually("two workers listen", async || {
        let listening: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where datname = current_database() and query ilike 'listen%'",
        )
        .fetch_one(app.owner())
        .await
        .unwrap();
        (listening >= 3).then_some(())
    })
    .await;
    let (ada, bob) = app.two_tenants().await;
    let mut stores = Vec::new();
    for tenant in [&ada, &bob] {
        let store = tenant.store("log", &[]).await;
        let mut files = Vec::new();
        for n in 0..30 {
            try_add(tenant, &store, &format!("{n}.txt"), &mut files).await;
        }
        stores.push((tenant, store, files));
    }
    for (tenant, store, files) in &stores {
        all_ready(tenant, store, files).await;
    }
    assert_invariants(app.owner()).await;
    let (jobs, starts, workers): (i64, i64, i64) = sqlx::query_as(
        "select count(*), sum(attempt), count(distinct worker) from jobs where kind = 'ingest_file' and state = 'done'",
    )
    .fetch_one(app.owner())
    .await
    .unwrap();
    assert_eq!((jobs, starts), (60, 60));
    assert_eq!(workers, 2, "one of them had nothing to do");
    one.kill().await;
    two.kill().await;
}
