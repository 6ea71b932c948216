//! `[[route]]` in full.

use insula_core::route::{Capabilities, Price, RouteFacts, Strategy};

use super::*;

const FILE: &str = r#"
[[provider]]
name = "a"
kind = "openai_compatible"
base_url = "http://127.0.0.1:1/v1"
timeouts = { first_token = 20 }

[[provider]]
name = "b"
kind = "openai_compatible"
base_url = "http://127.0.0.1:2/v1"

[[route]]
model = "smart"
strategy = "weighted"
retries = 2
longest_pause = 3.5
cooldown = { failures = 3, seconds = 12 }
context_window = 8000
max_output_tokens = 1000
capabilities = ["tools", "json_schema"]
fallbacks = ["spare"]
context_window_fallbacks = ["spare"]
cache_ttl = 60
match = [{ language = ["ar", "fas"], route = "spare" }, { personal_data = true, route = "insula/extractive" }]
price = [
  { from = 2026-01-01, input = "0.15", cached_input = "0.075", output = "0.60" },
  { from = 2026-07-01T00:00:00+02:00, input = "0.1", output = "0.3" },
]

[[route.target]]
provider = "a"
upstream_model = "x-1"
weight = 9
timeouts = { connect = 1, total = 30 }

[[route.target]]
provider = "b"
weight = 0
match = { local_only = false, language = ["de"] }
price = [{ input = "2" }]

[[route]]
model = "spare"
provider = "b"

[[route]]
model = "embed"
kind = "embeddings"
dimensions = 768
max_tokens = 512
languages = ["en", "ara"]
strategy = "least_latency"

[[route.target]]
provider = "a"
[[route.target]]
provider = "b"
"#;

/// `FILE` with one piece replaced.
fn with(old: &str, new: &str) -> String {
    assert!(FILE.contains(old), "{old}");
    FILE.replacen(old, new, 1)
}

fn route(name: &str) -> Route {
    let routes = Routes::parse(FILE).expect("valid");
    routes.find(name).expect("route").clone()
}

#[test]
fn everything_that_can_be_said() {
    let smart = route("smart");
    assert_eq!((smart.strategy, smart.line), (Strategy::Weighted, 14));
    assert_eq!(
        (smart.retries.rounds, smart.retries.longest_pause.as_millis()),
        (2, 3500)
    );
    assert_eq!((smart.cooldown.failures, smart.cooldown.rest.as_secs()), (3, 12));
    assert_eq!(
        (smart.context_window, smart.max_output_tokens),
        (Some(8000), 1000)
    );
    let expected = Capabilities {
        tools: true,
        json_schema: true,
        json_object: true,
        ..Capabilities::NONE
    };
    assert_eq!(smart.capabilities, expected, "whoever knows schemas knows JSON");
    assert_eq!(smart.cache_ttl, Some(Duration::from_secs(60)));
    let ways: Vec<&str> = smart.detours.iter().map(|detour| &*detour.to).collect();
    assert_eq!(ways, ["spare", EXTRACTIVE]);
    assert_eq!(smart.detours[0].condition.languages, ["ara", "pes"]);
    let [a, b] = smart.targets.as_slice() else {
        panic!()
    };
    assert_eq!((&*a.upstream_model, &*b.upstream_model), ("x-1", "smart"));
    assert_eq!((a.weight, b.weight), (9, 0));
    let facts = RouteFacts {
        language: Some("deu"),
        ..RouteFacts::default()
    };
    assert!(a.condition.is_always() && b.condition.holds(&facts));
    let ProviderKind::Http(endpoint) = &Routes::parse(FILE).expect("valid").providers()[1].kind.clone()
    else {
        panic!()
    };
    let timeouts = a.timeouts.over(endpoint.timeouts);
    assert_eq!(
        (
            timeouts.connect.as_secs(),
            timeouts.first_token.as_secs(),
            timeouts.total.as_secs()
        ),
        (1, 20, 30)
    );
}

#[test]
fn prices_hold_from_their_dates() {
    let at = |text: &str| text.parse().expect("a moment");
    let dollars = |text: &str| text.parse().expect("dollars");
    let [a, b] = &route("smart").targets[..] else {
        panic!()
    };
    let first = Price {
        input: dollars("0.15"),
        cached_input: dollars("0.075"),
        output: dollars("0.6"),
    };
    let second = Price {
        input: dollars("0.1"),
        cached_input: dollars("0.1"),
        output: dollars("0.3"),
    };
    for (moment, expected) in [
        ("2026-01-01T00:00:00Z", first),
        ("2026-06-30T21:59:59Z", first),
        ("2026-06-30T22:00:00Z", second),
    ] {
        assert_eq!(a.prices.at(at(moment)), expected, "{moment}");
    }
    assert_eq!(
        b.prices.at(at("2026-06-30T22:00:00Z")).input,
        dollars("2"),
        "its own"
    );
    assert!(route("spare").targets[0].prices.is_free());
}

#[test]
fn an_embedding_model_says_what_it_makes() {
    let embed = route("embed");
    let RouteKind::Embeddings(card) = embed.kind else {
        panic!()
    };
    assert_eq!(
        (card.dimensions, card.max_tokens, &*card.owned_by),
        (768, 512, "a")
    );
    assert_eq!(card.languages, ["eng", "ara"]);
}

#[test]
fn mistakes_are_named_with_line_and_field() {
    let cases = [
        (
            with("\"weighted\"", "\"random\""),
            15,
            "strategy",
            "unknown variant",
        ),
        (
            with("retries = 2", "retries = 11"),
            16,
            "route.retries",
            "between 0 and 10",
        ),
        (with("3.5", "0"), 17, "route.longest_pause", "more than 0"),
        (
            with("failures = 3", "failures = 0"),
            18,
            "route.cooldown.failures",
            "between 1",
        ),
        (
            with("seconds = 12", "minutes = 12"),
            18,
            "minutes",
            "unknown field",
        ),
        (
            with("\"tools\", ", "\"tool\", "),
            21,
            "capabilities",
            "unknown variant",
        ),
        (
            with("[\"spare\"]", "[\"spar\"]"),
            22,
            "route.fallbacks",
            "no [[route]] of the model 'spar'",
        ),
        (
            with("[\"spare\"]", "[\"smart\"]"),
            22,
            "route.fallbacks",
            "the route itself",
        ),
        (
            with("[\"spare\"]", "[\"embed\"]"),
            22,
            "route.fallbacks",
            "an embedding model",
        ),
        (with("\"fas\"", "\"xx\""), 25, "route.match.language", "ISO 639"),
        (
            with("\"insula/extractive\" }]", "\"nobody\" }]"),
            25,
            "route.match.route",
            "'nobody'",
        ),
        (
            with("2026-01-01,", "2026-01-01T00:00:00,"),
            27,
            "route.price.from",
            "offset",
        ),
        (
            with("2026-07-01T00:00:00+02:00", "2026-01-01"),
            28,
            "route.price.from",
            "twice",
        ),
        (with("\"0.15\"", "\"0.15 $\""), 27, "route.price.input", "dollars"),
        (with("\"0.60\"", "\"-1\""), 27, "route.price.output", "dollars"),
        (with("\"0.15\"", "0.15"), 27, "input", "wrong type"),
        (
            with("connect = 1", "connect = -1"),
            35,
            "route.target.timeouts.connect",
            "more than 0",
        ),
        (
            with("provider = \"a\"\nup", "provider = \"c\"\nup"),
            32,
            "route.target.provider",
            "named 'c'",
        ),
        (
            with("weight = 9", "weight = 0"),
            14,
            "route.target.weight",
            "0 everywhere",
        ),
        (
            with("[\"de\"]", "[\"dx\"]"),
            40,
            "route.target.match.language",
            "ISO 639",
        ),
        (
            with(
                "provider = \"b\"\n\n[[route]]\nmodel = \"embed",
                "\n[[route]]\nmodel = \"embed",
            ),
            44,
            "route.provider",
            "missing",
        ),
        (
            with("model = \"spare\"", "model = \"spare\"\ndimensions = 3"),
            44,
            "route.kind",
            "embeddings",
        ),
        (with("dimensions = 768\n", ""), 48, "route.dimensions", "missing"),
        (with("768", "5000"), 50, "route.dimensions", "between 1 and 4000"),
        (
            with(
                "strategy = \"least_latency\"",
                "strategy = \"least_latency\"\nfallbacks = [\"spare\"]",
            ),
            48,
            "route.kind",
            "no other",
        ),
        (
            with("strategy = \"least_latency\"", "provider = \"a\""),
            53,
            "route.provider",
            "beside [[route.target]]",
        ),
    ];
    for (text, line, field, part) in cases {
        match Routes::parse(&text) {
            Err(RoutesError::Invalid {
                line: found_line,
                field: found_field,
                message,
            }) => {
                assert_eq!(
                    (found_line, found_field.as_str()),
                    (line, field),
                    "{message}\n{text}"
                );
                assert!(message.contains(part), "{field}: {message}");
            }
            other => panic!("{field}: {other:?}"),
        }
    }
}

#[test]
fn embedding_models_stay_as_they_were_at_the_start() {
    let running = |text: &str| -> Vec<Arc<insula_core::route::Route>> {
        let routes = Routes::parse(text).expect("valid");
        let route = |route: &Route| {
            Arc::new(insula_core::route::Route::new(
                &*route.model,
                route.kind.clone(),
                Vec::new(),
            ))
        };
        routes.routes().iter().map(route).collect()
    };
    let none = &FILE[..FILE.find("[[route]]\nmodel = \"embed\"").expect("there")];
    let wider = with("768", "1024");
    let check = |new: &str, old: &str| {
        let checked = Routes::parse(new).expect("valid").check_embeddings(&running(old));
        checked.map_err(|error| error.to_string())
    };
    assert_eq!(check(FILE, FILE), Ok(()));
    assert_eq!(check(none, none), Ok(()));
    for (new, old, expected) in [
        (&*wider, FILE, "line 48: route.dimensions"),
        (FILE, none, "line 48: route.model"),
        (none, FILE, "'embed' is missing"),
    ] {
        let error = check(new, old).expect_err("refused");
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_example_is_right() {
    let routes = Routes::parse(include_str!("../../../../infra/routes.example.toml")).expect("the example");
    let names: Vec<&str> = routes.routes().iter().map(|route| &*route.model).collect();
    let expected = [
        "gpt-5-mini",
        "smart",
        "arabic",
        "local",
        "long",
        "bge-m3",
        "bge-reranker-v2-m3",
        "omni-moderation-latest",
    ];
    assert_eq!(names[1..], expected);
}
