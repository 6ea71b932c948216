//! The bootstrapped ONNX Runtime and model, if this checkout has them.

use std::path::PathBuf;

use insula_inference::onnx::OnnxOptions;

/// Options for the real model, or `None` with a line that says so.
pub(crate) fn options() -> Option<OnnxOptions> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.runtime");
    let runtime = std::env::var_os("INSULA_RUNTIME").map_or_else(beside, PathBuf::from);
    let library = runtime.join("onnxruntime/libonnxruntime.so");
    let model = runtime.join("models/all-MiniLM-L6-v2");
    if !library.exists() || !model.join("model.toml").exists() {
        eprintln!(
            "skipped: no model in {}; `make bootstrap` puts it there",
            runtime.display()
        );
        return None;
    }
    Some(OnnxOptions::new(library, model))
}
