use serde_json::json;

use super::*;

fn provider() -> Provider {
    Provider::new("acme".into(), vec!["sk-hush".into()])
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse().expect("name"), value.parse().expect("value")))
        .collect()
}

fn refused(status: u16, body: &Value) -> Error {
    provider().refused(status, &HeaderMap::new(), body.to_string().as_bytes())
}

#[test]
fn a_bad_request_is_passed_on_with_param_and_code() {
    let body = json!({"error": {"message": "too hot", "param": "temperature", "code": "invalid_value"}});
    let Error::Invalid { message, param, code } = refused(400, &body) else {
        panic!()
    };
    assert_eq!(
        (message.as_str(), param.as_deref(), code),
        ("too hot", Some("temperature"), Some("invalid_value"))
    );
}

#[test]
fn prompts_that_are_too_long_are_recognised_without_a_code() {
    let wild = [
        json!({"object": "error", "message": "This model's maximum context length is 8 tokens", "code": 400}),
        json!({"error": {"message": "the request exceeds the available context size", "type": "exceed_context_size_error"}}),
        json!({"error": {"message": "no", "code": "context_length_exceeded"}}),
    ];
    for body in wild {
        let Error::Invalid { code, .. } = refused(400, &body) else {
            panic!("{body}")
        };
        assert_eq!(code, Some("context_length_exceeded"), "{body}");
    }
}

#[test]
fn messages_are_found_in_every_shape_and_never_hold_our_key() {
    for body in [
        json!({"error": {"message": "bad key sk-hush"}}),
        json!({"error": "bad key sk-hush"}),
        json!({"message": "bad key sk-hush"}),
        json!({"detail": "bad key sk-hush"}),
    ] {
        let Error::Invalid { message, .. } = refused(422, &body) else {
            panic!("{body}")
        };
        assert_eq!(message, "bad key [redacted]");
    }
    let Error::Invalid { message, .. } = provider().refused(400, &HeaderMap::new(), b"<html>") else {
        panic!()
    };
    assert_eq!(message, "The provider 'acme' refused the request.");
}

#[test]
fn rejected_credentials_quote_nothing() {
    for status in [401, 403] {
        let error = refused(
            status,
            &json!({"error": {"message": "Incorrect API key provided: sk-h***sh"}}),
        );
        assert_eq!(
            error.to_string(),
            "The provider 'acme' refused this server's credentials."
        );
        assert!(matches!(error, Error::Upstream { status: Some(found), .. } if found == status));
    }
}

#[test]
fn limits_and_outages_say_when_to_come_back() {
    for status in [429, 503] {
        let error = provider().refused(status, &headers(&[("retry-after", "7")]), b"");
        let Error::Upstream {
            status: found,
            retry_after,
            ..
        } = error
        else {
            panic!()
        };
        assert_eq!((found, retry_after), (Some(status), Some(Duration::from_secs(7))));
    }
}

#[test]
fn retry_after_is_read_in_all_its_forms() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let date = |seconds| httpdate::fmt_http_date(now + Duration::from_secs(seconds));
    let cases = [
        (
            headers(&[("retry-after", "1.5")]),
            Some(Duration::from_millis(1500)),
        ),
        (
            headers(&[("retry-after-ms", "20"), ("retry-after", "9")]),
            Some(Duration::from_millis(20)),
        ),
        (
            headers(&[("retry-after", &date(30))]),
            Some(Duration::from_secs(30)),
        ),
        (headers(&[("retry-after", &date(1_000_000))]), Some(LONGEST_RETRY)),
        (
            headers(&[("retry-after", "Sat, 01 Jan 2000 00:00:00 GMT")]),
            Some(Duration::ZERO),
        ),
        (headers(&[("retry-after", "-3")]), None),
        (headers(&[("retry-after", "soon")]), None),
        (HeaderMap::new(), None),
    ];
    for (headers, expected) in cases {
        assert_eq!(retry_after(&headers, now), expected, "{headers:?}");
    }
}

#[test]
fn long_messages_are_cut_between_characters() {
    let cut = provider().redact(&"é".repeat(MESSAGE_CHARS + 5));
    assert_eq!(cut.chars().count(), MESSAGE_CHARS + 1);
}
