//! What stories and walkers share: the real server in this process with a database of its own, tenants that call it,
//! and the unkind world around it.
//!
//! ```no_run
//! # use insula_tests::TestApp;
//! # async fn story() {
//! let app = TestApp::start().await;
//! let (ada, bob) = app.two_tenants().await;
//! let file = ada.upload("a.txt", "text").await;
//! assert_eq!(bob.get(&format!("/v1/files/{file}")).await.status, 404);
//! # }
//! ```
//!
//! Tests never sleep: they wait with [`eventually`], or drain the queue with [`TestApp::run_jobs`].

mod app;
mod binary;
mod client;
mod database;
#[expect(
    clippy::disallowed_types,
    reason = "it is somebody else's server, and has errors of its own"
)]
mod identity;
mod invariants;
mod judge;
mod model;
mod port;
mod provider;
mod proxy;
mod registry;
mod sse;
mod wait;
mod web;
mod workspace;

pub use app::{SecondServer, Setup, TestApp};
pub use binary::{BINARY_VARIABLE, ServerProcess, build_insula, insula_binary};
pub use client::{Answer, Client, RawConnection};
pub use database::Database;
pub use identity::IdentityProvider;
pub use invariants::assert_invariants;
pub use judge::{MODERATOR, RERANKER};
pub use model::BagOfWords;
pub use port::{Refusing, free_address};
pub use provider::{FakeProvider, ModelCount};
pub use proxy::FaultProxy;
pub use registry::model_file;
pub use sse::EventStream;
pub use wait::{PATIENCE, eventually};
pub use web::{Reply, Seen, Web};
pub use workspace::{runtime, shared_data, workspace};
