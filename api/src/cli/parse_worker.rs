//! `insula parse-worker`: what the server starts to read documents in. Not for people.

use anyhow::Context;
use insula_parse::parse;
use insula_parse::sandbox::run_worker;

/// Reads documents for the server at the other end of standard input.
pub(super) fn run() -> anyhow::Result<()> {
    run_worker(parse).context("parse-worker")
}
