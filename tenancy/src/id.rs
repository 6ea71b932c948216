//! Ids: a UUIDv7 inside, a prefixed opaque string outside.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// A new time-ordered id. The only place that makes one.
pub fn new_uuid() -> Uuid {
    Uuid::now_v7()
}

/// A string that is not an id of the expected kind. HTTP answers it like an unknown id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct IdParseError;

/// 32 lower-case hex digits and nothing else, so that an id has exactly one spelling.
fn parse_hex(text: &str) -> Result<Uuid, IdParseError> {
    let canonical = text.len() == 32
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if canonical {
        Uuid::try_parse(text).map_err(|_| IdParseError)
    } else {
        Err(IdParseError)
    }
}

macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident = $prefix:literal,)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
        #[sqlx(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// What its wire form starts with.
            pub const PREFIX: &'static str = $prefix;

            /// The id that nothing has.
            pub const NIL: Self = Self(Uuid::nil());

            /// A new id.
            pub fn generate() -> Self {
                Self(new_uuid())
            }

            /// The id behind the wire form.
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdParseError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix($prefix).ok_or(IdParseError).and_then(parse_hex).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

ids! {
    /// A customer of the operator; OpenAI's `project`.
    TenantId = "proj_",
    /// An API key.
    KeyId = "key_",
    /// An uploaded file.
    FileId = "file-",
    /// A searchable set of files.
    VectorStoreId = "vs_",
    /// A passage of a file.
    ChunkId = "chunk_",
    /// Files attached to a store in one call.
    BatchId = "vsfb_",
    /// A tenant's preset that appears as a model.
    AssistantId = "asst_",
    /// An answer that can be continued.
    ResponseId = "resp_",
    /// Items that responses add to.
    ConversationId = "conv_",
    /// A piece of background work.
    JobId = "job_",
    /// A file that arrives in parts.
    UploadId = "upload_",
    /// A part of an upload.
    PartId = "part_",
    /// A web page or sitemap that is read into a vector store.
    SourceId = "src_",
    /// An address of the tenant's that is told about events.
    WebhookId = "wh_",
    /// Something that happened, as webhooks tell it.
    EventId = "evt_",
    /// A change of a vector store's embedding model.
    MigrationId = "vsm_",
    /// A tenant's own key for a provider.
    ProviderKeyId = "pvk_",
    /// A key of the operator's.
    OperatorKeyId = "opk_",
    /// An amount of money that may be spent in a period.
    BudgetId = "budget_",
    /// A call that was logged.
    RequestLogId = "rlog_",
    /// Calls that are made in the background, named line by line in a file.
    RequestBatchId = "batch_",
    /// What owns keys that programs use.
    ServiceAccountId = "svc_acct_",
    /// An entry of the audit log.
    AuditLogId = "audit_log-",
    /// A person.
    PersonId = "user-",
    /// Somebody who is signed in.
    SessionId = "sess_",
    /// A look of the operator's at a tenant's data.
    AccessId = "access_",
    /// The removal of a tenant and all its data.
    ErasureId = "erasure_",
    /// An invitation of a person.
    InviteId = "invite-",
    /// A tenant's own model.
    RegisteredModelId = "model_",
    /// A version of it.
    ModelVersionId = "modelv_",
    /// A change of what answers for it.
    ActivationId = "activation_",
    /// An amount of money at which somebody is told.
    SpendAlertId = "alert_",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_form_round_trips() {
        let id = VectorStoreId::generate();
        let text = id.to_string();
        assert!(text.starts_with("vs_") && text.len() == 35);
        assert_eq!(text.parse::<VectorStoreId>(), Ok(id));
        assert_eq!(
            serde_json::from_str::<VectorStoreId>(&serde_json::to_string(&id).unwrap()).unwrap(),
            id
        );
    }

    #[test]
    fn other_spellings_are_refused() {
        let id = FileId::generate().to_string();
        let hex = id.strip_prefix("file-").unwrap();
        for bad in [
            hex,
            &id.to_uppercase(),
            &format!("vs_{hex}"),
            &format!("{id}0"),
            "file-",
            "",
            "file-../../etc",
        ] {
            assert_eq!(bad.parse::<FileId>(), Err(IdParseError), "{bad}");
        }
        let hyphenated = format!("file-{}", FileId::generate().uuid());
        assert_eq!(hyphenated.parse::<FileId>(), Err(IdParseError));
    }
}
