//! What handlers share.

use std::sync::Arc;

use axum::extract::FromRef;
use insula_core::Services;
use insula_tenancy::{Authenticator, Notifications};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Streams of events of jobs that are open at once. Each is a look at the database every few seconds.
pub const MAX_JOB_STREAMS: usize = 1024;

/// The state of the router. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// Database, models, blobs, parser.
    pub services: Services,
    /// Keys to tenant contexts.
    pub authenticator: Authenticator,
    /// What tells streams that a job has changed.
    pub notifications: Notifications,
    /// Room for streams of events of jobs, [`MAX_JOB_STREAMS`] in all.
    pub streams: Arc<Semaphore>,
    /// Cancelled when the server stops: streams that could go on for hours end.
    pub stopping: CancellationToken,
}

impl FromRef<App> for Authenticator {
    fn from_ref(app: &App) -> Self {
        app.authenticator.clone()
    }
}
