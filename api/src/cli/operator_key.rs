//! `insula operator-key …`

use std::time::Duration;

use clap::{Args, Subcommand};
use insula_tenancy::OperatorKeyId;
use insula_tenancy::operator::key::{self, OperatorKey};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::target::TargetArgs;

/// What to do with keys for the operator's API.
#[derive(Debug, Subcommand)]
pub(super) enum OperatorKeyCommand {
    /// Make a key; this is the only time that it is shown
    Create(CreateKey),
    /// List all keys
    List(TargetArgs),
    /// Revoke a key; every server refuses it at once
    Revoke(NamedKey),
}

#[derive(Debug, Args)]
pub(super) struct CreateKey {
    /// Lifetime, for example 30d. Absent: the key does not expire
    #[arg(long, value_parser = crate::config::duration, value_name = "DURATION")]
    expires: Option<Duration>,
    /// A name for people
    #[arg(long, default_value = "key")]
    name: String,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Debug, Args)]
pub(super) struct NamedKey {
    /// Id of the key, opk_…
    #[arg(value_parser = key_id)]
    id: OperatorKeyId,
    #[command(flatten)]
    target: TargetArgs,
}

pub(super) async fn run(command: OperatorKeyCommand) -> anyhow::Result<()> {
    match command {
        OperatorKeyCommand::Create(CreateKey {
            expires,
            name,
            target,
        }) => {
            let mut tx = target.connect().await?.operator().await?;
            let created = key::create(&mut tx, &name, expires).await?;
            tx.commit().await?;
            let (id, key) = (created.id, created.key.expose_secret());
            if target.json {
                println!("{}", json!({"id": id, "key": key}));
            } else {
                println!("{id}\n{key}");
                eprintln!("Keep the key now: it is stored hashed and cannot be shown again.");
            }
        }
        OperatorKeyCommand::List(target) => {
            let mut tx = target.connect().await?.operator().await?;
            let keys = key::list(&mut tx).await?;
            if target.json {
                println!("{}", Value::from_iter(keys.iter().map(describe)));
            } else {
                for key in &keys {
                    let state = if key.revoked_at.is_some() {
                        "revoked"
                    } else {
                        "active"
                    };
                    println!("{}  {state:<7}  {}", key.id, key.name);
                }
            }
        }
        OperatorKeyCommand::Revoke(NamedKey { id, target }) => {
            let mut tx = target.connect().await?.operator().await?;
            key::revoke(&mut tx, id).await?;
            tx.commit().await?;
            if target.json {
                println!("{}", json!({"id": id, "revoked": true}));
            } else {
                println!("{id} is revoked");
            }
        }
    }
    Ok(())
}

fn describe(key: &OperatorKey) -> Value {
    let seconds = |time: Option<chrono::DateTime<chrono::Utc>>| time.map(|time| time.timestamp());
    json!({
        "id": key.id,
        "name": key.name,
        "public_id": key.public_id,
        "created_at": key.created_at.timestamp(),
        "expires_at": seconds(key.expires_at),
        "revoked_at": seconds(key.revoked_at),
        "last_used_at": seconds(key.last_used_at),
    })
}

fn key_id(text: &str) -> Result<OperatorKeyId, String> {
    text.parse()
        .map_err(|_| "must be the id of an operator's key: opk_ and 32 hex digits".to_owned())
}
