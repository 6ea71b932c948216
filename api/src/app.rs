//! What handlers share.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use insula_core::Services;
use insula_tenancy::{Authenticator, Notifications};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::http::Site;
use crate::oidc::Oidc;
use crate::route_file::{Reloaded, RouteSource, RouteSourceError};

/// Streams of events of jobs that are open at once. Each is a look at the database every few seconds.
pub const MAX_JOB_STREAMS: usize = 1024;

/// The state of the router. A clone is one reference more: each request makes several.
#[derive(Clone)]
pub struct App(Arc<AppParts>);

/// What the state is made of.
pub struct AppParts {
    /// Database, models, blobs, parser.
    pub services: Services,
    /// Where routes come from.
    pub route_source: Arc<RouteSource>,
    /// Keys to tenant contexts.
    pub authenticator: Authenticator,
    /// What tells streams that a job has changed.
    pub notifications: Notifications,
    /// Where the pages are.
    pub site: Site,
    /// The operator's identity provider, if people may sign in there.
    pub oidc: Option<Oidc>,
    /// Room for streams of events of jobs, [`MAX_JOB_STREAMS`] in all.
    pub streams: Arc<Semaphore>,
    /// Cancelled when the server stops: streams that could go on for hours end.
    pub stopping: CancellationToken,
}

impl Deref for App {
    type Target = AppParts;

    fn deref(&self) -> &AppParts {
        &self.0
    }
}

impl From<AppParts> for App {
    fn from(parts: AppParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl App {
    /// Reads the operator's `routes.toml` again. Calls under way keep their routes; targets that stay keep their health.
    ///
    /// # Errors
    /// With the line that is wrong; the routes then stay as they are.
    pub async fn reload_routes(&self) -> Result<Reloaded, RouteSourceError> {
        let (source, routes) = (Arc::clone(&self.route_source), self.services.routes.clone());
        let reading = tokio::task::spawn_blocking(move || source.reload(&routes));
        reading.await.unwrap_or_else(|_| Err(RouteSourceError::Stopped))
    }
}

impl FromRef<App> for Site {
    fn from_ref(app: &App) -> Self {
        app.site.clone()
    }
}

impl FromRef<App> for Authenticator {
    fn from_ref(app: &App) -> Self {
        app.authenticator.clone()
    }
}
