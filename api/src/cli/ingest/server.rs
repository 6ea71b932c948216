//! Which server is meant, and with which key.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use secrecy::SecretString;

use super::client::Api;

/// Variable of the key. There is no flag for it: what is typed stays in the shell's history.
const KEY_VARIABLE: &str = "INSULA_API_KEY";

/// The server, or the running `insula dev`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(super) struct ServerArgs {
    /// Its address. Absent: the `insula dev` that runs on --data
    #[arg(long, env = "INSULA_URL", value_name = "URL")]
    url: Option<String>,
    /// File that holds the API key. Absent: the variable INSULA_API_KEY; for an `insula dev`, its first key
    #[arg(long, env = "INSULA_KEY_FILE", value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Data folder of a running `insula dev`
    #[arg(
        long,
        env = "INSULA_DATA",
        default_value = ".runtime/data",
        value_name = "DIR"
    )]
    data: PathBuf,
}

impl ServerArgs {
    /// The server with its key.
    pub(super) fn api(&self) -> Result<Api> {
        let key = self.key()?;
        match &self.url {
            // The key of an `insula dev` is not for other servers.
            Some(url) => Api::new(url, key.context(NO_KEY)?),
            None => {
                let (url, first_key) = crate::dev::find_server(&self.data)?;
                Api::new(&url, key.unwrap_or(first_key))
            }
        }
    }

    fn key(&self) -> Result<Option<SecretString>> {
        let key = match &self.key_file {
            Some(path) => Some(std::fs::read_to_string(path).with_context(|| path.display().to_string())?),
            None => std::env::var(KEY_VARIABLE).ok(),
        };
        let key = key.map(|key| key.trim().to_owned());
        Ok(key.filter(|key| !key.is_empty()).map(SecretString::from))
    }
}

const NO_KEY: &str = "no API key: set INSULA_API_KEY, or name a file that holds it with --key-file";
