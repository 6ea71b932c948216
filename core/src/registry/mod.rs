//! Tenants' own models: versions that never change, and the aliases that say which of them answers.

mod activation;
mod gate;
mod spec;
mod store;

use std::convert::Infallible;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use insula_tenancy::audit::{self, Act, Event};
use insula_tenancy::{
    ActivationId, Actor, IdParseError, ModelVersionId, RegisteredModelId, TenantContext, TenantTx,
};
use serde_json::json;
use tokio::io::AsyncRead;

use crate::blob::{StoredBlob, storage_error};
use crate::file::DeleteBlobs;
use crate::page::{Listing, Page, unknown_cursor};
use crate::prediction::{Examined, Signature};
use crate::vector_store::Metadata;
use crate::{Error, Result, Services, housekeeping, quota, worker};

pub(crate) use activation::none_active;
pub use activation::{activate, check_gate, end_canary, roll_back};
pub use gate::{Gate, RequiredMetric};
pub use spec::{
    Activation, Channels, Filter, Fit, ImageSteps, Layout, Preprocessing, Resize, Scores, Size, TextSteps,
    VersionSpec,
};
pub(crate) use store::{Target, resolve};

/// The bytes of a file.
pub type Reader = Box<dyn AsyncRead + Send + Unpin>;

/// A model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Its id.
    pub id: RegisteredModelId,
    /// The name that it is asked for by.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it, or an alias of it, was changed.
    pub updated_at: DateTime<Utc>,
    /// What can be changed.
    pub settings: ModelSettings,
    /// The latest version's number.
    pub latest_version: Option<i32>,
    /// Which versions answer.
    pub aliases: Aliases,
}

/// What can be changed of a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelSettings {
    /// For people.
    pub description: Option<String>,
    /// Anything.
    pub metadata: Metadata,
    /// What a version needs before it may answer.
    pub gate: Option<Gate>,
    /// For how long what was predicted is given again; absent: not at all.
    pub cache_ttl_seconds: Option<i32>,
}

/// Which versions answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Aliases {
    /// Whoever names no version gets this one.
    pub production: Option<i32>,
    /// Some of them get this one: the version, and how many in a hundred.
    pub canary: Option<(i32, i32)>,
}

impl Aliases {
    /// The aliases that name a version.
    pub fn of(&self, version: i32) -> Vec<&'static str> {
        let production = (self.production == Some(version)).then_some(Alias::Production);
        let canary = self
            .canary
            .is_some_and(|(canary, _)| canary == version)
            .then_some(Alias::Canary);
        [production, canary]
            .into_iter()
            .flatten()
            .map(Alias::as_str)
            .collect()
    }
}

/// A name for a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alias {
    /// What answers.
    Production,
    /// What answers some.
    Canary,
}

impl Alias {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Canary => "canary",
        }
    }
}

/// A version of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Its id.
    pub id: ModelVersionId,
    /// The model's name.
    pub model: String,
    /// Its number, from 1.
    pub version: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: String,
    /// What its maker said of it.
    pub spec: VersionSpec,
    /// What its graph takes and gives.
    pub signature: Signature,
    /// Whether calls may be put together.
    pub batches: bool,
    /// Size of the graph and the tokenizer.
    pub bytes: i64,
    /// The graph's digest.
    pub sha256: Vec<u8>,
    /// The aliases that name it.
    pub aliases: Vec<&'static str>,
    pub(crate) blob: String,
    pub(crate) tokenizer_blob: Option<String>,
}

/// A version to be recorded, its bytes stored and examined already.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// What its maker says of it.
    pub spec: VersionSpec,
    /// The graph.
    pub model: StoredBlob,
    /// Its tokenizer.
    pub tokenizer: Option<StoredBlob>,
    /// What was found out of it.
    pub examined: Examined,
}

/// A change of an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelActivation {
    /// Its id.
    pub id: ActivationId,
    /// Which alias.
    pub alias: String,
    /// What it names since; absent: none.
    pub version: Option<i32>,
    /// How many calls in a hundred it gets, if it is the canary.
    pub canary_percent: Option<i32>,
    /// What it named before.
    pub replaced: Option<i32>,
    /// Who changed it.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// How a path names a model: by its name or its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelRef {
    /// By its id.
    Id(RegisteredModelId),
    /// By its name.
    Name(String),
}

impl ModelRef {
    /// What a text names.
    pub fn new(text: &str) -> Self {
        match text.parse() {
            Ok(id) => Self::Id(id),
            Err(_) => Self::Name(text.to_owned()),
        }
    }
}

impl FromStr for ModelRef {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(text))
    }
}

impl FromStr for VersionRef {
    type Err = IdParseError;

    fn from_str(text: &str) -> Result<Self, IdParseError> {
        Self::new(text).ok_or(IdParseError)
    }
}

impl std::fmt::Display for ModelRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            // Enough of it to be recognised.
            Self::Name(name) => name
                .chars()
                .filter(|c| !c.is_control())
                .take(200)
                .try_for_each(|c| std::fmt::Write::write_char(f, c)),
        }
    }
}

/// How a call names a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionRef {
    /// By its id.
    Id(ModelVersionId),
    /// By its number.
    Number(i32),
    /// By an alias.
    Alias(Alias),
}

impl VersionRef {
    /// What a text names; `None` for what can be no version's name.
    pub fn new(text: &str) -> Option<Self> {
        match text {
            "production" => Some(Self::Alias(Alias::Production)),
            "canary" => Some(Self::Alias(Alias::Canary)),
            text => {
                let number = text.parse().ok().filter(|number: &i32| *number > 0);
                number
                    .map(Self::Number)
                    .or_else(|| text.parse().ok().map(Self::Id))
            }
        }
    }
}

impl std::fmt::Display for VersionRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Alias(alias) => f.write_str(alias.as_str()),
        }
    }
}

/// The answer for a model that is not there.
pub fn no_model(model: &ModelRef) -> Error {
    Error::not_found("model", model)
}

/// The answer for a version that is not there.
pub fn no_version(version: impl std::fmt::Display) -> Error {
    Error::not_found("model version", version)
}

/// Makes a model, without versions yet.
///
/// # Errors
/// [`Error::Invalid`] for a bad or taken name, or settings out of bounds.
pub async fn create(tx: &mut TenantTx, name: &str, settings: &ModelSettings) -> Result<Model> {
    check_name(name)?;
    settings.check()?;
    let id = store::insert(tx, name, settings).await?;
    audit::record(tx, Act::new(Event::ModelCreated, id).data(json!({"name": name}))).await?;
    housekeeping::ensure(tx).await?;
    get(tx, &ModelRef::Id(id)).await
}

/// The model of that name or id.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut TenantTx, model: &ModelRef) -> Result<Model> {
    store::find(tx, model).await?.ok_or_else(|| no_model(model))
}

/// A part of the tenant's models.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is not a model of this tenant.
pub async fn list(tx: &mut TenantTx, page: Page) -> Result<Listing<Model>> {
    for (param, id) in page.cursors() {
        if store::find(tx, &ModelRef::Id(id.into())).await?.is_none() {
            return Err(unknown_cursor(param, "one of your models"));
        }
    }
    store::list(tx, page).await
}

/// Replaces the settings of a model.
///
/// # Errors
/// As for [`create`], and [`Error::NotFound`].
pub async fn update(tx: &mut TenantTx, model: &ModelRef, settings: &ModelSettings) -> Result<Model> {
    settings.check()?;
    let before = get(tx, model).await?;
    store::update(tx, before.id, settings).await?;
    let gate = |settings: &ModelSettings| json!({"gate": settings.gate, "cache_ttl_seconds": settings.cache_ttl_seconds});
    let act = Act::new(Event::ModelUpdated, before.id).changed(gate(&before.settings), gate(settings));
    audit::record(tx, act).await?;
    get(tx, &ModelRef::Id(before.id)).await
}

/// Deletes a model with all its versions; jobs remove their bytes. The ids of the versions.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(tx: &mut TenantTx, model: &ModelRef) -> Result<(Model, Vec<ModelVersionId>)> {
    let found = get(tx, model).await?;
    let (versions, blobs) = store::delete_versions(tx, found.id, None).await?;
    store::delete(tx, found.id).await?;
    let act = Act::new(Event::ModelDeleted, found.id);
    audit::record(
        tx,
        act.removed(json!({"name": found.name, "versions": versions.len()})),
    )
    .await?;
    // Thousands of versions make several jobs.
    for blobs in blobs.chunks(500) {
        worker::enqueue(
            tx,
            &DeleteBlobs {
                blobs: blobs.to_vec(),
            },
        )
        .await?;
    }
    Ok((found, versions))
}

/// Adds a version. Its bytes are the caller's to remove should `tx` not be committed.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::QuotaExceeded`].
pub async fn create_version(
    tx: &mut TenantTx,
    cx: &TenantContext,
    model: &ModelRef,
    new: &NewVersion,
) -> Result<Version> {
    let model = get(tx, model).await?;
    let id = store::insert_version(tx, model.id, &actor(cx), new).await?;
    let bytes = new.model.bytes + new.tokenizer.as_ref().map_or(0, |tokenizer| tokenizer.bytes);
    quota::check_stored(tx, i64::try_from(bytes).unwrap_or(i64::MAX)).await?;
    let version = get_version(tx, &ModelRef::Id(model.id), VersionRef::Id(id)).await?;
    let data = json!({"model": version.model, "version": version.version, "bytes": version.bytes});
    audit::record(tx, Act::new(Event::ModelVersionCreated, id).data(data)).await?;
    Ok(version)
}

/// A version of a model.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get_version(tx: &mut TenantTx, model: &ModelRef, version: VersionRef) -> Result<Version> {
    let found = get(tx, model).await?;
    let number = match version {
        VersionRef::Alias(Alias::Production) => found.aliases.production,
        VersionRef::Alias(Alias::Canary) => found.aliases.canary.map(|(version, _)| version),
        VersionRef::Number(number) => Some(number),
        VersionRef::Id(_) => None,
    };
    let id = match version {
        VersionRef::Id(id) => Some(id),
        _ => None,
    };
    let row = store::find_version(tx, found.id, id, number).await?;
    row.map(|row| row.of(&found)).ok_or_else(|| no_version(version))
}

/// The files of a version as streams, each with a name among those of all models.
pub async fn files(services: &Services, version: &Version) -> Vec<(String, Result<Reader>)> {
    let parts = [
        (Some(&version.blob), "onnx"),
        (version.tokenizer_blob.as_ref(), "tokenizer.json"),
    ];
    let mut files = Vec::new();
    for (blob, kind) in parts {
        let Some(blob) = blob else { continue };
        let opened = services.blobs.open(blob).await.map_err(storage_error);
        let name = format!("{}/{}.{kind}", version.model, version.version);
        files.push((name, opened.map(|(data, _)| data)));
    }
    files
}

/// A part of the versions of a model.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for a cursor that is not a version of it.
pub async fn list_versions(tx: &mut TenantTx, model: &ModelRef, page: Page) -> Result<Listing<Version>> {
    let model = get(tx, model).await?;
    for (param, id) in page.cursors() {
        if store::find_version(tx, model.id, Some(id.into()), None)
            .await?
            .is_none()
        {
            return Err(unknown_cursor(param, "one of your model versions"));
        }
    }
    Ok(store::list_versions(tx, model.id, page)
        .await?
        .map(|row| row.of(&model)))
}

/// Deletes a version, which no alias may name; a job removes its bytes.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::State`] with the code `version_in_use`.
pub async fn delete_version(tx: &mut TenantTx, model: &ModelRef, version: VersionRef) -> Result<Version> {
    let locked = store::lock(tx, model).await?.ok_or_else(|| no_model(model))?;
    let found = get_version(tx, &ModelRef::Id(locked.id), version).await?;
    if !found.aliases.is_empty() {
        return Err(Error::State {
            message: format!(
                "Version {} is the {}; activate another one first.",
                found.version,
                found.aliases.join(" and the ")
            ),
            code: "version_in_use",
        });
    }
    let (_, blobs) = store::delete_versions(tx, locked.id, Some(found.id)).await?;
    store::forget_before(tx, locked.id, found.version).await?;
    worker::enqueue(tx, &DeleteBlobs { blobs }).await?;
    let data = json!({"model": found.model, "version": found.version});
    audit::record(tx, Act::new(Event::ModelVersionDeleted, found.id).removed(data)).await?;
    Ok(found)
}

/// A part of the changes of a model's aliases.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for a cursor that is none of them.
pub async fn list_activations(
    tx: &mut TenantTx,
    model: &ModelRef,
    page: Page,
) -> Result<Listing<ModelActivation>> {
    let model = get(tx, model).await?;
    for (param, id) in page.cursors() {
        if !store::has_activation(tx, model.id, id.into()).await? {
            return Err(unknown_cursor(param, "one of your model activations"));
        }
    }
    store::list_activations(tx, model.id, page).await
}

impl ModelSettings {
    fn check(&self) -> Result<()> {
        if let Some(description) = &self.description
            && (description.contains('\0') || description.chars().nth(16_384).is_some())
        {
            return Err(Error::invalid(
                "description",
                "Must have at most 16384 characters and no NUL.",
            ));
        }
        if let Some(seconds) = self.cache_ttl_seconds
            && !(1..=86_400).contains(&seconds)
        {
            return Err(Error::invalid("cache_ttl_seconds", "Must be from 1 to 86400."));
        }
        self.gate.as_ref().map_or(Ok(()), Gate::check)
    }
}

fn check_name(name: &str) -> Result<()> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    // What reads as an id would be looked up as one.
    let is_id = name.parse::<RegisteredModelId>().is_ok();
    if starts && !is_id && name.len() <= 128 && name.chars().all(fine) {
        return Ok(());
    }
    Err(Error::invalid(
        "name",
        "Must be 1 to 128 ASCII letters, digits, '.', '_' or '-', starting with a letter or digit.",
    ))
}

/// Who acts, as the audit log has it.
fn actor(cx: &TenantContext) -> String {
    match cx.actor() {
        Actor::Key(id) => id.to_string(),
        Actor::Job(id) => id.to_string(),
        Actor::Operator => "operator".to_owned(),
        Actor::Member { person, .. } | Actor::Guest { person, .. } => person.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_id_and_fits_into_a_path() {
        assert!(check_name("digits-v1.2_x").is_ok());
        for bad in ["", "-a", "a/b", "a b", "a%2F", &"x".repeat(129)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_name(&RegisteredModelId::generate().to_string()).is_err());
        assert!(check_name("model_of_mine").is_ok());
    }

    #[test]
    fn a_version_is_named_by_number_alias_or_id() {
        let id = ModelVersionId::generate();
        assert_eq!(VersionRef::new("7"), Some(VersionRef::Number(7)));
        assert_eq!(VersionRef::new("canary"), Some(VersionRef::Alias(Alias::Canary)));
        assert_eq!(VersionRef::new(&id.to_string()), Some(VersionRef::Id(id)));
        for text in ["0", "-1", "1.0", "latest", "", "99999999999"] {
            assert_eq!(VersionRef::new(text), None, "{text}");
        }
    }
}
