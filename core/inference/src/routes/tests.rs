use reqwest::header::HeaderName;

use super::*;
use crate::anthropic::JsonSchema;
use crate::endpoint::Wire;
use crate::openai::{ChatOption, Flavour, KeyHeader, Quirks, SystemRole, Timeouts, TokenLimitField};

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
    let target = &route.targets[0];
    assert_eq!(
        (
            route.targets.len(),
            &*target.provider,
            &*target.upstream_model,
            &*route.owned_by
        ),
        (1, "local", "qwen3:4b", "us")
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
        (with("400000", "0"), 18, "route.context_window", "between 1 and"),
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

fn provider(lines: &str) -> Result<Endpoint, RoutesError> {
    let routes = Routes::parse(&format!("[[provider]]\nname = \"p\"\n{lines}"))?;
    Ok(endpoint(&routes, "p").clone())
}

fn quirks(lines: &str) -> Quirks {
    match provider(lines).expect("valid").wire {
        Wire::OpenAi(quirks) => quirks,
        Wire::Anthropic(_) => panic!("{lines}"),
    }
}

#[test]
fn flavours_and_what_is_set_beside_them() {
    let base = "kind = \"openai_compatible\"\nbase_url = \"https://x.example/v1\"\n";
    assert_eq!(quirks(base), Quirks::default());
    let openai = "kind = \"openai_compatible\"\nbase_url = \"https://eu.api.openai.com/v1\"";
    assert_eq!(quirks(openai), Quirks::of(Flavour::Openai));
    assert_eq!(
        quirks(&format!("{base}flavour = \"tgi\"")),
        Quirks::of(Flavour::Tgi)
    );
    let lines = "flavour = \"ollama\"\nunsupported = [\"seed\"]\nstream_usage = false\n\
                 token_limit_field = \"max_completion_tokens\"\nsystem_role = \"developer\"\n\
                 path = \"/v2/{model}/chat\"\nextra_body = { top_k = 5, a = { b = [true] } }";
    let expected = Quirks {
        path: "/v2/{model}/chat".into(),
        embeddings_path: "/embeddings".into(),
        token_limit_field: TokenLimitField::MaxCompletionTokens,
        system_role: SystemRole::Developer,
        unsupported: vec![ChatOption::Seed],
        stream_usage: false,
        top_p_below_one: false,
        extra_body: serde_json::from_str(r#"{"top_k": 5, "a": {"b": [true]}}"#).expect("JSON"),
    };
    assert_eq!(quirks(&format!("{base}{lines}")), expected);
}

#[test]
fn keys_go_where_each_kind_takes_them() {
    let named = |name| KeyHeader::Named(HeaderName::from_static(name));
    let base = "kind = \"openai_compatible\"\nbase_url = \"https://x.example\"\n";
    for (lines, expected) in [
        (base.to_owned(), KeyHeader::Bearer),
        (format!("{base}flavour = \"azure\""), named("api-key")),
        (format!("{base}api_key_header = \"X-Key\""), named("x-key")),
        ("kind = \"anthropic\"".to_owned(), named("x-api-key")),
    ] {
        assert_eq!(provider(&lines).expect("valid").key_header, expected, "{lines}");
    }
}

#[test]
fn local_servers_are_on_this_machine() {
    let local = |lines: &str| provider(&format!("kind = \"local\"\n{lines}"));
    for here in [
        "http://localhost:1/v1",
        "http://127.0.0.9",
        "http://[::1]:8080/v1",
    ] {
        let endpoint = local(&format!("base_url = \"{here}\"")).expect(here);
        assert!(endpoint.local && !endpoint.http.tls, "{here}");
    }
    let endpoint = local("socket = \"/run/llama.sock\"").expect("a socket");
    assert_eq!(
        endpoint.http.socket.as_deref(),
        Some(Path::new("/run/llama.sock"))
    );
    assert_eq!(endpoint.base_url.as_str(), "http://localhost/v1");
    for there in [
        "http://10.0.0.1",
        "http://localhost.example",
        "https://api.openai.com/v1",
    ] {
        let error = local(&format!("base_url = \"{there}\"")).expect_err(there);
        assert!(error.to_string().contains("on this machine"), "{error}");
    }
    let near = "kind = \"openai_compatible\"\nbase_url = \"http://ollama:11434/v1\"\nlocal = true";
    assert!(provider(near).expect("valid").local, "the operator says so");
}

#[test]
fn anthropic_is_found_by_itself() {
    let endpoint = provider("kind = \"anthropic\"\nmax_tokens = 8\njson_schema = \"tool\"").expect("valid");
    assert_eq!(endpoint.base_url.as_str(), "https://api.anthropic.com/v1");
    let Wire::Anthropic(options) = endpoint.wire else {
        panic!()
    };
    assert_eq!((options.max_tokens, options.json_schema), (8, JsonSchema::Tool));
}

#[test]
fn mistakes_in_a_provider_are_named() {
    let openai = |line: &str| {
        format!("[[provider]]\nname = \"p\"\nkind = \"openai_compatible\"\nbase_url = \"http://x\"\n{line}")
    };
    let anthropic = |line: &str| format!("[[provider]]\nname = \"p\"\nkind = \"anthropic\"\n\n{line}");
    let cases = [
        (openai("path = \"chat\""), "provider.path", "begin with /"),
        (openai("path = \"/{deployment}\""), "provider.path", "{model}"),
        (openai("path = \"/x?api-version=1\""), "provider.path", "query"),
        (
            openai("extra_body = { messages = [] }"),
            "provider.extra_body.messages",
            "set by this server",
        ),
        (
            openai("api_key_header = \"a b\""),
            "provider.api_key_header",
            "HTTP header",
        ),
        (openai("socket = \"llama.sock\""), "provider.socket", "absolute"),
        (openai("tokenizer = \"gpt2\""), "provider.tokenizer", "o200k_base"),
        (
            openai("max_tokens = 5"),
            "provider.max_tokens",
            "only for kind = \"anthropic\"",
        ),
        (
            openai("timeouts = { connect = 0 }"),
            "provider.timeouts.connect",
            "more than 0",
        ),
        (openai("flavour = \"bedrock\""), "flavour", "unknown variant"),
        (
            openai("unsupported = [\"magic\"]"),
            "unsupported",
            "unknown variant",
        ),
        (anthropic("max_tokens = 0"), "provider.max_tokens", "at least 1"),
        (
            anthropic("flavour = \"azure\""),
            "provider.flavour",
            "only for kind = \"openai_compatible\"",
        ),
    ];
    for (text, field, part) in cases {
        let (line, found, message) = wrong(&text);
        assert_eq!((line, found.as_str()), (5, field), "{message}\n{text}");
        assert!(message.contains(part), "{message}");
    }
    let (line, _, message) = wrong("[[provider]]\nname = \"p\"\nkind = \"openai_compatible\"");
    assert_eq!((line, message.as_str()), (2, "missing field `base_url`"));
}

#[test]
fn the_readmes_example_is_valid() {
    let readme = include_str!("../../README.md");
    let (_, example) = readme
        .split_once("## Providers\n\n```toml\n")
        .expect("the example");
    let (example, _) = example.split_once("```").expect("its end");
    let routes = Routes::parse(example).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(routes.providers().len(), 5);
}
