//! `insula key …`

use std::time::Duration;

use clap::{Args, Subcommand};
use insula_tenancy::key::{self, ApiKey, CreatedKey, NewKey};
use insula_tenancy::{KeyId, Scope, tenant};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::target::TargetArgs;

/// What to do with API keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key; this is the only time that it is shown
    Create(CreateKey),
    /// List a tenant's keys
    List(ListKeys),
    /// Revoke a key; every server refuses it within a second
    Revoke(NamedKey),
    /// Make a successor, and let the old key live a little longer
    Rotate(RotateKey),
}

#[derive(Debug, Args)]
pub(super) struct CreateKey {
    /// Name or id of the tenant
    #[arg(long)]
    tenant: String,
    /// Permissions, separated by commas. Absent: all
    #[arg(long, value_delimiter = ',', value_name = "SCOPES")]
    scopes: Vec<Scope>,
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
pub(super) struct ListKeys {
    /// Name or id of the tenant
    #[arg(long)]
    tenant: String,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Debug, Args)]
pub(super) struct NamedKey {
    /// Id of the key, key_…
    #[arg(value_parser = key_id)]
    id: KeyId,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Debug, Args)]
pub(super) struct RotateKey {
    /// Id of the key, key_…
    #[arg(value_parser = key_id)]
    id: KeyId,
    /// How long the old key goes on working
    #[arg(long, default_value = "24h", value_parser = crate::config::duration, value_name = "DURATION")]
    grace: Duration,
    #[command(flatten)]
    target: TargetArgs,
}

pub(super) async fn run(command: KeyCommand) -> anyhow::Result<()> {
    match command {
        KeyCommand::Create(CreateKey {
            tenant,
            scopes,
            expires,
            name,
            target,
        }) => {
            let scopes = if scopes.is_empty() {
                Scope::ALL.to_vec()
            } else {
                scopes
            };
            let mut tx = target.connect().await?.operator().await?;
            let tenant = tenant::get(&mut tx, &tenant).await?;
            let created = key::create(
                &mut tx,
                tenant.id,
                &NewKey {
                    name,
                    scopes,
                    expires_in: expires,
                },
            )
            .await?;
            tx.commit().await?;
            show(&created, target.json);
        }
        KeyCommand::List(ListKeys { tenant, target }) => {
            let mut tx = target.connect().await?.operator().await?;
            let tenant = tenant::get(&mut tx, &tenant).await?;
            let keys = key::list(&mut tx, tenant.id).await?;
            if target.json {
                println!("{}", Value::from_iter(keys.iter().map(describe)));
            } else {
                for key in &keys {
                    let state = if key.revoked_at.is_some() {
                        "revoked"
                    } else {
                        "active"
                    };
                    println!("{}  {state:<7}  {}  {}", key.id, key.name, key.scopes.join(","));
                }
            }
        }
        KeyCommand::Revoke(NamedKey { id, target }) => {
            let mut tx = target.connect().await?.operator().await?;
            key::revoke(&mut tx, id).await?;
            tx.commit().await?;
            if target.json {
                println!("{}", json!({"id": id, "revoked": true}));
            } else {
                println!("{id} is revoked");
            }
        }
        KeyCommand::Rotate(RotateKey { id, grace, target }) => {
            let mut tx = target.connect().await?.operator().await?;
            let created = key::rotate(&mut tx, id, grace).await?;
            tx.commit().await?;
            show(&created, target.json);
        }
    }
    Ok(())
}

/// Prints a new key, the one time that it can be printed.
fn show(created: &CreatedKey, as_json: bool) {
    let key = created.key.expose_secret();
    if as_json {
        println!("{}", json!({"id": created.id, "key": key}));
    } else {
        println!("{}\n{key}", created.id);
        eprintln!("Keep the key now: it is stored hashed and cannot be shown again.");
    }
}

fn describe(key: &ApiKey) -> Value {
    let seconds = |time: Option<chrono::DateTime<chrono::Utc>>| time.map(|time| time.timestamp());
    json!({
        "id": key.id,
        "name": key.name,
        "public_id": key.public_id,
        "scopes": key.scopes,
        "created_at": key.created_at.timestamp(),
        "expires_at": seconds(key.expires_at),
        "revoked_at": seconds(key.revoked_at),
        "last_used_at": seconds(key.last_used_at),
    })
}

fn key_id(text: &str) -> Result<KeyId, String> {
    text.parse()
        .map_err(|_| "must be the id of a key: key_ and 32 hex digits".to_owned())
}
