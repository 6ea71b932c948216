//! SQL of models, versions and activations.

use chrono::{DateTime, Utc};
use insula_tenancy::{ActivationId, ModelVersionId, RegisteredModelId, TenantTx};
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    Alias, Aliases, Gate, Model, ModelActivation, ModelRef, ModelSettings, NewVersion, Version, VersionRef,
    VersionSpec,
};
use crate::page::{Listing, Page, paged};
use crate::prediction::Signature;
use crate::vector_store::Metadata;
use crate::{Error, Result};

#[derive(sqlx::FromRow)]
struct ModelRow {
    id: RegisteredModelId,
    name: String,
    description: Option<String>,
    metadata: Json<Metadata>,
    gate: Option<Json<Gate>>,
    cache_ttl_seconds: Option<i32>,
    latest_version: Option<i32>,
    production: Option<i32>,
    canary: Option<i32>,
    canary_percent: Option<i32>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<ModelRow> for Model {
    fn from(row: ModelRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            created_at: row.created_at,
            updated_at: row.updated_at,
            settings: ModelSettings {
                description: row.description,
                metadata: row.metadata.0,
                gate: row.gate.map(|gate| gate.0),
                cache_ttl_seconds: row.cache_ttl_seconds,
            },
            latest_version: row.latest_version,
            aliases: Aliases {
                production: row.production,
                canary: row.canary.zip(row.canary_percent),
            },
        }
    }
}

/// A version without what its model knows of it.
#[derive(sqlx::FromRow)]
pub(super) struct VersionRow {
    id: ModelVersionId,
    version: i32,
    created_by: String,
    spec: Json<VersionSpec>,
    signature: Json<Signature>,
    batches: bool,
    bytes: i64,
    sha256: Vec<u8>,
    blob: String,
    tokenizer_blob: Option<String>,
    created_at: DateTime<Utc>,
}

impl VersionRow {
    pub(super) fn of(self, model: &Model) -> Version {
        Version {
            id: self.id,
            model: model.name.clone(),
            version: self.version,
            created_at: self.created_at,
            created_by: self.created_by,
            spec: self.spec.0,
            signature: self.signature.0,
            batches: self.batches,
            bytes: self.bytes,
            sha256: self.sha256,
            aliases: model.aliases.of(self.version),
            blob: self.blob,
            tokenizer_blob: self.tokenizer_blob,
        }
    }
}

const MODELS: (&str, &str) = paged!(
    select "id, name, description, metadata, gate, cache_ttl_seconds, production, canary, canary_percent, created_at,
            updated_at, (select max(v.version) from model_versions v
                         where v.tenant_id = registered_models.tenant_id and v.model_id = registered_models.id)
                        as latest_version"
    from "registered_models", id "id", cursor "registered_models where true",
    where "($1::uuid is null or id = $1) and ($2::text is null or name = $2)", "$3" "$4" "$5"
);

const VERSIONS: (&str, &str) = paged!(
    select "id, version, created_by, spec, signature, batches, bytes, sha256, blob, tokenizer_blob, created_at"
    from "model_versions", id "id", cursor "model_versions where true",
    where "model_id = $1 and ($2::uuid is null or id = $2) and ($3::int is null or version = $3)", "$4" "$5" "$6"
);

const ACTIVATIONS: (&str, &str) = paged!(
    select "id, alias, version, canary_percent, replaced, created_by, created_at"
    from "model_activations", id "id", cursor "model_activations where true",
    where "model_id = $1", "$2" "$3" "$4"
);

fn key(model: &ModelRef) -> (Option<RegisteredModelId>, Option<&str>) {
    match model {
        ModelRef::Id(id) => (Some(*id), None),
        // No name has a NUL, which the database would not take.
        ModelRef::Name(name) if name.contains('\0') => (None, Some("")),
        ModelRef::Name(name) => (None, Some(name)),
    }
}

pub(super) async fn insert(
    tx: &mut TenantTx,
    name: &str,
    settings: &ModelSettings,
) -> Result<RegisteredModelId> {
    let id = RegisteredModelId::generate();
    sqlx::query(
        "insert into registered_models (id, name, description, metadata, gate, cache_ttl_seconds)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(name)
    .bind(&settings.description)
    .bind(Json(&settings.metadata))
    .bind(settings.gate.as_ref().map(Json))
    .bind(settings.cache_ttl_seconds)
    .execute(&mut **tx)
    .await
    .map_err(|error| match error.as_database_error() {
        Some(db) if db.is_unique_violation() => {
            Error::invalid("name", format!("A model named '{name}' exists already."))
        }
        _ => error.into(),
    })?;
    Ok(id)
}

pub(super) async fn find(tx: &mut TenantTx, model: &ModelRef) -> Result<Option<Model>> {
    let (id, name) = key(model);
    let row: Option<ModelRow> = sqlx::query_as(MODELS.0)
        .bind(id)
        .bind(name)
        .bind(None::<Uuid>)
        .bind(None::<Uuid>)
        .bind(1i64)
        .fetch_optional(&mut **tx)
        .await?;
    Ok(row.map(Model::from))
}

pub(super) async fn list(tx: &mut TenantTx, page: Page) -> Result<Listing<Model>> {
    let scan = page.scan();
    let rows: Vec<ModelRow> = sqlx::query_as(if scan.ascending { MODELS.0 } else { MODELS.1 })
        .bind(None::<Uuid>)
        .bind(None::<&str>)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    Ok(scan.finish(rows.into_iter().map(Model::from).collect()))
}

pub(super) async fn update(tx: &mut TenantTx, id: RegisteredModelId, settings: &ModelSettings) -> Result<()> {
    sqlx::query(
        "update registered_models
         set description = $2, metadata = $3, gate = $4, cache_ttl_seconds = $5, updated_at = now() where id = $1",
    )
    .bind(id)
    .bind(&settings.description)
    .bind(Json(&settings.metadata))
    .bind(settings.gate.as_ref().map(Json))
    .bind(settings.cache_ttl_seconds)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut TenantTx, id: RegisteredModelId) -> Result<()> {
    sqlx::query("delete from registered_models where id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn insert_version(
    tx: &mut TenantTx,
    model: RegisteredModelId,
    created_by: &str,
    new: &NewVersion,
) -> Result<ModelVersionId> {
    let id = ModelVersionId::generate();
    let tokenizer = new.tokenizer.as_ref();
    let bytes = new.model.bytes + tokenizer.map_or(0, |tokenizer| tokenizer.bytes);
    // The row of the model is locked, so that each gets a number of its own.
    sqlx::query(
        "with numbered as (
           update registered_models set last_version = last_version + 1, updated_at = now() where id = $2
           returning last_version)
         insert into model_versions (id, model_id, version, created_by, spec, signature, batches, bytes, sha256, blob,
                                     tokenizer_blob)
         select $1, $2, last_version, $3, $4, $5, $6, $7, $8, $9, $10 from numbered",
    )
    .bind(id)
    .bind(model)
    .bind(created_by)
    .bind(Json(&new.spec))
    .bind(Json(&new.examined.signature))
    .bind(new.examined.batches && new.spec.batching != Some(false))
    .bind(i64::try_from(bytes).map_err(Error::internal)?)
    .bind(new.model.sha256.as_slice())
    .bind(&new.model.name)
    .bind(tokenizer.map(|tokenizer| &tokenizer.name))
    .execute(&mut **tx)
    .await?;
    Ok(id)
}

/// The version of that id or number; of neither, none.
pub(super) async fn find_version(
    tx: &mut TenantTx,
    model: RegisteredModelId,
    id: Option<ModelVersionId>,
    number: Option<i32>,
) -> Result<Option<VersionRow>> {
    if id.is_none() && number.is_none() {
        return Ok(None);
    }
    Ok(sqlx::query_as(VERSIONS.0)
        .bind(model)
        .bind(id)
        .bind(number)
        .bind(None::<Uuid>)
        .bind(None::<Uuid>)
        .bind(1i64)
        .fetch_optional(&mut **tx)
        .await?)
}

pub(super) async fn list_versions(
    tx: &mut TenantTx,
    model: RegisteredModelId,
    page: Page,
) -> Result<Listing<VersionRow>> {
    let scan = page.scan();
    let rows = sqlx::query_as(if scan.ascending { VERSIONS.0 } else { VERSIONS.1 })
        .bind(model)
        .bind(None::<Uuid>)
        .bind(None::<i32>)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    Ok(scan.finish(rows))
}

/// Deletes one version of a model or all; their ids, and the names of their blobs.
pub(super) async fn delete_versions(
    tx: &mut TenantTx,
    model: RegisteredModelId,
    version: Option<ModelVersionId>,
) -> Result<(Vec<ModelVersionId>, Vec<String>)> {
    let gone: Vec<(ModelVersionId, String, Option<String>)> = sqlx::query_as(
        "delete from model_versions where model_id = $1 and ($2::uuid is null or id = $2)
         returning id, blob, tokenizer_blob",
    )
    .bind(model)
    .bind(version)
    .fetch_all(&mut **tx)
    .await?;
    let ids = gone.iter().map(|(id, ..)| *id).collect();
    let blobs = gone
        .into_iter()
        .flat_map(|(_, blob, tokenizer)| [Some(blob), tokenizer])
        .flatten()
        .collect();
    Ok((ids, blobs))
}

/// A model whose aliases are about to change; others that want to change them wait.
pub(super) struct Locked {
    pub(super) id: RegisteredModelId,
    pub(super) name: String,
    pub(super) aliases: Aliases,
    /// What production was before, the latest last.
    pub(super) before: Vec<i32>,
}

pub(super) async fn lock(tx: &mut TenantTx, model: &ModelRef) -> Result<Option<Locked>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        id: RegisteredModelId,
        name: String,
        production: Option<i32>,
        canary: Option<i32>,
        canary_percent: Option<i32>,
        before: Vec<i32>,
    }
    let (id, name) = key(model);
    let row: Option<Row> = sqlx::query_as(
        "select id, name, production, canary, canary_percent, before from registered_models
         where ($1::uuid is null or id = $1) and ($2::text is null or name = $2) for update",
    )
    .bind(id)
    .bind(name)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| Locked {
        id: row.id,
        name: row.name,
        aliases: Aliases {
            production: row.production,
            canary: row.canary.zip(row.canary_percent),
        },
        before: row.before,
    }))
}

/// A change of an alias, as it is remembered.
pub(super) struct Change {
    pub(super) alias: Alias,
    pub(super) version: Option<i32>,
    pub(super) canary_percent: Option<i32>,
    pub(super) replaced: Option<i32>,
}

impl Change {
    pub(super) fn end_of_canary(version: i32) -> Self {
        Self {
            alias: Alias::Canary,
            version: None,
            canary_percent: None,
            replaced: Some(version),
        }
    }
}

pub(super) async fn set_aliases(tx: &mut TenantTx, locked: &Locked) -> Result<()> {
    let canary = locked.aliases.canary;
    sqlx::query(
        "update registered_models
         set production = $2, before = $3, canary = $4, canary_percent = $5, updated_at = now() where id = $1",
    )
    .bind(locked.id)
    .bind(locked.aliases.production)
    .bind(&locked.before)
    .bind(canary.map(|(version, _)| version))
    .bind(canary.map(|(_, percent)| percent))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A version that is gone is none to go back to.
pub(super) async fn forget_before(tx: &mut TenantTx, model: RegisteredModelId, version: i32) -> Result<()> {
    sqlx::query("update registered_models set before = array_remove(before, $2) where id = $1")
        .bind(model)
        .bind(version)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn insert_activation(
    tx: &mut TenantTx,
    model: RegisteredModelId,
    created_by: &str,
    change: &Change,
) -> Result<()> {
    sqlx::query(
        "insert into model_activations (id, model_id, alias, version, canary_percent, replaced, created_by)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(ActivationId::generate())
    .bind(model)
    .bind(change.alias.as_str())
    .bind(change.version)
    .bind(change.canary_percent)
    .bind(change.replaced)
    .bind(created_by)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn has_activation(
    tx: &mut TenantTx,
    model: RegisteredModelId,
    id: ActivationId,
) -> Result<bool> {
    Ok(
        sqlx::query_scalar("select exists (select from model_activations where model_id = $1 and id = $2)")
            .bind(model)
            .bind(id)
            .fetch_one(&mut **tx)
            .await?,
    )
}

pub(super) async fn list_activations(
    tx: &mut TenantTx,
    model: RegisteredModelId,
    page: Page,
) -> Result<Listing<ModelActivation>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        id: ActivationId,
        alias: String,
        version: Option<i32>,
        canary_percent: Option<i32>,
        replaced: Option<i32>,
        created_by: String,
        created_at: DateTime<Utc>,
    }
    let scan = page.scan();
    let rows: Vec<Row> = sqlx::query_as(if scan.ascending {
        ACTIVATIONS.0
    } else {
        ACTIVATIONS.1
    })
    .bind(model)
    .bind(scan.from)
    .bind(scan.to)
    .bind(scan.limit)
    .fetch_all(&mut **tx)
    .await?;
    let listing = scan.finish(rows);
    Ok(listing.map(|row| ModelActivation {
        id: row.id,
        alias: row.alias,
        version: row.version,
        canary_percent: row.canary_percent,
        replaced: row.replaced,
        created_by: row.created_by,
        created_at: row.created_at,
    }))
}

/// A version that is to answer.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Target {
    pub(crate) id: Uuid,
    pub(crate) version: i32,
    pub(crate) spec: VersionSpec,
    pub(crate) signature: Signature,
    pub(crate) batches: bool,
    pub(crate) blob: String,
    pub(crate) tokenizer_blob: Option<String>,
}

/// The model, and the version of it that is to answer: the one that is named, or else the canary for those whose `bucket`, 0 to
/// 99, is below its percentage, or else production. One statement, so that it is of one moment.
pub(crate) async fn resolve(
    tx: &mut TenantTx,
    model: &ModelRef,
    version: Option<VersionRef>,
    bucket: i32,
) -> Result<Option<(Model, Option<Target>)>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        #[sqlx(flatten)]
        model: ModelRow,
        target: Option<Json<Target>>,
    }
    let (id, name) = key(model);
    let (version_id, number, alias) = match version {
        None => (None, None, None),
        Some(VersionRef::Id(id)) => (Some(id), None, None),
        Some(VersionRef::Number(number)) => (None, Some(number), None),
        Some(VersionRef::Alias(alias)) => (None, None, Some(alias.as_str())),
    };
    let row: Option<Row> = sqlx::query_as(
        "select m.id, m.name, m.description, m.metadata, m.gate, m.cache_ttl_seconds, m.production, m.canary,
                m.canary_percent, m.created_at, m.updated_at, null::int as latest_version,
                (select to_jsonb(v) from model_versions v
                 where v.tenant_id = m.tenant_id and v.model_id = m.id
                   and case when $3::uuid is not null then v.id = $3
                            else v.version = case when $4::int is not null then $4
                                                  when $5::text = 'production' then m.production
                                                  when $5 = 'canary' then m.canary
                                                  when $6 < m.canary_percent then m.canary
                                                  else m.production end end) as target
         from registered_models m where ($1::uuid is null or m.id = $1) and ($2::text is null or m.name = $2)",
    )
    .bind(id)
    .bind(name)
    .bind(version_id)
    .bind(number)
    .bind(alias)
    .bind(bucket)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| (row.model.into(), row.target.map(|target| target.0))))
}
