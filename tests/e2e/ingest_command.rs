//! `insula ingest` as a person or a script runs it: the real binary against the real server.

mod run;

use std::path::Path;

use insula_tests::{Client, Refusing, ServerProcess, Setup, TestApp, eventually, free_address};
use serde_json::json;

use self::run::{Folder, ended, files, interrupt, paths, uploads};

const LIGHTHOUSE: &str = "The lighthouse of Skerryvore was lit in 1844 by Alan Stevenson.";

#[tokio::test]
async fn a_folder_is_ingested_once_and_then_only_what_changes() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let folder = Folder::with(&[
        ("docs/light.md", LIGHTHOUSE),
        ("docs/deep/er/tea.txt", "Tea is picked in spring."),
        ("docs/.hidden", "no"),
        ("docs/built.log", "no"),
        ("docs/.gitignore", "*.log"),
    ])
    .await;

    let first = folder.ingest(&ada, &["--json"]).await.json(0);
    let store = first["store"]["id"].as_str().unwrap().to_owned();
    assert_eq!(first["store"]["name"], "library");
    let bytes = LIGHTHOUSE.len() + "Tea is picked in spring.".len();
    for (key, value) in [
        ("ready", json!(2)),
        ("skipped", json!(0)),
        ("failed", json!([])),
        ("deleted", json!(0)),
        ("bytes", json!(bytes)),
        ("interrupted", json!(false)),
        ("error", json!(null)),
    ] {
        assert_eq!(first[key], value, "{key}: {first}");
    }
    assert!(first["seconds"].as_f64().unwrap() > 0.0 && first["files_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(
        paths(&ada, &store).await,
        ["docs/deep/er/tea.txt", "docs/light.md"]
    );
    let found = ada
        .search(
            &store,
            json!({"query": "who lit Skerryvore?", "max_num_results": 1}),
        )
        .await;
    let attributes = &found["data"][0]["attributes"];
    assert_eq!(attributes["path"], "docs/light.md");
    assert_eq!(attributes["sha256"].as_str().unwrap().len(), 64);
    assert!(
        attributes["mtime"].as_i64().unwrap() > 1_700_000_000,
        "{attributes}"
    );

    let before = files(&ada, &store).await;
    let second = folder.ingest(&ada, &["--json"]).await.json(0);
    assert_eq!(
        (&second["ready"], &second["skipped"], &second["bytes"]),
        (&json!(0), &json!(2), &json!(0))
    );
    assert_eq!(files(&ada, &store).await, before);

    folder.write("docs/light.md", "The lighthouse of Bell Rock was lit in 1811.");
    let third = folder.ingest(&ada, &["--json", "--store", &store]).await;
    assert_eq!(third.code, Some(2), "a flag given twice is refused");
    let arguments = ["docs", "--json", "--store", &store];
    let third = ended(folder.start(&ada, &arguments)).await.json(0);
    assert_eq!((&third["ready"], &third["skipped"]), (&json!(1), &json!(1)));
    let after = files(&ada, &store).await;
    assert_eq!(after[0], before[0]);
    assert_eq!(after[1].0, "docs/light.md");
    assert_ne!(after[1].1, before[1].1);
    ada.get(&format!("/v1/files/{}", before[1].1)).await.refused(404);
    let found = ada.search(&store, json!({"query": "lighthouse"})).await;
    assert!(
        found.to_string().contains("Bell Rock") && !found.to_string().contains("Skerryvore"),
        "{found}"
    );
    assert_eq!(uploads(&ada).await, 2);

    // As it was: the server remembers that upload, but its file is gone.
    folder.write("docs/light.md", LIGHTHOUSE);
    assert_eq!(folder.ingest(&ada, &["--json"]).await.json(0)["ready"], 1);
    assert_eq!(uploads(&ada).await, 2);

    // What is Ada's is not there for Bob, whose store of the same name is another.
    let theirs = folder.ingest(&bob, &["--json", "--all"]).await.json(0);
    assert_eq!(theirs["ready"], 5);
    assert_ne!(theirs["store"]["id"], first["store"]["id"]);
    assert_eq!(ended(folder.start(&bob, &arguments)).await.json(2)["ready"], 0);
}

#[tokio::test]
async fn what_cannot_be_read_is_listed_with_its_reason_and_tried_again() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let folder = Folder::with(&[
        ("docs/a.md", "Some text."),
        ("docs/broken.pdf", "%PDF-1.7 and nothing more"),
    ])
    .await;
    let run = folder.ingest(&ada, &[]).await;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let line = run
        .stderr
        .lines()
        .find(|line| line.contains("docs/broken.pdf"))
        .unwrap();
    let store = ada.get("/v1/vector_stores").await.ok()["data"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let failed = ada
        .get(&format!("/v1/vector_stores/{store}/files?filter=failed"))
        .await
        .ok();
    let reason = &failed["data"][0]["last_error"];
    assert!(line.contains(reason["code"].as_str().unwrap()), "{line}");
    assert!(line.contains(reason["message"].as_str().unwrap()), "{line}");
    assert!(
        run.stdout.starts_with("1 ready, 0 skipped, 1 failed: "),
        "{}",
        run.stdout
    );

    // Its bytes are there, and are not sent again.
    let again = folder.ingest(&ada, &["--json"]).await.json(1);
    assert_eq!((&again["skipped"], &again["bytes"]), (&json!(1), &json!(0)));
    assert_eq!(again["failed"][0]["path"], "docs/broken.pdf");
    assert_eq!(again["failed"][0]["code"], reason["code"]);
    assert_eq!(uploads(&ada).await, 2);

    folder.write("docs/broken.pdf", "Not a PDF at all, but a text.");
    let healed = folder.ingest(&ada, &["--json"]).await.json(0);
    assert_eq!((&healed["ready"], &healed["skipped"]), (&json!(1), &json!(1)));
    assert_eq!(uploads(&ada).await, 2);
}

#[tokio::test]
async fn without_a_terminal_there_are_lines_and_no_bars() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let folder = Folder::with(&[("docs/a.md", "Some text.")]).await;
    let run = folder.ingest(&ada, &[]).await;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stderr.lines().any(|line| line.starts_with("sent 0/1 files")),
        "{}",
        run.stderr
    );
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.contains(['\u{1b}', '\r']), "{text:?}");
    }
    assert_eq!(run.stdout.lines().count(), 1);
    assert!(
        run.stdout.contains("1 ready") && run.stdout.contains("files/s"),
        "{}",
        run.stdout
    );
}

#[tokio::test]
async fn a_run_that_is_interrupted_while_files_are_read_goes_on_where_it_was() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let texts: Vec<_> = (0..5)
        .map(|n| (format!("docs/{n}.md"), format!("Text {n}.")))
        .collect();
    let texts: Vec<_> = texts
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let folder = Folder::with(&texts).await;
    let store = ada.store("library", &[]).await;
    let run = folder.start(&ada, &["docs", "--store", "library"]);
    eventually("all files are in the store", async || {
        (files(&ada, &store).await.len() == 5).then_some(())
    })
    .await;
    interrupt(&run).await;
    let run = ended(run).await;
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    assert!(
        run.stderr.contains("the same command again goes on"),
        "{}",
        run.stderr
    );

    let before = files(&ada, &store).await;
    let again = folder.start(&ada, &["docs", "--store", "library", "--json"]);
    app.run_jobs().await;
    let again = ended(again).await.json(0);
    assert_eq!(
        (&again["ready"], &again["bytes"]),
        (&json!(5), &json!(0)),
        "{again}"
    );
    let ids =
        |files: &[(String, String, String)]| files.iter().map(|file| file.1.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&files(&ada, &store).await), ids(&before));
    assert_eq!(uploads(&ada).await, 5);
}

#[tokio::test]
async fn a_run_that_is_interrupted_while_files_are_sent_sends_the_others_next_time() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let folder = Folder::with(&[]).await;
    for n in 0..100 {
        folder.write(&format!("docs/{n}.md"), &format!("Text {n}."));
    }
    let store = ada.store("library", &[]).await;
    let run = folder.start(&ada, &["docs", "--store", "library", "--parallel", "2"]);
    eventually("some files are in the store", async || {
        (files(&ada, &store).await.len() > 3).then_some(())
    })
    .await;
    interrupt(&run).await;
    assert_eq!(ended(run).await.code, Some(130));
    let sent = files(&ada, &store).await.len();
    assert!(sent < 100, "it was over before it was interrupted");

    let again = folder.start(&ada, &["docs", "--store", "library", "--json"]);
    eventually("all files are in the store", async || {
        (files(&ada, &store).await.len() == 100).then_some(())
    })
    .await;
    app.run_jobs().await;
    assert_eq!(ended(again).await.json(0)["ready"], 100);
    assert_eq!(files(&ada, &store).await.len(), 100);
    assert_eq!(uploads(&ada).await, 100, "an upload was left lying about");
}

#[tokio::test]
async fn a_server_that_dies_and_comes_back_costs_nothing_but_time() {
    let app = TestApp::with(Setup {
        worker: false,
        ..Setup::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    let folder = Folder::with(&[]).await;
    for n in 0..60 {
        folder.write(&format!("docs/{n}.md"), &format!("Text {n}."));
    }
    let address = free_address();
    let listen = address.to_string();
    let url = app.database.app_url();
    // The first one reads no files, so that it dies with no job in its hands.
    let serve = |worker: &str| {
        let arguments = ["--listen", &listen, "--worker", worker];
        ServerProcess::start(&folder.binary, "serve", &arguments, url.as_str(), &app.blobs())
    };
    let store = ada.store("library", &[]).await;
    let over_there = Client::at(address, &ada);
    let server = serve("false");
    server.ready(&over_there).await;
    let run = folder.start(
        &over_there,
        &["docs", "--store", "library", "--json", "--parallel", "1"],
    );
    eventually("some files are in the store", async || {
        (files(&ada, &store).await.len() > 3).then_some(())
    })
    .await;
    server.kill().await;
    assert!(
        files(&ada, &store).await.len() < 60,
        "it was over before the server died"
    );
    let server = serve("true");
    assert_eq!(ended(run).await.json(0)["ready"], 60);
    assert_eq!(files(&ada, &store).await.len(), 60);
    server.kill().await;
}

#[tokio::test]
async fn a_file_of_many_parts_arrives_as_it_is() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let text: String = (0..500).map(|n| format!("Line {n} of a long text.\n")).collect();
    let folder = Folder::with(&[("docs/long.txt", &text)]).await;
    let run = folder
        .ingest(&ada, &["--json", "--part-size", "1000"])
        .await
        .json(0);
    assert_eq!((&run["ready"], &run["bytes"]), (&json!(1), &json!(text.len())));
    let store = run["store"]["id"].as_str().unwrap();
    let (_, id, _) = &files(&ada, store).await[0];
    assert_eq!(ada.get(&format!("/v1/files/{id}/content")).await.bytes, text);
    assert_eq!(
        ada.get(&format!("/v1/files/{id}")).await.ok()["filename"],
        "long.txt"
    );
}

#[tokio::test]
async fn a_wrong_key_or_address_is_told_at_once_and_the_key_is_not() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let folder = Folder::with(&[("docs/a.md", "Some text.")]).await;
    let wrong = ada.with_key("isk_wrong");
    let run = folder.ingest(&wrong, &[]).await;
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(
        run.stderr.contains("INSULA_API_KEY") && !run.stderr.contains("isk_wrong"),
        "{}",
        run.stderr
    );
    let error = folder.ingest(&wrong, &["--json"]).await.json(2)["error"].clone();
    assert!(error.as_str().unwrap().contains("refused the key"), "{error}");

    let refusing = Refusing::bind();
    let nobody = refusing.address();
    let run = folder.ingest(&Client::at(nobody, &ada), &[]).await;
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains(&format!("cannot reach http://{nobody}")),
        "{}",
        run.stderr
    );

    let without = folder
        .command(&["docs", "--store", "library", "--url", &ada.url("")])
        .spawn()
        .unwrap();
    let run = ended(without).await;
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("--key-file"), "{}", run.stderr);

    std::fs::write(folder.path("key"), format!("{}\n", ada.key())).unwrap();
    let arguments = [
        "docs",
        "--store",
        "library",
        "--url",
        &ada.url("/v1"),
        "--key-file",
        "key",
        "--dry-run",
    ];
    let run = ended(folder.command(&arguments).spawn().unwrap()).await;
    assert_eq!(
        (run.code, run.stderr.lines().count()),
        (Some(0), 1),
        "{}",
        run.stderr
    );
}

#[tokio::test]
async fn usage_is_checked_before_anything_is_made() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let folder = Folder::with(&[("docs/a.md", "Some text.")]).await;
    let run = ended(folder.start(&ada, &["nothing", "--store", "library"])).await;
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("nothing"), "{}", run.stderr);
    let unknown = "vs_0198f0a67c3e7d3fa1b2c3d4e5f60718";
    let run = ended(folder.start(&ada, &["docs", "--store", unknown])).await;
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains(unknown), "{}", run.stderr);

    let dry = folder.ingest(&ada, &["--dry-run", "--json"]).await.json(0);
    assert_eq!(
        (&dry["store"], &dry["upload"]),
        (&json!(null), &json!(["docs/a.md"]))
    );
    assert_eq!(ada.get("/v1/vector_stores").await.ok()["data"], json!([]));

    let twins = [ada.store("library", &[]).await, ada.store("library", &[]).await];
    let run = folder.ingest(&ada, &[]).await;
    assert_eq!(run.code, Some(2));
    assert!(
        twins.iter().all(|id| run.stderr.contains(id.as_str())),
        "{}",
        run.stderr
    );
}

#[tokio::test]
async fn files_that_are_gone_are_removed_only_on_request() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let folder = Folder::with(&[
        ("docs/a.md", "Apples."),
        ("docs/b.md", "Bees."),
        ("other/c.md", "Cats."),
    ])
    .await;
    let all = ["docs", "other", "--store", "library", "--json"];
    let first = ended(folder.start(&ada, &all)).await.json(0);
    let store = first["store"]["id"].as_str().unwrap();
    // Not from a folder: never touched.
    let file = ada.upload("d.md", "Dogs.").await;
    let attach = json!({"file_id": file, "attributes": {"path": "docs/d.md"}});
    ada.post(&format!("/v1/vector_stores/{store}/files"), attach)
        .await
        .ok();

    for gone in ["docs/b.md", "other/c.md"] {
        std::fs::remove_file(folder.path(gone)).unwrap();
    }
    assert_eq!(folder.ingest(&ada, &["--json"]).await.json(0)["deleted"], 0);
    let dry = folder.ingest(&ada, &["--dry-run", "--delete"]).await;
    assert_eq!(
        dry.stdout.lines().next(),
        Some("would delete    docs/b.md"),
        "{}",
        dry.stdout
    );
    assert_eq!(files(&ada, store).await.len(), 4);
    assert_eq!(
        folder.ingest(&ada, &["--json", "--delete"]).await.json(0)["deleted"],
        1
    );
    assert_eq!(paths(&ada, store).await, ["docs/a.md", "docs/d.md", "other/c.md"]);
}

#[tokio::test]
async fn a_running_insula_dev_is_found_by_its_data_folder() {
    let app = TestApp::without_worker().await;
    let folder = Folder::with(&[("docs/a.md", "Some text.")]).await;
    let data = folder.path("data");
    let url = app.database.app_url();
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--json",
        "--data",
        data.to_str().unwrap(),
    ];
    let dev = ServerProcess::start(
        &folder.binary,
        "dev",
        &arguments,
        url.as_str(),
        Path::new("unused"),
    );
    eventually("it listens", async || data.join("address").exists().then_some(())).await;
    let arguments = ["docs", "--store", "library", "--json", "--data", "data"];
    let run = ended(folder.command(&arguments).spawn().unwrap()).await;
    assert_eq!(run.json(0)["ready"], 1);
    assert!(dev.terminate().await.success());
    let run = ended(folder.command(&arguments).spawn().unwrap()).await;
    let error = run.json(2)["error"].clone();
    assert!(
        error.as_str().unwrap().contains("insula dev --data data"),
        "{error}"
    );
}
