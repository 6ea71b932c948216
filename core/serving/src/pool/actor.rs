//! One version and its process: takes what is asked of it, in turn, and puts together what came while it was busy.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use insula_core::prediction::{Loadable, Tensor};
use insula_core::registry::{ImageSteps, TextSteps};
use insula_core::{Error, Result};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::batch::{self, Batch};
use super::room::{Shared, Slot, Ticket};
use crate::child::{Failure, ModelChild, start_for};

/// After how many ends in a row, none of which followed an answer, a model is left alone for a while.
const FREE_DEATHS: u32 = 2;
/// How long it is left alone at most.
const MOST_PAUSE: Duration = Duration::from_secs(60);

/// What a model is asked for.
pub(super) enum Work {
    /// To be there.
    Nothing,
    /// Its outputs.
    Run(Vec<Tensor>),
    /// Its inputs for texts.
    Texts(TextSteps, Vec<String>),
    /// Its input for images.
    Images(ImageSteps, Vec<Bytes>),
}

/// Something that is asked, and where the answer goes.
pub(super) struct Ask {
    pub(super) work: Work,
    pub(super) reply: oneshot::Sender<Result<Vec<Tensor>>>,
    pub(super) _ticket: Ticket,
}

impl Ask {
    fn answer(self, answer: Result<Vec<Tensor>>) {
        // Nobody waits any more: the caller has left.
        let _ = self.reply.send(answer);
    }
}

/// Answers what is asked of a version until nothing is for long, or the version made room for another.
pub(super) async fn run(
    shared: Arc<Shared>,
    model: Loadable,
    number: u64,
    mut asks: mpsc::UnboundedReceiver<Ask>,
) {
    let key = (model.tenant_id, model.version);
    let idle_for = shared.options.idle_for;
    let mut actor = Actor {
        shared,
        model,
        child: None,
        deaths: 0,
        resting_until: None,
    };
    let mut next = None;
    loop {
        let first = match next.take() {
            Some(ask) => ask,
            None => match timeout(idle_for, asks.recv()).await {
                Ok(Some(ask)) => ask,
                Ok(None) => return,
                Err(_) if actor.shared.retire(key, number) => {
                    // What was sent before the entry went is there by now.
                    asks.close();
                    match asks.recv().await {
                        Some(ask) => ask,
                        None => return,
                    }
                }
                Err(_) => continue,
            },
        };
        if first.reply.is_closed() {
            continue;
        }
        next = actor.take(first, &mut asks).await;
    }
}

struct Actor {
    shared: Arc<Shared>,
    model: Loadable,
    child: Option<(ModelChild, Slot)>,
    /// Ends of processes since the last answer.
    deaths: u32,
    resting_until: Option<Instant>,
}

impl Actor {
    /// Answers an ask, and others with it that fit. What does not fit comes next.
    async fn take(&mut self, first: Ask, asks: &mut mpsc::UnboundedReceiver<Ask>) -> Option<Ask> {
        if let Err(error) = self.ready().await {
            first.answer(Err(error));
            return None;
        }
        match first.work {
            Work::Run(_) => {
                let (batch, rest) = batch::gather(first, asks, &self.model, self.shared.options.batch_rows);
                self.run_batch(batch).await;
                rest
            }
            Work::Nothing | Work::Texts(..) | Work::Images(..) => {
                let made = self.make(&first.work).await;
                first.answer(made.map_err(|failure| failure.error()));
                None
            }
        }
    }

    /// Sees to it that a process runs.
    async fn ready(&mut self) -> Result<()> {
        if self.child.is_some() {
            return Ok(());
        }
        if let Some(until) = self.resting_until
            && let left = until.saturating_duration_since(Instant::now())
            && left > Duration::ZERO
        {
            return Err(Error::Model {
                message: format!(
                    "The model crashed {} times in a row, and is started again in {} s.",
                    self.deaths,
                    left.as_secs() + 1
                ),
                code: "model_crashed",
                retry_after: Some(left),
            });
        }
        let bytes = tokio::fs::metadata(&self.model.model)
            .await
            .map_or(0, |found| found.len());
        let key = (self.model.tenant_id, self.model.version);
        let slot = self
            .shared
            .slot(key, bytes)
            .await
            .ok_or_else(|| Error::Overloaded {
                message: "All models that are loaded are busy, and there is no room for another.".into(),
                retry_after: Duration::from_secs(2),
            })?;
        let begun = Instant::now();
        match start_for(&self.shared.launch, &self.model).await {
            Ok(child) => {
                slot.taken_by(child.id());
                tracing::debug!(version = %self.model.version, took = ?begun.elapsed(), "a model is loaded");
                self.child = Some((child, slot));
                Ok(())
            }
            Err(failure) => {
                self.note(&failure);
                Err(failure.error())
            }
        }
    }

    async fn run_batch(&mut self, batch: Batch) {
        let done = match &batch.tensors {
            Some(tensors) => self.run(tensors).await,
            None => Err(Failure::Refused("the calls do not fit together".into())),
        };
        match done {
            Ok(outputs) => match batch.split(outputs) {
                Ok(answered) => {
                    for (ask, outputs) in answered {
                        ask.answer(Ok(outputs));
                    }
                }
                // Its rows do not come apart after all.
                Err(asks) => self.run_each(asks).await,
            },
            // One of several may be at fault: each by itself.
            Err(Failure::Refused(_)) if batch.asks.len() > 1 => self.run_each(batch.asks).await,
            Err(failure) => {
                for ask in batch.asks {
                    ask.answer(Err(failure.error()));
                }
            }
        }
    }

    async fn run_each(&mut self, asks: Vec<Ask>) {
        for ask in asks {
            let answer = match self.ready().await {
                Ok(()) => self.make(&ask.work).await.map_err(|failure| failure.error()),
                Err(error) => Err(error),
            };
            ask.answer(answer);
        }
    }

    async fn make(&mut self, work: &Work) -> Result<Vec<Tensor>, Failure> {
        let Some((child, _)) = &mut self.child else {
            return Err(Failure::Crashed("it is gone".into()));
        };
        let made = match work {
            Work::Nothing => Ok(Vec::new()),
            Work::Run(tensors) => child.run(tensors).await,
            Work::Texts(steps, texts) => child.texts(steps, texts).await,
            Work::Images(steps, files) => child.images(steps, files).await,
        };
        self.noted(made)
    }

    async fn run(&mut self, tensors: &[Tensor]) -> Result<Vec<Tensor>, Failure> {
        let Some((child, _)) = &mut self.child else {
            return Err(Failure::Crashed("it is gone".into()));
        };
        let ran = child.run(tensors).await;
        self.noted(ran)
    }

    fn noted<T>(&mut self, done: Result<T, Failure>) -> Result<T, Failure> {
        match &done {
            Ok(_) => {
                self.deaths = 0;
                self.resting_until = None;
            }
            Err(failure) if failure.is_death() => self.note(failure),
            Err(_) => {}
        }
        if self.child.as_ref().is_some_and(|(child, _)| child.is_spent) {
            self.child = None;
        }
        done
    }

    /// Notes the end of a process. After some in a row the next one has to wait, longer each time.
    fn note(&mut self, failure: &Failure) {
        self.child = None;
        self.deaths = self.deaths.saturating_add(1);
        tracing::info!(version = %self.model.version, ?failure, deaths = self.deaths, "a model's process ended");
        if let Some(beyond) = self.deaths.checked_sub(FREE_DEATHS) {
            let pause = Duration::from_secs(1u64 << beyond.min(6)).min(MOST_PAUSE);
            self.resting_until = Some(Instant::now() + pause);
        }
    }
}
