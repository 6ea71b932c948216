//! What was predicted of late, for models that allow it. What is asked for at the same time is computed once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use insula_tenancy::TenantContext;
use moka::Expiry;
use moka::future::Cache;

use super::{Answering, Input, PredictionSettings, Tensor};
use crate::cache::{Key, KeyBuilder};
use crate::{Error, Result, Services};

/// What an entry takes besides its tensors, in bytes.
const OVERHEAD: usize = 256;

/// What was predicted of late, per tenant and version. Bounded in bytes.
#[derive(Clone)]
pub struct Predictions {
    /// Bounds and prices.
    pub settings: PredictionSettings,
    cache: Cache<Key, Kept>,
}

#[derive(Clone)]
struct Kept {
    outputs: Arc<Vec<Tensor>>,
    ttl: Duration,
}

/// Each model says for how long.
struct AsLongAsTheModelSays;

impl Expiry<Key, Kept> for AsLongAsTheModelSays {
    fn expire_after_create(&self, _: &Key, kept: &Kept, _: Instant) -> Option<Duration> {
        Some(kept.ttl)
    }
}

impl Predictions {
    /// Keeps at most so many bytes; 0 keeps nothing.
    pub fn new(settings: PredictionSettings, bytes: u64) -> Self {
        let weigh = |_: &Key, kept: &Kept| {
            let bytes: usize = kept
                .outputs
                .iter()
                .map(|tensor| tensor.data.len() + OVERHEAD)
                .sum();
            u32::try_from(bytes + OVERHEAD).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder()
            .max_capacity(bytes)
            .weigher(weigh)
            .expire_after(AsLongAsTheModelSays)
            .build();
        Self { settings, cache }
    }

    /// The outputs for an input, and whether they were there already.
    pub(super) async fn get(
        &self,
        services: &Services,
        cx: &TenantContext,
        answering: &Answering,
        input: Input,
    ) -> Result<(Arc<Vec<Tensor>>, bool)> {
        let Some(seconds) = answering.cache_ttl_seconds else {
            let outputs = services.runtime.run(&answering.loadable, input).await?;
            return Ok((Arc::new(outputs), false));
        };
        let ttl = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let key = key(cx, answering, &input);
        let compute = async {
            let outputs = services.runtime.run(&answering.loadable, input).await?;
            Ok::<_, Error>(Kept {
                outputs: Arc::new(outputs),
                ttl,
            })
        };
        let entry = self.cache.entry(key).or_try_insert_with(compute).await;
        let entry = entry.map_err(shared)?;
        let cached = !entry.is_fresh();
        Ok((entry.into_value().outputs, cached))
    }
}

fn key(cx: &TenantContext, answering: &Answering, input: &Input) -> Key {
    let key = KeyBuilder::new(cx, "prediction").part(answering.loadable.version.uuid().as_bytes());
    let key = match input {
        Input::Tensors(tensors) => tensors.iter().fold(key.part("tensors"), |key, tensor| {
            let shape: Vec<u8> = tensor
                .shape
                .iter()
                .flat_map(|length| (*length as u64).to_le_bytes())
                .collect();
            key.part(&tensor.name)
                .part(tensor.datatype.as_str())
                .part(shape)
                .part(&tensor.data)
        }),
        Input::Texts(texts) => texts.iter().fold(key.part("texts"), KeyBuilder::part),
        Input::Images(images) => images.iter().fold(key.part("images"), KeyBuilder::part),
    };
    key.finish()
}

/// What all that waited for one computation are told when it failed.
fn shared(error: Arc<Error>) -> Error {
    let error = match Arc::try_unwrap(error) {
        Ok(alone) => return alone,
        Err(error) => error,
    };
    match &*error {
        Error::Invalid { message, param, code } => Error::Invalid {
            message: message.clone(),
            param: param.clone(),
            code: *code,
        },
        Error::Model {
            message,
            code,
            retry_after,
        } => Error::Model {
            message: message.clone(),
            code,
            retry_after: *retry_after,
        },
        Error::Overloaded { message, retry_after } => Error::Overloaded {
            message: message.clone(),
            retry_after: *retry_after,
        },
        other => Error::internal(other.to_string()),
    }
}
