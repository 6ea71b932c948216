//! The library itself, which is loaded when the first PDF comes.

use std::path::PathBuf;
use std::sync::OnceLock;

use insula_core::ingest::{ParseError, ParseErrorCode};
use pdfium_render::prelude::Pdfium;

use crate::{Tools, error};

/// One per process: pdfium keeps global state. `pdfium-render` takes a lock around each call.
static LIBRARY: OnceLock<Result<Pdfium, String>> = OnceLock::new();

/// pdfium, from where [`Tools::pdfium`] says; the first call of the process decides.
///
/// # Errors
/// `unsupported_file` where it is not installed, `server_error` when it is there but cannot be loaded.
pub(super) fn load(tools: &Tools) -> Result<&'static Pdfium, ParseError> {
    let not_installed = || ParseError {
        code: ParseErrorCode::UnsupportedFile,
        message:
            "This is a PDF document. Reading PDF is not installed on this server (libpdfium is missing)."
                .into(),
    };
    let Some(path) = &tools.pdfium else {
        return Err(not_installed());
    };
    let path = if path.is_dir() {
        Pdfium::pdfium_platform_library_name_at_path(path)
    } else {
        PathBuf::from(path)
    };
    if !path.is_file() {
        return Err(not_installed());
    }
    let bind = || {
        Pdfium::bind_to_library(&path)
            .map(Pdfium::new)
            .map_err(|why| why.to_string())
    };
    LIBRARY.get_or_init(bind).as_ref().map_err(|why| {
        tracing::error!(path = %path.display(), %why, "libpdfium cannot be loaded");
        error::server("The PDF reader could not be started.")
    })
}
