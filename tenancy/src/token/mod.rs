//! Scoped tokens: short-lived JWTs (EdDSA) that an API key signs and that only narrow it.
//!
//! A token is minted by the server ([`crate::Authenticator::mint`]) or by whoever holds the API key, without the server:
//! the signing key is derived from the API key ([`signing`]). Its `kid` is the key's public id, so it dies with the key.

mod signing;

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, get_current_timestamp};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::signing::public_key;
use crate::narrowing::Narrowing;
use crate::secret::is_public_id;
use crate::{AccessError, Error, Result, Scope, VectorStoreId, new_uuid};

/// The `iss` of every scoped token.
const ISSUER: &str = "insula-scoped-token";
/// The `aud` of every scoped token.
const AUDIENCE: &str = "insula";
/// By how many seconds the clocks of signer and server may differ.
const LEEWAY: u64 = 30;
/// Longest time from `iat` to `exp`.
pub const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Longest token that is looked at, in bytes.
const MAX_BYTES: usize = 16 * 1024;
/// Longest name of an end user, in characters.
pub const MAX_END_USER: usize = 256;

/// One algorithm and no other, whatever the token's header says.
static VALIDATION: LazyLock<Validation> = LazyLock::new(|| {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.validate_nbf = true;
    validation.leeway = LEEWAY;
    validation
});

/// What a token says. A claim that this version does not know may be a bound that it would not keep, so it is refused.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    iat: u64,
    exp: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vector_store_ids: Option<BTreeSet<VectorStoreId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filters: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end_user: Option<String>,
}

/// What a token is to allow.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its permissions; all must be the key's.
    pub scopes: Vec<Scope>,
    /// The only vector stores that it can reach; `None` for all.
    pub vector_stores: Option<Vec<VectorStoreId>>,
    /// An attribute filter that holds besides every search's own, as a search request writes it.
    pub filter: Option<Value>,
    /// The end user that it is made for, at most [`MAX_END_USER`] characters.
    pub end_user: Option<String>,
    /// How long it lives, in whole seconds, at most [`MAX_LIFETIME`].
    pub lifetime: Duration,
}

/// A token that was just made.
pub struct ScopedToken {
    /// What the caller sends in place of an API key.
    pub token: SecretString,
    /// When it expires, in seconds since 1970.
    pub expires_at: u64,
}

/// What a verified token allows.
pub(crate) struct Verified {
    pub(crate) scopes: Vec<Scope>,
    pub(crate) narrowing: Narrowing,
}

/// Whether a presented credential is a token and not a key, which has no dot.
pub(crate) fn is_token(presented: &str) -> bool {
    presented.contains('.')
}

/// The public id of the API key that a token says it is signed by. Nothing is verified yet.
pub(crate) fn key_id(token: &str) -> Option<String> {
    if token.len() > MAX_BYTES {
        return None;
    }
    let header = jsonwebtoken::decode_header(token).ok()?;
    header
        .kid
        .filter(|id| header.alg == Algorithm::EdDSA && is_public_id(id))
}

/// Checks a token against the public key of the API key that its `kid` names.
///
/// # Errors
/// [`AccessError::TokenExpired`] if that is all that is wrong with it, and [`AccessError::InvalidKey`].
pub(crate) fn verify(token: &str, public_key: &[u8; 32]) -> Result<Verified, AccessError> {
    let key = DecodingKey::from_ed_der(public_key);
    let decoded = jsonwebtoken::decode::<Claims>(token, &key, &VALIDATION);
    let claims = match decoded {
        Ok(decoded) => decoded.claims,
        Err(error) if matches!(error.kind(), ErrorKind::ExpiredSignature) => {
            return Err(AccessError::TokenExpired);
        }
        Err(_) => return Err(AccessError::InvalidKey),
    };
    claims
        .verified(get_current_timestamp())
        .ok_or(AccessError::InvalidKey)
}

impl Claims {
    /// The rules that JWT itself does not have.
    fn verified(self, now: u64) -> Option<Verified> {
        let begun = self.iat <= now.saturating_add(LEEWAY);
        let short = self.exp <= self.iat.saturating_add(MAX_LIFETIME.as_secs());
        // No NUL: the ledger could not hold it.
        let named = self.end_user.as_ref().is_none_or(|user| {
            !user.trim().is_empty() && user.chars().count() <= MAX_END_USER && !user.contains('\0')
        });
        (begun && short && named).then(|| Verified {
            // A scope that this version does not know grants nothing.
            scopes: self.scopes.iter().filter_map(|name| name.parse().ok()).collect(),
            narrowing: Narrowing {
                vector_stores: self.vector_store_ids,
                filter: self.filters,
                end_user: self.end_user,
            },
        })
    }
}

/// Signs a token with the private half of `api_key`, whose public id is `key_id`.
pub(crate) fn sign(api_key: &str, key_id: &str, new: NewToken) -> Result<ScopedToken> {
    if new.lifetime > MAX_LIFETIME {
        return Err(Error::Invalid("a scoped token lives for at most a day".into()));
    }
    let iat = get_current_timestamp();
    let exp = iat + new.lifetime.as_secs();
    let claims = Claims {
        iss: ISSUER.into(),
        aud: AUDIENCE.into(),
        iat,
        exp,
        nbf: None,
        jti: Some(new_uuid().simple().to_string()),
        scopes: new.scopes.iter().map(ToString::to_string).collect(),
        vector_store_ids: new.vector_stores.map(|stores| stores.into_iter().collect()),
        filters: new.filter,
        end_user: new.end_user,
    };
    let header = Header {
        kid: Some(key_id.to_owned()),
        ..Header::new(Algorithm::EdDSA)
    };
    let token = jsonwebtoken::encode(&header, &claims, &signing::encoding_key(api_key))
        .map_err(|error| Error::Invalid(format!("the token cannot be signed: {error}")))?;
    Ok(ScopedToken {
        token: token.into(),
        expires_at: exp,
    })
}

#[cfg(test)]
mod tests;
