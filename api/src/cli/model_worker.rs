//! `insula model-worker`: what the server starts to run a tenant's model in. Not for people.

use anyhow::Context;
use insula_serving::run_worker;

/// Runs a model for the server at the other end of standard input.
pub(super) fn run() -> anyhow::Result<()> {
    run_worker().context("model-worker")
}
