//! The tables that a tenant has rows in, those first whose rows others do not refer to. A test compares the list with the
//! catalogue, so that a table that is added tomorrow is not forgotten.

use std::collections::BTreeMap;

use sqlx::types::Json;

use super::Billed;
use crate::db::Unit;
use crate::{Db, Money, Result, TenantId};

/// Rows that go in one transaction.
const BATCH: i64 = 2_000;

/// A table, and how some of its rows are removed. `$1` is how many.
struct Table {
    name: &'static str,
    /// What the receipt calls the rows, where that is not the table's name.
    what: &'static str,
    delete: &'static str,
}

macro_rules! table {
    ($name:literal) => {
        table!($name as $name)
    };
    ($name:literal as $what:literal) => {
        Table {
            name: $name,
            what: $what,
            delete: concat!(
                "delete from ",
                $name,
                " where ctid = any (array(select ctid from ",
                $name,
                " limit $1))"
            ),
        }
    };
    // A partitioned table, where a row's place says nothing without its partition.
    ($name:literal by $key:literal) => {
        Table {
            name: $name,
            what: $name,
            delete: concat!(
                "delete from ",
                $name,
                " where (",
                $key,
                ") in (select ",
                $key,
                " from ",
                $name,
                " limit $1)"
            ),
        }
    };
}

/// All but the tables of vectors, whose rows go with their chunks. Of people and invitations see [`super::clear_people`].
const TABLES: &[Table] = &[
    table!("staged_embeddings"),
    table!("chunks" by "id"),
    table!("term_stats"),
    table!("batch_lines"),
    table!("batches"),
    table!("webhook_deliveries"),
    table!("webhook_events"),
    table!("webhooks"),
    table!("source_pages"),
    table!("sources"),
    table!("response_items"),
    table!("responses"),
    table!("conversation_items"),
    table!("conversations"),
    table!("conversation_retention"),
    table!("upload_parts"),
    table!("uploads"),
    table!("store_migrations"),
    table!("model_activations"),
    table!("model_versions"),
    table!("registered_models"),
    table!("assistant_vector_stores"),
    table!("assistants"),
    table!("vector_store_recall"),
    table!("vector_store_files"),
    table!("file_batches"),
    table!("vector_stores"),
    FILES,
    table!("tenant_usage"),
    table!("jobs"),
    table!("request_logs"),
    table!("request_logging"),
    table!("searches"),
    table!("search_days"),
    table!("search_analytics"),
    table!("idempotency_keys"),
    table!("guardrails"),
    table!("route_overrides"),
    table!("provider_keys"),
    table!("tenant_data_keys"),
    table!("budget_slices"),
    table!("budget_alerts"),
    table!("budget_periods"),
    table!("budgets"),
    table!("limit_slices"),
    table!("limit_windows"),
    table!("tenant_limits"),
    table!("tenant_plans"),
    table!("tenant_quotas"),
    table!("usage_events" by "started_at, id"),
    HOURS,
    table!("usage_days"),
    table!("usage_end_users"),
    table!("usage_retention"),
    table!("model_permissions"),
    table!("invite_projects"),
    table!("members"),
    KEYS,
    table!("service_accounts"),
    table!("tenant_accesses"),
    table!("tenant_exports"),
    table!("audit_logs" as "audit_events"),
];

/// With what they weigh.
const FILES: Table = Table {
    name: "files",
    what: "files",
    delete: "with gone as (
       delete from files where ctid = any (array(select ctid from files limit $1)) returning bytes)
     select count(*), coalesce(sum(bytes), 0)::bigint from gone",
};

/// With what they cost: what accounting needs of a tenant that is gone.
const HOURS: Table = Table {
    name: "usage_hours",
    what: "usage_hours",
    delete: "with gone as (
       delete from usage_hours where ctid = any (array(select ctid from usage_hours limit $1))
       returning hour, requests, input_tokens, output_tokens, cost)
     select to_char(hour at time zone 'utc', 'YYYY-MM'), count(*), sum(requests)::bigint, sum(input_tokens)::bigint,
            sum(output_tokens)::bigint, sum(cost)::bigint
     from gone group by 1",
};

/// All at once: they refer to each other, and there are few.
const KEYS: Table = Table {
    name: "api_keys",
    what: "api_keys",
    delete: "delete from api_keys where $1::bigint > 0",
};

/// The names of the tables.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|table| table.name)
}

/// Removes the rows that a tenant has in all tables, if its removal was asked for, and notes them in the receipt unless that is
/// complete; how many rows went. Bounded transactions; whoever is interrupted begins again.
///
/// # Errors
/// When the database is away.
pub async fn clear(db: &Db, tenant_id: TenantId) -> Result<i64> {
    let mut rows = 0;
    for table in TABLES {
        loop {
            let gone = clear_some(db, tenant_id, table).await?;
            rows += gone;
            if gone < BATCH {
                break;
            }
        }
    }
    Ok(rows)
}

/// What the receipt says so far.
#[derive(sqlx::FromRow)]
struct SoFar {
    deleted: Json<BTreeMap<String, i64>>,
    billed: Json<BTreeMap<String, Billed>>,
    is_complete: bool,
}

/// What one transaction removed.
#[derive(Default)]
struct Gone {
    deleted: BTreeMap<String, i64>,
    billed: BTreeMap<String, Billed>,
}

async fn clear_some(db: &Db, tenant_id: TenantId, table: &Table) -> Result<i64> {
    let mut tx = db.begin_eraser(tenant_id).await?;
    // Two workers take turns.
    let so_far: Option<SoFar> = sqlx::query_as(
        "select deleted, billed, completed_at is not null as is_complete from erasures for update",
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(SoFar {
        deleted: Json(mut deleted),
        billed: Json(mut billed),
        is_complete,
    }) = so_far
    else {
        return Ok(0);
    };
    if table.name == "audit_logs" && !is_complete {
        sqlx::query(
            "update erasures set audit_head = (select hash from audit_logs order by seq desc limit 1)
             where audit_head is null",
        )
        .execute(&mut *tx)
        .await?;
    }
    let (rows, gone) = remove(&mut tx, table).await?;
    if rows == 0 {
        return Ok(0);
    }
    if is_complete {
        tracing::warn!(tenant = %tenant_id, table = table.name, rows, "removed what came late of an erased tenant");
    } else {
        for (what, count) in &gone.deleted {
            *deleted.entry(what.clone()).or_default() += count;
        }
        for (month, more) in &gone.billed {
            billed.entry(month.clone()).or_default().add(more);
        }
        sqlx::query("update erasures set deleted = $1, billed = $2")
            .bind(Json(deleted))
            .bind(Json(billed))
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(rows)
}

async fn remove(tx: &mut Unit, table: &Table) -> Result<(i64, Gone)> {
    let mut gone = Gone::default();
    let mut note = |what: &str, count: i64| {
        gone.deleted.insert(what.to_owned(), count);
    };
    let rows = match table.name {
        "files" => {
            let (files, bytes): (i64, i64) = sqlx::query_as(table.delete)
                .bind(BATCH)
                .fetch_one(&mut **tx)
                .await?;
            note("files", files);
            note("bytes", bytes);
            files
        }
        "usage_hours" => {
            let months: Vec<(String, i64, i64, i64, i64, Money)> = sqlx::query_as(table.delete)
                .bind(BATCH)
                .fetch_all(&mut **tx)
                .await?;
            let rows = months.iter().map(|(_, rows, ..)| rows).sum();
            note(table.what, rows);
            for (month, _, requests, input_tokens, output_tokens, cost) in months {
                let billed = Billed {
                    requests,
                    input_tokens,
                    output_tokens,
                    cost,
                };
                gone.billed.insert(month, billed);
            }
            rows
        }
        _ => {
            let done = sqlx::query(table.delete).bind(BATCH).execute(&mut **tx).await?;
            let rows = i64::try_from(done.rows_affected()).unwrap_or(i64::MAX);
            note(table.what, rows);
            rows
        }
    };
    Ok((rows, gone))
}
