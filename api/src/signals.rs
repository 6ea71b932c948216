//! Being told to stop, or to read the configuration again.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// A token that is cancelled by SIGINT or SIGTERM. A second signal ends the process at once.
pub fn on_stop_signal() -> CancellationToken {
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        wait_for_signal().await;
        stop.cancel();
        wait_for_signal().await;
        std::process::exit(130);
    });
    token
}

/// Reads the routes again at every SIGHUP, for as long as the process lives. A wrong file is logged with its line, and changes
/// nothing.
pub fn reload_routes_on_hangup(app: App) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        tracing::error!("cannot listen for SIGHUP; routes are read at the start only");
        return;
    };
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match app.reload_routes().await {
                Ok(reloaded) => tracing::info!(models = reloaded.models.len(), "routes are read again"),
                Err(error) => tracing::error!(%error, "routes stay as they are"),
            }
        }
    });
}

async fn wait_for_signal() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::error!("cannot listen for signals");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
