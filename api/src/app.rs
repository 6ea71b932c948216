//! What handlers share.

use axum::extract::FromRef;
use insula_core::Services;
use insula_tenancy::Authenticator;

/// The state of the router. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// Database, models, blobs, parser.
    pub services: Services,
    /// Keys to tenant contexts.
    pub authenticator: Authenticator,
}

impl FromRef<App> for Authenticator {
    fn from_ref(app: &App) -> Self {
        app.authenticator.clone()
    }
}
