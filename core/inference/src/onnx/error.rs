//! Why a model could not be loaded.

use std::path::PathBuf;

use super::Device;

/// Loading failed. Every variant says which file and what would help.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no library at the given path.
    #[error("ONNX Runtime is missing: {} does not exist", path.display())]
    LibraryMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file exists, but is no ONNX Runtime that can be used here.
    #[error("ONNX Runtime cannot be loaded from {}: {reason}", path.display())]
    Library {
        /// The file.
        path: PathBuf,
        /// The loader's message.
        reason: String,
    },
    /// The library is older than this build needs.
    #[error("ONNX Runtime at {} is version {found}; at least {wanted} is needed", path.display())]
    LibraryTooOld {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: String,
        /// The oldest version that will do.
        wanted: String,
    },
    /// A process can hold one ONNX Runtime only.
    #[error("ONNX Runtime is already loaded from {}; {} cannot be loaded beside it", loaded.display(), requested.display())]
    LibraryConflict {
        /// What this process uses.
        loaded: PathBuf,
        /// What was asked for.
        requested: PathBuf,
    },
    /// The device cannot be used, or not for all of the model. It is never replaced by another one in silence.
    #[error("the model cannot run on {device}: {reason}")]
    Device {
        /// Which.
        device: Device,
        /// In the library's words.
        reason: String,
    },
    /// A file of the model is missing or unreadable.
    #[error("model file {} cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the model is not what it should be.
    #[error("model file {} is damaged or does not fit: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The model runs, but gives other vectors than it should.
    #[error("the model in {} failed its self-check: {reason}", path.display())]
    SelfCheck {
        /// The model's directory.
        path: PathBuf,
        /// Which figure is off.
        reason: String,
    },
    /// The operating system gave no threads.
    #[error("worker threads cannot be started")]
    Threads(#[source] std::io::Error),
}
