//! Children, each with a version of a tenant's, kept for the next call.

mod actor;
mod batch;
mod room;

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use insula_confine::{Attempt, FileRules};
use insula_core::prediction::{Datatype, Examined, Input, Loadable, Runtime, Tensor};
use insula_core::registry::Preprocessing;
use insula_core::{Error, Result};
use insula_tenancy::{ModelVersionId, TenantId};
use tokio::sync::Semaphore;

use self::actor::Work;
use self::room::Shared;
use crate::ModelLimits;
use crate::child::{Failure, Launch, ModelChild};
use crate::graph::{self, Refusal};

/// How a [`ModelPool`] works.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// The program that calls [`run_worker`](crate::run_worker).
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// The shared library of ONNX Runtime.
    pub library: PathBuf,
    /// What a model may cost.
    pub limits: ModelLimits,
    /// Models that are loaded at once.
    pub workers: usize,
    /// Of them, those of one tenant.
    pub workers_per_tenant: usize,
    /// Memory that all of them may hold together, in bytes.
    pub memory: u64,
    /// How long a model may have nothing to do before its process is stopped.
    pub idle_for: Duration,
    /// Rows that are put together at most.
    pub batch_rows: usize,
    /// Calls that may wait for one model.
    pub queue: usize,
    /// How long a call waits for room when all models that are loaded are busy.
    pub patience: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            // Not the path of the executable: this is it even after an upgrade has replaced the file.
            program: "/proc/self/exe".into(),
            arguments: vec!["model-worker".into()],
            library: PathBuf::new(),
            limits: ModelLimits::default(),
            workers: 8,
            workers_per_tenant: 4,
            memory: 8 * 1024 * 1024 * 1024,
            idle_for: Duration::from_secs(600),
            batch_rows: 64,
            queue: 256,
            patience: Duration::from_secs(10),
        }
    }
}

/// Runs models in child processes that are confined and limited. Children are killed with the value.
pub struct ModelPool {
    shared: Arc<Shared>,
    launch: Launch,
    /// Models are examined one at a time: it is work that nobody waits long for, and takes as much memory as serving one.
    examining: Semaphore,
}

/// What [`ModelPool::probe`] found.
#[derive(Debug, Clone)]
pub struct Probe {
    /// How far a child is kept from files.
    pub files: FileRules,
    /// What it tried and must not be able to do.
    pub attempts: Vec<Attempt>,
}

impl ModelPool {
    /// A pool without children yet.
    pub fn new(options: PoolOptions) -> Self {
        let launch = Launch {
            program: options.program.clone(),
            arguments: options.arguments.clone(),
            library: options.library.clone(),
            limits: options.limits,
        };
        Self {
            shared: Arc::new(Shared::new(options, launch.clone())),
            launch,
            examining: Semaphore::new(1),
        }
    }

    /// Loads a model in a child and has it try what it must not be able to do.
    ///
    /// # Errors
    /// When it does not start, or does not answer.
    pub async fn probe(&self, model: &Path) -> Result<Probe> {
        let told = |failure: Failure| failure.error();
        let mut child = ModelChild::start(&self.launch, model.to_owned(), None)
            .await
            .map_err(told)?;
        let attempts = child.attempts().await.map_err(told)?;
        Ok(Probe {
            files: child.files.clone(),
            attempts,
        })
    }

    /// Processes that run models now.
    pub fn processes(&self) -> Vec<u32> {
        self.shared.processes()
    }

    async fn tensors(&self, model: &Loadable, tensors: Vec<Tensor>) -> Result<Vec<Tensor>> {
        self.shared.ask(model, Work::Run(tensors)).await
    }
}

/// The answer for a model that is not offered.
fn invalid(what: impl Into<String>) -> Error {
    Error::Invalid {
        message: format!("The model is not accepted: {}", what.into()),
        param: Some("model".into()),
        code: Some("invalid_model"),
    }
}

/// What keeps a model from being offered, where that is its own fault.
fn unfit(failure: Failure) -> Error {
    match failure {
        Failure::Refused(what) | Failure::Unloadable(what) => invalid(what),
        Failure::Timeout(wall) => invalid(format!(
            "it takes longer than allowed ({} s), to be loaded or on an input of zeros.",
            wall.as_secs_f64()
        )),
        Failure::Memory(bytes) => invalid(format!(
            "it needs more memory than allowed ({} MB), to be loaded or on an input of zeros.",
            bytes / (1024 * 1024)
        )),
        Failure::Crashed(what) => invalid(format!("its process crashed ({what}).")),
        other @ Failure::NotStarted(_) => other.error(),
    }
}

#[async_trait]
impl Runtime for ModelPool {
    async fn examine(&self, model: &Path, tokenizer: Option<&Path>) -> Result<Examined> {
        let path = model.to_owned();
        let looked = tokio::task::spawn_blocking(move || graph::check(&mut File::open(path)?));
        match looked.await.map_err(Error::internal)? {
            Ok(()) => {}
            Err(Refusal::Invalid(what)) => return Err(invalid(what)),
            Err(Refusal::Io(error)) => return Err(Error::internal(error)),
        }
        let _turn = self.examining.acquire().await.map_err(Error::internal)?;
        let mut child = ModelChild::start(&self.launch, model.to_owned(), tokenizer.map(Path::to_owned))
            .await
            .map_err(unfit)?;
        let batches = child.check().await.map_err(unfit)?;
        Ok(Examined {
            signature: child.signature.clone(),
            batches,
        })
    }

    async fn run(&self, model: &Loadable, input: Input) -> Result<Vec<Tensor>> {
        let tensors = match input {
            Input::Tensors(tensors) => tensors,
            Input::Texts(texts) => self.of_texts(model, texts).await?,
            Input::Images(images) => self.of_images(model, images).await?,
        };
        self.tensors(model, tensors).await
    }

    async fn warm(&self, model: &Loadable) -> Result<()> {
        self.shared.ask(model, Work::Nothing).await.map(drop)
    }

    fn forget(&self, tenant_id: TenantId, version: ModelVersionId) {
        self.shared.forget((tenant_id, version));
    }
}

impl ModelPool {
    async fn of_texts(&self, model: &Loadable, texts: Vec<String>) -> Result<Vec<Tensor>> {
        let steps = model.preprocessing.as_ref().and_then(|steps| steps.text.clone());
        if model.tokenizer.is_some() {
            let steps = steps.unwrap_or_default();
            return self.shared.ask(model, Work::Texts(steps, texts)).await;
        }
        // A graph that reads texts by itself.
        let input = model.signature.input(None)?;
        if input.datatype != Datatype::Bytes {
            return Err(Error::invalid(
                "texts",
                "The version takes no texts: it has no tokenizer, and its input is no text.",
            ));
        }
        let mut shape = vec![1; input.shape.len().max(1)];
        shape[0] = texts.len();
        model
            .signature
            .check(vec![Tensor::of_texts(&input.name, shape, &texts)])
    }

    async fn of_images(&self, model: &Loadable, images: Vec<Bytes>) -> Result<Vec<Tensor>> {
        match &model.preprocessing {
            Some(Preprocessing {
                image: Some(steps), ..
            }) => self.shared.ask(model, Work::Images(steps.clone(), images)).await,
            _ => Err(Error::invalid(
                "image",
                "The version takes no images: it declares no preprocessing of them.",
            )),
        }
    }
}
