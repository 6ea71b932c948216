//! What this server has set apart of one budget in one period.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::store::{self, Place};
use super::{Budget, Period};
use crate::server::Server;
use crate::{Db, Error, Money, Result, TenantId};

/// How long the database may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long "nothing left" is believed: calls that end give back what they did not need.
const BELIEVED: Duration = Duration::from_millis(20);
/// After so long without a call what is free is given back.
const IDLE: Duration = Duration::from_millis(500);

/// What was spent from a purse, to be recorded.
#[derive(Debug)]
pub(crate) struct Draw {
    pub(crate) tenant_id: TenantId,
    pub(crate) budget_id: Uuid,
    pub(crate) subject: String,
    pub(crate) starts_at: DateTime<Utc>,
    pub(crate) amount: Money,
}

/// A part of a budget. `held = reserved + unrecorded + free`.
pub(crate) struct Purse {
    place: Place,
    state: Mutex<State>,
    asking: tokio::sync::Mutex<()>,
}

struct State {
    amount: Money,
    held: Money,
    /// For calls that run.
    reserved: Money,
    /// Of calls that are over and not in the database.
    unrecorded: Money,
    era: u64,
    exhausted_until: Option<Instant>,
    used: Instant,
}

impl Purse {
    /// An empty one.
    pub(crate) fn new(
        tenant_id: TenantId,
        budget: &Budget,
        subject: String,
        starts_at: DateTime<Utc>,
    ) -> Self {
        Self {
            place: Place {
                tenant_id,
                budget_id: budget.id,
                subject,
                starts_at,
            },
            state: Mutex::new(State {
                amount: budget.amount,
                held: Money::ZERO,
                reserved: Money::ZERO,
                unrecorded: Money::ZERO,
                era: 0,
                exhausted_until: None,
                used: Instant::now(),
            }),
            asking: tokio::sync::Mutex::new(()),
        }
    }

    /// Whether the period that it is for is over.
    pub(crate) fn is_over(&self, period: Period, now: DateTime<Utc>) -> bool {
        period.start(now) != self.place.starts_at
    }

    /// Follows a change of the budget.
    pub(crate) fn set_amount(&self, amount: Money) {
        let mut state = self.state();
        if state.amount != amount {
            state.amount = amount;
            state.exhausted_until = None;
        }
    }

    /// Reserves what a call may cost at most. `false`: the budget does not reach; nothing was reserved.
    ///
    /// # Errors
    /// When the database has to be asked and is away.
    pub(crate) async fn reserve(self: &Arc<Self>, db: &Db, server: &Server, cost: Money) -> Result<bool> {
        if let Some(done) = self.state().reserve(server, cost) {
            return Ok(done);
        }
        let _asking = self.asking.lock().await;
        let (amount, missing) = {
            let mut state = self.state();
            if let Some(done) = state.reserve(server, cost) {
                return Ok(done);
            }
            (state.amount, cost.less(state.free()))
        };
        // In a task of its own: what the database has set apart must be in the purse, even if the caller leaves meanwhile.
        let (purse, db, id, servers) = (Arc::clone(self), db.clone(), server.id(), server.count());
        let asked = tokio::spawn(async move {
            let added = store::set_apart(&db, &purse.place, id, amount, missing, servers).await?;
            let mut state = purse.state();
            state.held += added;
            if added == Money::ZERO {
                state.exhausted_until = Some(Instant::now() + BELIEVED);
            }
            Ok::<(), Error>(())
        });
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(asked)) => asked?,
            Ok(Err(_)) | Err(_) => {
                return Err(Error::Unavailable("a budget could not be read in time".into()));
            }
        }
        Ok(self.state().reserve(server, cost).unwrap_or(false))
    }

    /// Ends a call: what it had reserved, and what it cost.
    pub(crate) fn settle(&self, reserved: Money, cost: Money) {
        let mut state = self.state();
        state.reserved = state.reserved.less(reserved);
        state.unrecorded += cost;
        state.exhausted_until = None;
    }

    /// What is to be recorded of it.
    pub(crate) fn draw(&self, amount: Money) -> Draw {
        Draw {
            tenant_id: self.place.tenant_id,
            budget_id: self.place.budget_id.uuid(),
            subject: self.place.subject.clone(),
            starts_at: self.place.starts_at,
            amount,
        }
    }

    /// The database has added this to what was spent, and taken it from what is set apart.
    pub(crate) fn recorded(&self, amount: Money) {
        let mut state = self.state();
        state.unrecorded = state.unrecorded.less(amount);
        state.held = state.held.less(amount);
    }

    /// What was spent is not recorded after all: the call will be made again, and is charged then.
    pub(crate) fn forget(&self, amount: Money) {
        let mut state = self.state();
        state.unrecorded = state.unrecorded.less(amount);
    }

    /// Gives back what is free, for servers that can use it.
    pub(crate) async fn give_back_if_idle(&self, db: &Db, server: &Server) -> Result<()> {
        let unused = {
            let mut state = self.state();
            let free = state.free();
            if free == Money::ZERO || state.used.elapsed() < IDLE {
                return Ok(());
            }
            state.held -= free;
            free
        };
        store::give_back(db, &self.place, server.id(), unused).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn free(&self) -> Money {
        self.held.less(self.reserved + self.unrecorded)
    }

    /// From what is held. `None`: the database has to be asked.
    fn reserve(&mut self, server: &Server, cost: Money) -> Option<bool> {
        if self.era != server.era() {
            // What was set apart may be somebody else's by now. Calls that run settle as if it were not.
            self.era = server.era();
            self.held = Money::ZERO;
        }
        let now = Instant::now();
        self.used = now;
        if self.free() >= cost && server.is_trusted() {
            self.reserved += cost;
            return Some(true);
        }
        if self.exhausted_until.is_some_and(|until| now < until) {
            return Some(false);
        }
        None
    }
}
