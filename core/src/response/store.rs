//! SQL of responses.

use insula_tenancy::{ResponseId, TenantContext, TenantTx};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Before, Input, Item, ItemId, Response};
use crate::page::{Listing, Page, paged};
use crate::{Error, Result, conversation};

/// Most responses that are followed back from the one that a call goes on from.
const LONGEST_CHAIN: i32 = 1_000;

/// Responses beyond the tenant's retention, for housekeeping: `$1` rows at most. `$2` is not used. Without a setting they
/// are kept for 30 days.
pub(crate) const OLD_RESPONSES: &str = "delete from responses where $2::text is not null and id in (
   select r.id from responses r
   left join conversation_retention t on t.tenant_id = r.tenant_id
   where r.created_at < now() - make_interval(days => case when t.tenant_id is null then 30 else t.response_days end)
   limit $1)";

const INPUT_PAGES: (&str, &str) = paged!(
    select "item" from "response_items", id "id", cursor "response_items where response_id = $1",
    where "response_id = $1 and not output", "$2" "$3" "$4"
);

const PAGES: (&str, &str) = paged!(
    select "id" from "responses", id "id", cursor "responses where true", where "true", "$1" "$2" "$3"
);

/// Ids of the tenant's responses.
pub(super) async fn list(tx: &mut TenantTx, page: Page) -> Result<Listing<ResponseId>> {
    let scan = page.scan();
    let ids = sqlx::query_scalar(if scan.ascending { PAGES.0 } else { PAGES.1 })
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    Ok(scan.finish(ids))
}

/// The response without its output, and for whom it is.
pub(super) async fn find(tx: &mut TenantTx, id: ResponseId) -> Result<Option<(Response, Option<String>)>> {
    let row: Option<(Json<Response>, Option<String>)> =
        sqlx::query_as("select body, end_user from responses where id = $1")
            .bind(id)
            .fetch_optional(&mut **tx)
            .await?;
    Ok(row.map(|(Json(response), end_user)| (response, end_user)))
}

/// What a response was given, or what it answered.
pub(super) async fn items(tx: &mut TenantTx, id: ResponseId, output: bool) -> Result<Vec<Item>> {
    let rows: Vec<Json<Item>> = sqlx::query_scalar(
        "select item from response_items where response_id = $1 and output = $2 order by id",
    )
    .bind(id)
    .bind(output)
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|Json(item)| item).collect())
}

pub(super) async fn has_input(tx: &mut TenantTx, id: ResponseId, item: Uuid) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "select exists (select from response_items where response_id = $1 and id = $2 and not output)",
    )
    .bind(id)
    .bind(item)
    .fetch_one(&mut **tx)
    .await?)
}

pub(super) async fn list_input(tx: &mut TenantTx, id: ResponseId, page: Page) -> Result<Listing<Item>> {
    let scan = page.scan();
    let rows: Vec<Json<Item>> = sqlx::query_scalar(if scan.ascending {
        INPUT_PAGES.0
    } else {
        INPUT_PAGES.1
    })
    .bind(id)
    .bind(scan.from)
    .bind(scan.to)
    .bind(scan.limit)
    .fetch_all(&mut **tx)
    .await?;
    Ok(scan.finish(rows.into_iter().map(|Json(item)| item).collect()))
}

/// Everything that was said up to a response, oldest first: what it and all before it were given and answered.
///
/// # Errors
/// [`Error::Invalid`] when one of them is deleted, or there are too many.
pub(super) async fn chain(tx: &mut TenantTx, id: ResponseId) -> Result<Vec<Item>> {
    let (length, whole): (i64, bool) = sqlx::query_as(
        "with recursive chain (id, previous, depth) as (
           select id, previous_response_id, 1 from responses where id = $1
           union all
           select r.id, r.previous_response_id, c.depth + 1 from chain c
           join responses r on r.id = c.previous where c.depth <= $2
         )
         select count(*), bool_or(previous is null) from chain",
    )
    .bind(id)
    .bind(LONGEST_CHAIN)
    .fetch_one(&mut **tx)
    .await?;
    if length > i64::from(LONGEST_CHAIN) {
        let message = format!(
            "More than {LONGEST_CHAIN} responses lie before this one. Begin anew, or use a conversation."
        );
        return Err(Error::invalid("previous_response_id", message));
    }
    if !whole {
        let message = "A response that this one goes on from was deleted, so it cannot be continued.";
        return Err(Error::invalid("previous_response_id", message));
    }
    let rows: Vec<Json<Item>> = sqlx::query_scalar(
        "with recursive chain (id, previous, depth) as (
           select id, previous_response_id, 1 from responses where id = $1
           union all
           select r.id, r.previous_response_id, c.depth + 1 from chain c
           join responses r on r.id = c.previous where c.depth <= $2
         )
         select i.item from chain c join response_items i on i.response_id = c.id
         order by c.depth desc, i.output, i.id",
    )
    .bind(id)
    .bind(LONGEST_CHAIN)
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|Json(item)| item).collect())
}

/// A stored item, of a response or of a conversation, with whom it is for.
async fn find_item(tx: &mut TenantTx, id: &ItemId) -> Result<Option<(Item, Option<String>)>> {
    let row: Option<(Json<Item>, Option<String>)> = sqlx::query_as(
        "select i.item, r.end_user from response_items i join responses r on r.id = i.response_id
         where i.id = $1 and i.item->>'id' = $2
         union all
         select i.item, c.end_user from conversation_items i join conversations c on c.id = i.conversation_id
         where i.id = $1 and i.item->>'id' = $2
         limit 1",
    )
    .bind(id.uuid())
    .bind(id.as_str())
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|(Json(item), end_user)| (item, end_user)))
}

/// What a call is given, with references followed.
///
/// # Errors
/// [`Error::NotFound`] for a reference to nothing that the caller may see.
pub(super) async fn resolve(tx: &mut TenantTx, cx: &TenantContext, input: Vec<Input>) -> Result<Vec<Item>> {
    let mut items = Vec::with_capacity(input.len());
    for input in input {
        items.push(match input {
            Input::Item(item) => item,
            Input::Reference { id, param } => {
                let unknown = || Error::NotFound {
                    message: format!("No item found with id '{id}'."),
                    param: Some(param.clone()),
                    code: None,
                };
                let parsed: ItemId = id.parse().map_err(|_| unknown())?;
                let (item, end_user) = find_item(tx, &parsed).await?.ok_or_else(unknown)?;
                if !conversation::is_open_to(cx, end_user.as_deref()) {
                    return Err(unknown());
                }
                item.renewed()
            }
        });
    }
    Ok(items)
}

/// Keeps a response, and adds what was said to its conversation.
pub(super) async fn insert(
    tx: &mut TenantTx,
    response: &Response,
    before: Option<Before>,
    end_user: Option<&str>,
    input: &[Item],
) -> Result<()> {
    if let Some(Before::Conversation(id)) = before {
        // One that was deleted meanwhile stays deleted.
        if conversation::touch(tx, id).await? {
            conversation::append(tx, id, input).await?;
            conversation::append(tx, id, &response.output).await?;
        }
    }
    if !response.store {
        return Ok(());
    }
    sqlx::query(
        "insert into responses (id, previous_response_id, conversation_id, end_user, body) values ($1, $2, $3, $4, $5)",
    )
    .bind(response.id)
    .bind(response.previous_response_id)
    .bind(response.conversation_id)
    .bind(end_user)
    .bind(Json(response))
    .execute(&mut **tx)
    .await?;
    for (items, output) in [(input, false), (&response.output, true)] {
        let ids: Vec<Uuid> = items.iter().map(|item| item.id().uuid()).collect();
        let values: Vec<Value> = items
            .iter()
            .map(serde_json::to_value)
            .collect::<Result<_, _>>()
            .map_err(Error::internal)?;
        sqlx::query(
            "insert into response_items (response_id, id, output, item)
             select $1, u.id, $2, u.item from unnest($3::uuid[], $4::jsonb[]) as u (id, item)",
        )
        .bind(response.id)
        .bind(output)
        .bind(&ids)
        .bind(&values)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

pub(super) async fn delete(tx: &mut TenantTx, id: ResponseId) -> Result<()> {
    sqlx::query("delete from responses where id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
