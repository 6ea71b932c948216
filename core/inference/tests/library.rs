//! What happens without a usable ONNX Runtime. In a process of its own, which never loads one.

use std::path::PathBuf;

use insula_inference::onnx::{LoadError, OnnxEmbedder, OnnxOptions};

/// A directory with a `model.toml` and files that are never reached.
fn model() -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("library");
    std::fs::create_dir_all(&dir).expect("a directory");
    let manifest = "id = \"m\"\ndimensions = 4\nmax_tokens = 16\noversample = 1\nowned_by = \"us\"\n";
    std::fs::write(dir.join("model.toml"), manifest).expect("written");
    dir
}

fn load(library: PathBuf) -> LoadError {
    OnnxEmbedder::load(OnnxOptions::new(library, model()))
        .map(|_| ())
        .expect_err("no library")
}

#[test]
fn a_missing_library_is_an_error_not_a_panic() {
    let error = load("/nowhere/libonnxruntime.so".into());
    assert!(matches!(error, LoadError::LibraryMissing { .. }), "{error:?}");
    assert!(error.to_string().contains("/nowhere/libonnxruntime.so"));
}

#[test]
fn a_file_that_is_no_library_is_an_error_not_a_panic() {
    let path = model().join("libfake.so");
    std::fs::write(&path, "not a library").expect("written");
    let error = load(path);
    assert!(matches!(error, LoadError::Library { .. }), "{error:?}");
}

#[test]
fn a_missing_manifest_is_named() {
    let options = OnnxOptions::new("/nowhere/libonnxruntime.so", "/nowhere/model");
    let error = OnnxEmbedder::load(options).map(|_| ()).expect_err("no model");
    assert!(
        matches!(&error, LoadError::File { path, .. } if path.ends_with("model.toml")),
        "{error:?}"
    );
}
