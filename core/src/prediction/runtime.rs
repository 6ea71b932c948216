//! What runs tenants' models. The real one is `insula-serving`: child processes that are confined.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use insula_tenancy::{ModelVersionId, TenantId};

use super::signature::Signature;
use super::tensor::Tensor;
use crate::Result;
use crate::registry::Preprocessing;

/// A version, as it is loaded.
#[derive(Debug, Clone)]
pub struct Loadable {
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Which it is.
    pub version: ModelVersionId,
    /// The graph, as a file of this machine.
    pub model: PathBuf,
    /// Its `tokenizer.json`, if it came with one.
    pub tokenizer: Option<PathBuf>,
    /// What it takes and gives.
    pub signature: Signature,
    /// What is done to images and texts before.
    pub preprocessing: Option<Preprocessing>,
    /// Whether calls may be put together along the first dimension.
    pub batches: bool,
}

/// What a model is to look at.
#[derive(Debug, Clone)]
pub enum Input {
    /// Tensors, which fit the signature.
    Tensors(Vec<Tensor>),
    /// Texts, to be tokenized as the version says.
    Texts(Vec<String>),
    /// Images as files, to be prepared as the version says.
    Images(Vec<Bytes>),
}

/// What was found out of a model that was loaded once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// What it takes and gives.
    pub signature: Signature,
    /// Whether it gives for rows together what it gives for each alone.
    pub batches: bool,
}

/// Runs tenants' models.
#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// Looks a file over, loads it in a process that is thrown away, and runs it there.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) with the code `invalid_model`, that says what is wrong with it.
    async fn examine(&self, model: &Path, tokenizer: Option<&Path>) -> Result<Examined>;

    /// Runs a version, loading it if it is not.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for what the model cannot take; [`Error::Model`](crate::Error::Model) when it
    /// breaks down over it; [`Error::Overloaded`](crate::Error::Overloaded) when there is no room.
    async fn run(&self, model: &Loadable, input: Input) -> Result<Vec<Tensor>>;

    /// Loads a version, so that its first call need not wait for that.
    ///
    /// # Errors
    /// As for [`Runtime::run`].
    async fn warm(&self, model: &Loadable) -> Result<()>;

    /// Ends what runs of a version that is gone.
    fn forget(&self, tenant_id: TenantId, version: ModelVersionId);
}
