//! The operator's identity provider, by OpenID Connect: the code flow with PKCE, as the `openidconnect` crate has it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use insula_core::Error;
use insula_tenancy::AccessError;
use insula_tenancy::session::oidc::{Identity, Pending};
use moka::future::Cache;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata};
use openidconnect::{
    AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse,
    IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse,
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Where the provider sends people back to.
pub const CALLBACK: &str = "/v1/insula/sign_in/oidc/callback";
/// How long what the provider says of itself, its keys included, is believed.
const BELIEVED_FOR: Duration = Duration::from_secs(10 * 60);
/// Longest wait for an answer of the provider's.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest answer of the provider's that is read, in bytes.
const LARGEST: usize = 1024 * 1024;

/// How this install is known to the provider.
#[derive(Debug, Clone)]
pub struct OidcOptions {
    /// The provider.
    pub issuer: IssuerUrl,
    /// Our id there.
    pub client_id: String,
    /// Our secret there; providers that know us by PKCE alone gave none.
    pub client_secret: Option<SecretString>,
    /// What the button says.
    pub name: String,
}

/// The provider.
pub struct Oidc {
    options: OidcOptions,
    http: Caller,
    metadata: Cache<(), Arc<CoreProviderMetadata>>,
}

/// Somebody who is to be sent to the provider.
pub struct Departure {
    /// Where to.
    pub url: Url,
    /// What comes back with it, and only to the browser that it was given to.
    pub state: String,
    /// What to compare with.
    pub pending: Pending,
}

#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Form(#[from] http::Error),
    #[error("the answer is too large")]
    TooLarge,
}

/// The client's type says which endpoints it knows, which is too long to be written.
macro_rules! client {
    ($oidc:expr, $metadata:expr, $root:expr) => {{
        let options = &$oidc.options;
        let secret = options.client_secret.as_ref();
        let redirect = RedirectUrl::new(format!("{}{CALLBACK}", $root)).map_err(|error| unusable(&error))?;
        CoreClient::from_provider_metadata(
            CoreProviderMetadata::clone(&$metadata),
            ClientId::new(options.client_id.clone()),
            secret.map(|secret| ClientSecret::new(secret.expose_secret().to_owned())),
        )
        .set_redirect_uri(redirect)
    }};
}
impl Oidc {
    /// The provider, not asked yet: a server starts without it.
    ///
    /// # Errors
    /// When the machine cannot speak TLS.
    pub fn new(options: OidcOptions) -> anyhow::Result<Self> {
        Ok(Self {
            options,
            http: Caller(insula_inference::http::client(Default::default())?),
            metadata: Cache::builder().time_to_live(BELIEVED_FOR).build(),
        })
    }

    /// What the button says.
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// Prepares sending somebody to the provider, to come back to the site at `root`.
    ///
    /// # Errors
    /// [`Error::Upstream`] when the provider does not answer as one.
    pub async fn depart(&self, root: &str) -> Result<Departure, Error> {
        let metadata = self.metadata().await?;
        let client = client!(self, metadata, root);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scope(Scope::new("email".into()))
            .add_scope(Scope::new("profile".into()))
            .set_pkce_challenge(challenge)
            .url();
        Ok(Departure {
            url,
            state: state.secret().clone(),
            pending: Pending {
                nonce: nonce.secret().clone(),
                verifier: verifier.secret().clone(),
            },
        })
    }

    /// Whom the provider vouches for with `code`.
    ///
    /// # Errors
    /// [`AccessError::InvalidCredentials`] for a code or a token that is not good; [`Error::Upstream`] when the provider does
    /// not answer.
    pub async fn arrive(&self, root: &str, code: String, pending: Pending) -> Result<Identity, Error> {
        let metadata = self.metadata().await?;
        let client = client!(self, metadata, root);
        let tokens = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| unusable(&error))?
            .set_pkce_verifier(PkceCodeVerifier::new(pending.verifier))
            .request_async(&self.http)
            .await;
        let tokens = tokens.map_err(|error| match error {
            openidconnect::RequestTokenError::ServerResponse(refusal) => {
                tracing::warn!(?refusal, "the identity provider refused a code");
                AccessError::InvalidCredentials.into()
            }
            other => unusable(&other),
        })?;
        let verifier = client.id_token_verifier();
        let claims = tokens.id_token().and_then(|token| {
            token
                .claims(&verifier, &Nonce::new(pending.nonce))
                .map_err(|error| {
                    tracing::warn!(%error, "an identity token was refused");
                })
                .ok()
        });
        let Some(claims) = claims else {
            // Its keys may have changed.
            self.metadata.invalidate(&()).await;
            return Err(AccessError::InvalidCredentials.into());
        };
        let email = claims.email().filter(|_| claims.email_verified() == Some(true));
        let name = claims.name().and_then(|name| name.get(None));
        Ok(Identity {
            issuer: claims.issuer().to_string(),
            subject: claims.subject().to_string(),
            verified_email: email.map(|email| email.to_string()),
            name: name.map(|name| name.to_string()),
        })
    }

    async fn metadata(&self) -> Result<Arc<CoreProviderMetadata>, Error> {
        let discover = async {
            let found = CoreProviderMetadata::discover_async(self.options.issuer.clone(), &self.http).await;
            found.map(Arc::new).map_err(|error| error.to_string())
        };
        let found = self.metadata.try_get_with((), discover).await;
        found.map_err(|error| {
            tracing::warn!(%error, "the identity provider cannot be used");
            provider_away()
        })
    }
}

/// Our HTTP client, as the protocol's library wants it.
struct Caller(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Caller {
    type Error = CallError;
    type Future = BoxFuture<'c, Result<HttpResponse, CallError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl Caller {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, CallError> {
        let mut request = reqwest::Request::try_from(request)?;
        *request.timeout_mut() = Some(PATIENCE);
        let mut response = self.0.execute(request).await?;
        let mut answer = http::Response::builder().status(response.status());
        if let Some(headers) = answer.headers_mut() {
            *headers = response.headers().clone();
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await? {
            if body.len() + piece.len() > LARGEST {
                return Err(CallError::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        Ok(answer.body(body)?)
    }
}

fn unusable(error: &dyn std::error::Error) -> Error {
    tracing::warn!(error = %error, "the identity provider cannot be used");
    provider_away()
}

fn provider_away() -> Error {
    Error::Upstream {
        message: "The identity provider does not answer as it should.".into(),
        status: None,
        retry_after: None,
    }
}
