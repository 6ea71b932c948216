//! The key pair behind an API key's scoped tokens.

use ed25519_dalek::SigningKey;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::EncodingKey;
use sha2::Sha256;

/// What sets this use of an API key apart from any other.
const PURPOSE: &[u8] = b"insula scoped token v1";

/// An Ed25519 seed in PKCS #8, as RFC 8410 writes it, up to the seed itself.
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// The signing key of an API key: its seed is HMAC-SHA256 of [`PURPOSE`] under the whole text of the key. Whoever has
/// the API key can compute it, and nobody else.
fn signing_key(api_key: &str) -> SigningKey {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(api_key.as_bytes())
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of every length"));
    mac.update(PURPOSE);
    SigningKey::from_bytes(&mac.finalize().into_bytes().into())
}

/// The public half, which is stored.
pub(crate) fn public_key(api_key: &str) -> [u8; 32] {
    signing_key(api_key).verifying_key().to_bytes()
}

/// The private half, which signs.
pub(super) fn encoding_key(api_key: &str) -> EncodingKey {
    let mut der = PKCS8_HEAD.to_vec();
    der.extend(signing_key(api_key).as_bytes());
    EncodingKey::from_ed_der(&der)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_derivation_is_the_documented_one() {
        // Computed with Python's hmac and cryptography, as the documentation tells clients to.
        let key = "isk_AAAAAAAAAAAAAAAA_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBCCCCCC";
        let hex: String = public_key(key).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "0df5dc7fdedde702e2526c6c3a1eddfe6f6bc39ac0c909590d11ddcc29d77fc1"
        );
    }

    #[test]
    fn another_key_is_another_pair() {
        assert_ne!(public_key("isk_a"), public_key("isk_b"));
    }
}
