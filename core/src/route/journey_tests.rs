use proptest::prelude::prop;
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::super::testing::{answering, failure, limited, route, too_long};
use super::super::{Capabilities, Condition, Cooldown, Retries, Table};
use super::*;

const FACTS: RouteFacts = RouteFacts {
    language: None,
    local_only: false,
    personal_data: false,
    providers: None,
};

static NO_KEYS: OwnKeys = OwnKeys::none();

fn of(facts: &RouteFacts) -> Circumstances<'_> {
    Circumstances {
        facts,
        needs: Needs::default(),
        wait: Wait::Whole,
        prompt_tokens: None,
        own_keys: &NO_KEYS,
    }
}

/// The route of that name among these.
fn among(routes: Vec<Route>, name: &str) -> Arc<Route> {
    Table::new(routes).find(name).cloned().unwrap()
}

/// Goes on from `now` with the middle of all dice, and fails each target as `acts` say. Names of targets and pauses in order.
fn go(journey: &mut Journey<'_>, mut now: u64, mut act: impl FnMut(&str) -> Option<Error>) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        match journey.next(now, &mut || 0.5) {
            Step::Pause(pause) => {
                seen.push(format!("{} ms", pause.as_millis()));
                now += micros(pause);
            }
            Step::Over => {
                seen.push("over".into());
                return seen;
            }
            Step::Try(attempt) => {
                seen.push(attempt.target.name.to_string());
                let Some(error) = act(&attempt.target.name) else {
                    return seen;
                };
                if !journey.failed(attempt, error, Duration::ZERO, now) {
                    seen.push("refused".into());
                    return seen;
                }
            }
        }
    }
}

fn retrying(rounds: u32, route: Route) -> Route {
    Route {
        retries: Retries {
            rounds,
            longest_pause: Duration::from_secs(5),
        },
        ..route
    }
}

#[test]
fn all_targets_are_tried_at_once_and_again_after_a_pause() {
    let route = retrying(2, route("m", vec![answering("a"), answering("b")]));
    let mut journey = Journey::begin(&route, of(&FACTS)).unwrap();
    let seen = go(&mut journey, 1, |_| Some(failure(Some(503))));
    assert_eq!(seen, ["a", "b", "100 ms", "a", "b", "200 ms", "a", "b", "over"]);
    let Failed { error, attempts } = journey.over();
    assert!(matches!(
        error,
        Error::Upstream {
            status: Some(503),
            ..
        }
    ));
    assert_eq!(attempts.len(), 6);
    assert!(
        attempts
            .iter()
            .all(|attempt| attempt.outcome == Outcome::Failed(Some(503)))
    );
}

#[test]
fn what_the_caller_did_wrong_is_told_at_once() {
    let route = route("m", vec![answering("a"), answering("b")]);
    let mut journey = Journey::begin(&route, of(&FACTS)).unwrap();
    assert_eq!(
        go(&mut journey, 1, |_| Some(Error::invalid("stop", "no"))),
        ["a", "refused"]
    );
    assert_eq!(route.targets[0].health.report(2).failures_in_a_row, 0);
}

#[test]
fn a_pause_that_is_asked_for_is_kept_and_one_that_is_too_long_means_the_next() {
    let short = retrying(1, route("m", vec![answering("a")]));
    let mut journey = Journey::begin(&short, of(&FACTS)).unwrap();
    let mut errors = vec![limited(3)];
    assert_eq!(go(&mut journey, 1, |_| errors.pop()), ["a", "3000 ms", "a"]);

    let long = retrying(1, route("m", vec![answering("b"), answering("c")]));
    let mut journey = Journey::begin(&long, of(&FACTS)).unwrap();
    let seen = go(&mut journey, 1, |name| {
        Some(if name == "b" { limited(60) } else { failure(None) })
    });
    assert_eq!(seen, ["b", "c", "100 ms", "c", "over"]);
    let kept = journey.over().error;
    assert!(
        matches!(
            kept,
            Error::Upstream {
                retry_after: Some(_),
                ..
            }
        ),
        "the error that says when to come back: {kept:?}"
    );
    // It said for how long, and is left alone by the next call too.
    let mut journey = Journey::begin(&long, of(&FACTS)).unwrap();
    assert_eq!(go(&mut journey, 1_000_000, |_| None), ["c"]);
}

#[test]
fn what_took_too_long_or_refuses_our_key_is_not_asked_twice() {
    let route = retrying(3, route("m", vec![answering("a"), answering("b")]));
    let mut journey = Journey::begin(&route, of(&FACTS)).unwrap();
    let Step::Try(slow) = journey.next(1, &mut || 0.5) else {
        panic!()
    };
    assert!(journey.failed(slow, failure(None), Duration::from_secs(600), 1));
    assert_eq!(go(&mut journey, 1, |_| Some(failure(Some(401)))), ["b", "over"]);
    let outcomes: Vec<_> = journey
        .over()
        .attempts
        .iter()
        .map(|attempt| attempt.outcome)
        .collect();
    assert_eq!(outcomes, [Outcome::TimedOut, Outcome::Failed(Some(401))]);
}

#[test]
fn when_all_rest_the_one_that_rests_shortest_is_tried() {
    let mut route = route("m", vec![answering("a"), answering("b")]);
    route.cooldown = Cooldown {
        failures: 1,
        rest: Duration::from_secs(30),
    };
    for (target, now) in [(0, 2_000_000), (1, 1_000_000)] {
        route.targets[target]
            .health
            .fail(now, route.cooldown, false, None);
    }
    let mut journey = Journey::begin(&route, of(&FACTS)).unwrap();
    assert_eq!(
        go(&mut journey, 3_000_000, |_| Some(failure(None))),
        ["b", "over"]
    );
}

#[test]
fn a_fallback_that_is_well_goes_before_a_target_that_rests() {
    let mut first = route("m", vec![answering("a")]);
    first.fallbacks = vec!["n".into()];
    let first = among(vec![first, route("n", vec![answering("b")])], "m");
    let tired = Cooldown {
        failures: 1,
        rest: Duration::from_secs(30),
    };
    first.targets[0].health.fail(1, tired, false, None);
    let mut journey = Journey::begin(&first, of(&FACTS)).unwrap();
    assert_eq!(go(&mut journey, 2, |_| None), ["b"]);
    // And when the fallback rests too, the call comes back.
    first.ways.fallbacks[0].targets[0]
        .health
        .fail(1, tired, false, None);
    let mut journey = Journey::begin(&first, of(&FACTS)).unwrap();
    assert_eq!(go(&mut journey, 2, |_| None), ["a"]);
}

#[test]
fn what_is_too_long_goes_to_a_larger_window() {
    let mut small = route("small", vec![answering("a"), answering("b")]);
    small.context_window = Some(1000);
    small.fallbacks = vec!["other".into()];
    small.context_window_fallbacks = vec!["middle".into(), "large".into()];
    let mut middle = route("middle", vec![answering("m")]);
    middle.context_window = Some(2000);
    let routes = vec![
        small,
        middle,
        route("large", vec![answering("l")]),
        route("other", vec![answering("o")]),
    ];
    let small = among(routes, "small");
    // The provider says so.
    let mut journey = Journey::begin(&small, of(&FACTS)).unwrap();
    assert_eq!(
        go(&mut journey, 1, |name| (name == "a").then(too_long)),
        ["a", "m"]
    );
    let mut journey = Journey::begin(&small, of(&FACTS)).unwrap();
    let seen = go(&mut journey, 1, |_| Some(too_long()));
    assert_eq!(seen, ["a", "m", "l", "refused"]);
    // It is known before.
    for (tokens, expected) in [(999, "a"), (1000, "m"), (5000, "l")] {
        let counted = Circumstances {
            prompt_tokens: Some(tokens),
            ..of(&FACTS)
        };
        let mut journey = Journey::begin(&small, counted).unwrap();
        assert_eq!(go(&mut journey, 1, |_| None), [expected], "{tokens}");
    }
    let alone = Route {
        context_window: Some(10),
        ..route("m", vec![answering("a")])
    };
    let counted = Circumstances {
        prompt_tokens: Some(10),
        ..of(&FACTS)
    };
    let Err(Error::Invalid { param, code, .. }) = Journey::begin(&alone, counted).map(drop) else {
        panic!()
    };
    assert_eq!(
        (param.as_deref(), code),
        (Some("messages"), Some("context_length_exceeded"))
    );
}

#[test]
fn what_must_stay_here_stays_here() {
    let local = |name: &str| Target {
        local: true,
        ..answering(name)
    };
    let mut far = route("far", vec![answering("a")]);
    far.fallbacks = vec!["near".into()];
    let routes = vec![
        far,
        route("near", vec![answering("b"), local("c")]),
        route("alone", vec![answering("d")]),
    ];
    let far = among(routes.clone(), "far");
    for facts in [
        RouteFacts {
            local_only: true,
            ..FACTS
        },
        RouteFacts {
            personal_data: true,
            ..FACTS
        },
    ] {
        let mut journey = Journey::begin(&far, of(&facts)).unwrap();
        assert_eq!(go(&mut journey, 1, |_| Some(failure(Some(400)))), ["c", "over"]);
        let alone = among(routes.clone(), "alone");
        let error = Journey::begin(&alone, of(&facts)).map(drop).unwrap_err();
        assert!(error.to_string().contains("must not leave"), "{error}");
    }
    let only = RouteFacts {
        providers: Some(Arc::new(["b".to_owned()])),
        ..FACTS
    };
    let mut journey = Journey::begin(&far, of(&only)).unwrap();
    assert_eq!(go(&mut journey, 1, |_| None), ["b"]);
}

#[test]
fn targets_and_detours_are_for_some_calls_only() {
    let arabic = Condition {
        languages: vec!["ara"],
        ..Condition::default()
    };
    let special = Target {
        condition: arabic.clone(),
        ..answering("special")
    };
    let mut general = route("m", vec![answering("plain"), special]);
    general.retries.rounds = 0;
    let facts = |language| RouteFacts { language, ..FACTS };
    for (language, expected) in [
        (Some("ara"), vec!["special", "plain", "over"]),
        (Some("eng"), vec!["plain", "over"]),
    ] {
        let facts = facts(language);
        let mut journey = Journey::begin(&general, of(&facts)).unwrap();
        assert_eq!(
            go(&mut journey, 1, |_| Some(failure(None))),
            expected,
            "{language:?}"
        );
    }
    let mut asked = route("asked", vec![answering("a")]);
    asked.detours = vec![super::super::Detour {
        condition: arabic,
        to: "m".into(),
    }];
    let asked = among(vec![asked, general], "asked");
    let arabic = facts(Some("ara"));
    let mut journey = Journey::begin(&asked, of(&arabic)).unwrap();
    assert_eq!(go(&mut journey, 1, |_| None), ["special"]);
    let mut journey = Journey::begin(&asked, of(&FACTS)).unwrap();
    assert_eq!(go(&mut journey, 1, |_| None), ["a"]);
}

#[test]
fn what_a_tenants_own_key_is_refused_says_nothing_about_the_target() {
    let mut route = route("m", vec![answering("a")]);
    route.cooldown.failures = 1;
    route.retries.rounds = 0;
    let keys = OwnKeys::from([("a", "sk-of-the-tenant")]);
    let own = Circumstances {
        own_keys: &keys,
        ..of(&FACTS)
    };
    for error in [failure(Some(401)), limited(60)] {
        let mut errors = vec![error];
        let mut journey = Journey::begin(&route, own).unwrap();
        assert_eq!(go(&mut journey, 1, |_| errors.pop()), ["a", "over"]);
        assert!(route.targets[0].health.is_open(2));
    }
    let mut journey = Journey::begin(&route, own).unwrap();
    go(&mut journey, 1, |_| Some(failure(Some(500))));
    assert!(!route.targets[0].health.is_open(2));
    let others = OwnKeys::from([("b", "sk-of-the-tenant")]);
    assert!(others.get("a").is_none() && !others.cover(&route) && keys.cover(&route));
}

#[test]
fn a_fallback_that_cannot_do_it_is_passed_over() {
    let mut first = route("m", vec![answering("a")]);
    first.retries.rounds = 0;
    first.fallbacks = vec!["plain".into(), "able".into()];
    let plain = Route {
        capabilities: Capabilities::NONE,
        ..route("plain", vec![answering("p")])
    };
    let first = among(vec![first, plain, route("able", vec![answering("b")])], "m");
    let request = crate::model::ChatRequest {
        model: String::new(),
        messages: Vec::new(),
        options: crate::model::ChatOptions {
            tools: vec![serde_json::json!({"type": "function"})],
            ..Default::default()
        },
        passages: Vec::new(),
        grounded: false,
    };
    let with_tools = Circumstances {
        needs: Needs::of(&request),
        ..of(&FACTS)
    };
    let mut journey = Journey::begin(&first, with_tools).unwrap();
    assert_eq!(
        go(&mut journey, 1, |name| (name == "a").then(|| failure(None))),
        ["a", "b"]
    );
}

proptest! {
    #[test]
    fn every_journey_ends_and_pauses_no_longer_than_allowed(
        targets in 1usize..5, fallbacks in 0usize..3, rounds in 0u32..4, faults in prop::collection::vec(0u8..7, 64), dice in 0.0f64..1.0,
    ) {
        let names = |stage: usize| (0..targets).map(|at| answering(&format!("{stage}-{at}"))).collect::<Vec<_>>();
        let mut routes: Vec<Route> = (0..=fallbacks).map(|at| retrying(rounds, route(&format!("r{at}"), names(at)))).collect();
        routes[0].fallbacks = (0..=fallbacks).map(|at| format!("r{at}").into()).collect();
        let asked = among(routes, "r0");
        let mut journey = Journey::begin(&asked, of(&FACTS)).unwrap();
        let (mut now, mut calls, mut faults) = (1u64, 0usize, faults.into_iter().cycle());
        loop {
            match journey.next(now, &mut || dice) {
                Step::Over => break,
                Step::Pause(pause) => {
                    prop_assert!(pause <= Duration::from_secs(5));
                    now += micros(pause);
                }
                Step::Try(attempt) => {
                    calls += 1;
                    let error = match faults.next().unwrap() {
                        0 => failure(None),
                        1 => failure(Some(500)),
                        2 => limited(1),
                        3 => limited(90),
                        4 => failure(Some(404)),
                        5 => Error::Overloaded { message: "full".into(), retry_after: Duration::from_millis(10) },
                        _ => too_long(),
                    };
                    let is_too_long = matches!(error, Error::Invalid { .. });
                    let goes_on = journey.failed(attempt, error, Duration::ZERO, now);
                    prop_assert!(goes_on || is_too_long);
                    if !goes_on {
                        break;
                    }
                }
            }
            prop_assert!(calls <= targets * (fallbacks + 1) * (rounds as usize + 1));
        }
        prop_assert!(calls >= 1);
        prop_assert_eq!(journey.over().attempts.len(), calls);
    }
}
