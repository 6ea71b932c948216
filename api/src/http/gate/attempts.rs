//! Keys that were presented and found wrong: who goes on presenting them has to wait, longer each time.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use moka::sync::Cache;

/// How long failures are remembered after the last one.
const REMEMBERED_FOR: Duration = Duration::from_secs(15 * 60);
/// After so long without a failure half of them are forgiven; longer than any wait.
const HALVED_AFTER: Duration = Duration::from_secs(5 * 60);
/// Most that is remembered, which bounds the memory to some ten megabytes.
const REMEMBERED: u64 = 100_000;
/// The first wait; it doubles with every further failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// An address may fail so many times as often, with all keys together, as with one key: many may share it.
const KEYS_PER_ADDRESS: u32 = 10;
/// Stands for all keys of an address.
const ALL_KEYS: u64 = 0;

/// What is remembered of an address and a key, or of an address and all keys.
#[derive(Debug, Clone, Copy, Default)]
struct Memory {
    failures: u32,
    last: Option<Instant>,
    wait_until: Option<Instant>,
    /// Found good while its address was under suspicion: not held up by what others there do.
    good: bool,
}

/// Whether a presented key has to be noted once it is found good. Mostly it has not, which keeps good calls cheap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Admitted {
    note_success: bool,
}

/// Failed attempts by address and key. A good key at another address is never concerned.
pub(super) struct Attempts {
    memories: Cache<(IpAddr, u64), Memory>,
    hasher: RandomState,
    /// Failures that are free.
    free: u32,
}

impl Attempts {
    /// With so many failures free, of one address with one key.
    pub(super) fn new(free: u32) -> Self {
        Self {
            memories: Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_live(REMEMBERED_FOR)
                .build(),
            hasher: RandomState::new(),
            free,
        }
    }

    /// Whether `presented` may be looked at now; if not, how long it has to wait.
    pub(super) fn admit(&self, from: IpAddr, presented: &str, now: Instant) -> Result<Admitted, Duration> {
        let wait = |memory: Memory| {
            let until = memory.wait_until?;
            until.checked_duration_since(now).filter(|left| !left.is_zero())
        };
        let one = self.memories.get(&(from, self.handle(presented)));
        if let Some(left) = one.and_then(wait) {
            return Err(left);
        }
        let Some(all) = self.memories.get(&(from, ALL_KEYS)) else {
            return Ok(Admitted { note_success: false });
        };
        let known_good = one.is_some_and(|memory| memory.good);
        match wait(all) {
            Some(left) if !known_good => Err(left),
            _ => Ok(Admitted {
                note_success: !known_good,
            }),
        }
    }

    /// Notes that an admitted key was wrong.
    pub(super) fn failed(&self, from: IpAddr, presented: &str, now: Instant) {
        self.note_failure((from, self.handle(presented)), self.free, now);
        self.note_failure((from, ALL_KEYS), self.free.saturating_mul(KEYS_PER_ADDRESS), now);
    }

    /// Notes that an admitted key was good.
    pub(super) fn succeeded(&self, from: IpAddr, presented: &str, admitted: Admitted) {
        if admitted.note_success {
            let good = Memory {
                good: true,
                ..Memory::default()
            };
            self.memories.insert((from, self.handle(presented)), good);
        }
    }

    fn note_failure(&self, key: (IpAddr, u64), free: u32, now: Instant) {
        self.memories.entry(key).and_upsert_with(|before| {
            let before = before.map(|entry| entry.into_value()).unwrap_or_default();
            let quiet = before
                .last
                .map_or(Duration::ZERO, |last| now.duration_since(last));
            let halvings = u32::try_from(quiet.as_secs() / HALVED_AFTER.as_secs()).unwrap_or(u32::MAX);
            let failures = before
                .failures
                .checked_shr(halvings)
                .unwrap_or(0)
                .saturating_add(1);
            Memory {
                failures,
                last: Some(now),
                wait_until: failures.checked_sub(free.max(1)).map(|excess| now + wait(excess)),
                good: false,
            }
        });
    }

    /// Tells keys apart without keeping them. Of a key only the part that is not secret counts, of a token its header, so
    /// that trying secrets for one key is trying one key.
    fn handle(&self, presented: &str) -> u64 {
        let public = match presented.split_once('.') {
            Some((header, _)) => header,
            None => presented.rsplit_once('_').map_or("", |(public, _)| public),
        };
        self.hasher.hash_one(public).max(ALL_KEYS + 1)
    }
}

fn wait(excess: u32) -> Duration {
    FIRST_WAIT
        .saturating_mul(1u32.checked_shl(excess).unwrap_or(u32::MAX))
        .min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    /// Fails as often as it may at one moment.
    fn fail(attempts: &Attempts, key: &str, now: Instant) -> u32 {
        let mut failures = 0;
        while failures < 1000 && attempts.admit(HERE, key, now).is_ok() {
            attempts.failed(HERE, key, now);
            failures += 1;
        }
        failures
    }

    #[test]
    fn who_goes_on_failing_waits_longer_each_time() {
        let attempts = Attempts::new(5);
        let mut now = Instant::now();
        assert_eq!(fail(&attempts, "isk_a_1", now), 5);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let left = attempts.admit(HERE, "isk_a_2", now).unwrap_err();
            assert_eq!(left.as_secs(), seconds, "another secret is the same key");
            now += left;
            assert_eq!(fail(&attempts, "isk_a_3", now), 1);
        }
        assert!(attempts.admit(THERE, "isk_a_1", now).is_ok(), "another address");
        assert!(attempts.admit(HERE, "isk_b_1", now).is_ok(), "another key");
    }

    #[test]
    fn who_tries_many_keys_waits_too_and_good_keys_there_do_not() {
        let attempts = Attempts::new(5);
        let now = Instant::now();
        attempts.failed(HERE, "isk_first_x", now);
        let good = attempts.admit(HERE, "isk_good_x", now).unwrap();
        attempts.succeeded(HERE, "isk_good_x", good);
        let tried = (0..1000)
            .take_while(|n| fail(&attempts, &format!("isk_{n}_x"), now) > 0)
            .count();
        assert!((9..=10).contains(&tried), "{tried}");
        assert!(attempts.admit(HERE, "isk_new_x", now).is_err());
        assert!(attempts.admit(HERE, "isk_good_x", now).is_ok());
        assert!(attempts.admit(THERE, "isk_new_x", now).is_ok());
        assert!(
            attempts
                .admit(HERE, "isk_new_x", now + Duration::from_secs(1))
                .is_ok()
        );
    }

    #[test]
    fn time_forgives() {
        let attempts = Attempts::new(8);
        let now = Instant::now();
        assert_eq!(fail(&attempts, "isk_a_x", now), 8);
        // Four of the eight are left.
        assert_eq!(fail(&attempts, "isk_a_x", now + HALVED_AFTER), 4);
    }

    #[test]
    fn a_success_is_noted_only_under_suspicion() {
        let attempts = Attempts::new(5);
        let now = Instant::now();
        let clean = attempts.admit(HERE, "isk_a_x", now).unwrap();
        assert!(!clean.note_success);
        attempts.failed(HERE, "isk_a_x", now);
        let typo = attempts.admit(HERE, "isk_a_x", now).unwrap();
        assert!(typo.note_success);
        attempts.succeeded(HERE, "isk_a_x", typo);
        assert_eq!(fail(&attempts, "isk_a_x", now), 5, "and begins anew");
    }
}
