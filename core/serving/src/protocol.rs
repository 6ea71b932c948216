//! What server and child say to each other: messages of [`insula_confine::frame`], each with the bytes of its tensors behind it.
//! The server begins with [`Start`], the child answers [`Started`] once it is confined and has loaded the model; from then on
//! each [`Request`] gets one [`Answer`]. Both are the same program, so there is one version and it must be equal.

use std::path::PathBuf;

use bytes::Bytes;
use insula_confine::{Attempt, FileRules};
use insula_core::prediction::{Datatype, Signature, Tensor};
use insula_core::registry::{ImageSteps, TextSteps};
use serde::{Deserialize, Serialize};

use crate::ModelLimits;

/// Changes with every message.
pub(crate) const VERSION: u32 = 1;

/// Largest message, without the tensors behind it, in bytes.
pub(crate) const MAX_HEAD: usize = 16 * 1024 * 1024;

/// The first message to a child.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    pub(crate) version: u32,
    pub(crate) limits: ModelLimits,
    /// The shared library of ONNX Runtime.
    pub(crate) library: PathBuf,
    pub(crate) model: PathBuf,
    pub(crate) tokenizer: Option<PathBuf>,
}

/// The first message from a child.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Started {
    pub(crate) version: u32,
    pub(crate) files: FileRules,
    /// What the model takes and gives, or why it cannot be loaded.
    pub(crate) loaded: Result<Signature, String>,
}

/// What a child is asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// To run the model on the tensors behind this.
    Run { tensors: Vec<Head> },
    /// To make tensors of texts, which are behind this as one tensor.
    Texts { steps: TextSteps, texts: Head },
    /// To make a tensor of images, whose files are behind this.
    Images { steps: ImageSteps, bytes: Vec<u64> },
    /// To run the model on what it has not seen yet, and say whether rows mind each other.
    Check,
    /// To try what it must not be able to do.
    Attempts,
}

/// What a child made of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) content: Content,
    /// Memory ran out: the child ends.
    pub(crate) spent: bool,
}

/// The content of an answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Content {
    /// Tensors, which are behind this.
    Tensors(Vec<Head>),
    /// Whether rows can be put together.
    Checked { batches: bool },
    /// What is wrong with what was asked.
    Refused(String),
    /// What came of each attempt.
    Attempts(Vec<Attempt>),
}

/// A tensor without its bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) name: String,
    pub(crate) datatype: Datatype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: u64,
}

impl Head {
    pub(crate) fn of(tensor: &Tensor) -> Self {
        Self {
            name: tensor.name.clone(),
            datatype: tensor.datatype,
            shape: tensor.shape.clone(),
            bytes: tensor.data.len() as u64,
        }
    }

    /// The tensor, if these are its bytes.
    pub(crate) fn with(self, data: Bytes) -> Option<Tensor> {
        Tensor::new(self.name, self.datatype, self.shape, data).ok()
    }
}
