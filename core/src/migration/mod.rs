//! A vector store changes its embedding model without going away.
//!
//! A job embeds every chunk with the new model, beside the old vectors: searches only see the vectors of the store's
//! model. When no chunk lacks a new vector, which is checked under the lock that ingestion takes too, the store's model
//! is changed in one statement. The old vectors are kept for a week or until they are given up, so the way back is the
//! same loop in the other direction, mostly with nothing to do.
//!
//! Every transaction that changes a migration holds its store's lock, and so excludes ingestion and other changes.

mod compare;
mod embed;
mod estimate;
mod job;
mod remove;
mod store;
mod vectors;

use chrono::{DateTime, Utc};
use insula_tenancy::{MigrationId, TenantTx, VectorStoreId, permission};

pub use estimate::{Estimate, Plan, estimate};
pub(crate) use job::MigrateStore;
pub(crate) use remove::RemoveVectors;

use crate::page::{Listing, Page, unknown_cursor};
use crate::vector_store::{self, lock, not_found};
use crate::worker;
use crate::{Error, Models, RegisteredEmbedder, Result};

/// How far a migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Waits for a worker.
    Queued,
    /// Chunks are being embedded with the new model.
    Embedding,
    /// All chunks have a new vector; the two models' answers are being compared.
    Comparing,
    /// Waits for the word to switch.
    Ready,
    /// The store uses the new model.
    Completed,
    /// On the way back: chunks that came after the switch are being embedded with the old model.
    RollingBack,
    /// The store uses the old model again.
    RolledBack,
    /// Given up on request; the store never left the old model.
    Cancelled,
    /// Given up after an error; the store never left the old model.
    Failed,
}

impl Status {
    const ALL: [Self; 9] = [
        Self::Queued,
        Self::Embedding,
        Self::Comparing,
        Self::Ready,
        Self::Completed,
        Self::RollingBack,
        Self::RolledBack,
        Self::Cancelled,
        Self::Failed,
    ];

    /// The wire and database form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Embedding => "embedding",
            Self::Comparing => "comparing",
            Self::Ready => "ready",
            Self::Completed => "completed",
            Self::RollingBack => "rolling_back",
            Self::RolledBack => "rolled_back",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// Whether the job has something to do.
    fn is_under_way(self) -> bool {
        matches!(
            self,
            Self::Queued | Self::Embedding | Self::Comparing | Self::RollingBack
        )
    }
}

impl std::str::FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|status| status.as_str() == text);
        known.ok_or_else(|| format!("unknown status '{text}'"))
    }
}

/// A change of a store's embedding model.
#[derive(Debug, Clone, PartialEq)]
pub struct Migration {
    /// Its id.
    pub id: MigrationId,
    /// The store.
    pub vector_store_id: VectorStoreId,
    /// The model that the store had.
    pub from_model: String,
    /// The model that it shall have.
    pub to_model: String,
    /// How far it is.
    pub status: Status,
    /// Whether the store switches by itself.
    pub auto_switch: bool,
    /// What it was thought to cost.
    pub estimate: Estimate,
    /// Chunks that have the vector that is wanted.
    pub done: i64,
    /// Chunks of the store.
    pub total: i64,
    /// Of ten nearest chunks, the share that both models agree on, 0..=1; `None` before it is known, or when it cannot
    /// be: fewer than two chunks, or the old model is not loaded any more.
    pub overlap_at_10: Option<f64>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it came to its end.
    pub finished_at: Option<DateTime<Utc>>,
    /// Until when it can be taken back.
    pub rollback_until: Option<DateTime<Utc>>,
    /// What went wrong, if it failed or could not be taken back.
    pub last_error: Option<String>,
    from_model_id: i32,
    to_model_id: i32,
    from_dimensions: usize,
    to_dimensions: usize,
}

/// One of a migration's two models, as its vectors are found in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Side {
    model_id: i32,
    dimensions: usize,
}

impl Migration {
    fn from(&self) -> Side {
        Side {
            model_id: self.from_model_id,
            dimensions: self.from_dimensions,
        }
    }

    fn to(&self) -> Side {
        Side {
            model_id: self.to_model_id,
            dimensions: self.to_dimensions,
        }
    }

    fn is_on_the_way_back(&self) -> bool {
        self.status == Status::RollingBack
    }

    /// The model that the store is on the way to.
    fn target(&self) -> (&str, Side) {
        if self.is_on_the_way_back() {
            (&self.from_model, self.from())
        } else {
            (&self.to_model, self.to())
        }
    }

    /// The model that it leaves.
    fn source(&self) -> (&str, Side) {
        if self.is_on_the_way_back() {
            (&self.to_model, self.to())
        } else {
            (&self.from_model, self.from())
        }
    }
}

/// Begins a migration: makes its row and its job.
///
/// # Errors
/// [`Error::NotFound`] for an unknown store or (param `model`) model; [`Error::Invalid`] when the store has the model
/// already; [`Error::Conflict`] while another migration of the store goes on or can be taken back.
pub async fn create(
    tx: &mut TenantTx,
    models: &Models,
    store_id: VectorStoreId,
    model: &str,
    auto_switch: bool,
    estimate: &Estimate,
) -> Result<Migration> {
    let to = wanted(tx, models, model).await?;
    if !lock(tx, store_id).await? {
        return Err(not_found(store_id));
    }
    let located = vector_store::locate(tx, store_id).await?;
    differs(model, &located.embedding_model)?;
    let side = Side {
        model_id: to.id,
        dimensions: to.embedder.card().dimensions,
    };
    if !vector_store::stores_vectors_of(tx, side.dimensions).await? {
        return Err(Error::Conflict(format!(
            "This server's database has no table for vectors of length {}. The operator can make it.",
            side.dimensions
        )));
    }
    if let Some(open) = store::open(tx, store_id).await? {
        return Err(Error::Conflict(match open.status {
            Status::Completed => format!(
                "The migration '{}' of this vector store can still be rolled back. Finish it first.",
                open.id
            ),
            _ => format!("The migration '{}' of this vector store goes on.", open.id),
        }));
    }
    let id = store::insert(
        tx,
        store_id,
        located.embedding_model_id,
        to.id,
        auto_switch,
        estimate,
    )
    .await?;
    store::set_status(tx, id, Status::Queued).await?;
    count(tx, store_id, id, side).await?;
    worker::enqueue(tx, &MigrateStore::new(store_id, id)).await?;
    get(tx, store_id, id).await
}

/// A migration of a store.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut TenantTx, store_id: VectorStoreId, id: MigrationId) -> Result<Migration> {
    store::find(tx, store_id, id)
        .await?
        .ok_or_else(|| Error::not_found("migration of this vector store", id))
}

/// A part of the migrations of a store.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for a cursor that is not a migration of this store.
pub async fn list(tx: &mut TenantTx, store_id: VectorStoreId, page: Page) -> Result<Listing<Migration>> {
    vector_store::locate(tx, store_id).await?;
    for (param, id) in page.cursors() {
        if store::find(tx, store_id, id.into()).await?.is_none() {
            return Err(unknown_cursor(param, "a migration of this vector store"));
        }
    }
    store::list(tx, store_id, page).await
}

/// Gives up a migration before its switch. Its vectors are removed in the background.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] when it has come to another end.
pub async fn cancel(tx: &mut TenantTx, store_id: VectorStoreId, id: MigrationId) -> Result<Migration> {
    let migration = locked(tx, store_id, id).await?;
    match migration.status {
        Status::Cancelled => return Ok(migration),
        Status::Queued | Status::Embedding | Status::Comparing | Status::Ready => {}
        _ => return Err(refused("cancelled", &migration)),
    }
    job::give_up(tx, &migration, Status::Cancelled, None).await?;
    MigrateStore::new(store_id, id).cancel(tx).await?;
    get(tx, store_id, id).await
}

/// Switches to the new model: at once when every chunk has its new vector, else as soon as it has.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] when the migration has come to another end.
pub async fn switch(tx: &mut TenantTx, store_id: VectorStoreId, id: MigrationId) -> Result<Migration> {
    let migration = locked(tx, store_id, id).await?;
    match migration.status {
        Status::Completed => return Ok(migration),
        Status::Queued | Status::Embedding | Status::Comparing => store::set_auto_switch(tx, id).await?,
        Status::Ready => {
            store::set_auto_switch(tx, id).await?;
            if !complete(tx, &migration).await? {
                store::set_status(tx, id, Status::Queued).await?;
                worker::enqueue(tx, &MigrateStore::new(store_id, id)).await?;
            }
        }
        _ => return Err(refused("switched", &migration)),
    }
    get(tx, store_id, id).await
}

/// Takes the store back to the old model: at once when every chunk has its old vector, else as soon as those that came
/// since have been embedded.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] when it has not switched, its old vectors are gone, or the old model is.
pub async fn roll_back(
    tx: &mut TenantTx,
    models: &Models,
    store_id: VectorStoreId,
    id: MigrationId,
) -> Result<Migration> {
    let migration = locked(tx, store_id, id).await?;
    match migration.status {
        Status::RollingBack | Status::RolledBack => return Ok(migration),
        Status::Completed if migration.rollback_until.is_some() => {}
        _ => return Err(refused("rolled back", &migration)),
    }
    if models.find_embedder(&migration.from_model).is_none() {
        return Err(Error::Conflict(format!(
            "The model '{}' is not loaded on this server any more.",
            migration.from_model
        )));
    }
    store::set_status(tx, id, Status::RollingBack).await?;
    let migration = get(tx, store_id, id).await?;
    count(tx, store_id, id, migration.from()).await?;
    if !complete(tx, &migration).await? {
        worker::enqueue(tx, &MigrateStore::new(store_id, id)).await?;
    }
    get(tx, store_id, id).await
}

/// Gives up the way back; the old vectors are removed in the background.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] when the migration is not completed.
pub async fn finish(tx: &mut TenantTx, store_id: VectorStoreId, id: MigrationId) -> Result<Migration> {
    let migration = locked(tx, store_id, id).await?;
    if migration.status != Status::Completed {
        return Err(refused("finished", &migration));
    }
    if migration.rollback_until.is_some() {
        store::give_up_rollback(tx, id).await?;
        remove::enqueue(tx, &migration).await?;
    }
    get(tx, store_id, id).await
}

/// Puts the store on the model that the migration leads to, if no chunk lacks a vector of it; `false` if one does. The
/// caller holds the store's lock.
async fn complete(tx: &mut TenantTx, migration: &Migration) -> Result<bool> {
    let (store_id, id) = (migration.vector_store_id, migration.id);
    let (_, target) = migration.target();
    let there = vectors::count(tx, store_id, target).await?;
    // Counting is quick under the lock, comparing chunk by chunk is not.
    if there < vector_store::locate(tx, store_id).await?.chunk_count
        && vectors::any_lacking(tx, store_id, target).await?
    {
        return Ok(false);
    }
    let (_, source) = migration.source();
    vectors::put_store_on(tx, store_id, target.model_id).await?;
    if source.dimensions != target.dimensions {
        vectors::change_usage(tx, store_id, source, target).await?;
    }
    store::set_done(tx, store_id, id, there).await?;
    if migration.is_on_the_way_back() {
        store::finish(tx, id, Status::RolledBack, None).await?;
        store::note_switch(tx, id).await?;
        remove::enqueue(tx, migration).await?;
    } else {
        store::finish(tx, id, Status::Completed, None).await?;
        store::note_switch(tx, id).await?;
        let kept_for = store::keep_old_vectors(tx, id).await?;
        remove::enqueue_after(tx, migration, kept_for).await?;
    }
    Ok(true)
}

/// Brings the numbers of the progress up to date.
async fn count(tx: &mut TenantTx, store_id: VectorStoreId, id: MigrationId, side: Side) -> Result<()> {
    let done = vectors::count(tx, store_id, side).await?;
    store::set_done(tx, store_id, id, done).await
}

/// The migration, with its store locked.
async fn locked(tx: &mut TenantTx, store_id: VectorStoreId, id: MigrationId) -> Result<Migration> {
    if !lock(tx, store_id).await? {
        return Err(not_found(store_id));
    }
    get(tx, store_id, id).await
}

/// A model that is loaded, and that the tenant may name.
async fn wanted<'a>(tx: &mut TenantTx, models: &'a Models, model: &str) -> Result<&'a RegisteredEmbedder> {
    let permitted = permission::own(tx).await?.unwrap_or_default().permit(model);
    models
        .find_embedder(model)
        .filter(|_| permitted)
        .ok_or_else(|| Error::model_not_found(model))
}

fn differs(model: &str, current: &str) -> Result<()> {
    if model == current {
        return Err(Error::invalid(
            "model",
            format!("The vector store uses the model '{model}' already."),
        ));
    }
    Ok(())
}

fn refused(verb: &str, migration: &Migration) -> Error {
    let state = match migration.status {
        Status::Completed => "completed, and its old vectors are gone",
        other => other.as_str(),
    };
    Error::Conflict(format!("The migration cannot be {verb}: it is {state}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_name_of_its_own() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert!("lost".parse::<Status>().is_err());
    }
}
