//! `insula tenant …`

use clap::{Args, Subcommand};
use insula_tenancy::tenant::{self, Tenant};
use serde_json::{Value, json};

use super::target::TargetArgs;

/// What to do with tenants.
#[derive(Debug, Subcommand)]
pub(super) enum TenantCommand {
    /// Make a tenant
    Create(NamedTenant),
    /// List all tenants
    List(TargetArgs),
    /// Refuse a tenant's keys; nothing is deleted
    Suspend(NamedTenant),
    /// Let a suspended tenant in again
    Resume(NamedTenant),
}

#[derive(Debug, Args)]
pub(super) struct NamedTenant {
    /// Its name: 1 to 63 lower-case letters, digits and inner hyphens
    name: String,
    #[command(flatten)]
    target: TargetArgs,
}

pub(super) async fn run(command: TenantCommand) -> anyhow::Result<()> {
    match command {
        TenantCommand::Create(NamedTenant { name, target }) => {
            let mut tx = target.connect().await?.operator().await?;
            let tenant = tenant::create(&mut tx, &name).await?;
            tx.commit().await?;
            if target.json {
                println!("{}", json!({"id": tenant.id, "name": tenant.name}));
            } else {
                println!("{}  {}", tenant.id, tenant.name);
            }
        }
        TenantCommand::List(target) => {
            let mut tx = target.connect().await?.operator().await?;
            let tenants = tenant::list(&mut tx).await?;
            if target.json {
                println!("{}", Value::from_iter(tenants.iter().map(describe)));
            } else {
                for tenant in tenants {
                    println!("{}  {:<9}  {}", tenant.id, tenant.status, tenant.name);
                }
            }
        }
        TenantCommand::Suspend(named) => set_suspended(named, true).await?,
        TenantCommand::Resume(named) => set_suspended(named, false).await?,
    }
    Ok(())
}

async fn set_suspended(named: NamedTenant, suspended: bool) -> anyhow::Result<()> {
    let NamedTenant { name, target } = named;
    let mut tx = target.connect().await?.operator().await?;
    let id = tenant::get(&mut tx, &name).await?.id;
    tenant::set_suspended(&mut tx, id, suspended).await?;
    let tenant = tenant::get(&mut tx, &name).await?;
    tx.commit().await?;
    if target.json {
        println!("{}", describe(&tenant));
    } else {
        println!("{} is {}", tenant.name, tenant.status);
    }
    Ok(())
}

fn describe(tenant: &Tenant) -> Value {
    json!({
        "id": tenant.id,
        "name": tenant.name,
        "status": tenant.status,
        "created_at": tenant.created_at.timestamp(),
    })
}
