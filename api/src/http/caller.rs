//! Who calls.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts, MatchedPath};
use http::request::Parts;
use http::{HeaderMap, HeaderName, header};
use insula_core::Error;
use insula_tenancy::session::{SignedIn, Visit};
use insula_tenancy::{AccessError, Authenticator, NamedScope, OperatorContext, TenantContext, TenantId};
use secrecy::SecretString;

use super::gate::{ClientAddress, Visitor};
use super::{ApiError, Site};

/// The tenant that a page believes to work in.
const TENANT: HeaderName = HeaderName::from_static("insula-tenant");

/// The id of the operation that a request is of, as the API's document has it.
#[derive(Debug, Clone)]
pub struct OperationId(pub(crate) Arc<str>);

/// The caller's tenant context, once the key or the session is found good and to have the scope `S`. A scoped token is refused: what
/// takes a `Caller` knows nothing of its bounds.
///
/// A handler that takes no `Caller` has no context, and without one there is no data. As it reads only the
/// request's head, put it first: a stranger is refused before a byte of the body is read.
#[derive(Debug)]
pub struct Caller<S> {
    context: TenantContext,
    scope: PhantomData<fn() -> S>,
}

/// As [`Caller`], but scoped tokens are let in too: only for handlers whose every answer heeds
/// [`TenantContext::narrowing`].
#[derive(Debug)]
pub struct AnyCaller<S> {
    context: TenantContext,
    scope: PhantomData<fn() -> S>,
}

/// What the caller sent as its key. [`Caller`] says whether it is good.
pub struct PresentedKey(SecretString);

impl PresentedKey {
    /// The key.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }
}

macro_rules! extractor {
    ($name:ident, $check:expr) => {
        impl<S> $name<S> {
            /// The context itself, for work that outlives the handler.
            pub fn into_context(self) -> TenantContext {
                self.context
            }
        }

        impl<S> Deref for $name<S> {
            type Target = TenantContext;

            fn deref(&self) -> &TenantContext {
                &self.context
            }
        }

        impl<S, App> FromRequestParts<App> for $name<S>
        where
            S: NamedScope,
            App: Send + Sync,
            Authenticator: FromRef<App>,
            Site: FromRef<App>,
        {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
                let context = authenticate(parts, app).await?;
                let check: fn(&TenantContext) -> Result<(), AccessError> = $check;
                check(&context).map_err(Error::from)?;
                if let Err(lacking) = context.require(S::SCOPE) {
                    Authenticator::from_ref(app)
                        .record_denial(&context, S::SCOPE)
                        .await;
                    return Err(Error::from(lacking).into());
                }
                let authenticator = Authenticator::from_ref(app);
                let looked = authenticator.record_look(&context, &operation(parts)).await;
                looked.map_err(Error::from)?;
                Ok(Self {
                    context,
                    scope: PhantomData,
                })
            }
        }
    };
}

extractor!(Caller, |context| match context.narrowing() {
    None => Ok(()),
    Some(_) => Err(AccessError::Narrowed),
});
extractor!(AnyCaller, |_| Ok(()));

async fn authenticate<App>(parts: &Parts, app: &App) -> Result<TenantContext, Error>
where
    Authenticator: FromRef<App>,
    Site: FromRef<App>,
{
    let context = if has_session(parts, app) {
        signed_in(parts, app).await?.member()?
    } else {
        let key = presented_key(&parts.headers)?;
        let authenticator = Authenticator::from_ref(app);
        let context = attempt(parts, key, authenticator.authenticate(key)).await?;
        match address(parts) {
            Some(address) => context.from_address(address),
            None => context,
        }
    };
    tracing::Span::current().record("tenant", tracing::field::display(context.tenant_id()));
    Ok(context)
}

/// What is done, for the log of who looks in: the operation's id, or its route where that has none.
fn operation(parts: &Parts) -> Cow<'_, str> {
    match (
        parts.extensions.get::<OperationId>(),
        parts.extensions.get::<MatchedPath>(),
    ) {
        (Some(id), _) => Cow::Borrowed(&*id.0),
        (None, Some(path)) => Cow::Owned(format!("{} {}", parts.method, path.as_str())),
        (None, None) => Cow::Borrowed("unknown"),
    }
}

/// Whether a session is presented, and no key, which would count for more.
fn has_session<App>(parts: &Parts, app: &App) -> bool
where
    Site: FromRef<App>,
{
    // Most calls have a key, and are told by that alone.
    !parts.headers.contains_key(header::AUTHORIZATION)
        && parts.headers.contains_key(header::COOKIE)
        && Site::from_ref(app).presented(&parts.headers).is_some()
}

/// Who has the session that is presented by one of the site's own pages.
async fn signed_in<App>(parts: &Parts, app: &App) -> Result<SignedIn, Error>
where
    Authenticator: FromRef<App>,
    Site: FromRef<App>,
{
    let site = Site::from_ref(app);
    let token = site.presented(&parts.headers).ok_or(AccessError::NotSignedIn)?;
    site.check_host(parts)?;
    site.check_origin(parts)?;
    let signed_in = Authenticator::from_ref(app).session(token).await?;
    if let Some(believed) = parts.headers.get(TENANT) {
        let believed = believed
            .to_str()
            .ok()
            .and_then(|text| text.parse::<TenantId>().ok());
        if believed != signed_in.tenant().map(|tenant| tenant.id) {
            return Err(AccessError::TenantSwitched.into());
        }
    }
    Ok(match address(parts) {
        Some(address) => signed_in.from_address(address),
        None => signed_in,
    })
}

/// A person who is signed in, wherever it works.
#[derive(Debug)]
pub struct Person(SignedIn);

impl Deref for Person {
    type Target = SignedIn;

    fn deref(&self) -> &SignedIn {
        &self.0
    }
}

impl<App> FromRequestParts<App> for Person
where
    App: Send + Sync,
    Authenticator: FromRef<App>,
    Site: FromRef<App>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Ok(Self(signed_in(parts, app).await?))
    }
}

/// Somebody at one of the site's own pages who has not signed in yet, and where it comes from.
#[derive(Debug)]
pub struct Stranger(Visit);

impl Deref for Stranger {
    type Target = Visit;

    fn deref(&self) -> &Visit {
        &self.0
    }
}

impl<App> FromRequestParts<App> for Stranger
where
    App: Send + Sync,
    Site: FromRef<App>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let site = Site::from_ref(app);
        site.check_host(parts).map_err(Error::from)?;
        site.check_origin(parts).map_err(Error::from)?;
        let user_agent = parts.headers.get(header::USER_AGENT);
        Ok(Self(Visit {
            address: address(parts),
            user_agent: user_agent.and_then(|text| text.to_str().ok()).map(str::to_owned),
        }))
    }
}

fn address(parts: &Parts) -> Option<IpAddr> {
    let found = parts.extensions.get::<ClientAddress>();
    found.map(|ClientAddress(address)| *address)
}

/// Checks a key, unless its bearer has been wrong too often.
async fn attempt<T>(
    parts: &Parts,
    key: &str,
    check: impl Future<Output = insula_tenancy::Result<T>>,
) -> Result<T, Error> {
    match parts.extensions.get::<Visitor>() {
        Some(visitor) => visitor.attempt(key, check).await,
        None => Ok(check.await?),
    }
}

/// The operator, once its key is found good. Handlers that take it open `OperatorTx`es, and only they do.
#[derive(Debug)]
pub struct Operator(OperatorContext);

impl Deref for Operator {
    type Target = OperatorContext;

    fn deref(&self) -> &OperatorContext {
        &self.0
    }
}

impl<App> FromRequestParts<App> for Operator
where
    App: Send + Sync,
    Authenticator: FromRef<App>,
    Site: FromRef<App>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let context = if has_session(parts, app) {
            signed_in(parts, app).await?.operator().map_err(Error::from)?
        } else {
            let key = presented_key(&parts.headers)?;
            let authenticator = Authenticator::from_ref(app);
            let context = attempt(parts, key, authenticator.operator(key)).await?;
            match address(parts) {
                Some(address) => context.from_address(address),
                None => context,
            }
        };
        tracing::Span::current().record("tenant", "operator");
        Ok(Self(context))
    }
}

/// Whoever may read what the operator sees of all tenants, and a tenant of itself: the operator, or a tenant's key with the
/// scope `S`. A person who is both is the tenant's where its page names the tenant.
#[derive(Debug)]
pub enum Reader<S> {
    /// Of the whole install.
    Operator(Operator),
    /// Of one tenant.
    Tenant(Caller<S>),
}

impl<S, App> FromRequestParts<App> for Reader<S>
where
    S: NamedScope,
    App: Send + Sync,
    Authenticator: FromRef<App>,
    Site: FromRef<App>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        if parts.headers.contains_key(TENANT) && has_session(parts, app) {
            return Ok(Self::Tenant(Caller::from_request_parts(parts, app).await?));
        }
        match Operator::from_request_parts(parts, app).await {
            Ok(operator) => Ok(Self::Operator(operator)),
            // The key is good, and a tenant's.
            Err(ApiError::Domain(Error::Access(AccessError::NotOperator))) => {
                Ok(Self::Tenant(Caller::from_request_parts(parts, app).await?))
            }
            Err(error) => Err(error),
        }
    }
}

impl<App: Send + Sync> FromRequestParts<App> for PresentedKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        Ok(Self(presented_key(&parts.headers)?.into()))
    }
}

/// The key of `Authorization: Bearer KEY`. Errors never repeat what was sent.
fn presented_key(headers: &HeaderMap) -> Result<&str, Error> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(AccessError::MissingKey)?;
    if values.next().is_some() {
        // Two keys may mean two tenants, and a proxy might have looked at the other one.
        return Err(Error::Invalid {
            message: "Send exactly one Authorization header.".into(),
            param: None,
            code: None,
        });
    }
    let value = value.to_str().map_err(|_| AccessError::InvalidKey)?;
    let (scheme, key) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(AccessError::InvalidKey.into());
    }
    match key.trim() {
        "" => Err(AccessError::MissingKey.into()),
        key => Ok(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn with(values: &[&'static str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (header::AUTHORIZATION, HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn the_scheme_is_read_in_any_case() {
        for good in ["Bearer isk_1", "bearer isk_1", "BEARER   isk_1 "] {
            assert_eq!(presented_key(&with(&[good])).unwrap(), "isk_1");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_repeated() {
        let missing = |values| {
            matches!(
                presented_key(&with(values)),
                Err(Error::Access(AccessError::MissingKey))
            )
        };
        assert!(missing(&[]));
        assert!(missing(&["Bearer"]));
        assert!(missing(&["Bearer   "]));
        for bad in ["Basic c2VjcmV0OnNlY3JldA==", "isk_secret"] {
            let error = presented_key(&with(&[bad])).unwrap_err();
            assert!(matches!(error, Error::Access(AccessError::InvalidKey)));
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn two_keys_are_refused() {
        let error = presented_key(&with(&["Bearer isk_1", "Bearer isk_2"])).unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }));
    }
}
