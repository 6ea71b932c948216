//! Conversations: items that responses go on from and are added to.

mod store;

use chrono::{DateTime, Utc};
use insula_tenancy::{ConversationId, TenantContext, TenantTx};
pub(crate) use store::{OLD_CONVERSATIONS, append, touch};

use crate::page::{Listing, Page, unknown_cursor};
use crate::response::{Item, ItemId};
use crate::vector_store::{Metadata, check_metadata};
use crate::{Error, Result, housekeeping};

/// Most items that one call adds.
const MOST_NEW_ITEMS: usize = 20;
/// Most items that a response can go on from.
const MOST_ITEMS: i64 = 10_000;

/// A conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// The client's own notes.
    pub metadata: Metadata,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When something was last added.
    pub last_used_at: DateTime<Utc>,
    /// For whom it is, as the tenant calls them.
    pub end_user: Option<String>,
}

/// How long what was said is kept, in days; `None`: for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Stored responses, from their making on; 0: none is ever stored, whatever a call says.
    pub responses: Option<i32>,
    /// Conversations, from their last use on.
    pub conversations: Option<i32>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            responses: Some(30),
            conversations: None,
        }
    }
}

/// Whether the caller may see what is `end_user`'s. A scoped token sees what its own end user has, keys see all.
pub(crate) fn is_open_to(cx: &TenantContext, end_user: Option<&str>) -> bool {
    cx.narrowing().is_none() || (end_user.is_some() && cx.end_user() == end_user)
}

/// Makes a conversation for an end user, with its first items.
///
/// # Errors
/// [`Error::Invalid`] for too many items, or metadata against the rules; for a token without an end user, who could never see
/// it again.
pub async fn create(
    tx: &mut TenantTx,
    cx: &TenantContext,
    end_user: Option<String>,
    metadata: Metadata,
    items: Vec<Item>,
) -> Result<Conversation> {
    check_metadata(&metadata)?;
    check_count(items.len())?;
    if cx.narrowing().is_some() && cx.end_user().is_none() {
        return Err(Error::Invalid {
            message: "A scoped token without an end user, or an API key that is bound to vector stores, cannot keep \
                      conversations.".into(),
            param: None,
            code: None,
        });
    }
    // Whom a token was made for cannot be talked away.
    let end_user = cx.end_user().or(end_user.as_deref());
    let id = store::insert(tx, &metadata, end_user).await?;
    append(tx, id, &items).await?;
    housekeeping::ensure(tx).await?;
    get(tx, cx, id).await
}

/// A conversation.
///
/// # Errors
/// [`Error::NotFound`] also for one that a scoped token may not see.
pub async fn get(tx: &mut TenantTx, cx: &TenantContext, id: ConversationId) -> Result<Conversation> {
    let found = store::find(tx, id).await?;
    found
        .filter(|conversation| is_open_to(cx, conversation.end_user.as_deref()))
        .ok_or_else(|| Error::not_found("conversation", id))
}

/// Replaces the metadata of a conversation.
///
/// # Errors
/// As for [`get`] and [`create`].
pub async fn update(
    tx: &mut TenantTx,
    cx: &TenantContext,
    id: ConversationId,
    metadata: &Metadata,
) -> Result<Conversation> {
    check_metadata(metadata)?;
    get(tx, cx, id).await?;
    store::set_metadata(tx, id, metadata).await?;
    get(tx, cx, id).await
}

/// Deletes a conversation with its items. Responses that were part of it stay.
///
/// # Errors
/// As for [`get`].
pub async fn delete(tx: &mut TenantTx, cx: &TenantContext, id: ConversationId) -> Result<()> {
    get(tx, cx, id).await?;
    store::delete(tx, id).await
}

/// A part of the tenant's conversations; of a token's end user only, where a token asks.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is not a conversation of the caller's.
pub async fn list(tx: &mut TenantTx, cx: &TenantContext, page: Page) -> Result<Listing<Conversation>> {
    for (param, cursor) in page.cursors() {
        match get(tx, cx, cursor.into()).await {
            Err(Error::NotFound { .. }) => return Err(unknown_cursor(param, "one of your conversations")),
            found => found?,
        };
    }
    store::list(
        tx,
        cx.narrowing().map(|_| cx.end_user().unwrap_or_default()),
        page,
    )
    .await
}

/// Everything in a conversation, oldest first.
///
/// # Errors
/// As for [`get`]; [`Error::Invalid`] for one that is too long to go on from.
pub(crate) async fn items(tx: &mut TenantTx, cx: &TenantContext, id: ConversationId) -> Result<Vec<Item>> {
    get(tx, cx, id).await?;
    let items = store::items(tx, id, MOST_ITEMS + 1).await?;
    if items.len() as i64 > MOST_ITEMS {
        let message = format!("The conversation has more than {MOST_ITEMS} items. Begin a new one.");
        return Err(Error::invalid("conversation", message));
    }
    Ok(items)
}

/// A part of a conversation's items.
///
/// # Errors
/// As for [`get`]; [`Error::Invalid`] for a cursor that is not one of its items.
pub async fn list_items(
    tx: &mut TenantTx,
    cx: &TenantContext,
    id: ConversationId,
    page: Page,
) -> Result<Listing<Item>> {
    get(tx, cx, id).await?;
    for (param, cursor) in page.cursors() {
        if !store::has_item(tx, id, cursor).await? {
            return Err(unknown_cursor(param, "an item of this conversation"));
        }
    }
    store::list_items(tx, id, page).await
}

/// An item of a conversation.
///
/// # Errors
/// As for [`get`], and for an unknown item.
pub async fn get_item(
    tx: &mut TenantTx,
    cx: &TenantContext,
    id: ConversationId,
    item: &ItemId,
) -> Result<Item> {
    get(tx, cx, id).await?;
    let found = store::find_item(tx, id, item).await?;
    found.ok_or_else(|| unknown_item(item))
}

/// Adds items to the end of a conversation.
///
/// # Errors
/// As for [`get`]; [`Error::Invalid`] for too many items at once.
pub async fn add_items(
    tx: &mut TenantTx,
    cx: &TenantContext,
    id: ConversationId,
    items: &[Item],
) -> Result<()> {
    check_count(items.len())?;
    get(tx, cx, id).await?;
    touch(tx, id).await?;
    append(tx, id, items).await
}

/// Removes an item from a conversation.
///
/// # Errors
/// As for [`get_item`].
pub async fn delete_item(
    tx: &mut TenantTx,
    cx: &TenantContext,
    id: ConversationId,
    item: &ItemId,
) -> Result<Conversation> {
    let conversation = get(tx, cx, id).await?;
    if store::delete_item(tx, id, item).await? {
        Ok(conversation)
    } else {
        Err(unknown_item(item))
    }
}

/// For how long the tenant keeps what was said.
///
/// # Errors
/// When the database is away.
pub async fn retention(tx: &mut TenantTx) -> Result<Retention> {
    Ok(store::retention(tx).await?.unwrap_or_default())
}

/// Says for how long the tenant keeps what was said. What is older goes within a day.
///
/// # Errors
/// [`Error::Invalid`] for days outside 1..=3650, or 0 for responses.
pub async fn set_retention(tx: &mut TenantTx, retention: Retention) -> Result<()> {
    for (param, least, days) in [
        ("responses_days", 0, retention.responses),
        ("conversations_days", 1, retention.conversations),
    ] {
        if days.is_some_and(|days| !(least..=3650).contains(&days)) {
            let message = format!("Must be between {least} and 3650, or null for ever.");
            return Err(Error::invalid(param, message));
        }
    }
    store::set_retention(tx, retention).await?;
    housekeeping::ensure(tx).await
}

/// Sees to it that what is kept is removed in time.
pub(crate) async fn ensure_housekeeping(tx: &mut TenantTx) -> Result<()> {
    housekeeping::ensure(tx).await
}

fn check_count(items: usize) -> Result<()> {
    if items <= MOST_NEW_ITEMS {
        return Ok(());
    }
    let message = format!("At most {MOST_NEW_ITEMS} items can be added at once.");
    Err(Error::invalid("items", message))
}

fn unknown_item(item: &ItemId) -> Error {
    Error::not_found("item in this conversation", item.as_str())
}
