//! Data keys: one per tenant, wrapped by a master key.

use super::master::MasterKeys;
use super::seal::{self, Key};
use crate::{Db, Result, TenantId, TenantTx};

/// Data keys that are wrapped anew in one transaction.
const BATCH: i64 = 500;

/// The tenant's data key, made if there is none.
pub(super) async fn get(tx: &mut TenantTx, master: &MasterKeys) -> Result<Key> {
    let tenant = tx.tenant_id();
    if let Some(key) = find(tx, master).await? {
        return Ok(key);
    }
    let (id, wrapped) = master.wrap(tenant, &seal::new_key())?;
    // Of two that make the first one at once, the second waits here and takes the other's.
    sqlx::query(
        "insert into tenant_data_keys (master_key_id, wrapped) values ($1, $2) on conflict (tenant_id) do nothing",
    )
    .bind(id)
    .bind(wrapped)
    .execute(&mut **tx)
    .await?;
    find(tx, master)
        .await?
        .ok_or_else(|| crate::Error::Vault("a data key that was just made is gone".into()))
}

async fn find(tx: &mut TenantTx, master: &MasterKeys) -> Result<Option<Key>> {
    let tenant = tx.tenant_id();
    let row: Option<(String, Vec<u8>)> =
        sqlx::query_as("select master_key_id, wrapped from tenant_data_keys")
            .fetch_optional(&mut **tx)
            .await?;
    row.map(|(id, wrapped)| master.unwrap(tenant, &id, &wrapped))
        .transpose()
}

/// Wraps every data key with the first master key, while servers go on serving; how many were not yet. The other master
/// keys are needed no more once every server knows the first one.
///
/// # Errors
/// [`crate::Error::Vault`] if a data key is wrapped by a master key that is not among these; those before it stay done.
pub async fn rewrap(db: &Db, master: &MasterKeys) -> Result<usize> {
    let mut done = 0;
    loop {
        let mut tx = db.operator().await?;
        let rows: Vec<(TenantId, String, Vec<u8>)> = sqlx::query_as(
            "select tenant_id, master_key_id, wrapped from tenant_data_keys where master_key_id <> $1 limit $2
             for update",
        )
        .bind(master.first())
        .bind(BATCH)
        .fetch_all(&mut *tx)
        .await?;
        if rows.is_empty() {
            return Ok(done);
        }
        for (tenant, id, wrapped) in &rows {
            let key = master.unwrap(*tenant, id, wrapped)?;
            let (id, wrapped) = master.wrap(*tenant, &key)?;
            sqlx::query("update tenant_data_keys set master_key_id = $2, wrapped = $3 where tenant_id = $1")
                .bind(tenant)
                .bind(id)
                .bind(wrapped)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        done += rows.len();
    }
}
