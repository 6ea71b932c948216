//! Core's `Caller`: signatures after Standard Webhooks, and one bounded post.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use insula_core::webhook::{Call, Called, Caller};
use reqwest::Method;
use secrecy::ExposeSecret;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

use crate::Outbound;
use crate::client::{Failed, Request};

const TIMEOUT: Duration = Duration::from_secs(10);
/// What is read of an answer; only its status counts.
const ANSWER: usize = 64 * 1024;

#[async_trait]
impl Caller for Outbound {
    fn check(&self, url: &str) -> Result<(), String> {
        let parsed = self.client.guard.parse(url);
        parsed.map(drop).map_err(|refused| refused.to_string())
    }

    async fn call(&self, call: Call<'_>) -> Called {
        let started = Instant::now();
        let result = self.post(call).await;
        let took = started.elapsed();
        match result {
            Ok(status) => Called {
                status: Some(status),
                error: None,
                took,
            },
            Err(error) => Called {
                status: None,
                error: Some(error),
                took,
            },
        }
    }
}

impl Outbound {
    async fn post(&self, call: Call<'_>) -> Result<u16, String> {
        let url = self
            .client
            .guard
            .parse(call.url)
            .map_err(|refused| refused.to_string())?;
        let request = Request {
            method: Method::POST,
            url: &url,
            headers: headers(&call).ok_or("The event cannot be signed.")?,
            body: Bytes::copy_from_slice(call.body.as_bytes()),
            timeout: TIMEOUT,
            limit: ANSWER,
        };
        match self.client.send(request).await {
            Ok(answer) => Ok(answer.status.as_u16()),
            Err(error @ Failed::NoClient) => {
                tracing::error!("webhooks cannot be delivered from here");
                Err(error.to_string())
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The headers of a delivery; `None` if a secret is none, or nothing can be put into headers.
fn headers(call: &Call<'_>) -> Option<HeaderMap> {
    let (id, timestamp) = (call.event_id.to_string(), call.now.timestamp());
    let mut signatures = Vec::with_capacity(call.secrets.len());
    for secret in call.secrets {
        let webhook = Webhook::new(secret.expose_secret()).ok()?;
        signatures.push(webhook.sign(&id, timestamp, call.body.as_bytes()).ok()?);
    }
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(HEADER_WEBHOOK_ID, id.parse().ok()?);
    headers.insert(HEADER_WEBHOOK_TIMESTAMP, timestamp.into());
    headers.insert(HEADER_WEBHOOK_SIGNATURE, signatures.join(" ").parse().ok()?);
    Some(headers)
}

#[cfg(test)]
mod tests {
    use insula_tenancy::EventId;

    use super::*;

    /// The example of the Standard Webhooks specification and of its reference implementations.
    #[test]
    fn the_published_vector() {
        let webhook = Webhook::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signature = webhook
            .sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body)
            .unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_secret_signs_and_a_receiver_accepts_either() {
        let secrets = [
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        ];
        let call = Call {
            url: "https://example.com/",
            event_id: EventId::generate(),
            // The receiver looks at its clock.
            now: std::time::SystemTime::now().into(),
            body: r#"{"type":"webhook.test"}"#,
            secrets: &secrets.map(Into::into),
        };
        let headers = headers(&call).unwrap();
        assert_eq!(
            headers[HEADER_WEBHOOK_ID].to_str().unwrap(),
            call.event_id.to_string()
        );
        for secret in secrets {
            let receiver = Webhook::new(secret).unwrap();
            receiver.verify(call.body.as_bytes(), &headers).unwrap();
            assert!(receiver.verify(b"{}", &headers).is_err());
        }
    }
}
