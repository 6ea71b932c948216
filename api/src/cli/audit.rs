//! `insula audit …`

use std::process::ExitCode;

use clap::Subcommand;
use insula_tenancy::TenantId;
use insula_tenancy::audit::{self, Broken, Chain, INSTALL, Verdict};
use serde_json::json;

use super::target::TargetArgs;

/// What to do with the audit log.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Check that no entry was changed, removed, added or moved; fails with the first one that was
    Verify(TargetArgs),
}

pub(super) async fn run(command: AuditCommand) -> anyhow::Result<ExitCode> {
    let AuditCommand::Verify(target) = command;
    let mut tx = target.connect().await?.operator().await?;
    let verdict = audit::verify(&mut tx).await?;
    match &verdict {
        Verdict::Whole(chains) if target.json => {
            let chains: Vec<_> = chains.iter().map(describe).collect();
            println!("{}", json!({"whole": true, "chains": chains}));
        }
        Verdict::Whole(chains) => {
            for chain in chains {
                let (whose, entries) = (whose(chain.tenant_id), chain.entries);
                println!("{whose}  {entries} entries, whole  {}", hex(&chain.head));
            }
        }
        Verdict::Broken(Broken { tenant_id, seq, id }) => {
            if target.json {
                let broken = json!({"chain": whose(*tenant_id), "sequence": seq, "id": id});
                println!("{}", json!({"whole": false, "broken": broken}));
            }
            match id {
                Some(id) => eprintln!(
                    "{}: entry {seq} ({id}) is not as it was written",
                    whose(*tenant_id)
                ),
                None => eprintln!("{}: entry {seq} is missing", whose(*tenant_id)),
            }
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(chain: &Chain) -> serde_json::Value {
    json!({"chain": whose(chain.tenant_id), "entries": chain.entries, "head": hex(&chain.head)})
}

fn whose(tenant_id: TenantId) -> String {
    if tenant_id == INSTALL {
        "install".to_owned()
    } else {
        tenant_id.to_string()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
