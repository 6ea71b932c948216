#![doc = include_str!("../README.md")]

mod auth;
mod context;
mod db;
mod error;
mod id;
pub mod job;
pub mod key;
mod money;
mod narrowing;
mod notify;
pub mod operator;
pub mod quota;
mod scope;
mod secret;
pub mod tenant;
pub mod token;
pub mod vault;

pub use auth::{Authenticator, recheck};
pub use context::{Actor, TenantContext};
pub use db::{Db, DbConfig, OperatorTx, TenantTx, create_database, migrate};
pub use error::{AccessError, Error, Result};
pub use id::{
    AssistantId, BatchId, ChunkId, EventId, FileId, IdParseError, JobId, KeyId, MigrationId, OperatorKeyId,
    PartId, ProviderKeyId, SourceId, TenantId, UploadId, VectorStoreId, WebhookId, new_uuid,
};
pub use money::Money;
pub use narrowing::Narrowing;
pub use notify::{JobWatch, Notifications, QueueWatch};
pub use operator::OperatorContext;
pub use scope::{NamedScope, Scope, scope_types};
