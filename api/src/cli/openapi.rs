//! `insula openapi`

use std::io::Write;

/// Prints the OpenAPI document. The same router gives the same bytes.
pub(super) fn run() -> anyhow::Result<()> {
    let document = crate::router::openapi_json()?;
    std::io::stdout().write_all(document.as_bytes())?;
    Ok(())
}
