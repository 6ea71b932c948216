//! The files of a model directory.

use std::path::{Path, PathBuf};

use insula_core::model::EmbedderCard;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use tokenizers::Tokenizer;

use super::encoder::Pooling;
use super::tokens::Counter;
use super::{Device, LoadError};

/// `model.toml`: what the other files do not say.
#[derive(Debug, Deserialize)]
struct Manifest {
    id: String,
    dimensions: usize,
    max_tokens: usize,
    #[serde(default)]
    languages: Vec<String>,
    oversample: i64,
    owned_by: String,
    /// Of `model.onnx`, in lower-case hexadecimal.
    sha256: Option<String>,
    /// Of `model.cuda.onnx`.
    cuda_sha256: Option<String>,
    #[serde(default)]
    pooling: Pooling,
}

/// `config.json`, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Config {
    max_position_embeddings: Option<usize>,
}

/// A text with the tokens and the vector that the model must give for it.
#[derive(Debug, Deserialize)]
pub(super) struct Golden {
    pub(super) text: String,
    pub(super) ids: Vec<u32>,
    pub(super) vector: Vec<f32>,
}

/// A model directory whose `model.toml` has been read.
pub(super) struct ModelFiles {
    dir: PathBuf,
    sha256: Option<String>,
    cuda_sha256: Option<String>,
    pub(super) card: EmbedderCard,
    pub(super) pooling: Pooling,
}

impl ModelFiles {
    pub(super) fn open(dir: &Path) -> Result<Self, LoadError> {
        let path = dir.join("model.toml");
        let bytes = read(&path)?;
        let text = String::from_utf8(bytes).map_err(|error| corrupt(&path, error))?;
        let manifest: Manifest = toml::from_str(&text).map_err(|error| corrupt(&path, error.message()))?;
        if manifest.dimensions == 0 || manifest.max_tokens < 8 || manifest.oversample < 1 {
            return Err(corrupt(
                &path,
                "dimensions, max_tokens or oversample is too small",
            ));
        }
        Ok(Self {
            dir: dir.to_owned(),
            sha256: manifest.sha256,
            cuda_sha256: manifest.cuda_sha256,
            card: EmbedderCard {
                id: manifest.id,
                dimensions: manifest.dimensions,
                max_tokens: manifest.max_tokens,
                languages: manifest.languages,
                oversample: manifest.oversample,
                owned_by: manifest.owned_by,
            },
            pooling: manifest.pooling,
        })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The graph for a device and its bytes, compared with the checksum in `model.toml` if there is one. What is quick on a card,
    /// with half-precision weights and fused operators, is slow on a processor: each has a file of its own.
    pub(super) fn graph(&self, device: Device) -> Result<(PathBuf, Vec<u8>), LoadError> {
        let (name, sha256) = match device {
            Device::Cpu => ("model.onnx", &self.sha256),
            Device::Cuda(_) => ("model.cuda.onnx", &self.cuda_sha256),
        };
        let path = self.dir.join(name);
        let bytes = checked(&path, sha256.as_deref())?;
        Ok((path, bytes))
    }

    /// The tokenizer, which neither cuts nor pads; refused where the model could not read all that it would give.
    pub(super) fn counter(&self) -> Result<Counter, LoadError> {
        let config = self.dir.join("config.json");
        if config.exists() {
            let max_tokens = self.card.max_tokens;
            let read: Config = json(&config)?;
            if let Some(most) = read.max_position_embeddings
                && most < max_tokens
            {
                return Err(corrupt(
                    &config,
                    format!("max_position_embeddings is {most}, model.toml says max_tokens {max_tokens}"),
                ));
            }
        }
        let path = self.dir.join("tokenizer.json");
        let tokenizer = Tokenizer::from_bytes(read(&path)?).map_err(|error| corrupt(&path, error))?;
        Counter::new(tokenizer, self.card.max_tokens).map_err(|error| corrupt(&path, error))
    }

    /// The first `count` texts of `golden.json`; none when the model came without it.
    pub(super) fn golden(&self, count: usize) -> Result<Vec<Golden>, LoadError> {
        let path = self.dir.join("golden.json");
        if !path.exists() {
            return Ok(Vec::new());
        }
        let mut golden: Vec<Golden> = json(&path)?;
        golden.truncate(count);
        Ok(golden)
    }
}

/// The bytes of a file, which must have this checksum if there is one.
pub(super) fn checked(path: &Path, sha256: Option<&str>) -> Result<Vec<u8>, LoadError> {
    let bytes = read(path)?;
    if let Some(expected) = sha256 {
        let found: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if !found.eq_ignore_ascii_case(expected) {
            return Err(corrupt(
                path,
                format!("its sha256 is {found}, model.toml says {expected}"),
            ));
        }
    }
    Ok(bytes)
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, LoadError> {
    serde_json::from_slice(&read(path)?).map_err(|error| corrupt(path, error))
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    std::fs::read(path).map_err(|source| LoadError::File {
        path: path.to_owned(),
        source,
    })
}

pub(super) fn corrupt(path: &Path, reason: impl ToString) -> LoadError {
    LoadError::Corrupt {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
