//! SQL of conversations.

use chrono::{DateTime, Utc};
use insula_tenancy::{ConversationId, TenantTx};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Conversation, Retention};
use crate::page::{Listing, Page, paged};
use crate::response::{Item, ItemId};
use crate::vector_store::Metadata;
use crate::{Error, Result};

/// Conversations beyond the tenant's retention, for housekeeping: `$1` rows at most. `$2` is not used.
pub(crate) const OLD_CONVERSATIONS: &str =
    "delete from conversations where $2::text is not null and id in (
   select id from conversations
   where last_used_at < now() - make_interval(days => (select conversation_days from conversation_retention)) limit $1)";

#[derive(sqlx::FromRow)]
struct Row {
    id: ConversationId,
    metadata: Json<Metadata>,
    created_at: DateTime<Utc>,
    last_used_at: DateTime<Utc>,
    end_user: Option<String>,
}

impl From<Row> for Conversation {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            metadata: row.metadata.0,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            end_user: row.end_user,
        }
    }
}

const PAGES: (&str, &str) = paged!(
    select "id, metadata, created_at, last_used_at, end_user" from "conversations", id "id",
    cursor "conversations where true", where "($1::text is null or end_user = $1)", "$2" "$3" "$4"
);

const ITEM_PAGES: (&str, &str) = paged!(
    select "item" from "conversation_items", id "id", cursor "conversation_items where conversation_id = $1",
    where "conversation_id = $1", "$2" "$3" "$4"
);

pub(super) async fn insert(
    tx: &mut TenantTx,
    metadata: &Metadata,
    end_user: Option<&str>,
) -> Result<ConversationId> {
    let id = ConversationId::generate();
    sqlx::query("insert into conversations (id, metadata, end_user) values ($1, $2, $3)")
        .bind(id)
        .bind(Json(metadata))
        .bind(end_user)
        .execute(&mut **tx)
        .await?;
    Ok(id)
}

pub(super) async fn find(tx: &mut TenantTx, id: ConversationId) -> Result<Option<Conversation>> {
    let row: Option<Row> = sqlx::query_as(
        "select id, metadata, created_at, last_used_at, end_user from conversations where id = $1",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(Conversation::from))
}

pub(super) async fn list(
    tx: &mut TenantTx,
    end_user: Option<&str>,
    page: Page,
) -> Result<Listing<Conversation>> {
    let scan = page.scan();
    let rows: Vec<Row> = sqlx::query_as(if scan.ascending { PAGES.0 } else { PAGES.1 })
        .bind(end_user)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    Ok(scan.finish(rows.into_iter().map(Conversation::from).collect()))
}

pub(super) async fn set_metadata(tx: &mut TenantTx, id: ConversationId, metadata: &Metadata) -> Result<()> {
    sqlx::query("update conversations set metadata = $2 where id = $1")
        .bind(id)
        .bind(Json(metadata))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Notes that something is added, and keeps others from adding meanwhile. Whether the conversation is still there.
pub(crate) async fn touch(tx: &mut TenantTx, id: ConversationId) -> Result<bool> {
    let touched = sqlx::query("update conversations set last_used_at = now() where id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(touched.rows_affected() > 0)
}

/// Adds items to the end. They are copies under ids of their own.
pub(crate) async fn append(tx: &mut TenantTx, id: ConversationId, items: &[Item]) -> Result<()> {
    let ids: Vec<Uuid> = items.iter().map(|item| item.id().uuid()).collect();
    let values: Vec<Value> = items
        .iter()
        .map(serde_json::to_value)
        .collect::<Result<_, _>>()
        .map_err(Error::internal)?;
    sqlx::query(
        "insert into conversation_items (conversation_id, id, item)
         select $1, u.id, u.item from unnest($2::uuid[], $3::jsonb[]) with ordinality as u (id, item, place)
         order by u.place",
    )
    .bind(id)
    .bind(&ids)
    .bind(&values)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut TenantTx, id: ConversationId) -> Result<()> {
    sqlx::query("delete from conversations where id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn items(tx: &mut TenantTx, id: ConversationId, most: i64) -> Result<Vec<Item>> {
    let rows: Vec<Json<Item>> = sqlx::query_scalar(
        "select item from conversation_items where conversation_id = $1 order by created_at, id limit $2",
    )
    .bind(id)
    .bind(most)
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|Json(item)| item).collect())
}

pub(super) async fn has_item(tx: &mut TenantTx, id: ConversationId, item: Uuid) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "select exists (select from conversation_items where conversation_id = $1 and id = $2)",
    )
    .bind(id)
    .bind(item)
    .fetch_one(&mut **tx)
    .await?)
}

pub(super) async fn list_items(tx: &mut TenantTx, id: ConversationId, page: Page) -> Result<Listing<Item>> {
    let scan = page.scan();
    let rows: Vec<Json<Item>> = sqlx::query_scalar(if scan.ascending {
        ITEM_PAGES.0
    } else {
        ITEM_PAGES.1
    })
    .bind(id)
    .bind(scan.from)
    .bind(scan.to)
    .bind(scan.limit)
    .fetch_all(&mut **tx)
    .await?;
    Ok(scan.finish(rows.into_iter().map(|Json(item)| item).collect()))
}

pub(super) async fn find_item(tx: &mut TenantTx, id: ConversationId, item: &ItemId) -> Result<Option<Item>> {
    let row: Option<Json<Item>> = sqlx::query_scalar(
        "select item from conversation_items where conversation_id = $1 and id = $2 and item->>'id' = $3",
    )
    .bind(id)
    .bind(item.uuid())
    .bind(item.as_str())
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|Json(item)| item))
}

pub(super) async fn delete_item(tx: &mut TenantTx, id: ConversationId, item: &ItemId) -> Result<bool> {
    let deleted = sqlx::query(
        "delete from conversation_items where conversation_id = $1 and id = $2 and item->>'id' = $3",
    )
    .bind(id)
    .bind(item.uuid())
    .bind(item.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(deleted.rows_affected() > 0)
}

pub(super) async fn retention(tx: &mut TenantTx) -> Result<Option<Retention>> {
    let row: Option<(Option<i32>, Option<i32>)> =
        sqlx::query_as("select response_days, conversation_days from conversation_retention")
            .fetch_optional(&mut **tx)
            .await?;
    Ok(row.map(|(responses, conversations)| Retention {
        responses,
        conversations,
    }))
}

pub(super) async fn set_retention(tx: &mut TenantTx, retention: Retention) -> Result<()> {
    sqlx::query(
        "insert into conversation_retention (response_days, conversation_days) values ($1, $2)
         on conflict (tenant_id) do update set
           response_days = excluded.response_days, conversation_days = excluded.conversation_days",
    )
    .bind(retention.responses)
    .bind(retention.conversations)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
