//! API keys on the wire.

use std::str::FromStr;

use insula_core::Error;
use insula_core::api_key::ApiKey;
use insula_tenancy::limit::Limit;
use insula_tenancy::{IdParseError, KeyId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::PathId;
use crate::http::validate::optional_range;
use crate::routes::wire::{Patch, seconds};

/// The largest number that a limit can be.
const MOST: i64 = 1_000_000_000_000;

/// The id of one of the tenant's own keys.
#[derive(Debug, Clone, Copy)]
pub struct OwnKeyId(pub(super) KeyId);

impl FromStr for OwnKeyId {
    type Err = IdParseError;

    fn from_str(text: &str) -> Result<Self, IdParseError> {
        text.parse().map(Self)
    }
}

impl PathId for OwnKeyId {
    const WHAT: &'static str = "API key";
}

/// What a key is limited to, besides what the operator has set: the tightest holds. Null: not limited by the key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ApiKeyLimits)]
pub struct KeyLimits {
    /// Calls per minute.
    #[schema(minimum = 0)]
    pub requests_per_minute: Option<i64>,
    /// Tokens read and written per minute.
    #[schema(minimum = 0)]
    pub tokens_per_minute: Option<i64>,
    /// Calls at once.
    #[schema(minimum = 0)]
    pub concurrency: Option<i64>,
}

impl KeyLimits {
    /// The limit, once its numbers are found to be some.
    pub(super) fn read(self) -> Result<Limit, Error> {
        let check = |name: &str, value| optional_range(&format!("limits.{name}"), value, 0..=MOST);
        Ok(Limit {
            requests_per_minute: check("requests_per_minute", self.requests_per_minute)?,
            tokens_per_minute: check("tokens_per_minute", self.tokens_per_minute)?,
            concurrency: check("concurrency", self.concurrency)?,
        })
    }

    fn of(limit: Limit) -> Option<Self> {
        (limit != Limit::default()).then_some(Self {
            requests_per_minute: limit.requests_per_minute,
            tokens_per_minute: limit.tokens_per_minute,
            concurrency: limit.concurrency,
        })
    }
}

/// A key to be made. It can do at most what whoever makes it can.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateApiKeyRequest)]
pub struct CreateApiKey {
    /// A name for people.
    #[schema(min_length = 1, max_length = 256)]
    pub name: String,
    /// What it may do; absent: all that whoever makes it may.
    #[schema(min_items = 1)]
    pub scopes: Option<Vec<String>>,
    /// The only vector stores that it can reach. It then searches them and answers from them, and does nothing else. Absent: all.
    #[schema(min_items = 1, max_items = 100)]
    pub vector_store_ids: Option<Vec<String>>,
    /// Seconds from now until it expires; absent: it does not.
    #[schema(minimum = 1)]
    pub expires_in_seconds: Option<u64>,
    /// What it is limited to. A key that is limited makes keys that are limited as much, or more.
    pub limits: Option<KeyLimits>,
}

/// What is to be changed of a key; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateApiKeyRequest)]
pub struct UpdateApiKey {
    /// A name for people.
    #[schema(min_length = 1, max_length = 256)]
    pub name: Option<String>,
    /// What it is limited to, in place of what it was; null: not limited.
    #[serde(default)]
    #[schema(value_type = Option<KeyLimits>)]
    pub limits: Patch<KeyLimits>,
}

/// How a key is rotated.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = RotateApiKeyRequest)]
pub struct RotateApiKey {
    /// For how many seconds the old key goes on working beside the new one, a month at most; an hour unless said otherwise.
    #[schema(minimum = 0, maximum = 2678400, default = 3600)]
    pub grace_seconds: Option<u64>,
}

/// An API key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct ApiKeyObject {
    /// `insula.api_key`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Its id, `key_…`.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// The part of the key that is not secret, `isk_…`.
    pub redacted: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The only vector stores that it reaches; null: all.
    #[schema(required)]
    pub vector_store_ids: Option<Vec<String>>,
    /// What it is limited to; null: nothing.
    #[schema(required)]
    pub limits: Option<KeyLimits>,
    /// Unix seconds of its making.
    pub created_at: i64,
    /// Unix seconds from which it is refused; null: it does not expire.
    #[schema(required)]
    pub expires_at: Option<i64>,
    /// Unix seconds of its revocation; null: it is good.
    #[schema(required)]
    pub revoked_at: Option<i64>,
    /// Unix seconds of its last use, to the minute; null: never.
    #[schema(required)]
    pub last_used_at: Option<i64>,
    /// Who made it, as in the audit log; null: that was not written down.
    #[schema(required)]
    pub created_by: Option<String>,
}

impl From<ApiKey> for ApiKeyObject {
    fn from(key: ApiKey) -> Self {
        let stores = key.vector_store_ids;
        Self {
            object: "insula.api_key",
            id: key.id.to_string(),
            name: key.name,
            redacted: format!("isk_{}_…", key.public_id),
            scopes: key.scopes,
            vector_store_ids: stores.map(|stores| stores.iter().map(ToString::to_string).collect()),
            limits: KeyLimits::of(key.limit),
            created_at: seconds(key.created_at),
            expires_at: key.expires_at.map(seconds),
            revoked_at: key.revoked_at.map(seconds),
            last_used_at: key.last_used_at.map(seconds),
            created_by: key.created_by,
        }
    }
}

/// An API key that was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedApiKey)]
pub struct NewKeyObject {
    #[serde(flatten)]
    pub(super) about: ApiKeyObject,
    /// What is sent as `Authorization: Bearer …`. It is shown this once and kept nowhere: to a repetition with the same
    /// Idempotency-Key it is null, and the way to a key that can be used is to rotate this one.
    #[schema(required)]
    pub(super) key: Option<String>,
}
