//! How much a tenant stores, and how much it may.
//!
//! Files and bytes are counted by the database as they change (triggers of `tenant_usage`), in the transaction that
//! changes them; whoever adds some asks here afterwards, before the commit. The row of the count is locked by then, so
//! the answer is exact whatever else happens at the same time.

use insula_tenancy::TenantTx;

use crate::{Error, Result};

/// One quantity that is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// How much there is.
    pub used: i64,
    /// How much there may be; `None` for any amount.
    pub quota: Option<i64>,
}

impl Usage {
    fn would_exceed(self, more: i64) -> bool {
        self.quota
            .is_some_and(|quota| self.used.checked_add(more).is_none_or(|sum| sum > quota))
    }

    /// As it was before so much was added.
    fn without(self, new: i64) -> Self {
        Self {
            used: self.used - new,
            ..self
        }
    }

    /// How much may be added.
    fn left(self) -> Option<i64> {
        self.quota.map(|quota| (quota - self.used).max(0))
    }
}

/// What a tenant stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageUsage {
    /// Files.
    pub files: Usage,
    /// Bytes of files, and of parts of uploads that are not complete.
    pub bytes: Usage,
    /// Chunks of all vector stores; a file counts in each that has it.
    pub chunks: Usage,
}

/// What the tenant stores now. It may change at any time.
///
/// # Errors
/// When the database is away.
pub async fn usage(tx: &mut TenantTx) -> Result<StorageUsage> {
    let Stored { files, bytes } = stored(tx).await?;
    let (used, quota): (i64, Option<i64>) = sqlx::query_as(
        "select (select coalesce(sum(chunk_count), 0)::bigint from vector_stores),
                (select max_chunks from tenant_quotas)",
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(StorageUsage {
        files,
        bytes,
        chunks: Usage { used, quota },
    })
}

/// Refuses what cannot be stored anyway, before its bytes are sent: a file of at least so many bytes. What passes is
/// still checked when it is recorded.
///
/// # Errors
/// [`Error::QuotaExceeded`].
pub async fn expect_file(tx: &mut TenantTx, least_bytes: i64) -> Result<()> {
    let Stored { files, bytes } = stored(tx).await?;
    if files.would_exceed(1) {
        return Err(exceeded("files", files, 1));
    }
    expected_bytes(bytes, least_bytes)
}

/// The same for bytes that are no file yet.
///
/// # Errors
/// [`Error::QuotaExceeded`].
pub async fn expect_bytes(tx: &mut TenantTx, least_bytes: i64) -> Result<()> {
    let Stored { bytes, .. } = stored(tx).await?;
    expected_bytes(bytes, least_bytes)
}

fn expected_bytes(bytes: Usage, more: i64) -> Result<()> {
    if bytes.would_exceed(more) {
        return Err(exceeded("bytes", bytes, more));
    }
    Ok(())
}

/// Refuses what was just recorded in `tx`, if it is too much; `bytes` of it are new, for the message.
pub(crate) async fn check_stored(tx: &mut TenantTx, new_bytes: i64) -> Result<()> {
    let Stored { files, bytes } = stored(tx).await?;
    if files.would_exceed(0) {
        return Err(exceeded("files", files.without(1), 1));
    }
    if bytes.would_exceed(0) {
        return Err(exceeded("bytes", bytes.without(new_bytes), new_bytes));
    }
    Ok(())
}

/// Refuses what was just written in `tx`, if it is too many chunks; `new` of them are new, for the message. Until the
/// transaction ends, others that add chunks for this tenant wait. (Tenants without a quota never wait.)
///
/// # Errors
/// [`Error::QuotaExceeded`].
pub(crate) async fn check_chunks(tx: &mut TenantTx, new: i64) -> Result<()> {
    // The lock first: the sum must be of after it was granted.
    let quota: Option<i64> = sqlx::query_scalar(
        "select max_chunks from tenant_quotas, pg_advisory_xact_lock(hashtextextended(tenant_id::text, 7310596434))
         where max_chunks is not null",
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(quota) = quota else { return Ok(()) };
    let used: i64 = sqlx::query_scalar("select coalesce(sum(chunk_count), 0)::bigint from vector_stores")
        .fetch_one(&mut **tx)
        .await?;
    let chunks = Usage {
        used,
        quota: Some(quota),
    };
    if chunks.would_exceed(0) {
        return Err(exceeded("chunks", chunks.without(new), new));
    }
    Ok(())
}

struct Stored {
    files: Usage,
    bytes: Usage,
}

async fn stored(tx: &mut TenantTx) -> Result<Stored> {
    let (files, bytes, max_files, max_bytes): (i64, i64, Option<i64>, Option<i64>) = sqlx::query_as(
        "select coalesce((select files from tenant_usage), 0), coalesce((select bytes from tenant_usage), 0),
                (select max_files from tenant_quotas), (select max_bytes from tenant_quotas)",
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(Stored {
        files: Usage {
            used: files,
            quota: max_files,
        },
        bytes: Usage {
            used: bytes,
            quota: max_bytes,
        },
    })
}

fn exceeded(what: &str, usage: Usage, more: i64) -> Error {
    let (quota, used, left) = (
        usage.quota.unwrap_or(i64::MAX),
        usage.used,
        usage.left().unwrap_or(i64::MAX),
    );
    Error::QuotaExceeded(format!(
        "Your quota of {quota} {what} is not enough: {used} are in use, {left} are left, and this needs {more}. \
         Delete what you no longer need, or ask the operator of this server for a larger quota."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_may_be_used_to_its_last_unit_and_none_has_no_end() {
        let usage = |used, quota| Usage { used, quota };
        assert!(!usage(7, Some(10)).would_exceed(3));
        assert!(usage(7, Some(10)).would_exceed(4));
        assert!(usage(7, Some(0)).would_exceed(0), "a quota that was lowered");
        assert!(!usage(i64::MAX, None).would_exceed(i64::MAX));
        assert!(usage(1, Some(i64::MAX)).would_exceed(i64::MAX));
    }

    #[test]
    fn a_refusal_names_the_quota_the_use_and_whom_to_ask() {
        let usage = Usage {
            used: 12,
            quota: Some(10),
        };
        let message = exceeded("files", usage, 1).to_string();
        for part in ["10 files", "12 are in use", "0 are left", "needs 1", "operator"] {
            assert!(message.contains(part), "{message}");
        }
    }
}
