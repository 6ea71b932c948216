//! Predictions of tenants' own models: which version answers, what is made of a request, and what is told of its answer.

mod answer;
mod cache;
pub mod json;
mod rows;
mod runtime;
mod signature;
mod tensor;

use std::sync::Arc;

use futures::join;
use insula_tenancy::meter::{Amounts, Metered, Standings};
use insula_tenancy::usage::{Details, Outcome};
use insula_tenancy::{Money, TenantContext};
use sha2::{Digest, Sha256};

use crate::blob::storage_error;
use crate::registry::{self, Alias, ModelRef, Target, VersionRef, VersionSpec};
use crate::{Error, Result, Services, metering};

pub use answer::{Prediction, interpret};
pub use cache::Predictions;
pub use rows::tensors as tensors_of_rows;
pub use runtime::{Examined, Input, Loadable, Runtime};
pub use signature::{Signature, TensorSpec};
pub use tensor::{Datatype, Tensor, elements, push_text};

/// Bounds and prices of predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PredictionSettings {
    /// What each call costs.
    pub price: Money,
    /// Largest input of a call, all tensors together, in bytes.
    pub max_input: usize,
    /// Most rows, texts or images of a call.
    pub max_rows: usize,
}

impl Default for PredictionSettings {
    fn default() -> Self {
        Self {
            price: Money::ZERO,
            max_input: 64 * 1024 * 1024,
            max_rows: 8192,
        }
    }
}

/// Who asks which model.
#[derive(Debug)]
pub struct Call<'a> {
    /// The model.
    pub model: &'a ModelRef,
    /// The version, if the caller names one.
    pub version: Option<VersionRef>,
    /// Callers that send the same get the same of production and canary.
    pub affinity: Option<&'a str>,
    /// The request behind it.
    pub request: &'a metering::Request,
}

/// A version that is going to answer.
#[derive(Debug)]
pub struct Answering {
    /// The model's name.
    pub model: String,
    /// The version's number.
    pub version: i32,
    /// What its maker said of it.
    pub spec: VersionSpec,
    /// As it is loaded.
    pub loadable: Loadable,
    cache_ttl_seconds: Option<i32>,
}

/// What a model gave.
#[derive(Debug)]
pub struct Predicted {
    /// Its outputs, in the order of the signature.
    pub outputs: Arc<Vec<Tensor>>,
    /// Whether they were computed for an earlier call.
    pub cached: bool,
    /// How the limits stand.
    pub standings: Standings,
}

/// The version that answers a call: the one that it names, or production, or for some the canary.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::State`] with the code `no_active_version`.
pub async fn resolve(services: &Services, cx: &TenantContext, call: &Call<'_>) -> Result<Answering> {
    let bucket = bucket(call);
    let mut tx = services.db.tenant(cx).await?;
    let found = registry::resolve(&mut tx, call.model, call.version, bucket).await?;
    tx.commit().await?;
    let (model, target) = found.ok_or_else(|| registry::no_model(call.model))?;
    let target = target.ok_or_else(|| match call.version {
        None | Some(VersionRef::Alias(Alias::Production)) => registry::none_active(&model.name),
        Some(version) => registry::no_version(version),
    })?;
    let loadable = loadable(services, cx, &target).await?;
    Ok(Answering {
        model: model.name,
        version: target.version,
        spec: target.spec,
        loadable,
        cache_ttl_seconds: model.settings.cache_ttl_seconds,
    })
}

async fn loadable(services: &Services, cx: &TenantContext, target: &Target) -> Result<Loadable> {
    let blobs = &services.blobs;
    let tokenizer = match &target.tokenizer_blob {
        Some(blob) => Some(blobs.local(blob).await.map_err(storage_error)?),
        None => None,
    };
    Ok(Loadable {
        tenant_id: cx.tenant_id(),
        version: target.id.into(),
        model: blobs.local(&target.blob).await.map_err(storage_error)?,
        tokenizer,
        signature: target.signature.clone(),
        preprocessing: target.spec.preprocessing.clone(),
        batches: target.batches,
    })
}

/// Loads a version on this server before it answers, so that its first caller need not wait. That there is no room now is no
/// reason not to activate it.
///
/// # Errors
/// When it cannot be loaded at all.
pub async fn warm(services: &Services, cx: &TenantContext, version: &registry::Version) -> Result<()> {
    let target = Target {
        id: version.id.uuid(),
        version: version.version,
        spec: version.spec.clone(),
        signature: version.signature.clone(),
        batches: version.batches,
        blob: version.blob.clone(),
        tokenizer_blob: version.tokenizer_blob.clone(),
    };
    let loadable = loadable(services, cx, &target).await?;
    match services.runtime.warm(&loadable).await {
        Err(Error::Overloaded { message, .. }) => {
            tracing::info!(%message, "a version is activated cold");
            Ok(())
        }
        warmed => warmed,
    }
}

/// Which of a hundred a caller is.
fn bucket(call: &Call<'_>) -> i32 {
    let mut digest = Sha256::new();
    digest.update(call.model.to_string());
    digest.update([0]);
    match call.affinity {
        Some(affinity) => digest.update(affinity),
        None => digest.update(call.request.id.as_bytes()),
    }
    let digest = digest.finalize();
    let number = u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]);
    i32::try_from(number % 100).unwrap_or(0)
}

/// Asks a version: within limits and budgets, on the ledger, from what was kept if the model's outputs are.
///
/// # Errors
/// [`Error::Invalid`] for what the model does not take; [`Error::LimitReached`], [`Error::BudgetExceeded`]; what the model fails
/// with.
pub async fn predict(
    services: &Services,
    cx: &TenantContext,
    call: &Call<'_>,
    answering: &Answering,
    input: Input,
) -> Result<Predicted> {
    let input = check(
        &services.predictions.settings,
        &answering.loadable.signature,
        input,
    )?;
    let mut entered = metering::enter(services, cx, call.request, &answering.model).await?;
    let price = services.predictions.settings.price;
    let amounts = Amounts {
        cost: price,
        least_cost: price,
        ..Amounts::default()
    };
    let mut metered = entered.begin(amounts).await?;
    let standings = metered.standings();
    let asked = metered.elapsed();
    let run = services.predictions.get(services, cx, answering, input);
    let (ran, durable) = join!(run, metered.durable());
    metered.passed("model", asked);
    match durable.map_err(Error::from).and(ran) {
        Ok((outputs, cached)) => {
            settle(metered, answering, price, cached);
            Ok(Predicted {
                outputs,
                cached,
                standings,
            })
        }
        Err(error) => {
            fail(metered, answering, &error);
            Err(error)
        }
    }
}

/// The version, as the ledger names it.
fn upstream(answering: &Answering) -> String {
    format!("{}/{}", answering.model, answering.version)
}

fn settle(metered: Metered, answering: &Answering, price: Money, cached: bool) {
    metered.end(|details: &mut Details| {
        details.outcome = Outcome::Completed;
        details.upstream_model = Some(upstream(answering));
        details.cost = price;
        details.cache_hit = cached;
        details.attempts = u16::from(!cached);
        details.estimated = false;
    });
}

/// As for other calls that come to no answer, with the version that failed.
fn fail(metered: Metered, answering: &Answering, error: &Error) {
    metered.end(|details: &mut Details| {
        *details = Details {
            outcome: Outcome::Failed,
            error: Some(error.name()),
            upstream_model: Some(upstream(answering)),
            attempts: 1,
            trace: std::mem::take(&mut details.trace),
            estimated: false,
            ..Details::default()
        };
    });
}

/// Refuses what is too large, or is not what the model takes, before it sees anything.
fn check(settings: &PredictionSettings, signature: &Signature, input: Input) -> Result<Input> {
    let (count, bytes) = match &input {
        Input::Tensors(tensors) => (
            tensors.iter().filter_map(Tensor::rows).max().unwrap_or(1),
            tensors.iter().map(|tensor| tensor.data.len()).sum::<usize>(),
        ),
        Input::Texts(texts) => (texts.len(), texts.iter().map(String::len).sum()),
        Input::Images(images) => (images.len(), images.iter().map(|image| image.len()).sum()),
    };
    if count == 0 {
        return Err(Error::invalid("inputs", "Send at least one row."));
    }
    if count > settings.max_rows {
        return Err(Error::invalid(
            "inputs",
            format!(
                "{count} rows are too many for one call: at most {} are.",
                settings.max_rows
            ),
        ));
    }
    if bytes > settings.max_input {
        return Err(Error::TooLarge(format!(
            "The input has {bytes} bytes; at most {} are taken.",
            settings.max_input
        )));
    }
    match input {
        Input::Tensors(tensors) => Ok(Input::Tensors(signature.check(tensors)?)),
        other => Ok(other),
    }
}
