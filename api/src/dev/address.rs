//! Where a running `insula dev` listens, kept in its data folder for the tools that are to find it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use secrecy::SecretString;

use super::credentials::FirstTenant;

const FILE: &str = "address";

/// The address in the data folder, for as long as the server runs.
pub(super) struct PublishedAddress(PathBuf);

impl PublishedAddress {
    /// Writes `root` down.
    pub(super) fn new(data: &Path, root: &str) -> Result<Self> {
        let path = data.join(FILE);
        std::fs::write(&path, root).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for PublishedAddress {
    fn drop(&mut self) {
        // Whoever finds an address that nobody listens at is told so.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Address and first key of the `insula dev` that serves `data`.
///
/// # Errors
/// When there is none.
pub fn find_server(data: &Path) -> Result<(String, SecretString)> {
    let none = || {
        format!(
            "no server: set INSULA_URL and INSULA_API_KEY, or start `insula dev --data {0}` and name the same folder \
             with --data",
            data.display()
        )
    };
    let address = std::fs::read_to_string(data.join(FILE)).with_context(none)?;
    let first = FirstTenant::load(data)?.with_context(none)?;
    Ok((address.trim().to_owned(), first.api_key().to_owned().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_server_is_found_while_it_runs() {
        let data = tempfile::tempdir().unwrap();
        FirstTenant::new("home".into(), &"isk_x".into())
            .save(data.path())
            .unwrap();
        let published = PublishedAddress::new(data.path(), "http://127.0.0.1:1").unwrap();
        let (address, key) = find_server(data.path()).unwrap();
        assert_eq!(
            (address.as_str(), key.expose_secret()),
            ("http://127.0.0.1:1", "isk_x")
        );
        drop(published);
        let error = find_server(data.path()).unwrap_err().to_string();
        assert!(error.contains("INSULA_URL"), "{error}");
    }
}
