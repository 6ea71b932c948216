//! `insula routes`

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use insula_core::route::{RouteKind, Strategy};
use insula_inference::routes::{Route, Routes};

/// `insula routes`
#[derive(Debug, Subcommand)]
pub(super) enum RoutesCommand {
    /// Read a routes.toml, and print its routes or the line that is wrong
    Check {
        /// The file
        file: PathBuf,
    },
}

/// Runs the command. Nothing is connected to, and no key is needed.
pub(super) fn run(command: RoutesCommand) -> anyhow::Result<()> {
    let RoutesCommand::Check { file } = command;
    let routes = Routes::from_file(&file).context("routes")?;
    for route in routes.routes() {
        println!("{}", describe(route));
    }
    Ok(())
}

/// A route in one line: its name, how its targets are chosen, the targets, what follows.
fn describe(route: &Route) -> String {
    let strategy = match route.strategy {
        Strategy::Ordered => " > ",
        Strategy::Weighted => " + ",
        Strategy::LeastLatency => " | ",
    };
    let targets = route.targets.iter().map(|target| match route.strategy {
        Strategy::Weighted => format!(
            "{}/{} ({})",
            target.provider, target.upstream_model, target.weight
        ),
        _ => format!("{}/{}", target.provider, target.upstream_model),
    });
    let mut line = format!("{}: {}", route.model, targets.collect::<Vec<_>>().join(strategy));
    if let RouteKind::Embeddings(card) = &route.kind {
        line += &format!(", {} dimensions", card.dimensions);
    }
    for (what, names) in [
        ("then", &route.fallbacks),
        ("longer prompts", &route.context_window_fallbacks),
    ] {
        if !names.is_empty() {
            line += &format!("; {what}: {}", names.join(", "));
        }
    }
    for detour in &route.detours {
        line += &format!("; if matched: {}", detour.to);
    }
    line
}
