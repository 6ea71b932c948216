//! Requests or tokens per minute.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::share::emergency;
use super::{Subject, store};
use crate::server::Server;
use crate::{Db, Result};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Metric {
    /// Calls.
    Requests,
    /// Tokens read and written.
    Tokens,
}

impl Metric {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
        }
    }
}

/// How long the database may take before the server helps itself to a small share.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long "nothing left" is believed: another server may give something back.
const BELIEVED: Duration = Duration::from_millis(100);
/// How long a database that did not answer is left alone, once the small share is used up.
const ASKED_AGAIN: Duration = Duration::from_secs(1);
/// After so long without a call a slice is given back.
const IDLE: Duration = Duration::from_millis(250);

/// A limit per minute, as this server sees it.
pub(crate) struct Window {
    subject: Subject,
    metric: Metric,
    state: Mutex<State>,
    /// Held by whoever asks the database, so that one call does for all that wait.
    asking: tokio::sync::Mutex<()>,
}

struct State {
    limit: i64,
    /// Ours, not used yet. Below zero when calls took more than was expected.
    ours: i64,
    /// Nobody's yet, as of the last look.
    left: i64,
    ends: Instant,
    ends_at: DateTime<Utc>,
    /// Until when there is no use in asking for so much or more.
    exhausted: Option<(Instant, i64)>,
    /// Until when the share that the server took without asking counts.
    emergency_until: Option<Instant>,
    used: Instant,
}

/// How a limit stands, for the headers of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The limit.
    pub limit: i64,
    /// What is left of it.
    pub remaining: i64,
    /// Until it is whole again.
    pub reset: Duration,
}

impl Window {
    pub(crate) fn new(subject: Subject, metric: Metric, limit: i64) -> Self {
        let now = Instant::now();
        Self {
            subject,
            metric,
            state: Mutex::new(State {
                limit,
                ours: 0,
                left: limit,
                ends: now,
                ends_at: DateTime::UNIX_EPOCH,
                exhausted: None,
                emergency_until: None,
                used: now,
            }),
            asking: tokio::sync::Mutex::new(()),
        }
    }

    pub(crate) fn metric(&self) -> Metric {
        self.metric
    }

    /// Follows a change of the limit. What is held of the old one is used up.
    pub(crate) fn set_limit(&self, limit: i64) {
        let mut state = self.state();
        if state.limit != limit {
            state.limit = limit;
            state.ours = state.ours.min(limit);
            state.exhausted = None;
        }
    }

    /// Takes `need`, if need be from the database; whoever is `patient` leaves half of the limit to those who wait for an
    /// answer. `Err`: how it stands; nothing was taken.
    pub(crate) async fn take(
        &self,
        db: &Db,
        server: &Server,
        need: i64,
        patient: bool,
    ) -> Result<(), Standing> {
        if let Some(done) = self.state().take(need, patient) {
            return done;
        }
        let _asking = self.asking.lock().await;
        // Somebody may have asked meanwhile.
        if let Some(done) = self.state().take(need, patient) {
            return done;
        }
        // Twice: the minute may end between the look at what is ours and the database's answer.
        for _ in 0..2 {
            let (limit, missing) = {
                let state = self.state();
                (state.limit, need.saturating_sub(state.of_this_minute()))
            };
            let before = Instant::now();
            let asked = store::take(db, &self.subject, self.metric, limit, missing, server.count());
            let answer = tokio::time::timeout(PATIENCE, asked).await;
            let mut state = self.state();
            let began = match answer {
                Ok(Ok(taken)) => state.granted(taken, missing, before),
                Ok(Err(_)) | Err(_) => {
                    state.help_oneself(emergency(limit, server.count()));
                    false
                }
            };
            match state.take(need, patient) {
                Some(Err(_)) | None if began => {}
                Some(done) => return done,
                None => return Err(state.standing()),
            }
        }
        Err(self.standing())
    }

    /// Gives back what an admitted call did not need after all, or takes what it needed besides.
    pub(crate) fn correct(&self, unused: i64) {
        let mut state = self.state();
        if state.ends > Instant::now() {
            state.ours = state.ours.saturating_add(unused).min(state.limit);
        }
    }

    pub(crate) fn standing(&self) -> Standing {
        self.state().standing()
    }

    /// Gives back a slice that nobody uses, for servers that can.
    pub(crate) async fn give_back_if_idle(&self, db: &Db) -> Result<()> {
        let (ends_at, unused) = {
            let mut state = self.state();
            let now = Instant::now();
            if state.ours <= 0
                || state.ends <= now
                || now - state.used < IDLE
                || state.emergency_until.is_some()
            {
                return Ok(());
            }
            (state.ends_at, std::mem::take(&mut state.ours))
        };
        store::give_back(db, &self.subject, self.metric, ends_at, unused).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// From what is ours. `None`: the database has to be asked.
    fn take(&mut self, need: i64, patient: bool) -> Option<Result<(), Standing>> {
        let now = Instant::now();
        self.used = now;
        if self.ends <= now {
            // What is ours is of a minute that is over.
            self.ours = self.ours.min(0);
            self.exhausted = None;
            self.emergency_until = None;
            return None;
        }
        if patient && self.leaves_too_little(need) {
            return Some(Err(self.standing()));
        }
        if self.ours >= need {
            self.ours -= need;
            return Some(Ok(()));
        }
        let too_much =
            |(until, missing): (Instant, i64)| now < until && need.saturating_sub(self.ours) >= missing;
        if need > self.limit || self.exhausted.is_some_and(too_much) {
            return Some(Err(self.standing()));
        }
        None
    }

    /// Whether less than half of the limit would be left. The first call of a minute may need more.
    fn leaves_too_little(&self, need: i64) -> bool {
        let Standing { limit, remaining, .. } = self.standing();
        remaining < limit && remaining.saturating_sub(need) < limit / 2
    }

    /// What is ours of the minute that runs; below zero when calls took more than was expected.
    fn of_this_minute(&self) -> i64 {
        if self.ends > Instant::now() { self.ours } else { 0 }
    }

    /// Adds what the database gave. Whether a minute began with it, so that what was ours before is gone.
    fn granted(&mut self, taken: store::Taken, missing: i64, asked: Instant) -> bool {
        let began = taken.ends_at != self.ends_at;
        if began {
            self.ours = 0;
        }
        let ends_in = Duration::from_micros(u64::try_from(taken.ends_in_us).unwrap_or(0));
        // Counted from before the question, so that it never lasts longer here than there.
        self.ends = asked + ends_in;
        self.ends_at = taken.ends_at;
        self.ours = self.ours.saturating_add(taken.granted);
        self.left = taken.left;
        self.emergency_until = None;
        self.exhausted = (taken.granted == 0).then(|| (Instant::now() + BELIEVED, missing));
        began
    }

    /// The database does not answer: a small share for a minute, once.
    fn help_oneself(&mut self, share: i64) {
        let now = Instant::now();
        if self.ends <= now {
            self.ends = now + Duration::from_secs(60);
            self.ends_at = DateTime::UNIX_EPOCH;
            self.ours = 0;
        }
        if self.emergency_until.is_none() {
            self.ours = self.ours.max(share);
            self.emergency_until = Some(self.ends);
        } else {
            self.exhausted = Some((now + ASKED_AGAIN, 0));
        }
        self.left = 0;
    }

    fn standing(&self) -> Standing {
        Standing {
            limit: self.limit,
            remaining: self.ours.max(0).saturating_add(self.left).min(self.limit),
            reset: self.ends.saturating_duration_since(Instant::now()),
        }
    }
}
