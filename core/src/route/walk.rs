//! One call from target to target, for models that answer in one piece and have no other to take their place.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::capability::Needs;
use super::health::{Wait, now};
use super::journey::{Circumstances, Journey, Step};
use super::own_keys::OwnKeys;
use super::rule::RouteFacts;
use super::{Route, Target};
use crate::Result;
use crate::model::EmbeddedBy;

/// Calls the targets of a route until one answers. Its answer, and who it was.
///
/// # Errors
/// What the last of them failed with, or that none may be called.
pub(super) async fn walk<'a, T>(
    route: &Route,
    facts: &RouteFacts,
    call: impl Fn(&Target) -> BoxFuture<'a, Result<T>>,
) -> Result<(T, EmbeddedBy)> {
    let no_keys = OwnKeys::none();
    let circumstances = Circumstances {
        facts,
        needs: Needs::default(),
        wait: Wait::Whole,
        prompt_tokens: None,
        own_keys: &no_keys,
    };
    let mut journey = Journey::begin(route, circumstances)?;
    loop {
        match journey.next(now(), &mut rand::random::<f64>) {
            Step::Try(attempt) => {
                let begun = Instant::now();
                let answer = call(attempt.target).await;
                let took = begun.elapsed();
                match answer {
                    Ok(answer) => {
                        let target = attempt.target;
                        let by = EmbeddedBy {
                            provider: Arc::clone(&target.provider),
                            upstream_model: Arc::clone(&target.upstream_model),
                            prices: target.prices.clone(),
                        };
                        journey.done(attempt, took);
                        return Ok((answer, by));
                    }
                    Err(error) => {
                        if !journey.failed(attempt, error, took, now()) {
                            return Err(journey.over().error);
                        }
                    }
                }
            }
            Step::Pause(pause) => tokio::time::sleep(pause).await,
            Step::Over => return Err(journey.over().error),
        }
    }
}
