//! What can be wrong with routes.

use std::path::PathBuf;

use crate::http::ClientError;
use crate::openai::HeaderError;

/// A `routes.toml` that cannot be used. Never quotes a line of it, as somebody may have put a key there.
#[derive(Debug, thiserror::Error)]
pub enum RoutesError {
    /// The file cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is not what it should be.
    #[error("routes.toml, line {line}: {field}: {message}")]
    Invalid {
        /// Counted from 1.
        line: usize,
        /// The field, for example `provider.base_url`.
        field: String,
        /// What is wrong with it.
        message: String,
    },
}

/// A provider that cannot be used, though the file is right.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The variable with its key is not set.
    #[error("provider '{provider}' takes its key from the environment variable {variable}, which is not set")]
    NoKey {
        /// The provider.
        provider: String,
        /// The variable.
        variable: String,
    },
    /// A route names a provider that is not there, which no file that was read does.
    #[error("there is no provider '{0}'")]
    NoProvider(String),
    /// The HTTP client cannot be built.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A header or the key has characters that HTTP does not allow.
    #[error(transparent)]
    Header(#[from] HeaderError),
}
