//! A job as it goes, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use http::{HeaderName, HeaderValue};
use insula_core::job::{self, Job};
use insula_core::{Error, Result};
use insula_tenancy::JobId;
use insula_tenancy::scope_types::JobsRead;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::JobObject;
use crate::app::App;
use crate::http::{ApiError, ApiResult, Caller, Path};

/// A comment goes out after this long without an event, so that proxies keep the connection, and so that a client that
/// is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A stream ends after this long; clients that still want to know connect again.
const LONGEST: Duration = Duration::from_secs(3600);

/// Follows a job: `event: progress` with the job whenever it has changed, the first at once; `event: done` with the job
/// once it has ended, and then the stream closes. `event: error` if the stream cannot go on. Should the connection break,
/// connect again: every event holds the whole job.
#[utoipa::path(
    get, path = "/v1/insula/jobs/{job_id}/events", operation_id = "get_job_events", tag = "jobs",
    params(("job_id" = String, Path, description = "The job's id")),
    responses((status = OK, body = JobObject, content_type = "text/event-stream"))
)]
pub async fn get_job_events(
    caller: Caller<JobsRead>,
    State(app): State<App>,
    Path(id): Path<JobId>,
) -> ApiResult<Response> {
    let permit = app
        .streams
        .clone()
        .try_acquire_owned()
        .map_err(|_| Error::Overloaded {
            message: "The server is at its limit of streams of job events. Poll the job instead.".into(),
            retry_after: Duration::from_secs(5),
        })?;
    let jobs = job::watch(&app.services, caller.into_context(), &app.notifications, id).await?;
    let events = events(jobs, app.stopping.clone(), Span::current()).map(move |event| {
        let _held_until_the_end = &permit;
        Ok::<_, Infallible>(event)
    });
    let mut response = Sse::new(events)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response();
    // nginx would collect the events otherwise.
    response.headers_mut().insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    Ok(response)
}

fn events(
    jobs: impl Stream<Item = Result<Job>> + Send + 'static,
    stopping: CancellationToken,
    span: Span,
) -> impl Stream<Item = Event> + Send {
    let end = async move {
        tokio::select! {
            () = tokio::time::sleep(LONGEST) => {}
            () = stopping.cancelled_owned() => {}
        }
    };
    jobs.take_until(Box::pin(end)).map(move |next| match next {
        Ok(job) => {
            let name = if job.status.is_over() { "done" } else { "progress" };
            event(name, &JobObject::from(job))
        }
        // Logged in the request's span, which is no longer entered while the body is sent.
        Err(error) => event("error", &span.in_scope(|| ApiError::from(error).into_body())),
    })
}

fn event(name: &str, value: &impl Serialize) -> Event {
    match serde_json::to_string(value) {
        Ok(json) => Event::default().event(name).data(json),
        Err(error) => {
            tracing::error!(%error, "an event could not be written");
            Event::default().comment("unwritable event")
        }
    }
}
