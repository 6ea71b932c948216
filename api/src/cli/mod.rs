//! The commands of the binary.

mod audit;
mod dev;
mod doctor;
mod ingest;
pub(crate) mod invite;
mod key;
mod master_key;
mod migrate;
mod model_worker;
mod openapi;
mod operator_key;
mod parse_worker;
pub(crate) mod password_reset;
mod routes;
mod serve;
mod target;
mod tenant;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{InstallArgs, LogArgs, ServeCommand, WorkerArgs};

/// Multi-tenant semantic search and grounded chat with an OpenAI-compatible API.
#[derive(Debug, Parser)]
#[command(name = "insula", version, about)]
pub struct Cli {
    #[command(flatten)]
    log: LogArgs,
    #[command(subcommand)]
    command: Command,
}

impl Cli {
    /// What is to run if this process is one that confines itself: before anything else does, because only a process with one
    /// thread can be confined.
    pub fn confined(&self) -> Option<fn() -> anyhow::Result<()>> {
        match self.command {
            Command::ParseWorker => Some(parse_worker::run),
            Command::ModelWorker => Some(model_worker::run),
            _ => None,
        }
    }

    /// Starts logging as the command line says.
    ///
    /// # Errors
    /// When the filter is not one.
    pub fn start_logging(&self) -> anyhow::Result<()> {
        let serving = matches!(self.command, Command::Serve(_) | Command::Worker(_));
        crate::logging::start(
            &self.log,
            if serving {
                "info,hyper=error,sqlx=warn"
            } else {
                "warn,hyper=error"
            },
        )
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API
    Serve(Box<ServeCommand>),
    /// Do background work only: reading files, clean-up
    Worker(Box<WorkerCommand>),
    /// Start a whole install on this machine, Postgres included, show a cited answer, and serve
    Dev(Box<dev::DevArgs>),
    /// The same, but stop after the cited answer
    Demo(Box<dev::DemoArgs>),
    /// Bring files and folders into a vector store, and keep them there as they are on disk
    Ingest(Box<ingest::IngestArgs>),
    /// Bring a database up to date: roles, extension, schema
    Migrate(migrate::MigrateArgs),
    /// Print the OpenAPI document
    Openapi,
    /// Manage tenants
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Invite somebody to the dashboard: as who runs the install, as a member of a tenant, or both
    Invite(Box<invite::InviteArgs>),
    /// Make a link with which somebody chooses a new password
    PasswordReset(Box<password_reset::PasswordResetArgs>),
    /// Manage API keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Look at a routes.toml
    #[command(subcommand)]
    Routes(routes::RoutesCommand),
    /// Manage keys for the operator's API
    #[command(subcommand)]
    OperatorKey(operator_key::OperatorKeyCommand),
    /// Manage the keys that seal the secrets of tenants
    #[command(subcommand)]
    MasterKey(master_key::MasterKeyCommand),
    /// Check the audit log
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Check that everything that serving needs is there
    Doctor(Box<doctor::DoctorArgs>),
    /// Read documents for a server: started by it
    #[command(hide = true)]
    ParseWorker,
    /// Run a tenant's model for a server: started by it
    #[command(hide = true)]
    ModelWorker,
}

/// `insula worker`
#[derive(Debug, clap::Args)]
struct WorkerCommand {
    #[command(flatten)]
    install: InstallArgs,
    #[command(flatten)]
    jobs: WorkerArgs,
}

/// Runs a command to its end. How the process is to end, if it did not fail.
///
/// # Errors
/// With what failed, for standard error.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let done = match cli.command {
        Command::Serve(command) => serve::serve(*command).await,
        Command::Worker(command) => serve::work(&command.install, &command.jobs).await,
        Command::Dev(args) => crate::dev::run(args.options()?).await,
        Command::Invite(args) => invite::run(*args).await,
        Command::PasswordReset(args) => password_reset::run(*args).await,
        Command::Demo(args) => crate::dev::run(args.options()).await,
        Command::Ingest(args) => return Ok(ingest::run(*args).await),
        Command::Migrate(args) => migrate::run(args).await,
        Command::Openapi => openapi::run(),
        Command::Tenant(command) => tenant::run(command).await,
        Command::Key(command) => key::run(command).await,
        Command::Routes(command) => routes::run(command),
        Command::OperatorKey(command) => operator_key::run(command).await,
        Command::MasterKey(command) => master_key::run(command).await,
        Command::Audit(command) => return audit::run(command).await,
        Command::Doctor(args) => doctor::run(*args).await,
        // Both refuse, because there are threads now.
        Command::ParseWorker => parse_worker::run(),
        Command::ModelWorker => model_worker::run(),
    };
    done.map(|()| ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_of_the_server_has_a_variable() {
        for name in ["serve", "worker", "dev", "doctor"] {
            let command = Cli::command();
            let command = command.find_subcommand(name).unwrap();
            for argument in command
                .get_arguments()
                .filter(|argument| argument.get_long().is_some())
            {
                let flag = argument.get_long().unwrap();
                let variable = argument
                    .get_env()
                    .map(|variable| variable.to_string_lossy().into_owned());
                let fine = variable
                    .as_deref()
                    .is_some_and(|v| v.starts_with("INSULA_") || v == "DATABASE_URL");
                assert!(
                    fine || ["help", "json"].contains(&flag),
                    "{name} --{flag}: {variable:?}"
                );
            }
        }
    }

    #[test]
    fn scripts_can_rely_on_these_forms() {
        for line in [
            "insula tenant create acme --json --data d",
            "insula tenant list --json",
            "insula tenant suspend acme",
            "insula tenant resume acme",
            "insula tenant quota acme --files 10000 --bytes 50GB --chunks unlimited --json",
            "insula key create --tenant acme --scopes files.read,files.write --expires 30d --name ci --json",
            "insula key list --tenant acme",
            "insula key revoke key_0198f0a67c3e7d3fa1b2c3d4e5f60718",
            "insula key rotate key_0198f0a67c3e7d3fa1b2c3d4e5f60718 --grace 1h --json",
            "insula operator-key create --name ci --expires 30d --json",
            "insula operator-key list --json",
            "insula operator-key revoke opk_0198f0a67c3e7d3fa1b2c3d4e5f60718",
            "insula master-key create",
            "insula master-key create keys",
            "insula master-key rotate --master-key-file keys --json",
            "insula dev --data d --listen 127.0.0.1:0 --json",
            "insula demo --data d",
            "insula password-reset ada@example.com --public-url https://insula.example --json",
            "insula audit verify --json",
            "insula openapi",
            "insula routes check routes.toml",
            "insula ingest docs notes.md --store Handbook --url http://127.0.0.1:8080 --key-file k --json",
            "insula ingest --store vs_0198f0a67c3e7d3fa1b2c3d4e5f60718 --base . --all --delete --dry-run docs",
        ] {
            if let Err(error) = Cli::try_parse_from(line.split(' ')) {
                panic!("{line}: {error}");
            }
        }
        let unknown =
            Cli::try_parse_from("insula key create --tenant a --scopes all".split(' ')).unwrap_err();
        assert!(unknown.to_string().contains("vector_stores.read"), "{unknown}");
    }
}
