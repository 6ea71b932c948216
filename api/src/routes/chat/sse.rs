//! Server-sent events as clients of OpenAI's API read them.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use http::{HeaderName, HeaderValue, header};
use insula_core::Error;
use serde::Serialize;
use tracing::Span;

use crate::http::{ApiError, packed};

/// A comment goes out after this long without an event, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The response that streams events. Dropping it, as when the client leaves, drops them too.
pub(in crate::routes) fn response(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    unbuffered(
        Sse::new(events.map(Ok::<_, Infallible>))
            .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
            .into_response()
            .map(packed),
    )
}

/// The response that gives events again, as they were written.
pub(crate) fn text(events: String) -> Response {
    let kind = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    )];
    unbuffered((kind, events).into_response())
}

fn unbuffered(mut response: Response) -> Response {
    // nginx would collect the events otherwise.
    response.headers_mut().insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

/// A chunk.
pub(in crate::routes) fn event(value: &impl Serialize) -> Event {
    with_data(Event::default(), value)
}

/// An event with a name.
pub(in crate::routes) fn named(name: &str, value: &impl Serialize) -> Event {
    with_data(Event::default().event(name), value)
}

fn with_data(event: Event, value: &impl Serialize) -> Event {
    match serde_json::to_string(value) {
        Ok(json) => event.data(json),
        Err(error) => {
            tracing::error!(%error, "a chunk could not be written");
            Event::default().comment("unwritable chunk")
        }
    }
}

/// What ends a whole answer.
pub(in crate::routes) fn done() -> Event {
    Event::default().data("[DONE]")
}

/// The error event. Logged in the request's span, which is no longer entered while the body is sent.
pub(in crate::routes) fn failure(error: Error, span: &Span) -> Event {
    event(&span.in_scope(|| ApiError::from(error).into_body()))
}

/// What is said of an answer that ends without a reason.
pub(in crate::routes) fn broken_off() -> Error {
    Error::Upstream {
        message: "The model's answer broke off.".into(),
        status: None,
        retry_after: None,
    }
}
