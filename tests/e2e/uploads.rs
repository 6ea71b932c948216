//! `/v1/uploads`

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use insula_tests::{
    Answer, Client, ServerProcess, TestApp, assert_invariants, eventually, free_address, insula_binary,
};
use serde_json::{Value, json};

/// Begins an upload. Its id.
async fn begin(client: &Client, bytes: usize) -> String {
    let new =
        json!({"filename": "big.txt", "purpose": "assistants", "bytes": bytes, "mime_type": "text/plain"});
    let upload = client.post("/v1/uploads", new).await.ok();
    upload["id"].as_str().unwrap().to_owned()
}

/// Adds a part. Its id.
async fn part(client: &Client, upload: &str, content: &[u8]) -> String {
    let part = client.upload_part(upload, content).await.ok();
    part["id"].as_str().unwrap().to_owned()
}

async fn complete(client: &Client, upload: &str, body: Value) -> Answer {
    client.post(&format!("/v1/uploads/{upload}/complete"), body).await
}

async fn cancel(client: &Client, upload: &str) -> Answer {
    client
        .post(&format!("/v1/uploads/{upload}/cancel"), json!({}))
        .await
}

async fn content(client: &Client, file: &Value) -> Vec<u8> {
    let path = format!("/v1/files/{}/content", file["id"].as_str().unwrap());
    let answer = client.get(&path).await;
    assert_eq!(answer.status, 200, "{answer}");
    answer.bytes.to_vec()
}

async fn files(client: &Client) -> Vec<Value> {
    client.get("/v1/files").await.ok()["data"]
        .as_array()
        .unwrap()
        .clone()
}

#[tokio::test]
async fn parts_that_arrive_at_once_and_in_any_order_become_one_file_in_the_named_order() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let parts: Vec<Vec<u8>> = (0..5u8).map(|n| vec![n; 100_000 + usize::from(n)]).collect();
    let whole = parts.concat();

    let new = json!({
        "filename": "folder/big.bin", "purpose": "user_data", "bytes": whole.len(), "mime_type": "application/zip",
        "expires_after": {"anchor": "created_at", "seconds": 7200},
    });
    let upload = ada.post("/v1/uploads", new).await.ok();
    let (id, created_at) = (
        upload["id"].as_str().unwrap(),
        upload["created_at"].as_i64().unwrap(),
    );
    assert!(id.starts_with("upload_"), "{id}");
    let expected = json!({
        "id": id, "object": "upload", "bytes": whole.len(), "created_at": created_at, "expires_at": created_at + 3600,
        "filename": "big.bin", "purpose": "user_data", "status": "pending",
    });
    assert_eq!(upload, expected);

    let sent = futures::future::join_all(parts.iter().rev().map(|bytes| ada.upload_part(id, bytes))).await;
    let sent: Vec<Value> = sent.iter().rev().map(Answer::ok).collect();
    assert_eq!(
        (&sent[0]["object"], &sent[0]["upload_id"]),
        (&json!("upload.part"), &json!(id))
    );
    assert!(sent[0]["id"].as_str().unwrap().starts_with("part_") && sent[0]["created_at"].is_i64());
    let part_ids: Vec<&Value> = sent.iter().map(|part| &part["id"]).collect();

    // Neither the upload nor its parts are there for another tenant.
    bob.upload_part(id, b"x").await.refused(404);
    complete(&bob, id, json!({"part_ids": part_ids}))
        .await
        .refused(404);
    cancel(&bob, id).await.refused(404);
    let own = begin(&bob, parts[0].len()).await;
    let error = complete(&bob, &own, json!({"part_ids": [part_ids[0]]}))
        .await
        .refused(404);
    assert_eq!(error["param"], "part_ids[0]");

    assert!(files(&ada).await.is_empty());
    let done = complete(&ada, id, json!({"part_ids": part_ids})).await.ok();
    let file = &done["file"];
    assert_eq!(done["status"], "completed");
    assert_eq!(
        (&file["bytes"], &file["filename"]),
        (&json!(whole.len()), &json!("big.bin"))
    );
    assert_eq!(
        file["expires_at"].as_i64().unwrap(),
        file["created_at"].as_i64().unwrap() + 7200
    );
    assert_eq!(files(&ada).await, std::slice::from_ref(file));
    assert!(content(&ada, file).await == whole, "other bytes");
    assert!(files(&bob).await.is_empty());
    app.run_jobs().await;
    assert_eq!(app.blob_names().len(), 1, "the parts are gone");
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn an_uploaded_document_is_found() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (head, tail) = ("Zebras graze at dawn. ", "Owls hunt at night.");
    let upload = begin(&ada, head.len() + tail.len()).await;
    let (last, first) = (
        part(&ada, &upload, tail.as_bytes()).await,
        part(&ada, &upload, head.as_bytes()).await,
    );
    let done = complete(&ada, &upload, json!({"part_ids": [first, last]}))
        .await
        .ok();
    let store = ada.store("s", &[done["file"]["id"].as_str().unwrap()]).await;
    ada.ready(&store).await;
    let found = ada.search(&store, json!({"query": "when do owls hunt"})).await;
    let text = found["data"][0]["content"][0]["text"].as_str().unwrap();
    assert_eq!(text, format!("{head}{tail}"));
}

#[tokio::test]
async fn what_does_not_fit_together_is_named_and_the_upload_goes_on() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let upload = begin(&ada, 6).await;
    let (abc, def) = (
        part(&ada, &upload, b"abc").await,
        part(&ada, &upload, b"def").await,
    );
    let unknown = insula_tenancy::PartId::generate().to_string();
    // MD5 of "abcdef", from `md5sum`.
    let md5 = "e80b5017098950fc58aad83c8c14978e";
    for (body, status, param) in [
        (json!({"part_ids": []}), 400, "part_ids"),
        (json!({"part_ids": [abc]}), 400, "part_ids"),
        (json!({"part_ids": [abc, abc]}), 400, "part_ids[1]"),
        (json!({"part_ids": [abc, unknown]}), 404, "part_ids[1]"),
        (json!({"part_ids": [abc, "part_x"]}), 404, "part_ids[1]"),
        (json!({"part_ids": [def, abc], "md5": md5}), 400, "md5"),
        (json!({"part_ids": [abc, def], "md5": "x"}), 400, "md5"),
    ] {
        let error = complete(&ada, &upload, body.clone()).await.refused(status);
        assert_eq!(error["param"], param, "{body}: {error}");
    }
    assert!(files(&ada).await.is_empty());
    eventually("what was assembled in vain is removed", async || {
        (app.blob_names().len() == 2).then_some(())
    })
    .await;
    let body = json!({"part_ids": [abc, def], "md5": md5.to_uppercase()});
    let done = complete(&ada, &upload, body).await.ok();
    assert_eq!(content(&ada, &done["file"]).await, b"abcdef");
}

#[tokio::test]
async fn a_wrong_beginning_is_named() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let good = json!({"filename": "a.txt", "purpose": "assistants", "bytes": 5, "mime_type": "text/plain"});
    for (field, value, param) in [
        ("filename", json!("dir/"), "filename"),
        ("purpose", json!("fun"), "purpose"),
        ("purpose", json!("batch_output"), "purpose"),
        ("bytes", json!(0), "bytes"),
        ("bytes", json!(5u64 * 1024 * 1024 * 1024 + 1), "bytes"),
        ("mime_type", json!(""), "mime_type"),
        (
            "expires_after",
            json!({"anchor": "created_at", "seconds": 1}),
            "expires_after.seconds",
        ),
    ] {
        let mut body = good.clone();
        body[field] = value;
        assert_eq!(
            ada.post("/v1/uploads", body.clone()).await.refused(400)["param"],
            param,
            "{body}"
        );
        body.as_object_mut().unwrap().remove(field);
        if field != "expires_after" {
            assert_eq!(ada.post("/v1/uploads", body).await.refused(400)["param"], field);
        }
    }
    let upload = begin(&ada, 5).await;
    assert_eq!(ada.upload_part(&upload, b"").await.refused(400)["param"], "data");
    ada.post(&format!("/v1/uploads/{upload}/parts"), json!({}))
        .await
        .refused(400);
    ada.upload_part(&upload, &vec![7; 64 * 1024 * 1024 + 1])
        .await
        .refused(413);
    eventually("refused parts are removed", async || {
        app.blob_names().is_empty().then_some(())
    })
    .await;
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn an_upload_that_is_complete_stays_so_and_can_be_asked_for_again() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let upload = begin(&ada, 2).await;
    let (a, b) = (part(&ada, &upload, b"a").await, part(&ada, &upload, b"b").await);
    // Several at once, as a client does that has lost its patience: one copies, the others come back.
    let asked = futures::future::join_all((0..6).map(|_| async {
        eventually("it is completed", async || {
            let answer = complete(&ada, &upload, json!({"part_ids": [a, b]})).await;
            if answer.status == 503 {
                assert!(answer.header("retry-after").is_some());
                return None;
            }
            Some(answer.ok())
        })
        .await
    }))
    .await;
    assert!(asked.iter().all(|answer| *answer == asked[0]), "{asked:?}");
    assert_eq!(files(&ada).await.len(), 1);

    let error = complete(&ada, &upload, json!({"part_ids": [b, a]}))
        .await
        .refused(400);
    assert_eq!(error["code"], "upload_not_pending");
    ada.upload_part(&upload, b"c").await.refused(400);
    cancel(&ada, &upload).await.refused(400);
    app.run_jobs().await;
    assert_eq!(app.blob_names().len(), 1);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn an_upload_that_is_given_up_leaves_nothing() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let upload = begin(&ada, 1).await;
    let a = part(&ada, &upload, b"a").await;
    for _ in 0..2 {
        assert_eq!(cancel(&ada, &upload).await.ok()["status"], "cancelled");
    }
    let error = complete(&ada, &upload, json!({"part_ids": [a]}))
        .await
        .refused(400);
    assert_eq!(error["code"], "upload_not_pending");
    ada.upload_part(&upload, b"b").await.refused(400);
    app.run_jobs().await;
    assert!(app.blob_names().is_empty());
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn after_an_hour_an_upload_has_expired_and_its_parts_go() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let (adas, bobs) = (begin(&ada, 1).await, begin(&bob, 1).await);
    let (a, b) = (part(&ada, &adas, b"a").await, part(&bob, &bobs, b"b").await);
    // Too early, the job only waits for the right time.
    app.bring_forward("expire_upload").await;
    app.run_jobs().await;
    assert_eq!(app.blob_names().len(), 2);
    sqlx::query("update uploads set expires_at = now() - interval '1 second' where tenant_id = $1")
        .bind(ada.tenant_id().uuid())
        .execute(app.owner())
        .await
        .unwrap();
    for _ in 0..2 {
        // Before the job and after it.
        for answer in [
            ada.upload_part(&adas, b"x").await,
            complete(&ada, &adas, json!({"part_ids": [a]})).await,
            cancel(&ada, &adas).await,
        ] {
            let error = answer.refused(400);
            assert!(error["message"].as_str().unwrap().contains("expired"), "{error}");
        }
        app.bring_forward("expire_upload").await;
        app.run_jobs().await;
    }
    eventually("ada's part is gone", async || {
        (app.blob_names().len() == 1).then_some(())
    })
    .await;
    complete(&bob, &bobs, json!({"part_ids": [b]})).await.ok();
    assert_invariants(app.owner()).await;
}

/// Backdates everything below a folder by two days.
fn age(folder: &Path) {
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(48 * 3600);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path);
        } else {
            std::fs::File::open(&path)
                .unwrap()
                .set_modified(long_ago)
                .unwrap();
        }
    }
}

#[tokio::test]
async fn a_server_killed_at_any_moment_of_a_completion_leaves_the_upload_or_the_whole_file() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let binary = insula_binary().await;
    let parts: Vec<Vec<u8>> = (0..6u8).map(|n| vec![n; 4 * 1024 * 1024]).collect();
    let whole = parts.concat();
    let address = free_address();
    let serve = || {
        let url = app.database.app_url();
        let more = ["--listen", &address.to_string(), "--worker", "false"];
        ServerProcess::start(&binary, "serve", &more, url.as_str(), &app.blobs())
    };
    let over_http = Client::at(address, &ada);
    let (mut completed, mut interrupted) = (0, 0);
    for milliseconds in [5, 60, 150, 300] {
        let upload = begin(&ada, whole.len()).await;
        let mut part_ids = Vec::new();
        for bytes in &parts {
            part_ids.push(part(&ada, &upload, bytes).await);
        }
        let body = json!({"part_ids": part_ids});
        let server = serve();
        server.ready(&over_http).await;
        let path = format!("/v1/uploads/{upload}/complete");
        let request = over_http.request(reqwest::Method::POST, &path).json(&body);
        let answered = tokio::time::timeout(Duration::from_millis(milliseconds), request.send()).await;
        server.kill().await;
        assert_invariants(app.owner()).await;
        let before = files(&ada).await;
        assert!(
            answered.is_err() || before.len() == completed + 1,
            "answered, and not there"
        );
        interrupted += usize::from(before.len() == completed);

        // As if a minute had passed.
        sqlx::query(
            "update uploads set assembler_until = now() - interval '1 second' where assembler is not null",
        )
        .execute(app.owner())
        .await
        .unwrap();
        let done = complete(&ada, &upload, body).await.ok();
        assert!(
            content(&ada, &done["file"]).await == whole,
            "other bytes after {milliseconds} ms"
        );
        completed += 1;
        assert_eq!(files(&ada).await.len(), completed, "a file too many");
    }
    assert!(interrupted > 0, "no server died under way");
    // What the killed servers had stored for nobody goes with the daily clean-up.
    age(&app.blobs());
    app.bring_forward("housekeeping").await;
    app.run_jobs().await;
    assert_eq!(app.blob_names().len(), completed, "{:?}", app.blob_names());
    assert_invariants(app.owner()).await;
}

/// A small file system over a folder, until it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn over(folder: PathBuf) -> Option<Self> {
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"])
            .arg(&folder)
            .output();
        match mount {
            Ok(done) if done.status.success() => {
                let disk = Self(folder);
                std::fs::create_dir(disk.0.join("tmp")).unwrap();
                Some(disk)
            }
            _ => {
                eprintln!("skipped: a small file system can only be mounted by root");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_said_and_leaves_nothing_half_written() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let Some(_disk) = SmallDisk::over(app.blobs()) else {
        return;
    };
    let large = vec![7; 1024 * 1024];
    let upload = begin(&ada, large.len()).await;
    for answer in [
        ada.upload_with("a.bin", &large, &[("purpose", "assistants")])
            .await,
        ada.upload_part(&upload, &large).await,
    ] {
        let error = answer.refused(503);
        assert!(error["message"].as_str().unwrap().contains("no room"), "{error}");
        assert!(answer.header("retry-after").is_some());
        assert!(app.blob_names().is_empty(), "{:?}", app.blob_names());
    }
    assert!(files(&ada).await.is_empty());
    assert_invariants(app.owner()).await;

    // What fits is stored. The parts fit, the whole beside them does not.
    let half = vec![7; 150 * 1024];
    let upload = begin(&ada, 2 * half.len()).await;
    let parts = [part(&ada, &upload, &half).await, part(&ada, &upload, &half).await];
    complete(&ada, &upload, json!({"part_ids": parts}))
        .await
        .refused(503);
    assert_eq!(app.blob_names().len(), 2, "the parts are still there");
    assert!(files(&ada).await.is_empty());
    assert_invariants(app.owner()).await;
}
