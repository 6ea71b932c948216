//! One route's part of a call's way: which of its targets are called, in what order, how often.

use std::time::Duration;

use super::Route;
use super::health::{Admission, Wait};
use super::rule::RouteFacts;
use super::select::{self, Targets};
use super::target::Target;

/// The first pause between two rounds is chosen up to this; each further one up to twice as much.
const PAUSE: Duration = Duration::from_millis(200);

/// No pause is chosen longer than this; a target may ask for more.
const LONGEST_CHOSEN_PAUSE: Duration = Duration::from_secs(2);

/// An attempt under way.
pub(super) struct Try<'a> {
    pub(super) route: &'a Route,
    pub(super) target: &'a Target,
    pub(super) at: usize,
    pub(super) admission: Admission<'a>,
}

/// The targets of one route, tried in rounds.
pub(super) struct Stage<'a> {
    pub(super) route: &'a Route,
    /// Targets whose condition holds: they go first.
    preferred: Targets,
    pub(super) eligible: Targets,
    /// In this round.
    tried: Targets,
    /// Not to be called again.
    pub(super) spent: Targets,
    round: u32,
    attempted: bool,
}

impl<'a> Stage<'a> {
    pub(super) fn new(route: &'a Route, facts: &RouteFacts) -> Self {
        let (mut preferred, mut eligible) = (Targets::NONE, Targets::NONE);
        for (at, target) in route.targets.iter().enumerate().take(Targets::MOST) {
            if facts.stays_here() && !target.local || !facts.allows(&target.provider) {
                continue;
            }
            if target.condition.is_always() {
                eligible.add(at);
            } else if target.condition.holds(facts) {
                eligible.add(at);
                preferred.add(at);
            }
        }
        Self {
            route,
            preferred,
            eligible,
            tried: Targets::NONE,
            spent: Targets::NONE,
            round: 0,
            attempted: false,
        }
    }

    /// Chooses a target that is well and was not tried in this round.
    pub(super) fn admit(
        &mut self,
        now: u64,
        wait: Wait,
        random: &mut impl FnMut() -> f64,
    ) -> Option<Try<'a>> {
        let targets = &self.route.targets;
        loop {
            let mut open = Targets::NONE;
            let left = self.eligible.without(self.tried).without(self.spent);
            left.iter()
                .filter(|at| targets[*at].health.is_open(now))
                .for_each(|at| open.add(at));
            let first = open.without(open.without(self.preferred));
            let open = if first.is_empty() { open } else { first };
            let (weight, latency) = (
                |at: usize| targets[at].weight,
                |at: usize| targets[at].health.latency(wait),
            );
            let at = select::choose(self.route.strategy, open, weight, latency, random)?;
            self.tried.add(at);
            // Another call may have begun to probe meanwhile.
            if let Some(admission) = targets[at].health.admit(now) {
                self.attempted = true;
                return Some(self.attempt(at, admission));
            }
        }
    }

    fn attempt(&self, at: usize, admission: Admission<'a>) -> Try<'a> {
        Try {
            route: self.route,
            target: &self.route.targets[at],
            at,
            admission,
        }
    }

    /// The target that rests the shortest.
    pub(super) fn force(self) -> Option<Try<'a>> {
        let targets = &self.route.targets;
        let at = self
            .eligible
            .iter()
            .min_by_key(|at| targets[*at].health.rests_until())?;
        Some(self.attempt(at, targets[at].health.force()))
    }

    /// How long to pause before the targets are tried again, if they are.
    pub(super) fn next_round(&mut self, now: u64, random: &mut impl FnMut() -> f64) -> Option<Duration> {
        let again = self.eligible.without(self.spent);
        if !self.attempted || self.round >= self.route.retries.rounds {
            return None;
        }
        let rests = again
            .iter()
            .map(|at| self.route.targets[at].health.rests_until().saturating_sub(now))
            .min()?;
        let pause = pause(self.round, random()).max(Duration::from_micros(rests));
        if pause > self.route.retries.longest_pause {
            return None;
        }
        self.round += 1;
        self.tried = Targets::NONE;
        Some(pause)
    }
}

/// A pause with full jitter: anything up to a bound that doubles.
fn pause(round: u32, random: f64) -> Duration {
    let bound = PAUSE
        .saturating_mul(2u32.saturating_pow(round))
        .min(LONGEST_CHOSEN_PAUSE);
    bound.mul_f64(random.clamp(0.0, 1.0))
}
