//! The process-wide ONNX Runtime.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::logging::LogLevel;

use super::LoadError;

/// ONNX Runtime allows one environment per process, and `ort` panics when its library is first needed but not
/// there. Both are settled here, before any other call.
static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

/// The environment on `library`, loading it on the first call.
pub(super) fn environment(library: &Path) -> Result<Environment, LoadError> {
    let missing = |_| LoadError::LibraryMissing {
        path: library.to_owned(),
    };
    let path = library.canonicalize().map_err(missing)?;
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((existing, environment)) = loaded.as_ref() {
        if *existing == path {
            return Ok(environment.clone());
        }
        return Err(LoadError::LibraryConflict {
            loaded: existing.clone(),
            requested: path,
        });
    }
    let environment = ort::init_from(&path)
        .map_err(|error| unusable(&path, error))?
        .with_name("insula")
        .with_telemetry(false)
        .with_logger(Arc::new(log))
        .build()
        .map_err(|error| LoadError::Library {
            path: path.clone(),
            reason: error.to_string(),
        })?;
    environment.set_log_level(LogLevel::Warning);
    *loaded = Some((path, environment.clone()));
    Ok(environment)
}

fn unusable(path: &Path, error: LoadDynamicError) -> LoadError {
    let path = path.to_owned();
    match error {
        LoadDynamicError::BadVersion { version_str, .. } => LoadError::LibraryTooOld {
            path,
            found: version_str,
            wanted: format!("1.{}", ort::MINOR_VERSION),
        },
        LoadDynamicError::Dlopen { error, .. } => LoadError::Library {
            path,
            reason: error.to_string(),
        },
        other => LoadError::Library {
            path,
            reason: other.to_string(),
        },
    }
}

/// Sends the library's own messages to the log of the process.
fn log(level: LogLevel, category: &str, _id: &str, location: &str, message: &str) {
    match level {
        LogLevel::Fatal | LogLevel::Error => tracing::error!(category, location, "onnxruntime: {message}"),
        LogLevel::Warning => tracing::warn!(category, location, "onnxruntime: {message}"),
        LogLevel::Info | LogLevel::Verbose => tracing::debug!(category, location, "onnxruntime: {message}"),
    }
}
