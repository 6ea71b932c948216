#![doc = include_str!("../README.md")]

pub mod access;
mod alert;
pub mod audit;
mod auth;
pub mod budget;
mod context;
mod db;
mod denial;
pub mod erasure;
mod error;
mod id;
pub mod job;
pub mod key;
pub mod limit;
pub mod member;
pub mod meter;
mod money;
mod narrowing;
mod notify;
pub mod operator;
pub mod permission;
pub mod quota;
mod scope;
mod secret;
mod server;
pub mod service_account;
pub mod session;
pub mod spend;
pub mod tenant;
pub mod token;
pub mod usage;
pub mod vault;

pub use alert::TELL_BUDGET_ALERT;
pub use auth::{Authenticator, recheck};
pub use context::{Actor, TenantContext};
pub use db::{Db, DbConfig, OperatorTx, TenantTx, create_database, migrate};
pub use error::{AccessError, Error, Result};
pub use id::{
    AccessId, ActivationId, AssistantId, AuditLogId, BatchId, BudgetId, ChunkId, ConversationId, ErasureId,
    EventId, FileId, IdParseError, InviteId, JobId, KeyId, MigrationId, ModelVersionId, OperatorKeyId,
    PartId, PersonId, ProviderKeyId, RegisteredModelId, RequestBatchId, RequestLogId, ResponseId,
    ServiceAccountId, SessionId, SourceId, SpendAlertId, TenantId, UploadId, VectorStoreId, WebhookId,
    new_uuid,
};
pub use money::{Money, PriceFactor};
pub use narrowing::Narrowing;
pub use notify::{JobWatch, Notifications, QueueWatch};
pub use operator::OperatorContext;
pub use scope::{NamedScope, Scope, scope_types};
