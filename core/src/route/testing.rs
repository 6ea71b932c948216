//! Targets that do as they are told, for the tests of this module.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, stream};

use super::{Condition, Health, Prices, Route, RouteKind, Target, TargetModel, Timeouts};
use crate::model::{ChatEvent, ChatModel, ChatRequest, ChatStream, Completion, FinishReason, TokenCounter};
use crate::{Error, Result};

/// Counts words.
struct Words;

impl TokenCounter for Words {
    fn count(&self, text: &str) -> usize {
        text.split_whitespace().count()
    }
}

/// What a scripted model does with one call.
pub(crate) enum Act {
    /// Fails.
    Fail(Error),
    /// Fails after so long.
    Late(Duration, Error),
    /// Streams a piece and breaks off.
    Break,
}

/// A model that plays its acts in order, and answers when none is left.
#[derive(Default)]
pub(crate) struct Scripted {
    acts: Mutex<VecDeque<Act>>,
    asked: Mutex<Vec<String>>,
}

impl Scripted {
    /// The models that calls named, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    async fn act(&self, request: &ChatRequest) -> Result<bool> {
        self.asked.lock().unwrap().push(request.model.clone());
        let act = self.acts.lock().unwrap().pop_front();
        match act {
            None => Ok(true),
            Some(Act::Break) => Ok(false),
            Some(Act::Fail(error)) => Err(error),
            Some(Act::Late(time, error)) => {
                tokio::time::sleep(time).await;
                Err(error)
            }
        }
    }
}

#[async_trait]
impl ChatModel for Scripted {
    async fn complete(&self, request: &ChatRequest) -> Result<Completion> {
        self.act(request).await?;
        Ok(Completion {
            content: Some("answer".into()),
            ..Completion::default()
        })
    }

    async fn stream(&self, request: &ChatRequest) -> Result<ChatStream> {
        let whole = self.act(request).await?;
        let end = if whole {
            Ok(ChatEvent::Finish(FinishReason::Stop))
        } else {
            Err(failure(None))
        };
        Ok(stream::iter([Ok(ChatEvent::Content("answer".into())), end]).boxed())
    }
}

/// A provider's failure.
pub(crate) fn failure(status: Option<u16>) -> Error {
    Error::Upstream {
        message: format!("failed with {status:?}"),
        status,
        retry_after: None,
    }
}

/// A provider that is full and says for how long.
pub(crate) fn limited(seconds: u64) -> Error {
    Error::Upstream {
        message: "slow down".into(),
        status: Some(429),
        retry_after: Some(Duration::from_secs(seconds)),
    }
}

/// A prompt that a provider finds too long.
pub(crate) fn too_long() -> Error {
    Error::Invalid {
        message: "too long".into(),
        param: Some("messages".into()),
        code: Some("context_length_exceeded"),
    }
}

/// A target of that name that always answers.
pub(crate) fn answering(name: &str) -> Target {
    scripted(name, []).0
}

/// A target of that name, and its model.
pub(crate) fn scripted(name: &str, acts: impl IntoIterator<Item = Act>) -> (Target, Arc<Scripted>) {
    let model = Arc::new(Scripted {
        acts: Mutex::new(acts.into_iter().collect()),
        ..Scripted::default()
    });
    let target = Target {
        name: name.into(),
        provider: name.into(),
        upstream_model: format!("{name}-upstream").into(),
        local: false,
        weight: 1,
        timeouts: Timeouts::default(),
        condition: Condition::default(),
        prices: Prices::default(),
        counter: Arc::new(Words),
        origin: name.into(),
        health: Arc::new(Health::default()),
        model: TargetModel::Chat(Arc::clone(&model) as _),
    };
    (target, model)
}

/// A chat route of these targets.
pub(crate) fn route(name: &str, targets: Vec<Target>) -> Route {
    Route::new(name, RouteKind::Chat, targets)
}
