//! Logs go to standard error, so that what a command answers can be piped.

use std::io::IsTerminal;
use std::panic;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::{LogArgs, LogFormat};

/// Starts logging for the process; `default` is what to log when nothing was asked for.
///
/// # Errors
/// When the filter is not one, or logging was started before.
pub fn start(args: &LogArgs, default: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(args.log.as_deref().unwrap_or(default)).context("--log (INSULA_LOG)")?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match args.log_format {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging: {error}"))?;
    // A panic is a line like any other, with its place, and in the form that was asked for.
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let message = info.payload_as_str().unwrap_or("not a text");
        tracing::error!(place, message, "panic");
    }));
    Ok(())
}
