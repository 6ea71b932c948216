//! Calls at once.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::share::emergency;
use super::{Subject, store};
use crate::server::Server;
use crate::{Db, Result};

/// How long the database may take before the server helps itself to a small share.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long "nothing left" is believed.
const BELIEVED: Duration = Duration::from_millis(50);
/// After so long without a call what is free is given back.
const IDLE: Duration = Duration::from_millis(250);

/// A limit of calls at once, as this server sees it.
pub(crate) struct Permits {
    subject: Subject,
    state: Mutex<State>,
    asking: tokio::sync::Mutex<()>,
}

struct State {
    limit: i64,
    /// What this server may admit by itself.
    held: i64,
    in_use: i64,
    era: u64,
    exhausted_until: Option<Instant>,
    used: Instant,
}

impl Permits {
    pub(crate) fn new(subject: Subject, limit: i64) -> Self {
        Self {
            subject,
            state: Mutex::new(State {
                limit,
                held: 0,
                in_use: 0,
                era: 0,
                exhausted_until: None,
                used: Instant::now(),
            }),
            asking: tokio::sync::Mutex::new(()),
        }
    }

    /// Follows a change of the limit.
    pub(crate) fn set_limit(&self, limit: i64) {
        let mut state = self.state();
        if state.limit != limit {
            state.limit = limit;
            state.held = state.held.min(limit);
            state.exhausted_until = None;
        }
    }

    /// Begins a call; whoever is `patient` begins none beside half of what may be. `Err`: the limit; nothing began.
    pub(crate) async fn enter(&self, db: &Db, server: &Server, patient: bool) -> Result<(), i64> {
        if let Some(done) = self.state().enter(server, patient) {
            return done;
        }
        let _asking = self.asking.lock().await;
        let (limit, held) = {
            let mut state = self.state();
            if let Some(done) = state.enter(server, patient) {
                return done;
            }
            (state.limit, state.held)
        };
        let asked = store::hold(db, &self.subject, server.id(), limit, held, server.count());
        let answer = tokio::time::timeout(PATIENCE, asked).await;
        let mut state = self.state();
        match answer {
            Ok(Ok(held)) => state.held = held,
            Ok(Err(_)) | Err(_) => state.held = state.held.max(emergency(limit, server.count())),
        }
        if state.in_use >= state.held {
            state.exhausted_until = Some(Instant::now() + BELIEVED);
        }
        match state.enter(server, patient) {
            Some(done) => done,
            None => Err(limit),
        }
    }

    /// Ends a call.
    pub(crate) fn leave(&self) {
        let mut state = self.state();
        state.in_use = (state.in_use - 1).max(0);
        state.exhausted_until = None;
    }

    /// Gives back what nobody uses, for servers that can.
    pub(crate) async fn give_back_if_idle(&self, db: &Db, server: &Server) -> Result<()> {
        let _asking = self.asking.lock().await;
        let held = {
            let mut state = self.state();
            if state.held <= state.in_use || state.used.elapsed() < IDLE {
                return Ok(());
            }
            state.held = state.in_use;
            state.held
        };
        store::keep(db, &self.subject, server.id(), held).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// From what is held. `None`: the database has to be asked.
    fn enter(&mut self, server: &Server, patient: bool) -> Option<Result<(), i64>> {
        if patient && self.in_use >= (self.limit / 2).max(1) {
            return Some(Err(self.limit));
        }
        if self.era != server.era() {
            self.era = server.era();
            self.held = 0;
        }
        let now = Instant::now();
        self.used = now;
        let mine = if server.is_trusted() {
            self.held
        } else {
            self.held.min(emergency(self.limit, server.count()))
        };
        if self.in_use < mine {
            self.in_use += 1;
            return Some(Ok(()));
        }
        if self.exhausted_until.is_some_and(|until| now < until) {
            return Some(Err(self.limit));
        }
        None
    }
}
