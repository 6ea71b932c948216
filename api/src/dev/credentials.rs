//! Secrets of a development install. They are in files that only their owner can read, beside the data that they open.

use std::path::Path;

use anyhow::{Context, Result};
use insula_tenancy::vault::MasterKeys;
use rand::Rng;
use rand::distr::Alphanumeric;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::private_file;

/// The first tenant and its key, kept so that a second start can print the same snippets. Only `insula dev` does this:
/// everywhere else a key is shown once and then exists as a hash.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FirstTenant {
    /// The tenant's name.
    pub(super) tenant: String,
    api_key: String,
}

impl FirstTenant {
    pub(super) fn new(tenant: String, key: &SecretString) -> Self {
        Self {
            tenant,
            api_key: key.expose_secret().to_owned(),
        }
    }

    /// The key, for the snippets.
    pub(super) fn api_key(&self) -> &str {
        &self.api_key
    }

    pub(super) fn load(data: &Path) -> Result<Option<Self>> {
        match std::fs::read(data.join(FIRST_TENANT)) {
            Ok(text) => Ok(Some(
                serde_json::from_slice(&text).with_context(|| format!("{FIRST_TENANT} is damaged"))?,
            )),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context(FIRST_TENANT),
        }
    }

    pub(super) fn save(&self, data: &Path) -> Result<()> {
        private_file::write(&data.join(FIRST_TENANT), &serde_json::to_vec_pretty(self)?)
    }
}

const FIRST_TENANT: &str = "first-tenant.json";
const APP_PASSWORD: &str = "app-password";
const MASTER_KEY: &str = "master-key";

/// What seals the secrets of tenants: random, made at the first start.
pub(super) fn master_keys(data: &Path) -> Result<MasterKeys> {
    let path = data.join(MASTER_KEY);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let line = format!("{}\n", MasterKeys::generate().expose_secret());
            private_file::write(&path, line.as_bytes())?;
            line
        }
        Err(error) => return Err(error).context(MASTER_KEY),
    };
    MasterKeys::parse(&text).context(MASTER_KEY)
}

/// The password of the server's database login: random, made at the first start.
pub(super) fn app_password(data: &Path) -> Result<SecretString> {
    let path = data.join(APP_PASSWORD);
    if let Some(password) = read_app_password(data)? {
        return Ok(password);
    }
    let password: String = rand::rng()
        .sample_iter(Alphanumeric)
        .take(40)
        .map(char::from)
        .collect();
    private_file::write(&path, password.as_bytes())?;
    Ok(password.into())
}

/// The password of an install that was started before.
pub(super) fn read_app_password(data: &Path) -> Result<Option<SecretString>> {
    match std::fs::read_to_string(data.join(APP_PASSWORD)) {
        Ok(password) => Ok(Some(password.trim().to_owned().into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context(APP_PASSWORD),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn secrets_are_made_once_and_readable_by_their_owner_only() {
        let data =
            std::env::temp_dir().join(format!("insula-secrets-{}", insula_tenancy::new_uuid().simple()));
        std::fs::create_dir_all(&data).unwrap();
        assert!(read_app_password(&data).unwrap().is_none());
        let first = app_password(&data).unwrap();
        assert_eq!(
            app_password(&data).unwrap().expose_secret(),
            first.expose_secret()
        );
        let master = master_keys(&data).unwrap();
        assert_eq!(master_keys(&data).unwrap().first(), master.first());
        for file in [APP_PASSWORD, MASTER_KEY] {
            let mode = std::fs::metadata(data.join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }

        FirstTenant::new("ada".into(), &"isk_x".into())
            .save(&data)
            .unwrap();
        assert_eq!(FirstTenant::load(&data).unwrap().unwrap().api_key(), "isk_x");
        std::fs::remove_dir_all(data).unwrap();
    }
}
