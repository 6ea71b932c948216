//! Models, versions and activations on the wire.

use std::collections::BTreeMap;

use insula_core::prediction::{Signature, TensorSpec};
use insula_core::registry::{Gate, Model, ModelActivation, Preprocessing, RequiredMetric, Scores, Version};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::routes::wire::{Patch, seconds};

/// A model to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateRegisteredModelRequest)]
pub struct CreateModel {
    /// The name that it is asked for by: letters, digits, `.`, `_` and `-`. It cannot be changed later.
    #[schema(example = "digits", max_length = 128)]
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Up to 16 texts of your own.
    pub metadata: Option<BTreeMap<String, String>>,
    /// What a version needs before it may answer.
    pub gate: Option<ModelGate>,
    /// For how long what was predicted is given again to whoever sends the same; absent: not at all.
    #[schema(minimum = 1, maximum = 86_400)]
    pub cache_ttl_seconds: Option<i32>,
}

/// Changes of a model. Absent fields stay, `null` clears.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateRegisteredModelRequest)]
pub struct UpdateModel {
    /// For people.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub description: Patch<String>,
    /// Up to 16 texts of your own.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub metadata: Patch<BTreeMap<String, String>>,
    /// What a version needs before it may answer.
    #[serde(default)]
    #[schema(value_type = Option<ModelGate>)]
    pub gate: Patch<ModelGate>,
    /// For how long what was predicted is given again to whoever sends the same.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 86_400)]
    pub cache_ttl_seconds: Patch<i32>,
}

/// What a version needs before it may answer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ModelGate {
    /// Metrics that it must have, within bounds.
    pub metrics: Vec<GateMetric>,
}

/// A metric that must be there, within bounds.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct GateMetric {
    /// Its name, as in `accuracy`.
    pub name: String,
    /// The least that will do.
    #[schema(required)]
    pub at_least: Option<f64>,
    /// The most that will do.
    #[schema(required)]
    pub at_most: Option<f64>,
}

impl From<ModelGate> for Gate {
    fn from(gate: ModelGate) -> Self {
        let metrics = gate.metrics.into_iter();
        Self {
            metrics: metrics
                .map(|metric| RequiredMetric {
                    name: metric.name,
                    at_least: metric.at_least,
                    at_most: metric.at_most,
                })
                .collect(),
        }
    }
}

impl From<Gate> for ModelGate {
    fn from(gate: Gate) -> Self {
        let metrics = gate.metrics.into_iter();
        Self {
            metrics: metrics
                .map(|metric| GateMetric {
                    name: metric.name,
                    at_least: metric.at_least,
                    at_most: metric.at_most,
                })
                .collect(),
        }
    }
}

/// A model of a tenant's own.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RegisteredModel)]
pub struct ModelObject {
    /// Its id, `model_…`.
    pub id: String,
    /// `registered_model`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The name that it is asked for by.
    pub name: String,
    /// For people.
    #[schema(required)]
    pub description: Option<String>,
    /// Unix seconds of its making.
    pub created_at: i64,
    /// Unix seconds of its latest change, that of an alias included.
    pub updated_at: i64,
    /// Texts of your own.
    pub metadata: BTreeMap<String, String>,
    /// The latest version's number.
    #[schema(required)]
    pub latest_version: Option<i32>,
    /// Which versions answer.
    pub aliases: ModelAliases,
    /// How many calls in a hundred the canary gets.
    #[schema(required)]
    pub canary_percent: Option<i32>,
    /// What a version needs before it may answer.
    #[schema(required)]
    pub gate: Option<ModelGate>,
    /// For how long what was predicted is given again.
    #[schema(required)]
    pub cache_ttl_seconds: Option<i32>,
}

/// Which versions answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelAliases {
    /// Whoever names no version gets this one.
    #[schema(required)]
    pub production: Option<i32>,
    /// Some of them get this one.
    #[schema(required)]
    pub canary: Option<i32>,
}

impl From<Model> for ModelObject {
    fn from(model: Model) -> Self {
        let canary = model.aliases.canary;
        Self {
            id: model.id.to_string(),
            object: "registered_model",
            name: model.name,
            description: model.settings.description,
            created_at: seconds(model.created_at),
            updated_at: seconds(model.updated_at),
            metadata: model.settings.metadata,
            latest_version: model.latest_version,
            aliases: ModelAliases {
                production: model.aliases.production,
                canary: canary.map(|(version, _)| version),
            },
            canary_percent: canary.map(|(_, percent)| percent),
            gate: model.settings.gate.map(ModelGate::from),
            cache_ttl_seconds: model.settings.cache_ttl_seconds,
        }
    }
}

/// What a model takes and gives.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ModelSignature {
    /// What it takes.
    pub inputs: Vec<ModelTensor>,
    /// What it gives.
    pub outputs: Vec<ModelTensor>,
}

/// An input or an output.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ModelTensor {
    /// Its name in the graph.
    pub name: String,
    /// `FP32`, `INT64`, `BYTES` and the like.
    #[schema(value_type = String)]
    pub datatype: &'static str,
    /// How long each dimension is; -1 for any length.
    pub shape: Vec<i64>,
}

impl From<TensorSpec> for ModelTensor {
    fn from(spec: TensorSpec) -> Self {
        Self {
            name: spec.name,
            datatype: spec.datatype.as_str(),
            shape: spec.shape,
        }
    }
}

impl From<Signature> for ModelSignature {
    fn from(signature: Signature) -> Self {
        Self {
            inputs: signature.inputs.into_iter().map(ModelTensor::from).collect(),
            outputs: signature.outputs.into_iter().map(ModelTensor::from).collect(),
        }
    }
}

/// A version of a model. It never changes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ModelVersion)]
pub struct VersionObject {
    /// Its id, `modelv_…`.
    pub id: String,
    /// `model_version`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The model's name.
    pub model: String,
    /// Its number, from 1.
    pub version: i32,
    /// Unix seconds of its making.
    pub created_at: i64,
    /// The key or the person that made it.
    #[schema(required)]
    pub created_by: Option<String>,
    /// For people.
    #[schema(required)]
    pub description: Option<String>,
    /// Size of the graph and the tokenizer.
    pub bytes: i64,
    /// Digest of the graph, as hexadecimal digits.
    pub sha256: String,
    /// What it takes and gives, as its graph says.
    pub signature: ModelSignature,
    /// How well it did, as its maker says.
    pub metrics: BTreeMap<String, f64>,
    /// What it was trained with.
    pub parameters: BTreeMap<String, String>,
    /// What it was trained on.
    #[schema(required)]
    pub dataset: Option<String>,
    /// Anything.
    pub tags: BTreeMap<String, String>,
    /// Names of the classes, in the order of the scores.
    #[schema(required)]
    pub labels: Option<Vec<String>>,
    /// What is done to images and texts before the model sees them.
    #[schema(required, value_type = Option<Object>)]
    pub preprocessing: Option<Preprocessing>,
    /// Names of the features, in the order of the one input's last dimension.
    #[schema(required)]
    pub columns: Option<Vec<String>>,
    /// Which output are the scores of the classes.
    #[schema(required, value_type = Option<Object>)]
    pub output: Option<Scores>,
    /// Whether calls that come together are answered together: the model gave for two rows what it gave for each.
    pub batching: bool,
    /// The aliases that name it: `production`, `canary`.
    #[schema(value_type = Vec<String>)]
    pub aliases: Vec<&'static str>,
}

impl From<Version> for VersionObject {
    fn from(version: Version) -> Self {
        let spec = version.spec;
        Self {
            id: version.id.to_string(),
            object: "model_version",
            model: version.model,
            version: version.version,
            created_at: seconds(version.created_at),
            created_by: Some(version.created_by),
            description: spec.description,
            bytes: version.bytes,
            sha256: version.sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
            signature: version.signature.into(),
            metrics: spec.metrics,
            parameters: spec.parameters,
            dataset: spec.dataset,
            tags: spec.tags,
            labels: spec.labels,
            preprocessing: spec.preprocessing,
            columns: spec.columns,
            output: spec.output,
            batching: version.batches,
            aliases: version.aliases,
        }
    }
}

/// A change of an alias.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ModelActivation)]
pub struct ActivationObject {
    /// Its id, `activation_…`.
    pub id: String,
    /// `model_activation`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// What the alias names since; null: none, because the canary ended.
    #[schema(required)]
    pub version: Option<i32>,
    /// `production` or `canary`.
    pub alias: String,
    /// How many calls in a hundred the canary gets.
    #[schema(required)]
    pub canary_percent: Option<i32>,
    /// Unix seconds of it.
    pub at: i64,
    /// The key or the person that changed it.
    #[schema(required)]
    pub by: Option<String>,
    /// What the alias named before.
    #[schema(required)]
    pub replaced: Option<i32>,
}

impl From<ModelActivation> for ActivationObject {
    fn from(activation: ModelActivation) -> Self {
        Self {
            id: activation.id.to_string(),
            object: "model_activation",
            version: activation.version,
            alias: activation.alias,
            canary_percent: activation.canary_percent,
            at: seconds(activation.created_at),
            by: Some(activation.created_by),
            replaced: activation.replaced,
        }
    }
}
