//! Files with secrets in them.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};

/// Writes a file whole or not at all, readable by its owner only from the first byte on.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<()> {
    let partial = path.with_extension("partial");
    // Left behind by a process that was killed here.
    let _ = std::fs::remove_file(&partial);
    let shown = || path.display().to_string();
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&partial)
        .with_context(shown)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&partial, path).with_context(shown)
}
