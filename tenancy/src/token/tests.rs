use jsonwebtoken::EncodingKey;
use secrecy::ExposeSecret;
use serde_json::json;

use super::*;

const KEY: &str = "isk_AAAAAAAAAAAAAAAA_one";
const OTHER: &str = "isk_BBBBBBBBBBBBBBBB_other";
const KID: &str = "AAAAAAAAAAAAAAAA";

fn good() -> Value {
    let now = get_current_timestamp();
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 600, "scopes": ["vector_stores.read", "of.tomorrow"],
    })
}

fn with(changes: Value) -> Value {
    let mut claims = good();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn signed(claims: &Value, by: &str) -> String {
    let header = Header {
        kid: Some(KID.into()),
        ..Header::new(Algorithm::EdDSA)
    };
    jsonwebtoken::encode(&header, claims, &signing::encoding_key(by)).unwrap()
}

fn refusal(token: &str) -> Option<AccessError> {
    verify(token, &public_key(KEY)).err()
}

#[test]
fn what_is_signed_is_what_is_read() {
    let store = VectorStoreId::generate();
    let filter = json!({"type": "eq", "key": "lang", "value": "ar"});
    let new = NewToken {
        scopes: vec![Scope::ChatWrite],
        vector_stores: Some(vec![store]),
        filter: Some(filter.clone()),
        end_user: Some("u1".into()),
        lifetime: Duration::from_secs(60),
    };
    let made = sign(KEY, KID, new.clone()).unwrap();
    let token = made.token.expose_secret();
    assert!(is_token(token) && !is_token(KEY));
    assert_eq!(key_id(token).as_deref(), Some(KID));
    let read = verify(token, &public_key(KEY)).unwrap();
    assert_eq!(read.scopes, [Scope::ChatWrite]);
    assert!(read.narrowing.allows(store) && !read.narrowing.allows(VectorStoreId::generate()));
    assert_eq!(
        (read.narrowing.filter(), read.narrowing.end_user()),
        (Some(&filter), Some("u1"))
    );
    let too_long = NewToken {
        lifetime: MAX_LIFETIME + Duration::from_secs(1),
        ..new
    };
    assert!(sign(KEY, KID, too_long).is_err());
}

#[test]
fn of_scopes_only_known_ones_count() {
    let read = verify(&signed(&good(), KEY), &public_key(KEY)).unwrap();
    assert_eq!(read.scopes, [Scope::VectorStoresRead]);
}

#[test]
fn tampering_and_foreign_signatures_are_refused() {
    let token = signed(&good(), KEY);
    assert_eq!(refusal(&token), None);
    assert_eq!(
        refusal(&signed(&good(), OTHER)),
        Some(AccessError::InvalidKey),
        "signed by another key under this one's kid"
    );
    let wider = signed(&with(json!({"scopes": ["files.write"]})), OTHER);
    let parts: Vec<&str> = token.split('.').collect();
    let payload = wider.split('.').nth(1).unwrap();
    let mixed = [parts[0], payload, parts[2]].join(".");
    assert_eq!(refusal(&mixed), Some(AccessError::InvalidKey));
    let unsigned = [parts[0], parts[1], ""].join(".");
    assert_eq!(refusal(&unsigned), Some(AccessError::InvalidKey));
}

#[test]
fn no_other_algorithm_is_taken() {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
    let payload = signed(&good(), KEY).split('.').nth(1).unwrap().to_owned();
    let none = BASE64.encode(json!({"alg": "none", "kid": KID}).to_string());
    let none = format!("{none}.{payload}.");
    // The public key as an HMAC secret: whoever could read the database would be able to sign.
    let header = Header {
        kid: Some(KID.into()),
        ..Header::new(Algorithm::HS256)
    };
    let secret = EncodingKey::from_secret(&public_key(KEY));
    let confused = jsonwebtoken::encode(&header, &good(), &secret).unwrap();
    for token in [none, confused] {
        assert_eq!(key_id(&token), None, "{token}");
        assert_eq!(refusal(&token), Some(AccessError::InvalidKey), "{token}");
    }
}

#[test]
fn every_claim_has_to_be_right() {
    let now = get_current_timestamp();
    for changes in [
        json!({"aud": "another"}),
        json!({"aud": null}),
        json!({"iss": "another"}),
        json!({"iss": null}),
        json!({"exp": null}),
        json!({"iat": null}),
        json!({"scopes": null}),
        json!({"exp": now + MAX_LIFETIME.as_secs() + 1}),
        // Made in a far future, so that its day is not over for years.
        json!({"iat": now + 1_000_000, "exp": now + 1_000_060}),
        json!({"nbf": now + 120}),
        json!({"vector_store_ids": ["vs_x"]}),
        json!({"vector_stores": []}),
        json!({"end_user": " "}),
        json!({"end_user": "x".repeat(MAX_END_USER + 1)}),
        json!({"end_user": "u\u{0}1"}),
    ] {
        let token = signed(&with(changes.clone()), KEY);
        assert_eq!(refusal(&token), Some(AccessError::InvalidKey), "{changes}");
    }
    let ended = with(json!({"iat": now - 600, "exp": now - LEEWAY - 2}));
    assert_eq!(refusal(&signed(&ended, KEY)), Some(AccessError::TokenExpired));
    assert_eq!(
        refusal(&signed(&ended, OTHER)),
        Some(AccessError::InvalidKey),
        "the signature comes first"
    );
}

#[test]
fn a_key_id_is_plain_or_none_at_all() {
    for kid in [
        "",
        "short",
        "AAAAAAAAAAAAAAA\0",
        "AAAAAAAAAAAAAAAé",
        &"A".repeat(5000),
    ] {
        let header = Header {
            kid: Some(kid.into()),
            ..Header::new(Algorithm::EdDSA)
        };
        let token = jsonwebtoken::encode(&header, &good(), &signing::encoding_key(KEY)).unwrap();
        assert_eq!(key_id(&token), None, "{kid:?}");
    }
    for nonsense in ["", ".", "..", "a.b.c", "e30.e30.e30"] {
        assert_eq!(key_id(nonsense), None, "{nonsense}");
    }
}
