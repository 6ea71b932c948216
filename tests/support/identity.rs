//! An identity provider: OpenID Connect's discovery, authorization and token endpoints, for one client and one person.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use openidconnect::core::{
    CoreEdDsaPrivateSigningKey, CoreIdToken, CoreIdTokenClaims, CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
};
use openidconnect::{
    Audience, EmptyAdditionalClaims, EndUserEmail, IssuerUrl, JsonWebKeyId, Nonce, PrivateSigningKey,
    StandardClaims, SubjectIdentifier,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::free_address;

/// The provider, on a free port of this machine. Dropped, it is gone.
pub struct IdentityProvider {
    provider: Arc<Provider>,
    task: Option<JoinHandle<()>>,
}

struct Provider {
    issuer: String,
    /// Ed25519, as PKCS #8.
    key: String,
    person: Mutex<Person>,
    /// What each code is for: the nonce and the challenge of whoever asked for it.
    codes: Mutex<BTreeMap<String, (String, String)>>,
}

#[derive(Clone, Default)]
struct Person {
    subject: String,
    email: String,
    verified: bool,
}

impl IdentityProvider {
    /// The one client that it knows.
    pub const CLIENT_ID: &'static str = "insula";
    /// The client's secret.
    pub const CLIENT_SECRET: &'static str = "a secret between the two";

    /// Starts it.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let provider = Provider::new(issuer);
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(configuration))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(Arc::clone(&provider));
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self {
            provider,
            task: Some(task),
        }
    }

    /// One that nobody answers for.
    pub fn gone() -> Self {
        Self {
            provider: Provider::new(format!("http://{}", free_address())),
            task: None,
        }
    }

    /// Its address.
    pub fn issuer(&self) -> String {
        self.provider.issuer.clone()
    }

    /// Who signs in there from now on.
    pub fn person(&self, subject: &str, email: &str, verified: bool) {
        *self
            .provider
            .person
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Person {
            subject: subject.into(),
            email: email.into(),
            verified,
        };
    }

    /// Follows the link that leads to it, and signs in. Where the browser is sent back to.
    pub async fn authorize(&self, link: &str) -> String {
        let http = insula_inference::http::client(Default::default()).expect("an HTTP client");
        let answer = http.get(link).send().await.expect("the provider's page");
        let location = answer.headers().get(header::LOCATION).expect("the way back");
        location.to_str().expect("an address").to_owned()
    }
}

impl Drop for IdentityProvider {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Provider {
    fn new(issuer: String) -> Arc<Self> {
        let seed: [u8; 32] = rand::random();
        // PKCS #8 of an Ed25519 key is this and the seed.
        let mut der = vec![
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
        ];
        der.extend(seed);
        let text = BASE64_STANDARD.encode(der);
        Arc::new(Self {
            issuer,
            key: format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"),
            person: Mutex::default(),
            codes: Mutex::default(),
        })
    }

    fn signing_key(&self) -> CoreEdDsaPrivateSigningKey {
        let id = JsonWebKeyId::new("one".into());
        CoreEdDsaPrivateSigningKey::from_ed25519_pem(&self.key, Some(id)).expect("a key")
    }
}

type Shared = State<Arc<Provider>>;
type Fields = BTreeMap<String, String>;

async fn configuration(State(provider): Shared) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", provider.issuer);
    Json(json!({
        "issuer": provider.issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
    }))
}

async fn keys(State(provider): Shared) -> Json<CoreJsonWebKeySet> {
    Json(CoreJsonWebKeySet::new(vec![
        provider.signing_key().as_verification_key(),
    ]))
}

async fn authorize(State(provider): Shared, Query(asked): Query<Fields>) -> Redirect {
    assert_eq!(asked["client_id"], IdentityProvider::CLIENT_ID);
    assert_eq!(asked["code_challenge_method"], "S256");
    assert!(asked["scope"].split(' ').any(|scope| scope == "email"));
    let code = format!("{:032x}", rand::random::<u128>());
    let kept = (asked["nonce"].clone(), asked["code_challenge"].clone());
    let mut codes = provider.codes.lock().unwrap_or_else(PoisonError::into_inner);
    codes.insert(code.clone(), kept);
    Redirect::to(&format!(
        "{}?code={code}&state={}",
        asked["redirect_uri"], asked["state"]
    ))
}

async fn token(State(provider): Shared, headers: HeaderMap, Form(asked): Form<Fields>) -> Response {
    let refused = |code: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": code}))).into_response();
    // The secret is form-encoded before it is base64.
    let secret = IdentityProvider::CLIENT_SECRET.replace(' ', "+");
    let basic = BASE64_STANDARD.encode(format!("{}:{secret}", IdentityProvider::CLIENT_ID));
    if headers
        .get(header::AUTHORIZATION)
        .is_none_or(|value| *value != format!("Basic {basic}"))
    {
        return refused("invalid_client");
    }
    let mut codes = provider.codes.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((nonce, challenge)) = codes.remove(&asked["code"]) else {
        return refused("invalid_grant");
    };
    if BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&asked["code_verifier"])) != challenge {
        return refused("invalid_grant");
    }
    let person = provider
        .person
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let now = SystemTime::now();
    let claims = StandardClaims::new(SubjectIdentifier::new(person.subject))
        .set_email(Some(EndUserEmail::new(person.email)))
        .set_email_verified(Some(person.verified));
    let claims = CoreIdTokenClaims::new(
        IssuerUrl::new(provider.issuer.clone()).expect("an address"),
        vec![Audience::new(IdentityProvider::CLIENT_ID.into())],
        (now + Duration::from_secs(300)).into(),
        now.into(),
        claims,
        EmptyAdditionalClaims {},
    )
    .set_nonce(Some(Nonce::new(nonce)));
    let algorithm = CoreJwsSigningAlgorithm::EdDsa;
    let token = CoreIdToken::new(claims, &provider.signing_key(), algorithm, None, None).expect("a token");
    Json(json!({"access_token": "none", "token_type": "Bearer", "id_token": token.to_string()}))
        .into_response()
}
