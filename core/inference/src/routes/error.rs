//! What can be wrong with routes.

use std::path::PathBuf;

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
