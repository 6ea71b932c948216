//! People and invitations of a tenant that is removed. Whoever is in no other tenant, and does not run the install, is nobody here
//! any more, and goes with its password and its sessions.

use std::collections::BTreeMap;

use sqlx::types::Json;

use crate::audit::{Act, Event, INSTALL, Origin, record_by_operator};
use crate::{Db, PersonId, Result, TenantId};

/// Memberships and invitations that end in one transaction.
const BATCH: i64 = 500;

/// Ends what people have to do with a tenant whose removal goes on, and counts it in the receipt; how many rows went.
///
/// # Errors
/// When the database is away.
pub async fn clear_people(db: &Db, tenant_id: TenantId) -> Result<i64> {
    let mut tx = db.system().await?;
    sqlx::query("update sessions set current_tenant = null where current_tenant = $1")
        .bind(tenant_id)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    let mut rows = 0;
    loop {
        let gone = clear_some(db, tenant_id).await?;
        rows += gone.iter().map(|(_, count)| count).sum::<i64>();
        if gone.iter().all(|(_, count)| *count < BATCH) {
            return Ok(rows);
        }
    }
}

async fn clear_some(db: &Db, tenant_id: TenantId) -> Result<[(&'static str, i64); 3]> {
    let mut tx = db.begin_operator(Origin::SYSTEM).await?;
    let receipt: Option<(Json<BTreeMap<String, i64>>, bool)> = sqlx::query_as(
        "select deleted, completed_at is not null from erasures where of_tenant = $1 for update",
    )
    .bind(tenant_id)
    .fetch_optional(&mut *tx)
    .await?;
    let Some((Json(mut deleted), is_complete)) = receipt else {
        return Ok([("members", 0), ("invitations", 0), ("people", 0)]);
    };
    let invitations = sqlx::query(
        "delete from invites i where i.role = 'reader' and i.id in (
           select p.invite_id from invite_projects p where p.tenant_id = $1 and not exists (
             select from invite_projects o where o.invite_id = p.invite_id and o.tenant_id <> $1) limit $2)",
    )
    .bind(tenant_id)
    .bind(BATCH)
    .execute(&mut *tx)
    .await?;
    let members: Vec<PersonId> = sqlx::query_scalar(
        "delete from members where tenant_id = $1 and person_id in (
           select person_id from members where tenant_id = $1 order by person_id limit $2) returning person_id",
    )
    .bind(tenant_id)
    .bind(BATCH)
    .fetch_all(&mut *tx)
    .await?;
    let people: Vec<PersonId> = sqlx::query_scalar(
        "delete from people p where p.id = any ($1) and p.role = 'reader'
           and not exists (select from members m where m.person_id = p.id) returning id",
    )
    .bind(&members)
    .fetch_all(&mut *tx)
    .await?;
    for id in &people {
        // Without its address, which is to be forgotten.
        record_by_operator(&mut tx, INSTALL, Act::new(Event::UserDeleted, id)).await?;
    }
    let gone = [
        ("members", count(members.len())),
        (
            "invitations",
            i64::try_from(invitations.rows_affected()).unwrap_or(i64::MAX),
        ),
        ("people", count(people.len())),
    ];
    if !is_complete {
        for (what, count) in gone.iter().filter(|(_, count)| *count > 0) {
            *deleted.entry((*what).to_owned()).or_default() += count;
        }
        sqlx::query("update erasures set deleted = $2 where of_tenant = $1")
            .bind(tenant_id)
            .bind(Json(deleted))
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(gone)
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
