//! Whether a target can be called: failures in a row, rest after them, one probe at a time, and how fast it is.
//!
//! All state is in atomics, and time is a parameter: micros as [`now`] counts them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// Weight of the newest measurement, as one part in so many.
const NEWEST: u64 = 5;

/// When a target rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooldown {
    /// After so many failures in a row.
    pub failures: u32,
    /// For so long; then one call at a time tries whether it is back.
    pub rest: Duration,
}

impl Default for Cooldown {
    fn default() -> Self {
        Self {
            failures: 5,
            rest: Duration::from_secs(30),
        }
    }
}

/// What a call waits for, as far as speed is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The first piece of a stream.
    FirstToken,
    /// The whole answer.
    Whole,
}

/// The state of one target, shared by all routes that lead to it and kept over reloads.
#[derive(Debug, Default)]
pub struct Health {
    /// In a row.
    failures: AtomicU32,
    /// Until when it rests; 0 when it is well.
    rests_until: AtomicU64,
    probing: AtomicBool,
    /// Moving averages in micros; 0 before the first.
    first_token: AtomicU64,
    whole: AtomicU64,
    calls: AtomicU64,
    failed_calls: AtomicU64,
}

/// The state of a target, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthReport {
    /// Whether calls are sent to it.
    pub state: HealthState,
    /// How much longer it rests.
    pub rests_for: Option<Duration>,
    /// Failures since the last success.
    pub failures_in_a_row: u32,
    /// Mean time to the first piece of a stream, newest weighted most.
    pub first_token: Option<Duration>,
    /// Mean time to a whole answer.
    pub whole_answer: Option<Duration>,
    /// Calls since the target is known.
    pub calls: u64,
    /// How many of them it failed.
    pub failed_calls: u64,
}

/// Whether calls are sent to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthState {
    /// Yes.
    Healthy,
    /// No: it rests after failures.
    Resting,
    /// One at a time, to see whether it is back.
    Probing,
}

/// Micros since this process began to count.
pub fn now() -> u64 {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    let epoch = *EPOCH.get_or_init(Instant::now);
    // From one on, as zero means "never".
    micros(Instant::now().saturating_duration_since(epoch)) + 1
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Health {
    /// Whether a call may be sent now. Of several that ask at once, one gets to probe.
    pub fn is_open(&self, now: u64) -> bool {
        match self.rests_until.load(Relaxed) {
            0 => true,
            until => until <= now && !self.probing.load(Relaxed),
        }
    }

    /// Leave to send a call, which ends when the value is dropped. `None` while the target rests, or another call probes.
    pub fn admit(&self, now: u64) -> Option<Admission<'_>> {
        match self.rests_until.load(Relaxed) {
            0 => Some(Admission::new(self, false)),
            until if until > now => None,
            _ => {
                let first = self.probing.compare_exchange(false, true, Relaxed, Relaxed);
                first.is_ok().then(|| Admission::new(self, true))
            }
        }
    }

    /// Leave to send a call whatever the state: when there is nobody else, trying is better than not answering.
    pub fn force(&self) -> Admission<'_> {
        Admission::new(self, false)
    }

    /// Until when the target rests; 0 when it is well.
    pub fn rests_until(&self) -> u64 {
        self.rests_until.load(Relaxed)
    }

    /// Mean time that such a call takes, in micros; 0 when none was measured.
    pub fn latency(&self, wait: Wait) -> u64 {
        self.average(wait).load(Relaxed)
    }

    fn average(&self, wait: Wait) -> &AtomicU64 {
        match wait {
            Wait::FirstToken => &self.first_token,
            Wait::Whole => &self.whole,
        }
    }

    /// Notes how long a call took. Of measurements that race, one may be lost, which an average can bear.
    fn measure(&self, wait: Wait, took: u64) {
        let average = self.average(wait);
        let mean = match average.load(Relaxed) {
            0 => took,
            old => old - old / NEWEST + took / NEWEST,
        };
        average.store(mean.max(1), Relaxed);
    }

    /// A call went well to its end.
    pub(super) fn succeed(&self) {
        // Reading is cheaper than writing to a line that every core shares.
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
        }
        if self.rests_until.load(Relaxed) != 0 {
            self.rests_until.store(0, Relaxed);
        }
    }

    /// A call failed. `stay_away` is what the target itself asked for.
    pub(super) fn fail(&self, now: u64, cooldown: Cooldown, probe: bool, stay_away: Option<Duration>) {
        self.failed_calls.fetch_add(1, Relaxed);
        let failures = self.failures.fetch_add(1, Relaxed).saturating_add(1);
        let tired = probe || failures >= cooldown.failures;
        let rest = if tired { cooldown.rest } else { Duration::ZERO };
        let rest = rest.max(stay_away.unwrap_or_default());
        if !rest.is_zero() {
            self.rests_until
                .fetch_max(now.saturating_add(micros(rest)), Relaxed);
        }
    }

    /// The state, for people.
    pub fn report(&self, now: u64) -> HealthReport {
        let until = self.rests_until.load(Relaxed);
        let mean = |wait| {
            Some(self.latency(wait))
                .filter(|mean| *mean > 0)
                .map(Duration::from_micros)
        };
        HealthReport {
            state: match until {
                0 => HealthState::Healthy,
                until if until > now => HealthState::Resting,
                _ => HealthState::Probing,
            },
            rests_for: (until > now).then(|| Duration::from_micros(until - now)),
            failures_in_a_row: self.failures.load(Relaxed),
            first_token: mean(Wait::FirstToken),
            whole_answer: mean(Wait::Whole),
            calls: self.calls.load(Relaxed),
            failed_calls: self.failed_calls.load(Relaxed),
        }
    }
}

/// Leave to send one call to a target. Dropped without a verdict (the caller went away), it leaves everything as it was.
#[derive(Debug)]
pub struct Admission<'a> {
    health: &'a Health,
    probe: bool,
}

impl<'a> Admission<'a> {
    fn new(health: &'a Health, probe: bool) -> Self {
        health.calls.fetch_add(1, Relaxed);
        Self { health, probe }
    }

    /// The target began to answer: it is back. Failures in a row are forgotten at the end of the answer only, so that one
    /// whose streams all break is found out.
    pub fn began(self, wait: Wait, took: u64) {
        self.health.measure(wait, took);
        if self.probe || wait == Wait::Whole {
            self.health.succeed();
        } else if self.health.rests_until.load(Relaxed) != 0 {
            self.health.rests_until.store(0, Relaxed);
        }
    }

    /// The target failed.
    pub fn failed(self, now: u64, cooldown: Cooldown, stay_away: Option<Duration>) {
        self.health.fail(now, cooldown, self.probe, stay_away);
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.health.probing.store(false, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COOLDOWN: Cooldown = Cooldown {
        failures: 3,
        rest: Duration::from_micros(100),
    };

    fn fail(health: &Health, now: u64) {
        health.admit(now).unwrap().failed(now, COOLDOWN, None);
    }

    #[test]
    fn after_so_many_failures_it_rests_and_then_one_call_probes() {
        let health = Health::default();
        for now in 1..=3 {
            assert!(health.is_open(now));
            fail(&health, now);
        }
        assert!(!health.is_open(102) && health.admit(102).is_none());
        assert_eq!(health.report(53).rests_for, Some(Duration::from_micros(50)));
        let probe = health.admit(103).unwrap();
        assert!(
            !health.is_open(103) && health.admit(103).is_none(),
            "one at a time"
        );
        probe.failed(110, COOLDOWN, None);
        assert!(health.admit(209).is_none(), "one failure of a probe is enough");
        health.admit(210).unwrap().began(Wait::FirstToken, 7);
        assert_eq!(health.report(211).state, HealthState::Healthy);
        assert_eq!(
            (health.report(211).calls, health.report(211).failed_calls),
            (5, 4)
        );
    }

    #[test]
    fn a_probe_whose_caller_leaves_lets_the_next_one_probe() {
        let health = Health::default();
        (1..=3).for_each(|now| fail(&health, now));
        drop(health.admit(103).unwrap());
        assert_eq!(health.report(104).state, HealthState::Probing);
        assert!(health.admit(104).is_some());
    }

    #[test]
    fn what_a_target_asks_for_is_kept() {
        let health = Health::default();
        health
            .admit(1)
            .unwrap()
            .failed(1, COOLDOWN, Some(Duration::from_micros(50)));
        assert!(health.admit(50).is_none());
        assert!(health.admit(51).is_some());
    }

    #[test]
    fn streams_that_all_break_are_found_out() {
        let health = Health::default();
        for now in 1..=3 {
            health.admit(now).unwrap().began(Wait::FirstToken, 5);
            health.fail(now, COOLDOWN, false, None);
        }
        assert!(health.admit(4).is_none());
        let other = Health::default();
        for now in 1..=9 {
            other.admit(now).unwrap().began(Wait::FirstToken, 5);
            other.fail(now, COOLDOWN, false, None);
            other.succeed();
        }
        assert!(other.is_open(10), "failures that are not in a row do not count");
    }

    proptest! {
        #[test]
        fn the_mean_stays_between_the_extremes(times in prop::collection::vec(100u64..1_000_000, 1..50)) {
            let health = Health::default();
            times.iter().for_each(|took| health.measure(Wait::Whole, *took));
            let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
            // Integer division loses less than five parts in a hundred at these sizes.
            prop_assert!(health.latency(Wait::Whole) + 10 >= least * 19 / 20 && health.latency(Wait::Whole) <= most + 10);
        }

        #[test]
        fn never_two_probes_at_once(events in prop::collection::vec(0u8..4, 1..200)) {
            let health = Health::default();
            (1..=3).for_each(|now| fail(&health, now));
            let mut held: Option<Admission<'_>> = None;
            for (now, event) in (200u64..).step_by(150).zip(events) {
                match (event, held.take()) {
                    (0, None) => held = health.admit(now),
                    (0, Some(probe)) if probe.probe => {
                        prop_assert!(health.admit(now).is_none());
                        held = Some(probe);
                    }
                    (1, Some(call)) => call.began(Wait::Whole, 5),
                    (2, Some(call)) => call.failed(now, COOLDOWN, None),
                    (_, other) => drop(other),
                }
            }
            drop(held);
            prop_assert!(health.admit(u64::MAX).is_some(), "no probe is left behind");
        }
    }
}
