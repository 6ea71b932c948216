//! Master keys: they wrap the data keys of tenants and are kept outside the database.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};

use super::seal::{self, KEY_BYTES, Key, Place};
use crate::{Error, Result, TenantId};

/// The operator's master keys. The first one wraps; all unwrap.
#[derive(Clone)]
pub struct MasterKeys(Arc<[MasterKey]>);

struct MasterKey {
    id: String,
    key: Key,
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

impl MasterKeys {
    /// Reads keys, one per line: 32 bytes in base64, with a name before it as in `2026:BASE64` or without. Empty lines and
    /// those that begin with `#` are skipped.
    ///
    /// # Errors
    /// [`Error::Invalid`], which names the line and never what is in it.
    pub fn parse(text: &str) -> Result<Self> {
        let mut keys: Vec<MasterKey> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what: &str| Error::Invalid(format!("line {} of the master keys {what}", number + 1));
            let (name, encoded) = match line.split_once(':') {
                Some((name, encoded)) => (Some(name.trim()), encoded.trim()),
                None => (None, line),
            };
            let bytes = BASE64_STANDARD.decode(encoded).ok();
            let bytes: [u8; KEY_BYTES] = bytes
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or_else(|| wrong("is not 32 bytes in base64"))?;
            let id = name.map_or_else(|| id_of(&bytes), str::to_owned);
            if !is_id(&id) {
                return Err(wrong(
                    "has a name that is not 1 to 64 letters, digits, '.', '_' or '-'",
                ));
            }
            if keys.iter().any(|key| key.id == id) {
                return Err(wrong("has a name that was there before"));
            }
            keys.push(MasterKey {
                id,
                key: SecretBox::new(Box::new(bytes)),
            });
        }
        if keys.is_empty() {
            return Err(Error::Invalid("there is no master key in it".into()));
        }
        Ok(Self(keys.into()))
    }

    /// A new key as a line that [`MasterKeys::parse`] reads.
    pub fn generate() -> SecretString {
        let bytes: [u8; KEY_BYTES] = rand::random();
        format!("{}:{}", id_of(&bytes), BASE64_STANDARD.encode(bytes)).into()
    }

    /// The name of the key that wraps.
    pub fn first(&self) -> &str {
        &self.0[0].id
    }

    /// Wraps a tenant's data key with the first master key, whose name comes first.
    pub(super) fn wrap(&self, tenant: TenantId, data_key: &Key) -> Result<(&str, Vec<u8>)> {
        let first = &self.0[0];
        let wrapped = seal::seal(&first.key, &place(tenant, &first.id), data_key.expose_secret())?;
        Ok((&first.id, wrapped))
    }

    /// Unwraps a tenant's data key.
    ///
    /// # Errors
    /// [`Error::Vault`] if the master key that wraps it is not among these, or it is another tenant's.
    pub(super) fn unwrap(&self, tenant: TenantId, id: &str, wrapped: &[u8]) -> Result<Key> {
        let Some(master) = self.0.iter().find(|key| key.id == id) else {
            return Err(Error::Vault(format!(
                "the master key '{id}', which wraps data keys, is not among the configured ones"
            )));
        };
        let opened = seal::open(&master.key, &place(tenant, id), wrapped)?;
        let bytes: [u8; KEY_BYTES] = opened
            .expose_secret()
            .try_into()
            .map_err(|_| Error::Vault("a data key has the wrong length".into()))?;
        Ok(SecretBox::new(Box::new(bytes)))
    }
}

/// A wrapped data key belongs to a tenant and a master key.
fn place(tenant: TenantId, master: &str) -> Place {
    Place::new(&[b"data key", tenant.uuid().as_bytes(), master.as_bytes()])
}

fn id_of(key: &[u8; KEY_BYTES]) -> String {
    let digest = Sha256::digest(key);
    digest[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_id(text: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=64).contains(&text.len()) && text.bytes().all(fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(lines: &[&SecretString]) -> MasterKeys {
        let lines: Vec<&str> = lines.iter().map(|line| line.expose_secret()).collect();
        MasterKeys::parse(&lines.join("\n")).unwrap()
    }

    #[test]
    fn the_first_key_wraps_and_all_unwrap() {
        let (old, new) = (MasterKeys::generate(), MasterKeys::generate());
        let (before, both, after) = (keys(&[&old]), keys(&[&new, &old]), keys(&[&new]));
        let (tenant, data_key) = (TenantId::generate(), seal::new_key());
        let (id, wrapped) = before.wrap(tenant, &data_key).unwrap();
        let unwrapped = both.unwrap(tenant, id, &wrapped).unwrap();
        assert_eq!(unwrapped.expose_secret(), data_key.expose_secret());
        let (id, again) = both.wrap(tenant, &unwrapped).unwrap();
        assert_eq!(id, after.first());
        assert!(after.unwrap(tenant, id, &again).is_ok());
        assert!(after.unwrap(tenant, before.first(), &wrapped).is_err());
        assert!(
            both.unwrap(TenantId::generate(), id, &again).is_err(),
            "moved to another tenant"
        );
    }

    #[test]
    fn lines_are_read_with_names_and_without_and_refused_by_their_number() {
        let encoded = BASE64_STANDARD.encode([7; KEY_BYTES]);
        let read = MasterKeys::parse(&format!("# keys\n\n a:{encoded}\n{encoded}\n")).unwrap();
        assert_eq!((read.first(), read.0.len()), ("a", 2));
        assert!(!format!("{read:?}").contains(&encoded));
        for (bad, said) in [
            (String::new(), "no master key"),
            ("x".into(), "line 1"),
            (format!("a:{encoded}\na:{encoded}"), "line 2"),
            (format!("a b:{encoded}"), "name"),
            (BASE64_STANDARD.encode([7; 31]), "32 bytes"),
        ] {
            let error = MasterKeys::parse(&bad).unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains(&encoded), "{error}");
        }
    }
}
