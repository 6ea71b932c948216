//! Sources: a site in the world outside is read into a store, and read again.

use insula_tests::{Client, Reply, Setup, TestApp, Web, assert_invariants};
use serde_json::{Value, json};

async fn start() -> (TestApp, Web) {
    let setup = Setup {
        worker: false,
        outbound_allow: vec!["127.0.0.0/8".parse().unwrap()],
        ..Setup::default()
    };
    (TestApp::with(setup).await, Web::start().await)
}

/// A page with this text and these links.
fn page(text: &str, links: &[&str]) -> Reply {
    let links: String = links
        .iter()
        .map(|link| format!("<a href='{link}'>more</a> "))
        .collect();
    Reply::html(format!("<title>{text}</title><p>{text}</p>{links}"))
}

async fn create(client: &Client, store: &str, url: &str, more: Value) -> String {
    let mut body = json!({"vector_store_id": store, "url": url});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let made = client.post("/v1/insula/sources", body).await.ok();
    assert_eq!(made["status"], "waiting");
    made["id"].as_str().unwrap().to_owned()
}

async fn get(client: &Client, id: &str) -> Value {
    client.get(&format!("/v1/insula/sources/{id}")).await.ok()
}

async fn refresh(client: &Client, id: &str) {
    client
        .post(&format!("/v1/insula/sources/{id}/refresh"), json!({}))
        .await
        .ok();
}

/// Path and status of every address of a source.
async fn pages(client: &Client, id: &str, web: &Web) -> Vec<(String, String)> {
    let listed = client.get(&format!("/v1/insula/sources/{id}/pages")).await.ok();
    let pages = listed["data"].as_array().unwrap().iter();
    pages
        .map(|page| {
            let url = page["url"].as_str().unwrap();
            let path = url.strip_prefix(&web.url("")).unwrap_or(url);
            (path.to_owned(), page["status"].as_str().unwrap().to_owned())
        })
        .collect()
}

/// The files of a store: attribute `url` without the site, and id.
async fn files(client: &Client, store: &str, web: &Web) -> Vec<(String, String)> {
    let listed = client
        .get(&format!("/v1/vector_stores/{store}/files?limit=100&order=asc"))
        .await
        .ok();
    let mut files: Vec<_> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            let url = file["attributes"]["url"].as_str().unwrap();
            let path = url.strip_prefix(&web.url("")).unwrap_or(url);
            (path.to_owned(), file["id"].as_str().unwrap().to_owned())
        })
        .collect();
    files.sort();
    files
}

fn paths(files: &[(String, String)]) -> Vec<&str> {
    files.iter().map(|(path, _)| path.as_str()).collect()
}

/// Runs what was planned for a little later, such as the next part of a crawl.
async fn run(app: &TestApp) {
    loop {
        app.run_jobs().await;
        let planned = sqlx::query(
            "update jobs set run_at = now() where state = 'ready' and run_at > now()
             and kind in ('crawl_source', 'settle_source', 'deliver_webhook')",
        )
        .execute(app.owner())
        .await
        .unwrap();
        if planned.rows_affected() == 0 {
            return;
        }
    }
}

#[tokio::test]
async fn a_page_becomes_a_file_that_can_be_searched() {
    let (app, web) = start().await;
    let (ada, bob) = app.two_tenants().await;
    web.put("/docs/tides", page("The moon pulls the sea.", &["/other"]));
    web.put("/other", page("Not asked for.", &[]));
    let store = ada.store("web", &[]).await;
    let more = json!({"attributes": {"team": "sea"}});
    let source = create(&ada, &store, &web.url("/docs/tides#part"), more).await;
    run(&app).await;
    let found = get(&ada, &source).await;
    assert_eq!(found["status"], "idle", "{found}");
    assert_eq!(found["url"], web.url("/docs/tides"), "without its fragment");
    assert_eq!(
        found["pages"],
        json!({"queued": 0, "stored": 1, "skipped": 0, "gone": 0, "failed": 0})
    );
    assert!(found["last_crawled_at"].is_i64() && found["next_crawl_at"].is_null());
    let hits = ada.search(&store, json!({"query": "What pulls the sea?"})).await;
    let hit = &hits["data"][0];
    assert_eq!(hit["filename"], "docs-tides.html");
    assert_eq!(
        hit["attributes"],
        json!({"team": "sea", "url": web.url("/docs/tides")})
    );
    assert!(web.seen("/other").is_empty(), "depth 0 is this page only");
    assert_eq!(web.seen("/robots.txt").len(), 1);
    let agent = web.seen("/docs/tides")[0].headers["user-agent"].clone();
    assert!(agent.to_str().unwrap().starts_with("Insula/"));

    bob.get(&format!("/v1/insula/sources/{source}"))
        .await
        .refused(404);
    bob.delete(&format!("/v1/insula/sources/{source}"))
        .await
        .refused(404);
    let theirs = json!({"vector_store_id": store, "url": web.url("/")});
    let error = bob.post("/v1/insula/sources", theirs).await.refused(404);
    assert_eq!(error["param"], "vector_store_id");
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn links_are_followed_as_deep_and_as_far_as_asked() {
    let (app, web) = start().await;
    let ada = app.tenant("ada").await;
    web.put(
        "/",
        page(
            "The front page.",
            &["/a", "/b", "/picture", "https://elsewhere.example/x"],
        ),
    );
    web.put("/a", page("Page a.", &["/a/deep", "/"]));
    web.put("/b", page("Page b.", &["/a/deep", "/missing"]));
    web.put("/a/deep", page("Two links away.", &["/a/deeper"]));
    web.put("/a/deeper", page("Three links away.", &[]));
    web.put("/picture", Reply::of("image/png", "png"));
    let store = ada.store("web", &[]).await;
    let source = create(&ada, &store, &web.url("/"), json!({"max_depth": 2})).await;
    run(&app).await;
    assert_eq!(
        paths(&files(&ada, &store, &web).await),
        ["/", "/a", "/a/deep", "/b"]
    );
    let pages = pages(&ada, &source, &web).await;
    let expected = [
        ("/", "stored"),
        ("/a", "stored"),
        ("/b", "stored"),
        ("/picture", "skipped"),
        ("/a/deep", "stored"),
        ("/missing", "gone"),
    ];
    assert_eq!(pages, expected.map(|(path, state)| (path.into(), state.into())));

    let few = ada.store("few", &[]).await;
    create(&ada, &few, &web.url("/"), json!({"max_depth": 3, "max_pages": 2})).await;
    run(&app).await;
    assert_eq!(paths(&files(&ada, &few, &web).await), ["/", "/a"]);
}

#[tokio::test]
async fn robots_txt_and_noindex_are_obeyed() {
    let (app, web) = start().await;
    let ada = app.tenant("ada").await;
    let robots =
        "User-agent: *\nDisallow: /\n\nUser-agent: Insula\nDisallow: /private\nAllow: /private/open\n";
    web.put("/robots.txt", Reply::of("text/plain", robots));
    web.put(
        "/",
        page("The front page.", &["/private/a", "/private/open", "/hidden"]),
    );
    web.put("/private/a", page("Private.", &[]));
    web.put("/private/open", page("Open.", &[]));
    web.put(
        "/hidden",
        page("<meta name=robots content=noindex>Hidden.", &["/behind"]),
    );
    web.put("/behind", page("Behind.", &[]).with("x-robots-tag", "noindex"));
    let store = ada.store("web", &[]).await;
    let source = create(&ada, &store, &web.url("/"), json!({"max_depth": 3})).await;
    run(&app).await;
    assert_eq!(paths(&files(&ada, &store, &web).await), ["/", "/private/open"]);
    assert!(web.seen("/private/a").is_empty(), "not even asked for");
    assert_eq!(web.seen("/behind").len(), 1, "noindex is not nofollow");
    assert_eq!(get(&ada, &source).await["pages"]["skipped"], 3);

    // A site whose rules cannot be read is not read.
    web.put("/robots.txt", Reply::status(500));
    let other = ada.store("other", &[]).await;
    let source = create(&ada, &other, &web.url("/"), json!({})).await;
    run(&app).await;
    let failed = get(&ada, &source).await;
    assert_eq!(failed["status"], "failed");
    assert!(
        failed["last_error"].as_str().unwrap().contains("robots.txt"),
        "{failed}"
    );
}

#[tokio::test]
async fn a_sitemap_names_its_pages() {
    let (app, web) = start().await;
    let ada = app.tenant("ada").await;
    let index = format!(
        "<sitemapindex><sitemap><loc>{}</loc></sitemap><sitemap><loc>https://elsewhere.example/s.xml</loc></sitemap>\
         </sitemapindex>",
        web.url("/pages.xml")
    );
    web.put("/sitemap.xml", Reply::of("application/xml", index));
    let list = format!(
        "<urlset><url><loc>{}</loc></url><url><loc>{}</loc></url></urlset>",
        web.url("/a"),
        web.url("/b?x=1&amp;y=2")
    );
    web.put("/pages.xml", Reply::of("application/xml", list));
    web.put("/a", page("Page a.", &["/linked"]));
    web.put("/b?x=1&y=2", page("Page b.", &[]));
    web.put("/linked", page("Not in the sitemap.", &[]));
    let store = ada.store("web", &[]).await;
    let more = json!({"type": "sitemap", "max_depth": 3});
    let source = create(&ada, &store, &web.url("/sitemap.xml"), more).await;
    run(&app).await;
    assert_eq!(paths(&files(&ada, &store, &web).await), ["/a", "/b?x=1&y=2"]);
    assert_eq!(get(&ada, &source).await["pages"]["stored"], 2);

    let none = create(&ada, &store, &web.url("/a"), json!({"type": "sitemap"})).await;
    run(&app).await;
    assert_eq!(get(&ada, &none).await["last_error"], "It is not a sitemap.");
}

#[tokio::test]
async fn a_second_crawl_changes_only_what_changed() {
    let (app, web) = start().await;
    let ada = app.tenant("ada").await;
    web.put(
        "/",
        page("The front page.", &["/same", "/tagged", "/changing", "/going"]),
    );
    web.put("/same", page("Always the same.", &[]));
    web.put("/tagged", page("Tagged.", &[]).with("etag", "\"1\""));
    web.put("/changing", page("The tower is blue.", &[]));
    web.put("/going", page("Soon gone.", &[]));
    let store = ada.store("web", &[]).await;
    let source = create(&ada, &store, &web.url("/"), json!({"max_depth": 1})).await;
    run(&app).await;
    let before = files(&ada, &store, &web).await;
    assert_eq!(paths(&before), ["/", "/changing", "/going", "/same", "/tagged"]);

    web.put(
        "/",
        page("The front page.", &["/same", "/tagged", "/changing", "/new"]),
    );
    web.put("/changing", page("The tower is green.", &[]));
    web.put("/new", page("Brand new.", &[]));
    web.remove("/going");
    refresh(&ada, &source).await;
    run(&app).await;
    let after = files(&ada, &store, &web).await;
    assert_eq!(paths(&after), ["/", "/changing", "/new", "/same", "/tagged"]);
    let id = |files: &[(String, String)], path: &str| {
        files.iter().find(|(found, _)| found == path).unwrap().1.clone()
    };
    for same in ["/same", "/tagged"] {
        assert_eq!(id(&before, same), id(&after, same), "{same}");
    }
    assert_ne!(id(&before, "/changing"), id(&after, "/changing"));
    let asked = &web.seen("/tagged")[1].headers;
    assert_eq!(asked["if-none-match"], "\"1\"");
    for gone in [id(&before, "/changing"), id(&before, "/going")] {
        ada.get(&format!("/v1/files/{gone}")).await.refused(404);
    }
    let hits = ada
        .search(&store, json!({"query": "Which colour has the tower?"}))
        .await;
    let text = hits["data"].to_string();
    assert!(text.contains("green") && !text.contains("blue"), "{text}");
    assert_eq!(get(&ada, &source).await["pages"]["gone"], 1);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn the_old_version_is_found_until_the_new_one_is() {
    let (app, web) = start().await;
    let ada = app.tenant("ada").await;
    web.put("/", page("The tower is blue.", &[]));
    let store = ada.store("web", &[]).await;
    let source = create(&ada, &store, &web.url("/"), json!({})).await;
    run(&app).await;
    // A new version in which there is nothing to read.
    web.put("/", Reply::html("<p> </p>"));
    refresh(&ada, &source).await;
    run(&app).await;
    let search = async || ada.search(&store, json!({"query": "tower"})).await["data"].to_string();
    assert!(search().await.contains("blue"));
    web.put("/", page("The tower is green.", &[]));
    refresh(&ada, &source).await;
    run(&app).await;
    let text = search().await;
    assert!(text.contains("green") && !text.contains("blue"), "{text}");
    assert_eq!(files(&ada, &store, &web).await.len(), 1);
}

#[tokio::test]
async fn a_site_that_fails_now_and_then_is_asked_again_and_keeps_its_pages() {
    let (app, web) = start().await;
    let ada = app.tenant("ada").await;
    web.put("/", page("The front page.", &[]));
    let store = ada.store("web", &[]).await;
    let source = create(&ada, &store, &web.url("/"), json!({})).await;
    run(&app).await;
    web.put("/", Reply::status(503).with("retry-after", "1"));
    refresh(&ada, &source).await;
    run(&app).await;
    assert_eq!(web.seen("/").len(), 1 + 3, "three tries");
    let failed = get(&ada, &source).await;
    assert_eq!(
        (&failed["status"], &failed["pages"]["failed"]),
        (&json!("failed"), &json!(1))
    );
    assert_eq!(
        paths(&files(&ada, &store, &web).await),
        ["/"],
        "what was read stays"
    );
}

#[tokio::test]
async fn nothing_inside_is_read() {
    let web = Web::start().await;
    web.put("/", page("Inside.", &[]));
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let store = ada.store("web", &[]).await;
    for url in [
        web.url("/"),
        "http://127.0.0.1/".into(),
        "http://0x7f.1/".into(),
        "http://[::1]/".into(),
        "http://169.254.169.254/".into(),
        "http://192.168.0.1/".into(),
        "file:///etc/passwd".into(),
        "http://user@example.com/".into(),
    ] {
        let body = json!({"vector_store_id": store, "url": url});
        let error = ada.post("/v1/insula/sources", body).await.refused(400);
        assert_eq!(error["param"], "url", "{url}");
    }
    // A name says where it leads only when it is asked.
    let source = create(&ada, &store, "http://localhost/", json!({})).await;
    run(&app).await;
    let failed = get(&ada, &source).await;
    assert_eq!(failed["last_error"], "'localhost' is not on the public internet.");
    assert!(web.seen("").is_empty());
}

#[tokio::test]
async fn redirects_are_checked_like_any_address() {
    let (app, web) = start().await;
    let (ada, other) = (app.tenant("ada").await, Web::start().await);
    other.put("/", page("Another site.", &["/more"]));
    other.put("/more", page("More of it.", &[]));
    web.put(
        "/",
        page("The front page.", &["/inside", "/away", "/round", "/moved"]),
    );
    web.put("/inside", Reply::redirect("http://10.0.0.1/"));
    web.put("/away", Reply::redirect(other.url("/")));
    web.put("/round", Reply::redirect("/round"));
    web.put("/moved", Reply::redirect("/here"));
    web.put("/here", page("Moved here.", &[]));
    let store = ada.store("web", &[]).await;
    let source = create(&ada, &store, &web.url("/"), json!({"max_depth": 1})).await;
    run(&app).await;
    assert_eq!(paths(&files(&ada, &store, &web).await), ["/", "/here"]);
    assert!(
        other.seen("").is_empty(),
        "a link does not lead away from its site"
    );
    let states = pages(&ada, &source, &web).await;
    assert!(
        states.contains(&("/inside".into(), "failed".into())),
        "{states:?}"
    );
    assert!(states.contains(&("/away".into(), "skipped".into())), "{states:?}");

    // The source's own address may say where its site is.
    web.put("/", Reply::redirect(other.url("/")));
    let moved = ada.store("moved", &[]).await;
    create(&ada, &moved, &web.url("/"), json!({"max_depth": 1})).await;
    run(&app).await;
    assert_eq!(paths(&files(&ada, &moved, &other).await), ["/", "/more"]);
}

#[tokio::test]
async fn a_schedule_begins_crawls_and_a_deleted_source_takes_its_files_along() {
    let (app, web) = start().await;
    let ada = app.tenant("ada").await;
    web.put("/", page("The front page.", &[]));
    let store = ada.store("web", &[]).await;
    let source = create(&ada, &store, &web.url("/"), json!({"refresh_every_hours": 24})).await;
    run(&app).await;
    let found = get(&ada, &source).await;
    let pause = found["next_crawl_at"].as_i64().unwrap() - found["last_crawled_at"].as_i64().unwrap();
    assert_eq!(pause, 24 * 3600);
    sqlx::query("update jobs set run_at = now() where kind = 'refresh_source' and state = 'ready'")
        .execute(app.owner())
        .await
        .unwrap();
    run(&app).await;
    assert_eq!(web.seen("/").len(), 2);
    assert!(get(&ada, &source).await["next_crawl_at"].is_i64());

    let path = format!("/v1/insula/sources/{source}");
    ada.delete(&path).await.ok();
    ada.get(&path).await.refused(404);
    run(&app).await;
    assert!(files(&ada, &store, &web).await.is_empty());
    let left = ada.get("/v1/files").await.ok();
    assert_eq!(left["data"], json!([]));

    let kept = create(&ada, &store, &web.url("/"), json!({})).await;
    run(&app).await;
    ada.delete(&format!("/v1/insula/sources/{kept}?keep_files=true"))
        .await
        .ok();
    run(&app).await;
    assert_eq!(files(&ada, &store, &web).await.len(), 1);
}

#[tokio::test]
async fn requests_out_of_range_name_their_field() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let store = ada.store("web", &[]).await;
    for (field, value) in [
        ("max_depth", json!(4)),
        ("max_pages", json!(0)),
        ("max_pages", json!(1001)),
        ("refresh_every_hours", json!(0)),
        ("type", json!("feed")),
        ("attributes", json!({"url": "mine"})),
    ] {
        let mut body = json!({"vector_store_id": store, "url": "https://docs.example/"});
        body[field] = value;
        let error = ada.post("/v1/insula/sources", body).await.refused(400);
        assert_eq!(error["param"], field, "{error}");
    }
}

#[tokio::test]
async fn a_finished_crawl_is_told() {
    let (app, web) = start().await;
    let ada = app.tenant("ada").await;
    web.put("/", page("The front page.", &[]));
    web.put("/hook", Reply::status(200));
    let hook = json!({"url": web.url("/hook"), "events": ["source.crawled"]});
    ada.post("/v1/insula/webhooks", hook).await.ok();
    let store = ada.store("web", &[]).await;
    let source = create(&ada, &store, &web.url("/"), json!({})).await;
    run(&app).await;
    let told: Value = serde_json::from_slice(&web.seen("/hook")[0].body).unwrap();
    assert_eq!(
        told["data"],
        json!({"source_id": source, "vector_store_id": store, "status": "idle"})
    );
}
