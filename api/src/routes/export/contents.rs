//! What is in an export: the objects of each kind as the API shows them, page by page through the functions that list
//! them.

use chrono::{DateTime, TimeDelta, Utc};
use insula_core::export::{Export, Subject};
use insula_core::organization::access as looks;
use insula_core::organization::audit_log::{self, AuditFilter};
use insula_core::page::{Listing, Order, Page};
use insula_core::registry::ModelRef;
use insula_core::route::tenant as routes;
use insula_core::usage::{self, Bucket, By, EventFilter, Of, UsageQuery};
use insula_core::vector_store::file as store_file;
use insula_core::{
    Error, api_key, assistant, batch, chunk, conversation, file, guard, job, migration, registry,
    request_log, response, search_analytics, source, vector_store, webhook,
};
use insula_tenancy::member::own;
use insula_tenancy::{AccessId, Scope, TenantContext, budget, usage as ledger, vault};
use serde::Serialize;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt};
use uuid::Uuid;

use super::archive::Archive;
use crate::app::App;
use crate::routes::accesses::TenantAccessObject;
use crate::routes::account::invites::MemberInviteObject;
use crate::routes::account::members::MemberObject;
use crate::routes::api_keys::wire::ApiKeyObject;
use crate::routes::assistants::AssistantObject;
use crate::routes::batches::wire::BatchObject;
use crate::routes::budgets::{MOST_PERIODS, wire::BudgetObject};
use crate::routes::chunks::ChunkObject;
use crate::routes::conversations::{ConversationObject, ConversationRetention};
use crate::routes::files::FileObject;
use crate::routes::guardrails::GuardrailsObject;
use crate::routes::jobs::JobObject;
use crate::routes::migrations::MigrationObject;
use crate::routes::model_routes::wire::RouteObject;
use crate::routes::organization::audit_logs::AuditLogObject;
use crate::routes::provider_keys::ProviderKeyObject;
use crate::routes::registry::wire::{ActivationObject, ModelObject, VersionObject};
use crate::routes::request_logs::{RequestLogObject, RequestLoggingObject};
use crate::routes::responses::wire::{ItemObject, ResponseObject};
use crate::routes::search_analytics::{AnalyticsObject, KeepingObject};
use crate::routes::sources::{SourceObject, SourcePageObject};
use crate::routes::usage::wire::{EventObject, SumObject};
use crate::routes::vector_store_files::VectorStoreFileObject;
use crate::routes::vector_stores::VectorStoreObject;
use crate::routes::webhooks::wire::{DeliveryObject, WebhookObject};
use crate::routes::wire::seconds;

/// Objects that are read in one transaction.
const PAGE: i64 = 100;
/// Ids of rows that were read last, to go on behind one of them if others are gone meanwhile.
const BEHIND: usize = 1_000;
/// Days of sums that are read at once.
const DAYS: i64 = 400;
/// Bytes of an original file that are read at once.
const PIECE: usize = 64 * 1024;

/// Somebody who reads out all that its tenant has.
pub(super) struct Reader {
    pub(super) app: App,
    pub(super) cx: TenantContext,
    pub(super) export: Export,
    pub(super) archive: Archive,
    /// Entries that the caller may not see.
    pub(super) left_out: Vec<&'static str>,
}

/// Where a walk over a list is.
struct Walk {
    behind: Vec<Uuid>,
}

impl Walk {
    fn new() -> Self {
        Self { behind: Vec::new() }
    }

    fn page(&self) -> Page {
        Page {
            order: Order::Asc,
            after: self.behind.last().copied(),
            ..Page::first(PAGE)
        }
    }

    fn passed(&mut self, id: Uuid) {
        if self.behind.len() >= 2 * BEHIND {
            self.behind.drain(..BEHIND);
        }
        self.behind.push(id);
    }

    /// Whether the walk can go on though the last row was removed meanwhile: behind the one before it.
    fn lost(&mut self, error: &Error) -> bool {
        let cursor = matches!(error, Error::Invalid { param: Some(param), .. } if param == "after");
        cursor && self.behind.pop().is_some() && !self.behind.is_empty()
    }
}

/// Walks over a list page by page, each in a transaction of its own that is over before anything is written.
macro_rules! walk {
    ($reader:ident, |$tx:ident, $page:ident| $list:expr, id: |$row:ident| $id:expr, $each:expr) => {{
        let mut walk = Walk::new();
        loop {
            let $page = walk.page();
            let mut $tx = $reader.export.read().await?;
            let listing = match $list {
                Err(error) if walk.lost(&error) => continue,
                listing => listing?,
            };
            drop($tx);
            for $row in listing.data {
                walk.passed($id);
                $each;
            }
            if !listing.has_more {
                break;
            }
        }
    }};
}

/// An entry of the objects of a list.
macro_rules! entry {
    ($reader:ident, $name:literal, $scope:ident, |$tx:ident, $page:ident| $list:expr, id: |$row:ident| $id:expr,
     $object:expr) => {
        if $reader.may($name, Scope::$scope) {
            $reader.archive.begin_lines($name).await?;
            walk!($reader, |$tx, $page| $list, id: |$row| $id, $reader.archive.line(&$object).await?);
        }
    };
}

impl Reader {
    /// Reads everything.
    pub(super) async fn read(&mut self, subject: &Subject) -> Result<(), Error> {
        self.archive.begin_lines("tenant.jsonl").await?;
        let tenant = json!({
            "object": "insula.tenant", "id": self.cx.tenant_id(), "name": subject.name, "title": subject.title,
            "created_at": seconds(subject.created_at),
        });
        self.archive.line(&tenant).await?;
        self.documents().await?;
        self.conversations().await?;
        self.machinery().await?;
        self.models().await?;
        self.people().await?;
        self.settings().await?;
        self.records(subject).await?;
        self.originals().await?;
        self.graphs().await?;
        self.archive.close().await
    }

    /// Whether the caller may see what is in an entry; else it is left out, and the manifest says so.
    fn may(&mut self, entry: &'static str, scope: Scope) -> bool {
        let may = self.cx.require(scope).is_ok();
        if !may {
            self.left_out.push(entry);
        }
        may
    }

    async fn documents(&mut self) -> Result<(), Error> {
        entry!(self, "files.jsonl", FilesRead, |tx, page| file::list(&mut tx, None, page).await,
            id: |file| file.id.uuid(), FileObject::from(file));
        entry!(self, "vector_stores.jsonl", VectorStoresRead, |tx, page| vector_store::list(&mut tx, page).await,
            id: |store| store.id.uuid(), VectorStoreObject::from(store));
        if self.may("vector_store_files.jsonl", Scope::VectorStoresRead) {
            self.archive.begin_lines("vector_store_files.jsonl").await?;
            walk!(self, |tx, page| vector_store::list(&mut tx, page).await, id: |store| store.id.uuid(), {
                walk!(self,
                    |tx, page| skipped(store_file::list(&mut tx, store.id, None, page).await),
                    id: |file| file.file_id.uuid(),
                    self.archive.line(&VectorStoreFileObject::from(file)).await?);
            });
        }
        if self.may("chunks.jsonl", Scope::VectorStoresRead) {
            self.archive.begin_lines("chunks.jsonl").await?;
            walk!(self, |tx, page| vector_store::list(&mut tx, page).await, id: |store| store.id.uuid(), {
                walk!(self,
                    |tx, page| skipped(store_file::list(&mut tx, store.id, None, page).await),
                    id: |file| file.file_id.uuid(), {
                    walk!(self,
                        |tx, page| skipped(chunk::list(&mut tx, store.id, file.file_id, page).await),
                        id: |chunk| chunk.id.uuid(),
                        self.archive.line(&ChunkObject::new(store.id, chunk)).await?);
                });
            });
        }
        if self.may("vector_store_migrations.jsonl", Scope::VectorStoresRead) {
            self.archive.begin_lines("vector_store_migrations.jsonl").await?;
            walk!(self, |tx, page| vector_store::list(&mut tx, page).await, id: |store| store.id.uuid(), {
                walk!(self,
                    |tx, page| skipped(migration::list(&mut tx, store.id, page).await),
                    id: |migration| migration.id.uuid(),
                    self.archive.line(&MigrationObject::from(migration)).await?);
            });
        }
        entry!(self, "sources.jsonl", VectorStoresRead, |tx, page| source::list(&mut tx, page).await,
            id: |source| source.id.uuid(), SourceObject::from(source));
        if self.may("source_pages.jsonl", Scope::VectorStoresRead) {
            self.archive.begin_lines("source_pages.jsonl").await?;
            walk!(self, |tx, page| source::list(&mut tx, page).await, id: |source| source.id.uuid(), {
                let mut tx = self.export.read().await?;
                let pages = source::pages(&mut tx, source.id).await;
                drop(tx);
                for page in found(pages)?.unwrap_or_default() {
                    let page = OfSource { source_id: source.id.to_string(), page: SourcePageObject::from(page) };
                    self.archive.line(&page).await?;
                }
            });
        }
        Ok(())
    }

    async fn conversations(&mut self) -> Result<(), Error> {
        let cx = self.cx.clone();
        entry!(self, "conversations.jsonl", ResponsesRead, |tx, page| conversation::list(&mut tx, &cx, page).await,
            id: |conversation| conversation.id.uuid(), ConversationObject::from(conversation));
        if self.may("conversation_items.jsonl", Scope::ResponsesRead) {
            self.archive.begin_lines("conversation_items.jsonl").await?;
            walk!(self,
                |tx, page| conversation::list(&mut tx, &cx, page).await,
                id: |conversation| conversation.id.uuid(), {
                walk!(self,
                    |tx, page| skipped(conversation::list_items(&mut tx, &cx, conversation.id, page).await),
                    id: |item| item.id().uuid(), {
                    let item = OfConversation { conversation_id: conversation.id.to_string(), item: ItemObject::new(item, true) };
                    self.archive.line(&item).await?;
                });
            });
        }
        if self.may("responses.jsonl", Scope::ResponsesRead) {
            self.archive.begin_lines("responses.jsonl").await?;
            walk!(self, |tx, page| response::list(&mut tx, page).await, id: |id| id.uuid(), {
                let mut tx = self.export.read().await?;
                let whole = response::get(&mut tx, &cx, id).await;
                drop(tx);
                if let Some(whole) = found(whole)? {
                    self.archive.line(&ResponseObject::new(whole, true)).await?;
                }
            });
        }
        if self.may("response_input_items.jsonl", Scope::ResponsesRead) {
            self.archive.begin_lines("response_input_items.jsonl").await?;
            walk!(self, |tx, page| response::list(&mut tx, page).await, id: |id| id.uuid(), {
                walk!(self,
                    |tx, page| skipped(response::list_input(&mut tx, &cx, id, page).await),
                    id: |item| item.id().uuid(), {
                    let item = OfResponse { response_id: id.to_string(), item: ItemObject::new(item, true) };
                    self.archive.line(&item).await?;
                });
            });
        }
        Ok(())
    }

    async fn machinery(&mut self) -> Result<(), Error> {
        entry!(self, "assistants.jsonl", AssistantsRead, |tx, page| assistant::list(&mut tx, page).await,
            id: |assistant| assistant.id.uuid(), AssistantObject::from(assistant));
        entry!(self, "batches.jsonl", BatchesRead, |tx, page| batch::list(&mut tx, page).await,
            id: |batch| batch.id.uuid(), BatchObject::from(batch));
        entry!(self, "webhooks.jsonl", WebhooksRead, |tx, page| webhook::list(&mut tx, page).await,
            id: |webhook| webhook.id.uuid(), WebhookObject::from(webhook));
        if self.may("webhook_deliveries.jsonl", Scope::WebhooksRead) {
            self.archive.begin_lines("webhook_deliveries.jsonl").await?;
            walk!(self, |tx, page| webhook::list(&mut tx, page).await, id: |webhook| webhook.id.uuid(), {
                walk!(self,
                    |tx, page| skipped(webhook::deliveries(&mut tx, webhook.id, page).await),
                    id: |delivery| delivery.event_id.uuid(),
                    self.archive.line(&DeliveryObject::from(delivery)).await?);
            });
        }
        entry!(self, "jobs.jsonl", JobsRead, |tx, page| job::list(&mut tx, &job::Filter::default(), page).await,
            id: |job| job.id.uuid(), JobObject::from(job));
        if self.may("routes.jsonl", Scope::ModelsRead) {
            self.archive.begin_lines("routes.jsonl").await?;
            let at = std::time::SystemTime::now().into();
            for route in routes::list(&self.app.services, &self.cx).await? {
                self.archive.line(&RouteObject::new(route, at)).await?;
            }
        }
        Ok(())
    }

    async fn people(&mut self) -> Result<(), Error> {
        entry!(self, "api_keys.jsonl", ApiKeysRead, |tx, page| api_key::list(&mut tx, page).await,
            id: |key| key.id.uuid(), ApiKeyObject::from(key));
        if self.may("provider_keys.jsonl", Scope::ProviderKeysRead) {
            self.archive.begin_lines("provider_keys.jsonl").await?;
            let mut tx = self.export.read().await?;
            let keys = vault::list(&mut tx).await?;
            drop(tx);
            for key in keys {
                self.archive.line(&ProviderKeyObject::from(key)).await?;
            }
        }
        if self.may("members.jsonl", Scope::MembersRead) {
            self.archive.begin_lines("members.jsonl").await?;
            for member in own::list(&self.app.services.db, &self.cx).await? {
                self.archive.line(&MemberObject::from(member)).await?;
            }
        }
        if self.may("invites.jsonl", Scope::MembersRead) {
            self.archive.begin_lines("invites.jsonl").await?;
            for invite in own::invites(&self.app.services.db, &self.cx).await? {
                self.archive.line(&MemberInviteObject::from(invite)).await?;
            }
        }
        Ok(())
    }

    async fn settings(&mut self) -> Result<(), Error> {
        if !self.may("settings.jsonl", Scope::GuardrailsRead) {
            return Ok(());
        }
        self.archive.begin_lines("settings.jsonl").await?;
        let mut tx = self.export.read().await?;
        let guardrails = GuardrailsObject::new(&guard::get(&mut tx).await?)?;
        let logging = request_log::logging(&mut tx).await?.unwrap_or_default();
        let searches = search_analytics::keeping(&mut tx).await?.unwrap_or_default();
        let days = ledger::retention(&mut tx).await?;
        let conversations: ConversationRetention = conversation::retention(&mut tx).await?.into();
        drop(tx);
        let searches: KeepingObject = searches.into();
        for line in [
            json!({"setting": "guardrails", "value": guardrails}),
            json!({"setting": "request_logging", "value": RequestLoggingObject::from(logging)}),
            json!({"setting": "search_analytics", "value": searches}),
            json!({"setting": "usage_retention", "value": {"days": days}}),
            json!({"setting": "conversation_retention", "value": conversations}),
        ] {
            self.archive.line(&line).await?;
        }
        Ok(())
    }

    async fn records(&mut self, subject: &Subject) -> Result<(), Error> {
        if self.may("budgets.jsonl", Scope::BudgetsRead) {
            self.archive.begin_lines("budgets.jsonl").await?;
            let mut tx = self.export.read().await?;
            let mut budgets = Vec::new();
            for budget in budget::list(&mut tx).await? {
                let periods = budget::periods(&mut tx, budget.id, MOST_PERIODS).await?;
                budgets.push(BudgetObject::new(budget, periods));
            }
            drop(tx);
            for budget in &budgets {
                self.archive.line(budget).await?;
            }
        }
        entry!(self, "usage_events.jsonl", UsageRead,
            |tx, page| usage::events(&mut tx, &EventFilter::default(), page).await,
            id: |event| event.id, EventObject::from(event));
        if self.may("usage_days.jsonl", Scope::UsageRead) {
            self.archive.begin_lines("usage_days.jsonl").await?;
            for (from, until) in spans(subject) {
                let query = UsageQuery {
                    from,
                    until,
                    bucket: Bucket::Day,
                    by: By {
                        endpoint: true,
                        model: true,
                        key: true,
                        end_user: false,
                    },
                    of: Of::default(),
                    most: 1,
                };
                let mut tx = self.export.read().await?;
                let sums = usage::sums(&mut tx, &query).await?;
                drop(tx);
                for sum in sums.sums {
                    self.archive.line(&SumObject::from(sum)).await?;
                }
            }
        }
        entry!(self, "request_logs.jsonl", RequestLogsRead, |tx, page| request_log::list(&mut tx, page).await,
            id: |log| log.id.uuid(), RequestLogObject::from(log));
        if self.may("search_analytics.jsonl", Scope::RequestLogsRead) {
            self.archive.begin_lines("search_analytics.jsonl").await?;
            for (from, until) in spans(subject) {
                let mut tx = self.export.read().await?;
                let report = search_analytics::report(&mut tx, from, until).await?;
                drop(tx);
                self.archive.line(&AnalyticsObject::from(report)).await?;
            }
        }
        entry!(self, "audit_logs.jsonl", AuditLogsRead,
            |tx, page| audit_log::of_tenant(&mut tx, &AuditFilter::default(), page).await,
            id: |entry| entry.id.uuid(), AuditLogObject::try_from(entry)?);
        entry!(self, "accesses.jsonl", AuditLogsRead, |tx, page| looks::of_tenant(&mut tx, page).await,
            id: |access| AccessId::uuid(access.id), TenantAccessObject::from(access));
        Ok(())
    }

    /// The bytes of the files, last because they are most.
    async fn originals(&mut self) -> Result<(), Error> {
        if !self.may("files/", Scope::FilesRead) {
            return Ok(());
        }
        walk!(self, |tx, page| file::list(&mut tx, None, page).await, id: |file| file.id.uuid(), {
            let opened = file::content(&self.app.services, &self.cx, file.id).await;
            let (file, mut data, _) = match opened {
                Ok(opened) => opened,
                // Deleted since it was listed; or it is there, and its bytes are not, which is a fault.
                Err(error) => {
                    let mut tx = self.export.read().await?;
                    if found(file::get(&mut tx, file.id).await)?.is_none() {
                        continue;
                    }
                    return Err(error);
                }
            };
            let name = format!("files/{}/{}", file.id, file.filename);
            self.archive.begin_bytes(name).await?;
            self.copy(data.as_mut()).await?;
        });
        Ok(())
    }

    /// The files of the tenant's own models.
    async fn graphs(&mut self) -> Result<(), Error> {
        if !self.may("models/", Scope::RegistryRead) {
            return Ok(());
        }
        walk!(self, |tx, page| registry::list(&mut tx, page).await, id: |model| model.id.uuid(), {
            let model = ModelRef::Id(model.id);
            walk!(self,
                |tx, page| skipped(registry::list_versions(&mut tx, &model, page).await),
                id: |version| version.id.uuid(), {
                for (name, opened) in registry::files(&self.app.services, &version).await {
                    let mut data = match opened {
                        Ok(data) => data,
                        // As for files.
                        Err(error) => {
                            let mut tx = self.export.read().await?;
                            let version = registry::VersionRef::Id(version.id);
                            if found(registry::get_version(&mut tx, &model, version).await)?.is_none() {
                                continue;
                            }
                            return Err(error);
                        }
                    };
                    self.archive.begin_bytes(format!("models/{name}")).await?;
                    self.copy(data.as_mut()).await?;
                }
            });
        });
        Ok(())
    }

    /// Copies bytes into the entry under way.
    async fn copy(&mut self, data: &mut (dyn AsyncRead + Send + Unpin)) -> Result<(), Error> {
        let mut piece = vec![0; PIECE];
        let mut since = 0;
        loop {
            let read = data.read(&mut piece).await.map_err(Error::internal)?;
            if read == 0 {
                return Ok(());
            }
            self.archive.bytes(&piece[..read]).await?;
            since += read;
            if since >= 256 * PIECE {
                // A file of gigabytes takes longer than the right to read lasts.
                self.export.read().await?;
                since = 0;
            }
        }
    }

    async fn models(&mut self) -> Result<(), Error> {
        entry!(self, "models.jsonl", RegistryRead, |tx, page| registry::list(&mut tx, page).await,
            id: |model| model.id.uuid(), ModelObject::from(model));
        if self.may("model_versions.jsonl", Scope::RegistryRead) {
            self.archive.begin_lines("model_versions.jsonl").await?;
            walk!(self, |tx, page| registry::list(&mut tx, page).await, id: |model| model.id.uuid(), {
                walk!(self,
                    |tx, page| skipped(registry::list_versions(&mut tx, &ModelRef::Id(model.id), page).await),
                    id: |version| version.id.uuid(),
                    self.archive.line(&VersionObject::from(version)).await?);
            });
        }
        if self.may("model_activations.jsonl", Scope::RegistryRead) {
            self.archive.begin_lines("model_activations.jsonl").await?;
            walk!(self, |tx, page| registry::list(&mut tx, page).await, id: |model| model.id.uuid(), {
                walk!(self,
                    |tx, page| skipped(registry::list_activations(&mut tx, &ModelRef::Id(model.id), page).await),
                    id: |activation| activation.id.uuid(), {
                    let activation = OfModel { model: model.name.clone(), activation: activation.into() };
                    self.archive.line(&activation).await?;
                });
            });
        }
        Ok(())
    }
}

/// The time that there has been a tenant for, in parts that can be asked for at once.
fn spans(subject: &Subject) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    // Sums are of whole days and hours, and clocks differ a little.
    let end = subject.began_at + TimeDelta::hours(1);
    let mut from = subject.created_at - TimeDelta::days(1);
    let mut spans = Vec::new();
    while from < end {
        let until = (from + TimeDelta::days(DAYS)).min(end);
        spans.push((from, until));
        from = until;
    }
    spans
}

/// A list of what belongs to something that may have been deleted meanwhile; then nothing belongs to it.
fn skipped<T>(listed: Result<Listing<T>, Error>) -> Result<Listing<T>, Error> {
    Ok(found(listed)?.unwrap_or(Listing {
        data: Vec::new(),
        has_more: false,
    }))
}

/// A page of a source, with whose it is.
#[derive(Serialize)]
struct OfSource {
    source_id: String,
    #[serde(flatten)]
    page: SourcePageObject,
}

/// A change of an alias, with whose it is.
#[derive(Serialize)]
struct OfModel {
    model: String,
    #[serde(flatten)]
    activation: ActivationObject,
}

/// An item of a conversation, with whose it is.
#[derive(Serialize)]
struct OfConversation {
    conversation_id: String,
    #[serde(flatten)]
    item: ItemObject,
}

/// What a response was given, with whose it is.
#[derive(Serialize)]
struct OfResponse {
    response_id: String,
    #[serde(flatten)]
    item: ItemObject,
}

/// What is there; `None`: it was deleted since it was listed.
fn found<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Err(Error::NotFound { .. }) => Ok(None),
        found => found.map(Some),
    }
}
