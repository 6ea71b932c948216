//! `insula serve` and `insula worker`

use std::time::Duration;

use anyhow::Context;
use insula_core::worker;
use tokio::net::TcpListener;

use crate::assembly::assemble;
use crate::config::{InstallArgs, ServeCommand, WorkerArgs};
use crate::{router, serve, signals};

/// How long a server that stops waits for the database to take its usage. What it does not take is in the journal.
const SETTLE: Duration = Duration::from_secs(10);

/// Serves until told to stop, then finishes what is in flight.
pub(super) async fn serve(command: ServeCommand) -> anyhow::Result<()> {
    let shutdown = signals::on_stop_signal();
    let mut options = command.install.assembly(command.jobs.worker_concurrency)?;
    options.site = command.site.options()?;
    let assembly = assemble(options, shutdown.clone()).await?;
    signals::reload_routes_on_hangup(assembly.app.clone());
    let listener = TcpListener::bind(command.listen).await.with_context(|| {
        format!(
            "cannot listen on {}; choose another with --listen",
            command.listen
        )
    })?;
    let address = listener.local_addr()?;
    let services = assembly.app.services.clone();
    let background = command.worker.then(|| {
        tokio::spawn(worker::run(
            services.clone(),
            assembly.notifications.clone(),
            command.jobs.settings(),
            shutdown.clone(),
        ))
    });
    tracing::info!(%address, worker = command.worker, "serving");
    let router = router::router(assembly.app, &command.serve);
    serve::serve(
        listener,
        router,
        command.serve.options(),
        shutdown.cancelled_owned(),
    )
    .await?;
    if let Some(background) = background {
        background.await.context("worker")?;
    }
    services.meter.stop(SETTLE).await;
    services.db.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Works until told to stop, then finishes or hands back what is running.
pub(super) async fn work(install: &InstallArgs, jobs: &WorkerArgs) -> anyhow::Result<()> {
    let shutdown = signals::on_stop_signal();
    let assembly = assemble(install.assembly(jobs.worker_concurrency)?, shutdown.clone()).await?;
    signals::reload_routes_on_hangup(assembly.app.clone());
    let services = assembly.app.services.clone();
    tracing::info!(concurrency = jobs.worker_concurrency, "working");
    worker::run(
        services.clone(),
        assembly.notifications,
        jobs.settings(),
        shutdown,
    )
    .await;
    services.meter.stop(SETTLE).await;
    services.db.close().await;
    tracing::info!("stopped");
    Ok(())
}
