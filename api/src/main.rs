//! The binary. Everything is in the library.

use std::process::ExitCode;

use clap::Parser;
use insula::cli::{self, Cli};

fn main() -> ExitCode {
    match start(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("insula: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> anyhow::Result<ExitCode> {
    if let Some(run) = cli.confined() {
        run()?;
        return Ok(ExitCode::SUCCESS);
    }
    cli.start_logging()?;
    insula::tls::install()?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(cli::run(cli))
}
