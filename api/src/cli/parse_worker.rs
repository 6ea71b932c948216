//! `insula parse-worker`: what the server starts to read documents in. Not for people.

use std::path::Path;

use anyhow::Context;
use insula_parse::sandbox::run_worker;
use insula_parse::{Tools, parse};

/// Reads documents for the server at the other end of standard input.
pub(super) fn run() -> anyhow::Result<()> {
    run_worker(|bytes, filename, pdfium| {
        let pdfium = pdfium.map(Path::to_path_buf);
        parse(bytes, filename, &Tools { pdfium })
    })
    .context("parse-worker")
}
