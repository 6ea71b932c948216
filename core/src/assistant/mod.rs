//! A tenant's presets that appear as models: instructions, a model, and vector stores to answer from.

mod store;

use chrono::{DateTime, Utc};
use insula_tenancy::{AssistantId, Scope, TenantContext, TenantTx, VectorStoreId};

use crate::page::{Listing, Page, unknown_cursor};
use crate::route::{Routes, tenant};
use crate::{Error, Models, Result, Services, vector_store};

/// A preset.
#[derive(Debug, Clone, PartialEq)]
pub struct Assistant {
    /// Its id.
    pub id: AssistantId,
    /// The model name that clients send.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// The rest.
    pub settings: AssistantSettings,
}

/// What an assistant does.
#[derive(Debug, Clone, PartialEq)]
pub struct AssistantSettings {
    /// The chat model that answers.
    pub model: String,
    /// Put before every conversation.
    pub instructions: String,
    /// Where the evidence comes from; may be empty.
    pub vector_store_ids: Vec<VectorStoreId>,
    /// Passages per answer, 1..=50.
    pub max_num_results: i32,
    /// Passages below this score are not used, 0..=1.
    pub score_threshold: f64,
}

/// Makes an assistant.
///
/// # Errors
/// [`Error::Invalid`] for a bad or taken name (a model's name counts as taken); [`Error::NotFound`] for an unknown model
/// or store; [`Error::Access`] if stores are named and the caller may not read vector stores.
pub async fn create(
    tx: &mut TenantTx,
    cx: &TenantContext,
    models: &Models,
    routes: &Routes,
    name: &str,
    settings: AssistantSettings,
) -> Result<Assistant> {
    let is_model = routes.find(name).is_some() || models.find_embedder(name).is_some();
    if is_model || tenant::has_name(tx, name).await? {
        return Err(Error::invalid(
            "name",
            format!("'{name}' is the name of a model."),
        ));
    }
    check_name(name)?;
    check(routes, &settings)?;
    may_read(cx, &settings)?;
    check_stores(tx, &settings.vector_store_ids).await?;
    let id = store::insert(tx, name, &settings).await?;
    get(tx, id).await
}

/// The assistant of that id.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut TenantTx, id: AssistantId) -> Result<Assistant> {
    store::find(tx, Some(id), None)
        .await?
        .ok_or_else(|| Error::not_found("assistant", id))
}

/// The assistant of that name, if there is one.
///
/// # Errors
/// When the database is away.
pub async fn find_by_name(tx: &mut TenantTx, name: &str) -> Result<Option<Assistant>> {
    store::find(tx, None, Some(name)).await
}

/// The assistant as the caller may use it: with those of its stores that are within the caller's bounds. `None` if it
/// answers from stores and none of them is; it is then answered like one that does not exist.
pub fn within(cx: &TenantContext, mut assistant: Assistant) -> Option<Assistant> {
    let Some(narrowing) = cx.narrowing() else {
        return Some(assistant);
    };
    let stores = &mut assistant.settings.vector_store_ids;
    let grounded = !stores.is_empty();
    stores.retain(|store| narrowing.allows(*store));
    (!grounded || !stores.is_empty()).then_some(assistant)
}

/// A part of the tenant's assistants.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is not an assistant of this tenant.
pub async fn list(tx: &mut TenantTx, page: Page) -> Result<Listing<Assistant>> {
    for (param, id) in page.cursors() {
        if store::find(tx, Some(id.into()), None).await?.is_none() {
            return Err(unknown_cursor(param, "one of your assistants"));
        }
    }
    store::list(tx, page).await
}

/// Replaces the settings of an assistant.
///
/// # Errors
/// As for [`create`], and [`Error::NotFound`].
pub async fn update(
    services: &Services,
    cx: &TenantContext,
    id: AssistantId,
    settings: AssistantSettings,
) -> Result<Assistant> {
    check(&services.routes, &settings)?;
    may_read(cx, &settings)?;
    let mut tx = services.db.tenant(cx).await?;
    check_stores(&mut tx, &settings.vector_store_ids).await?;
    get(&mut tx, id).await?;
    store::update(&mut tx, id, &settings).await?;
    let updated = get(&mut tx, id).await?;
    tx.commit().await?;
    Ok(updated)
}

/// Deletes an assistant. Its stores stay.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(tx: &mut TenantTx, id: AssistantId) -> Result<()> {
    if store::delete(tx, id).await? {
        Ok(())
    } else {
        Err(Error::not_found("assistant", id))
    }
}

/// An assistant answers from its stores, so whoever chooses them must be able to read them.
fn may_read(cx: &TenantContext, settings: &AssistantSettings) -> Result<()> {
    if !settings.vector_store_ids.is_empty() {
        cx.require(Scope::VectorStoresRead)?;
    }
    Ok(())
}

fn check_name(name: &str) -> Result<()> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts && name.len() <= 128 && name.chars().all(fine) {
        return Ok(());
    }
    Err(Error::invalid(
        "name",
        "Must be 1 to 128 ASCII letters, digits, '.', '_', ':' or '-', starting with a letter or digit.",
    ))
}

fn check(routes: &Routes, settings: &AssistantSettings) -> Result<()> {
    if routes.find_chat(&settings.model).is_none() {
        return Err(Error::model_not_found(&settings.model));
    }
    if settings.instructions.chars().count() > 65_536 || settings.instructions.contains('\0') {
        return Err(Error::invalid(
            "instructions",
            "Must have at most 65536 characters and no NUL.",
        ));
    }
    if !(1..=50).contains(&settings.max_num_results) {
        return Err(Error::invalid("max_num_results", "Must be between 1 and 50."));
    }
    if !(0.0..=1.0).contains(&settings.score_threshold) {
        return Err(Error::invalid("score_threshold", "Must be between 0 and 1."));
    }
    if settings.vector_store_ids.len() > 16 {
        return Err(Error::invalid(
            "vector_store_ids",
            "At most 16 vector stores can be used.",
        ));
    }
    Ok(())
}

async fn check_stores(tx: &mut TenantTx, ids: &[VectorStoreId]) -> Result<()> {
    for (position, id) in ids.iter().enumerate() {
        vector_store::locate(tx, *id).await.map_err(|error| match error {
            Error::NotFound { message, code, .. } => Error::NotFound {
                message,
                code,
                param: Some(format!("vector_store_ids[{position}]")),
            },
            other => other,
        })?;
    }
    Ok(())
}
