//! `insula tenant …`

use bytesize::ByteSize;
use clap::{Args, Subcommand};
use insula_tenancy::quota::{self, Quotas, Storage};
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
    /// Show how much a tenant may store, or change it
    Quota(Quota),
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

#[derive(Debug, Args)]
pub(super) struct Quota {
    /// Name or id of the tenant
    name: String,
    /// Most files, or `unlimited`
    #[arg(long, value_parser = number, value_name = "NUMBER")]
    files: Option<Amount>,
    /// Most bytes of files, as in 500MB or 10GiB, or `unlimited`
    #[arg(long, value_parser = size, value_name = "SIZE")]
    bytes: Option<Amount>,
    /// Most chunks of all vector stores, or `unlimited`
    #[arg(long, value_parser = number, value_name = "NUMBER")]
    chunks: Option<Amount>,
    #[command(flatten)]
    target: TargetArgs,
}

/// A quota on the command line; `None` for any amount.
#[derive(Debug, Clone, Copy)]
struct Amount(Option<i64>);

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
            let mut tenants = Vec::new();
            for tenant in tenant::list(&mut tx, false).await? {
                let storage = quota::get(&mut tx, tenant.id).await?;
                tenants.push((tenant, storage));
            }
            if target.json {
                println!("{}", Value::from_iter(tenants.iter().map(describe)));
            } else {
                for (tenant, storage) in tenants {
                    let storage = in_words(&storage);
                    println!("{}  {:<9}  {}  {storage}", tenant.id, tenant.state(), tenant.name);
                }
            }
        }
        TenantCommand::Quota(quota) => set_quotas(quota).await?,
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
    let storage = quota::get(&mut tx, id).await?;
    tx.commit().await?;
    if target.json {
        println!("{}", describe(&(tenant, storage)));
    } else {
        println!("{} is {}", tenant.name, tenant.state());
    }
    Ok(())
}

/// Changes the quotas that are named; the others stay.
async fn set_quotas(change: Quota) -> anyhow::Result<()> {
    let Quota {
        name,
        files,
        bytes,
        chunks,
        target,
    } = change;
    let mut tx = target.connect().await?.operator().await?;
    let tenant = tenant::get(&mut tx, &name).await?;
    let before = quota::get(&mut tx, tenant.id).await?.quotas;
    let quotas = Quotas {
        files: files.map_or(before.files, |amount| amount.0),
        bytes: bytes.map_or(before.bytes, |amount| amount.0),
        chunks: chunks.map_or(before.chunks, |amount| amount.0),
    };
    if quotas != before {
        quota::set(&mut tx, tenant.id, quotas).await?;
    }
    let storage = quota::get(&mut tx, tenant.id).await?;
    tx.commit().await?;
    if target.json {
        println!("{}", describe(&(tenant, storage)));
    } else {
        println!("{}: {}", tenant.name, in_words(&storage));
    }
    Ok(())
}

fn describe((tenant, storage): &(Tenant, Storage)) -> Value {
    let Storage { quotas, files, bytes } = storage;
    json!({
        "id": tenant.id,
        "name": tenant.name,
        "status": tenant.state(),
        "created_at": tenant.created_at.timestamp(),
        "used": {"files": files, "bytes": bytes},
        "quota": {"files": quotas.files, "bytes": quotas.bytes, "chunks": quotas.chunks},
    })
}

/// `3 files of 10, 1.2 MiB of 5.0 GiB, any number of chunks`
fn in_words(storage: &Storage) -> String {
    let Storage { quotas, files, bytes } = storage;
    let shown = |bytes: i64| ByteSize(bytes.unsigned_abs()).to_string();
    let of = |quota: Option<String>| quota.map(|quota| format!(" of {quota}")).unwrap_or_default();
    let files = format!("{files} files{}", of(quotas.files.map(|quota| quota.to_string())));
    let bytes = format!("{}{}", shown(*bytes), of(quotas.bytes.map(shown)));
    match quotas.chunks {
        Some(chunks) => format!("{files}, {bytes}, at most {chunks} chunks"),
        None => format!("{files}, {bytes}"),
    }
}

fn number(text: &str) -> Result<Amount, String> {
    match text.parse() {
        _ if text == "unlimited" => Ok(Amount(None)),
        Ok(number @ 0..=i64::MAX) => Ok(Amount(Some(number))),
        _ => Err("must be a whole number, or 'unlimited'".into()),
    }
}

fn size(text: &str) -> Result<Amount, String> {
    if text == "unlimited" {
        return Ok(Amount(None));
    }
    let bytes = text.parse::<ByteSize>().ok();
    match bytes.map(|ByteSize(bytes)| i64::try_from(bytes)) {
        Some(Ok(bytes)) => Ok(Amount(Some(bytes))),
        _ => Err("must be a size such as 500MB or 10GiB, or 'unlimited'".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_quotas_can_be_lifted() {
        let read = |text| size(text).unwrap().0;
        assert_eq!(read("10GiB"), Some(10 << 30));
        assert_eq!(read("5 MB"), Some(5_000_000));
        assert_eq!(read("123"), Some(123));
        assert_eq!(read("unlimited"), None);
        assert_eq!(number("7").unwrap().0, Some(7));
        assert_eq!(number("unlimited").unwrap().0, None);
        for bad in ["-1", "many", "", "1.5"] {
            assert!(number(bad).is_err(), "{bad}");
        }
        for bad in ["-1", "big", "", "99999999TiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn storage_is_told_beside_its_quota() {
        let mut storage = Storage {
            files: 3,
            bytes: 2048,
            ..Storage::default()
        };
        assert_eq!(in_words(&storage), "3 files, 2.0 KiB");
        storage.quotas = Quotas {
            files: Some(10),
            bytes: Some(1 << 30),
            chunks: Some(500),
        };
        assert_eq!(
            in_words(&storage),
            "3 files of 10, 2.0 KiB of 1.0 GiB, at most 500 chunks"
        );
    }
}
