//! The look of a key: `isk_<public id>_<secret><checksum>`, `iok_…` for one of the operator's, `iit_…` for an invitation's,
//! `ist_…` for a session's, `irt_…` for a password reset's.
//!
//! The public id is the indexed lookup; the secret is stored as SHA-256 (it has 190 random bits, so a slow hash would
//! protect nothing); the checksum lets secret scanners recognise a leaked key and typos fail without a query.

use rand::Rng;
use rand::distr::Alphanumeric;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const PUBLIC_LEN: usize = 16;
const SECRET_LEN: usize = 32;
const CHECKSUM_LEN: usize = 6;

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A tenant's API key.
    Tenant,
    /// The operator's.
    Operator,
    /// An invitation's, which opens nothing but its acceptance.
    Invite,
    /// Of somebody who is signed in.
    Session,
    /// Of somebody who is to choose a new password, which opens nothing else.
    PasswordReset,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Tenant => "isk_",
            Self::Operator => "iok_",
            Self::Invite => "iit_",
            Self::Session => "ist_",
            Self::PasswordReset => "irt_",
        }
    }
}

/// A key that was just made, before it is stored hashed.
pub(crate) struct NewSecret {
    pub(crate) public_id: String,
    pub(crate) hash: [u8; 32],
    /// What the caller sends. Shown once.
    pub(crate) key: SecretString,
}

/// A key as presented by a caller, its checksum verified.
pub(crate) struct PresentedKey<'a> {
    pub(crate) public_id: &'a str,
    hash: [u8; 32],
}

pub(crate) fn generate(kind: Kind) -> NewSecret {
    let public_id = random(PUBLIC_LEN);
    let secret = random(SECRET_LEN);
    let (prefix, checksum) = (kind.prefix(), checksum(kind, &public_id, &secret));
    NewSecret {
        hash: Sha256::digest(secret.as_bytes()).into(),
        key: SecretString::from(format!("{prefix}{public_id}_{secret}{checksum}")),
        public_id,
    }
}

/// Takes a presented key apart; `None` if it cannot be one of ours and of this kind.
pub(crate) fn parse(kind: Kind, presented: &str) -> Option<PresentedKey<'_>> {
    let (public_id, rest) = presented.strip_prefix(kind.prefix())?.split_once('_')?;
    if !is_public_id(public_id) || rest.len() != SECRET_LEN + CHECKSUM_LEN || !rest.is_ascii() {
        return None;
    }
    let (secret, presented_checksum) = rest.split_at(SECRET_LEN);
    if checksum(kind, public_id, secret) != presented_checksum {
        return None;
    }
    Some(PresentedKey {
        public_id,
        hash: Sha256::digest(secret.as_bytes()).into(),
    })
}

/// Whether a text has the form of a public id.
pub(crate) fn is_public_id(text: &str) -> bool {
    text.len() == PUBLIC_LEN && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

impl PresentedKey<'_> {
    /// What is stored of it.
    pub(crate) const fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Compares in constant time with a stored hash.
    pub(crate) fn matches(&self, stored: &[u8]) -> bool {
        self.hash.ct_eq(stored).into()
    }
}

impl NewSecret {
    /// The key for its one showing.
    pub(crate) fn into_key(self) -> SecretString {
        self.key
    }
}

fn random(len: usize) -> String {
    rand::rng()
        .sample_iter(Alphanumeric)
        .take(len)
        .map(char::from)
        .collect()
}

fn checksum(kind: Kind, public_id: &str, secret: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let digest = Sha256::digest(format!("{}{public_id}_{secret}", kind.prefix()).as_bytes());
    let mut value = digest[..8]
        .iter()
        .fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    let mut text = String::with_capacity(CHECKSUM_LEN);
    for _ in 0..CHECKSUM_LEN {
        text.push(char::from(DIGITS[(value % 62) as usize]));
        value /= 62;
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_new_key_parses_and_matches_its_hash() {
        for (kind, other) in [(Kind::Tenant, Kind::Operator), (Kind::Operator, Kind::Tenant)] {
            let new = generate(kind);
            let text = new.key.expose_secret().to_owned();
            let presented = parse(kind, &text).unwrap();
            assert_eq!(presented.public_id, new.public_id);
            assert!(presented.matches(&new.hash));
            assert!(!presented.matches(&generate(kind).hash));
            assert!(parse(other, &text).is_none());
        }
    }

    #[test]
    fn one_wrong_character_fails_before_any_lookup() {
        let text = generate(Kind::Tenant).key.expose_secret().to_owned();
        for position in 4..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[position] = if bytes[position] == b'x' { b'y' } else { b'x' };
            assert!(
                parse(Kind::Tenant, std::str::from_utf8(&bytes).unwrap()).is_none(),
                "position {position}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_handled(text in "\\PC{0,80}") {
            let _ = parse(Kind::Tenant, &text);
            let _ = parse(Kind::Tenant, &format!("isk_{text}"));
        }
    }
}
