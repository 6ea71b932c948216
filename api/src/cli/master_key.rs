//! `insula master-key …`

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use insula_tenancy::vault::{self, MasterKeys};
use secrecy::ExposeSecret;
use serde_json::json;

use super::target::TargetArgs;
use crate::config::MasterKeyArgs;
use crate::private_file;

/// What to do with the keys that seal the secrets of tenants.
#[derive(Debug, Subcommand)]
pub(super) enum MasterKeyCommand {
    /// Make a key: printed, or put before those of a file
    Create(CreateKey),
    /// Wrap the data keys of all tenants with the first configured key, so that the others can be removed
    ///
    /// To change the master key: put a new one first (`create FILE`), restart every server and worker, run this, remove
    /// the old one, restart. Nothing is out of service meanwhile.
    Rotate(RotateKeys),
}

#[derive(Debug, Args)]
pub(super) struct CreateKey {
    /// File of master keys, made if it is not there; the new key becomes the first. Absent: print the key
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct RotateKeys {
    #[command(flatten)]
    keys: MasterKeyArgs,
    #[command(flatten)]
    target: TargetArgs,
}

pub(super) async fn run(command: MasterKeyCommand) -> anyhow::Result<()> {
    match command {
        MasterKeyCommand::Create(CreateKey { file: None }) => {
            println!("{}", MasterKeys::generate().expose_secret());
            eprintln!(
                "Keep it apart from the database, and keep it: without it the secrets of tenants are lost."
            );
        }
        MasterKeyCommand::Create(CreateKey { file: Some(path) }) => {
            let name = add_key(&path)?;
            eprintln!(
                "{name} is the first key of {} now. Keep the file apart from the database, and keep it: without it the \
                 secrets of tenants are lost.",
                path.display()
            );
        }
        MasterKeyCommand::Rotate(RotateKeys { keys, target }) => {
            let Some(keys) = keys.read()? else {
                bail!("no master key is configured: set INSULA_MASTER_KEY_FILE");
            };
            let db = target.connect().await?;
            let wrapped = vault::rewrap(&db, &keys).await?;
            db.close().await;
            if target.json {
                println!("{}", json!({"master_key": keys.first(), "wrapped": wrapped}));
            } else {
                println!(
                    "{wrapped} data keys were wrapped anew; all are wrapped by {}",
                    keys.first()
                );
            }
        }
    }
    Ok(())
}

/// Puts a new key before those of a file. Its name.
fn add_key(path: &Path) -> anyhow::Result<String> {
    let shown = path.display().to_string();
    let before = match std::fs::read_to_string(path) {
        Ok(text) => {
            MasterKeys::parse(&text).with_context(|| shown.clone())?;
            text
        }
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).context(shown),
    };
    let text = format!("{}\n{before}", MasterKeys::generate().expose_secret());
    let name = MasterKeys::parse(&text)?.first().to_owned();
    private_file::write(path, text.as_bytes())?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_new_key_comes_first_and_the_old_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master-keys");
        let first = add_key(&path).unwrap();
        let second = add_key(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let names: Vec<&str> = text.lines().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(names, [second.as_str(), first.as_str()]);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&path, "damaged").unwrap();
        assert!(add_key(&path).is_err());
    }
}
