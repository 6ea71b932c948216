//! AES-256-GCM with associated data that says where a sealed value belongs.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use secrecy::{ExposeSecret, SecretBox, SecretSlice};

use crate::{Error, Result};

/// A key of 256 bits.
pub(super) type Key = SecretBox<[u8; KEY_BYTES]>;

/// Bytes of a [`Key`].
pub(super) const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
/// First byte of everything sealed: how it is.
const VERSION: u8 = 1;

/// What a sealed value is bound to; it opens nowhere else.
pub(super) struct Place(Vec<u8>);

impl Place {
    /// Each part with its length, so that no two places are written alike.
    pub(super) fn new(parts: &[&[u8]]) -> Self {
        let mut bytes = b"insula vault v1".to_vec();
        for part in parts {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(*part);
        }
        Self(bytes)
    }
}

/// A new random key.
pub(super) fn new_key() -> Key {
    SecretBox::new(Box::new(rand::random()))
}

/// `version || nonce || ciphertext || tag`.
pub(super) fn seal(key: &Key, place: &Place, plain: &[u8]) -> Result<Vec<u8>> {
    let nonce: [u8; NONCE_BYTES] = rand::random();
    let payload = Payload {
        msg: plain,
        aad: &place.0,
    };
    let sealed = cipher(key)
        .encrypt(&nonce.into(), payload)
        .map_err(|_| Error::Vault("a value is too long to be sealed".into()))?;
    Ok([&[VERSION], &nonce[..], &sealed].concat())
}

/// The value, if it was sealed with this key for this place.
pub(super) fn open(key: &Key, place: &Place, sealed: &[u8]) -> Result<SecretSlice<u8>> {
    let wrong = || Error::Vault("a sealed value was damaged, or belongs elsewhere".into());
    let (&[VERSION], rest) = sealed.split_first_chunk::<1>().ok_or_else(wrong)? else {
        return Err(wrong());
    };
    let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(wrong)?;
    let payload = Payload {
        msg: rest,
        aad: &place.0,
    };
    let plain = cipher(key)
        .decrypt(&(*nonce).into(), payload)
        .map_err(|_| wrong())?;
    Ok(plain.into())
}

fn cipher(key: &Key) -> Aes256Gcm {
    Aes256Gcm::new(key.expose_secret().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_with_its_key_in_its_place_and_not_otherwise() {
        let key = new_key();
        let place = Place::new(&[b"tenant", b"row"]);
        let sealed = seal(&key, &place, b"secret").unwrap();
        assert_eq!(open(&key, &place, &sealed).unwrap().expose_secret(), b"secret");
        assert!(open(&new_key(), &place, &sealed).is_err(), "another key");
        for elsewhere in [
            &[&b"tenant"[..], b"other"][..],
            &[b"tenantrow"],
            &[b"tenan", b"trow"],
            &[b"tenant", b"row", b""],
        ] {
            assert!(open(&key, &Place::new(elsewhere), &sealed).is_err());
        }
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(open(&key, &place, &damaged).is_err(), "byte {at}");
            assert!(open(&key, &place, &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn the_same_value_is_sealed_differently_each_time() {
        let key = new_key();
        let place = Place::new(&[b"p"]);
        assert_ne!(
            seal(&key, &place, b"x").unwrap(),
            seal(&key, &place, b"x").unwrap()
        );
    }
}
