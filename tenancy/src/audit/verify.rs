//! Walking the chains.

use super::hash::{self, Hash};
use super::{Entry, INSTALL};
use crate::{AuditLogId, OperatorTx, Result, TenantId};

/// Entries that are read at once.
const BATCH: i64 = 5_000;

/// A chain that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Whose; [`INSTALL`] for the install's own.
    pub tenant_id: TenantId,
    /// How many entries it has.
    pub entries: i64,
    /// The hash of its last one. Whoever keeps it elsewhere notices too if entries are cut off from the end.
    pub head: Vec<u8>,
}

/// The first entry that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Whose chain.
    pub tenant_id: TenantId,
    /// The place in the chain.
    pub seq: i64,
    /// What stands there; `None`: nothing, though the chain goes on.
    pub id: Option<AuditLogId>,
}

/// What came of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All chains, the install's first.
    Whole(Vec<Chain>),
    /// In the first chain that is not.
    Broken(Broken),
}

/// Walks every chain from its beginning.
///
/// # Errors
/// When the database is away.
pub async fn verify(tx: &mut OperatorTx) -> Result<Verdict> {
    let mut chains: Vec<Chain> = Vec::new();
    let (mut tenant, mut seq) = (INSTALL, 0);
    loop {
        let entries: Vec<Entry> = sqlx::query_as(
            "select tenant_id, seq, id, created_at, event, actor, address, resource, details, hash from audit_logs
             where (tenant_id, seq) > ($1, $2) order by tenant_id, seq limit $3",
        )
        .bind(tenant)
        .bind(seq)
        .bind(BATCH)
        .fetch_all(&mut **tx)
        .await?;
        let Some(last) = entries.last() else {
            return Ok(Verdict::Whole(chains));
        };
        (tenant, seq) = (last.tenant_id, last.seq);
        for entry in entries {
            if let Some(broken) = follow(&mut chains, &entry) {
                return Ok(Verdict::Broken(broken));
            }
        }
    }
}

/// Adds an entry to its chain, unless it does not belong there.
fn follow(chains: &mut Vec<Chain>, entry: &Entry) -> Option<Broken> {
    if chains
        .last()
        .is_none_or(|chain| chain.tenant_id != entry.tenant_id)
    {
        chains.push(Chain {
            tenant_id: entry.tenant_id,
            entries: 0,
            head: Hash::default().to_vec(),
        });
    }
    let chain = chains.last_mut()?;
    let expected = chain.entries + 1;
    if entry.seq != expected {
        return Some(Broken {
            tenant_id: entry.tenant_id,
            seq: expected,
            id: None,
        });
    }
    if hash::of(entry, &chain.head) != *entry.hash {
        return Some(Broken {
            tenant_id: entry.tenant_id,
            seq: entry.seq,
            id: Some(entry.id),
        });
    }
    chain.entries = entry.seq;
    chain.head.clone_from(&entry.hash);
    None
}
