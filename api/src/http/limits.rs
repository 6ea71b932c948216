//! How limits stand, in the headers that SDKs read.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue};
use insula_tenancy::meter::{Standing, Standings};

const REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

/// The headers that [`write`] may add, for browsers.
pub(super) fn names() -> impl Iterator<Item = HeaderName> {
    REQUESTS.into_iter().chain(TOKENS)
}

/// An answer with the headers of the limits.
pub struct Limited<R>(pub Standings, pub R);

impl<R: IntoResponse> IntoResponse for Limited<R> {
    fn into_response(self) -> Response {
        let mut response = self.1.into_response();
        write(response.headers_mut(), self.0);
        response
    }
}

/// Adds the headers of the limits that there are.
pub fn write(headers: &mut HeaderMap, standings: Standings) {
    for (standing, names) in [(standings.requests, REQUESTS), (standings.tokens, TOKENS)] {
        let Some(Standing {
            limit,
            remaining,
            reset,
        }) = standing
        else {
            continue;
        };
        let [limit_name, remaining_name, reset_name] = names;
        headers.insert(limit_name, HeaderValue::from(limit));
        headers.insert(remaining_name, HeaderValue::from(remaining));
        if let Ok(reset) = HeaderValue::try_from(duration(reset)) {
            headers.insert(reset_name, reset);
        }
    }
}

/// As OpenAI writes a duration: `6ms`, `1s`, `6m0s`.
fn duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0..1_000 => format!("{ms}ms"),
        // Rounded up: at that time the limit is whole.
        1_000..60_000 => format!("{}s", ms.div_ceil(1000)),
        _ => {
            let seconds = ms.div_ceil(1000);
            format!("{}m{}s", seconds / 60, seconds % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_openai_does() {
        for (ms, text) in [
            (0, "0ms"),
            (6, "6ms"),
            (1_000, "1s"),
            (1_001, "2s"),
            (59_999, "60s"),
            (60_000, "1m0s"),
            (360_000, "6m0s"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn only_limits_that_there_are_have_headers() {
        let mut headers = HeaderMap::new();
        write(&mut headers, Standings::default());
        assert!(headers.is_empty());
        let standing = Standing {
            limit: 100,
            remaining: 7,
            reset: Duration::from_secs(30),
        };
        write(
            &mut headers,
            Standings {
                tokens: Some(standing),
                ..Standings::default()
            },
        );
        assert_eq!(headers.len(), 3);
        assert_eq!(headers["x-ratelimit-remaining-tokens"], "7");
        assert_eq!(headers["x-ratelimit-reset-tokens"], "30s");
    }
}
