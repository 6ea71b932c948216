//! Where things are.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What the bootstrap made: `INSULA_RUNTIME`, or `.runtime` in the repository.
pub fn runtime() -> PathBuf {
    std::env::var_os("INSULA_RUNTIME").map_or_else(|| workspace().join(".runtime"), PathBuf::from)
}

/// A real document of `INSULA_SHARED_DATA`, or beside the repository, if it is there. Says so on standard error if it is not, because a test that
/// skips in silence looks like one that passed.
pub fn shared_data(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("INSULA_SHARED_DATA")
        .map_or_else(|| workspace().join("../shared/data"), PathBuf::from);
    let found = folder.join(path);
    if found.exists() {
        return Some(found);
    }
    eprintln!("skipped: there is no shared/data/{path} beside the repository");
    None
}
