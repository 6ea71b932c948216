//! Calling targets until one answers.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use chrono::{DateTime, Utc};
use futures::Stream;
use tokio::time::Instant;

use super::Route;
use super::attempt::{Failed, Taken};
use super::capability::Needs;
use super::health::{Cooldown, Health, Wait, now};
use super::journey::{Circumstances, Journey, Step};
use super::own_keys::OwnKeys;
use super::rule::{RouteFacts, language_of};
use crate::model::{ChatEvent, ChatModel, ChatRequest, ChatStream, Completion};
use crate::{Error, Result};

/// What is known of a call besides its request.
#[derive(Debug, Clone)]
pub struct RouteCall {
    /// When it is made, in the database's time: it decides the price.
    pub at: DateTime<Utc>,
    /// What rules may ask.
    pub facts: RouteFacts,
    /// Tokens of the prompt, where they were counted.
    pub prompt_tokens: Option<u64>,
    /// Keys of the tenant's own, with which their providers are called.
    pub own_keys: OwnKeys,
}

impl RouteCall {
    /// A call of which nothing is known.
    pub fn new(at: DateTime<Utc>) -> Self {
        Self {
            at,
            facts: RouteFacts::default(),
            prompt_tokens: None,
            own_keys: OwnKeys::none(),
        }
    }
}

/// An answer, and who gave it.
#[derive(Debug)]
pub struct Answered<T> {
    /// The answer.
    pub answer: T,
    /// Who gave it.
    pub taken: Taken,
}

/// Answers in one piece.
///
/// # Errors
/// What the caller did wrong, before any target is called; otherwise what the targets failed with. [`Failed::attempts`] tells
/// which were called.
pub async fn complete(
    route: &Route,
    request: ChatRequest,
    call: &RouteCall,
) -> Result<Answered<Completion>, Failed> {
    let ran = run(route, request, call, Mode::Whole).await?;
    let taken = ran.taken;
    match ran.answer {
        Answer::Whole(answer) => Ok(Answered { answer, taken }),
        Answer::Stream(_) => Err(mixed_up(taken)),
    }
}

/// Answers piece by piece. Other targets are tried until the first piece has come; what fails later ends the stream with an
/// error. Dropping the stream cancels the call at the provider.
///
/// # Errors
/// As for [`complete`].
pub async fn stream(
    route: &Route,
    request: ChatRequest,
    call: &RouteCall,
) -> Result<Answered<ChatStream>, Failed> {
    let ran = run(route, request, call, Mode::Stream).await?;
    let taken = ran.taken;
    let Answer::Stream(events) = ran.answer else {
        return Err(mixed_up(taken));
    };
    let watched = Watched {
        events,
        health: ran.health,
        cooldown: ran.cooldown,
        over: false,
    };
    Ok(Answered {
        answer: Box::pin(watched),
        taken,
    })
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    Whole,
    Stream,
}

enum Answer {
    Whole(Completion),
    Stream(ChatStream),
}

struct Ran {
    answer: Answer,
    taken: Taken,
    health: Arc<Health>,
    cooldown: Cooldown,
}

async fn ask(model: &dyn ChatModel, request: &ChatRequest, mode: Mode) -> Result<Answer> {
    Ok(match mode {
        Mode::Whole => Answer::Whole(model.complete(request).await?),
        Mode::Stream => Answer::Stream(model.stream(request).await?),
    })
}

async fn run(route: &Route, mut request: ChatRequest, call: &RouteCall, mode: Mode) -> Result<Ran, Failed> {
    let with_language;
    let facts = if call.facts.language.is_none() && route.needs_language() {
        with_language = RouteFacts {
            language: language_of(&request.messages),
            ..call.facts.clone()
        };
        &with_language
    } else {
        &call.facts
    };
    let circumstances = Circumstances {
        facts,
        needs: Needs::of(&request),
        wait: match mode {
            Mode::Whole => Wait::Whole,
            Mode::Stream => Wait::FirstToken,
        },
        prompt_tokens: call.prompt_tokens,
        own_keys: &call.own_keys,
    };
    let mut journey = Journey::begin(route, circumstances).map_err(|error| Failed {
        error,
        attempts: Vec::new(),
    })?;
    loop {
        match journey.next(now(), &mut rand::random::<f64>) {
            Step::Try(attempt) => {
                request.model.clear();
                request.model.push_str(&attempt.target.upstream_model);
                let begun = Instant::now();
                let answer = match attempt.target.chat() {
                    Some(model) => {
                        let own_key = call.own_keys.get(&attempt.target.provider);
                        match own_key.map_or(Ok(None), |key| model.with_key(key)) {
                            Ok(own) => ask(&**own.as_ref().unwrap_or(model), &request, mode).await,
                            Err(error) => Err(error),
                        }
                    }
                    None => Err(Error::internal("a target of a chat route cannot chat")),
                };
                let took = begun.elapsed();
                match answer {
                    Ok(answer) => {
                        let health = Arc::clone(&attempt.target.health);
                        let cooldown = attempt.route.cooldown;
                        return Ok(Ran {
                            answer,
                            taken: journey.answered(attempt, took, call.at),
                            health,
                            cooldown,
                        });
                    }
                    Err(error) => {
                        if !journey.failed(attempt, error, took, now()) {
                            return Err(journey.over());
                        }
                    }
                }
            }
            Step::Pause(pause) => tokio::time::sleep(pause).await,
            Step::Over => return Err(journey.over()),
        }
    }
}

fn mixed_up(taken: Taken) -> Failed {
    Failed {
        error: Error::internal("a stream was asked for and an answer came, or the other way round"),
        attempts: taken.attempts,
    }
}

/// A stream whose end is held for or against its target.
struct Watched {
    events: ChatStream,
    health: Arc<Health>,
    cooldown: Cooldown,
    over: bool,
}

impl Stream for Watched {
    type Item = Result<ChatEvent>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let polled = self.events.as_mut().poll_next(cx);
        match &polled {
            Poll::Ready(None) => {
                self.over = true;
                self.health.succeed();
            }
            Poll::Ready(Some(Err(_))) => {
                self.over = true;
                self.health.fail(now(), self.cooldown, false, None);
            }
            _ => {}
        }
        polled
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
