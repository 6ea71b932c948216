use super::*;
use crate::openai::Timeouts;

const FILE: &str = r#"
[[provider]]
name = "openai"
kind = "openai_compatible"
base_url = "https://api.openai.com/v1/"
api_key_env = "OPENAI_API_KEY"
headers = { "OpenAI-Organization" = "org-1" }
timeouts = { first_token = 1.5, total = 90 }

[[provider]]
name = "local"
kind = "openai_compatible"
base_url = "http://127.0.0.1:8080/v1"

[[route]]
model = "gpt-5-mini"
provider = "openai"
context_window = 400000

[[route]]
model = "small"
provider = "local"
upstream_model = "qwen3:4b"
owned_by = "us"
"#;

fn wrong(text: &str) -> (usize, String, String) {
    match Routes::parse(text) {
        Err(RoutesError::Invalid { line, field, message }) => (line, field, message),
        other => panic!("{other:?}"),
    }
}

fn endpoint<'a>(routes: &'a Routes, name: &str) -> &'a Endpoint {
    match &routes.provider(name).expect("provider").kind {
        ProviderKind::Http(endpoint) => endpoint,
        other => panic!("{other:?}"),
    }
}

/// `FILE` with one piece replaced.
fn with(old: &str, new: &str) -> String {
    assert!(FILE.contains(old), "{old}");
    FILE.replacen(old, new, 1)
}

#[test]
fn a_whole_file() {
    let routes = Routes::parse(FILE).expect("valid");
    let names: Vec<_> = routes.routes().iter().map(|route| route.model.as_str()).collect();
    assert_eq!(names, [EXTRACTIVE, "gpt-5-mini", "small"]);
    let route = routes.find("small").expect("route");
    let target = Target {
        provider: "local".into(),
        upstream_model: "qwen3:4b".into(),
    };
    assert_eq!(
        (route.targets.as_slice(), route.owned_by.as_str()),
        ([target].as_slice(), "us")
    );
    let route = routes.find("gpt-5-mini").expect("route");
    assert_eq!(
        (route.targets[0].upstream_model.as_str(), route.context_window),
        ("gpt-5-mini", Some(400_000))
    );
    let openai = endpoint(&routes, "openai");
    assert_eq!(
        openai.timeouts.first_token,
        std::time::Duration::from_millis(1500)
    );
    assert_eq!(openai.timeouts.between_chunks, Timeouts::default().between_chunks);
    assert_eq!(openai.headers[0].0, "OpenAI-Organization");
}

#[test]
fn the_extractive_model_is_always_there() {
    for routes in [Routes::builtin(), Routes::parse("").expect("empty is valid")] {
        let route = routes.find(EXTRACTIVE).expect("route");
        let provider = routes.provider(&route.targets[0].provider).expect("provider");
        assert!(matches!(provider.kind, ProviderKind::Extractive));
        assert!(routes.find("gpt-5-mini").is_none());
    }
}

#[test]
fn a_route_may_take_over_the_name_of_a_built_in_one() {
    let routes = Routes::parse(&with("\"small\"", "\"insula/extractive\"")).expect("valid");
    assert_eq!(
        routes.find(EXTRACTIVE).expect("route").targets[0].provider,
        "local"
    );
    assert_eq!(
        routes
            .routes()
            .iter()
            .filter(|route| route.model == EXTRACTIVE)
            .count(),
        1
    );
}

#[test]
fn mistakes_are_named_with_line_and_field() {
    let cases = [
        (
            with("\"https://api.openai.com/v1/\"", "\"api.openai.com\""),
            5,
            "provider.base_url",
            "is no URL",
        ),
        (
            with("https://api", "https://user:pw@api"),
            5,
            "provider.base_url",
            "credentials",
        ),
        (
            with("http://127", "ftp://127"),
            13,
            "provider.base_url",
            "http:// or https://",
        ),
        (
            with("\"OPENAI_API_KEY\"", "\"sk-hush\""),
            6,
            "provider.api_key_env",
            "not a key",
        ),
        (
            with("OpenAI-Organization", "no header"),
            7,
            "provider.headers",
            "HTTP header",
        ),
        (
            with("first_token = 1.5", "first_token = 0"),
            8,
            "provider.timeouts.first_token",
            "more than 0",
        ),
        (
            with("\"local\"", "\"openai\""),
            11,
            "provider.name",
            "already used in line 3",
        ),
        (
            with("\"local\"", "\"extractive\""),
            11,
            "provider.name",
            "built-in",
        ),
        (
            with("\"small\"", "\"gpt-5-mini\""),
            21,
            "route.model",
            "already used in line 16",
        ),
        (
            with("provider = \"local\"", "provider = \"loco\""),
            22,
            "route.provider",
            "no [[provider]] named 'loco'",
        ),
        (with("400000", "0"), 18, "route.context_window", "at least 1"),
        (with("400000", "\"sk-hush\""), 18, "context_window", "wrong type"),
        (
            with("api_key_env = \"OPENAI_API_KEY\"", "api_key = \"sk-hush\""),
            6,
            "api_key",
            "unknown field",
        ),
        (with("openai_compatible", "bedrock"), 4, "kind", "unknown variant"),
        (
            with("model = \"gpt-5-mini\"\n", ""),
            15,
            "route",
            "missing field `model`",
        ),
        (with("name = \"openai\"", "name ="), 3, "name", ""),
    ];
    for (text, line, field, part) in cases {
        let (found_line, found_field, message) = wrong(&text);
        assert_eq!(
            (found_line, found_field.as_str()),
            (line, field),
            "{message}\n{text}"
        );
        assert!(message.contains(part), "{message}");
        assert!(!message.contains("hush"), "{message}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = Routes::from_file(Path::new("/nowhere/routes.toml")).expect_err("missing");
    assert!(error.to_string().contains("/nowhere/routes.toml"), "{error}");
}

#[test]
fn a_key_that_is_not_set_is_named_by_its_variable() {
    let routes = Routes::parse(FILE).expect("valid");
    let openai = endpoint(&routes, "openai");
    for unset in [None, Some(" ".to_owned())] {
        let error = openai.connect("openai", |_| unset.clone()).expect_err("no key");
        assert!(error.to_string().contains("OPENAI_API_KEY"), "{error}");
    }
    let model = openai
        .connect("openai", |name| Some(format!("{name}-value\n")))
        .expect("a key");
    assert!(!format!("{model:?}").contains("-value"), "no key in debug output");
}
