//! The way of one call from target to target, without the calling: a state machine that is told what became of each attempt
//! and says what to do next. Time and dice are parameters.
//!
//! A *stage* is a route whose targets are tried: first the route that was asked for (or the one that a rule sends the call
//! to), then its fallbacks. Within a stage each target that is well is tried once, at once; when all have failed, the stage
//! pauses and begins a further round, as often as the route says.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Route;
use super::attempt::{Attempt, Failed, Outcome, Taken, Verdict, judge, nobody_may, retry_after, too_long};
use super::capability::Needs;
use super::health::{Wait, micros};
use super::own_keys::OwnKeys;
use super::price::Price;
use super::rule::RouteFacts;
use super::stage::{Stage, Try};
use super::target::Target;
use crate::Error;

/// A target that asks to be left alone for longer is tried again after this time nevertheless.
const LONGEST_REST: Duration = Duration::from_secs(300);

/// What to do next.
pub(super) enum Step<'a> {
    /// Call this target.
    Try(Try<'a>),
    /// Wait so long, then ask again.
    Pause(Duration),
    /// Give up.
    Over,
}

/// What is known of the call.
#[derive(Clone, Copy)]
pub(super) struct Circumstances<'a> {
    pub(super) facts: &'a RouteFacts,
    pub(super) needs: Needs,
    pub(super) wait: Wait,
    pub(super) prompt_tokens: Option<u64>,
    /// Their providers are called with the tenant's own keys, whose faults are not the targets'.
    pub(super) own_keys: &'a OwnKeys,
}

pub(super) struct Journey<'a> {
    of: Circumstances<'a>,
    stage: Stage<'a>,
    /// Where to go on when nobody is well: better a target that rests than no answer.
    refuge: Option<Stage<'a>>,
    rest: &'a [Arc<Route>],
    larger: &'a [Arc<Route>],
    /// Whether `rest` are routes for longer prompts by now.
    goes_larger: bool,
    attempts: Vec<Attempt>,
    error: Option<Error>,
}

impl<'a> Journey<'a> {
    /// # Errors
    /// What can be said before any target is called: the models cannot do what is asked, none may be called, or none has room
    /// for the prompt.
    pub(super) fn begin(asked: &'a Route, of: Circumstances<'a>) -> Result<Self, Error> {
        let detour = asked
            .detours
            .iter()
            .position(|detour| detour.condition.holds(of.facts));
        let route = detour
            .and_then(|at| asked.ways.detours.get(at))
            .map_or(asked, |route| route);
        route.capabilities.check(&asked.name, of.needs)?;
        let mut journey = Self {
            of,
            stage: Stage::new(route, of.facts),
            refuge: None,
            rest: &route.ways.fallbacks,
            larger: &route.ways.larger,
            goes_larger: false,
            attempts: Vec::new(),
            error: None,
        };
        if !journey.fits(route) {
            let error = too_long(&asked.name, route.context_window);
            if !journey.go_larger() {
                return Err(error);
            }
            journey.error = Some(error);
        }
        while journey.stage.eligible.is_empty() {
            if !journey.next_stage() {
                return Err(journey.error.unwrap_or_else(|| nobody_may(&asked.name, of.facts)));
            }
        }
        Ok(journey)
    }

    /// What to do now.
    pub(super) fn next(&mut self, now: u64, random: &mut impl FnMut() -> f64) -> Step<'a> {
        loop {
            if let Some(attempt) = self.stage.admit(now, self.of.wait, random) {
                return Step::Try(attempt);
            }
            if let Some(pause) = self.stage.next_round(now, random) {
                return Step::Pause(pause);
            }
            if self.next_stage() {
                continue;
            }
            let nobody_was_asked = self.attempts.is_empty();
            let refuge = self.refuge.take().filter(|_| nobody_was_asked);
            return match refuge.and_then(|stage| stage.force()) {
                Some(attempt) => Step::Try(attempt),
                None => Step::Over,
            };
        }
    }

    /// The attempt succeeded after so long. The price is that of the moment `at`.
    pub(super) fn answered(mut self, attempt: Try<'a>, took: Duration, at: DateTime<Utc>) -> Taken {
        let Try {
            route,
            target,
            admission,
            ..
        } = attempt;
        admission.began(self.of.wait, micros(took));
        self.note(target, Outcome::Answered, took);
        Taken {
            route: Arc::clone(&route.name),
            provider: Arc::clone(&target.provider),
            upstream_model: Arc::clone(&target.upstream_model),
            price: match self.of.own_keys.get(&target.provider) {
                // The tenant pays the provider itself.
                Some(_) => Price::default(),
                None => target.prices.at(at),
            },
            attempts: self.attempts,
            local: target.local,
            counter: Arc::clone(&target.counter),
        }
    }

    /// The attempt succeeded after so long, and nobody asks who it was.
    pub(super) fn done(self, attempt: Try<'a>, took: Duration) {
        attempt.admission.began(self.of.wait, micros(took));
    }

    /// The attempt failed. Whether to go on: with `false`, the error is the answer.
    pub(super) fn failed(&mut self, attempt: Try<'a>, error: Error, took: Duration, now: u64) -> bool {
        let Try {
            route,
            target,
            at,
            admission,
        } = attempt;
        let limit = match self.of.wait {
            Wait::FirstToken => target.timeouts.first_token.min(target.timeouts.total),
            Wait::Whole => target.timeouts.total,
        };
        let Verdict {
            outcome,
            blame,
            again,
        } = judge(&error, took >= limit);
        self.note(target, outcome, took);
        match outcome {
            Outcome::Refused => {
                self.error = Some(error);
                return false;
            }
            Outcome::TooLong => {
                self.error = Some(error);
                return if self.goes_larger {
                    self.next_stage()
                } else {
                    self.go_larger()
                };
            }
            _ => {}
        }
        let asked_for = retry_after(&error);
        let own_key = self.of.own_keys.get(&target.provider).is_some();
        let ours = match outcome {
            // What the tenant's own account is refused says nothing about the target.
            Outcome::Limited | Outcome::Failed(Some(401..=403)) => !own_key,
            _ => true,
        };
        if blame && ours {
            admission.failed(now, route.cooldown, asked_for.map(|time| time.min(LONGEST_REST)));
        }
        if self.stage.route.name == route.name {
            let patient = asked_for.is_none_or(|time| time <= route.retries.longest_pause);
            if !(again && patient) {
                self.stage.spent.add(at);
            }
        }
        self.remember(error);
        true
    }

    /// The end without an answer.
    pub(super) fn over(self) -> Failed {
        Failed {
            error: self
                .error
                .unwrap_or_else(|| Error::internal("a route gave up without a reason")),
            attempts: self.attempts,
        }
    }

    fn note(&mut self, target: &Target, outcome: Outcome, took: Duration) {
        self.attempts.push(Attempt {
            provider: Arc::clone(&target.provider),
            upstream_model: Arc::clone(&target.upstream_model),
            outcome,
            micros: micros(took),
        });
    }

    /// Keeps the error that helps most: one that says when to come back, the sooner the better.
    fn remember(&mut self, error: Error) {
        let kept = self.error.as_ref().and_then(retry_after);
        let replace = match (kept, retry_after(&error)) {
            (Some(kept), Some(new)) => new < kept,
            (Some(_), None) => false,
            (None, _) => true,
        };
        if replace {
            self.error = Some(error);
        }
    }

    fn fits(&self, route: &Route) -> bool {
        match (self.of.prompt_tokens, route.context_window) {
            (Some(tokens), Some(window)) => tokens < u64::from(window),
            _ => true,
        }
    }

    /// On to the routes for longer prompts, once.
    fn go_larger(&mut self) -> bool {
        if self.larger.is_empty() {
            return false;
        }
        self.rest = std::mem::take(&mut self.larger);
        self.goes_larger = true;
        self.refuge = None;
        self.next_stage()
    }

    /// On to the next route that can answer and has a target that may.
    fn next_stage(&mut self) -> bool {
        while let Some((route, rest)) = self.rest.split_first() {
            self.rest = rest;
            let able = route.capabilities.check(&route.name, self.of.needs).is_ok() && self.fits(route);
            let stage = Stage::new(route, self.of.facts);
            if able && !stage.eligible.is_empty() {
                let left = std::mem::replace(&mut self.stage, stage);
                if !left.eligible.is_empty() {
                    self.refuge.get_or_insert(left);
                }
                return true;
            }
        }
        if self.refuge.is_none() {
            self.refuge = Some(Stage::new(self.stage.route, self.of.facts));
        }
        false
    }
}

#[cfg(test)]
#[path = "journey_tests.rs"]
mod tests;
