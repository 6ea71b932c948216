//! Admission and settlement of every metered call.
//!
//! [`Meter::enter`] looks at the limits of calls. [`Entered::begin`] looks at tokens and budgets, reserves what the call may
//! take at most, and writes its event to the journal; what it gives back is the right to go on. [`Metered::end`] settles
//! with what the call really took. A [`Metered`] that is dropped settles with what was noted until then: the caller left,
//! and what was produced is charged.

mod account;
mod metered;
mod tab;
mod upkeep;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use self::account::Accounts;
use crate::limit::{Metric, Permits, Window};
use crate::server::Server;
use crate::usage::journal::Journal;
use crate::usage::{Details, Endpoint, Recorder, Tokens, Trace, UsageEvent};
use crate::{Actor, Db, Error, Money, Result, TenantContext, TenantId};

pub use self::metered::Metered;
pub use self::tab::{Settled, Tab};
pub use crate::limit::Standing;
pub use crate::usage::journal::JournalOptions;

/// Calls that may wait to be recorded before no more are admitted. The database has been away for long then.
const MOST_WAITING: usize = 200_000;

/// The meter of this server. Cheap to clone.
#[derive(Clone)]
pub struct Meter {
    inner: Arc<Inner>,
    /// Where its calls are put instead of on record.
    tab: Option<Tab>,
}

struct Inner {
    db: Db,
    server: Arc<Server>,
    journal: Arc<Journal>,
    folder: PathBuf,
    sync: bool,
    recorder: Recorder,
    accounts: Accounts,
    /// Held while the journal is brought to the disk.
    syncing: tokio::sync::Mutex<u64>,
    /// Counts what was written, so that a wait for the disk does for all that came before it.
    written: AtomicU64,
}

impl Inner {
    /// Brings the journal to the disk. Callers that come while the disk is busy share the next turn.
    async fn sync_journal(&self) -> Result<()> {
        let mine = self.written.load(Ordering::Acquire);
        let mut synced = self.syncing.lock().await;
        if *synced >= mine {
            return Ok(());
        }
        let covers = self.written.load(Ordering::Acquire);
        let file = self
            .journal
            .current()
            .map_err(|error| journal_error(&self.folder, &error))?;
        let done = tokio::task::spawn_blocking(move || file.sync_data()).await;
        match done {
            Ok(Ok(())) => *synced = covers,
            Ok(Err(error)) => return Err(journal_error(&self.folder, &error)),
            Err(error) => return Err(journal_error(&self.folder, &error.into())),
        }
        Ok(())
    }
}

/// Who calls what.
#[derive(Debug, Clone)]
pub struct Call {
    /// The request's id, which becomes the event's.
    pub id: Uuid,
    /// What is called.
    pub endpoint: Endpoint,
    /// The model that is asked for.
    pub model: String,
    /// For whom, as the tenant calls them.
    pub end_user: Option<String>,
    /// Whether the answer is streamed.
    pub streamed: bool,
}

/// What a call will take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Tokens that it will read, as well as they can be known, and the most that it will write.
    pub tokens: Tokens,
    /// The most that it will cost.
    pub cost: Money,
    /// What it costs if nothing of its answer is ever known.
    pub least_cost: Money,
}

/// How the limits stand after a call was admitted, or refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standings {
    /// Calls per minute, of the limit that is nearest.
    pub requests: Option<Standing>,
    /// Tokens per minute, of the limit that is nearest.
    pub tokens: Option<Standing>,
}

/// Which limit refused a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// Calls per minute.
    Requests,
    /// Tokens per minute.
    Tokens,
    /// Calls at once.
    Concurrency,
}

/// Why a call was not admitted.
#[derive(Debug)]
pub enum Refused {
    /// A limit is reached.
    Limit {
        /// Which.
        kind: LimitKind,
        /// Its value.
        limit: i64,
        /// When there is room again.
        retry_after: Duration,
        /// Whether the call alone is beyond the limit, so that waiting does not help.
        is_beyond: bool,
        /// For the headers.
        standings: Standings,
    },
    /// A budget is used up.
    Budget {
        /// Its name, or what it is on.
        name: String,
        /// For the headers.
        standings: Standings,
    },
    /// It could not be found out.
    Error(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Meter {
    /// Starts metering: registers the server, records what servers on this machine left behind, and begins a journal.
    ///
    /// # Errors
    /// When the database is away or the folder cannot be written.
    pub async fn start(db: Db, options: &JournalOptions) -> Result<Self> {
        // What was used on another database must not be recorded on this one.
        let folder = options.folder.join(Server::database(&db).await?);
        std::fs::create_dir_all(&folder).map_err(|error| journal_error(&folder, &error))?;
        let server = Arc::new(Server::register(&db).await?);
        upkeep::adopt(&db, &server, &folder).await?;
        let journal =
            Journal::create(&folder, server.id()).map_err(|error| journal_error(&folder, &error))?;
        let journal = Arc::new(journal);
        let recorder = Recorder::start(db.clone(), server.id(), Arc::clone(&journal));
        let inner = Arc::new(Inner {
            accounts: Accounts::new(db.clone()),
            db,
            server,
            journal,
            folder,
            sync: options.sync,
            recorder,
            syncing: tokio::sync::Mutex::default(),
            written: AtomicU64::new(0),
        });
        tokio::spawn(upkeep::run(Arc::downgrade(&inner)));
        Ok(Self { inner, tab: None })
    }

    /// Lets a call in, or says why not: limits of calls, per minute and at once. Asks the database only now and then.
    ///
    /// # Errors
    /// See [`Refused`]. A call that is refused has taken nothing.
    pub async fn enter(&self, cx: &TenantContext, call: Call) -> Result<Entered, Refused> {
        let mut entered = self.open(cx, call, true).await?;
        entered.take(Metric::Requests, 1).await?;
        entered.passed("limits", Duration::ZERO);
        Ok(entered)
    }

    /// Lets work in that was accepted before: no limits of calls and tokens hold for it, budgets do.
    ///
    /// # Errors
    /// When it cannot be found out what holds.
    pub async fn work(&self, cx: &TenantContext, call: Call) -> Result<Entered> {
        self.open(cx, call, false).await
    }

    async fn open(&self, cx: &TenantContext, mut call: Call, limited: bool) -> Result<Entered> {
        let inner = &self.inner;
        // Events are recorded many at a time: one that the database cannot hold would keep out all others, for ever.
        for text in call.end_user.iter_mut().chain([&mut call.model]) {
            if text.contains('\0') {
                *text = text.replace('\0', "");
            }
        }
        if inner.recorder.waiting() > MOST_WAITING {
            return Err(Error::Unavailable("usage cannot be recorded".into()));
        }
        let key_id = match cx.actor() {
            Actor::Key(id) => Some(id.uuid()),
            Actor::Job(_) | Actor::Operator | Actor::Member { .. } | Actor::Guest { .. } => None,
        };
        let account = inner.accounts.get(cx.tenant_id(), key_id, &call.model).await?;
        Ok(Entered {
            inner: Arc::clone(inner),
            account,
            tenant_id: cx.tenant_id(),
            key_id,
            call,
            limited,
            tab: self.tab.clone(),
            held: Held::default(),
            trace: Trace::default(),
            started: Instant::now(),
        })
    }

    /// Waits until everything that has ended is in the database, at most for `patience`. `false`: it is not.
    pub async fn settled(&self, patience: Duration) -> bool {
        let all = async {
            while self.inner.recorder.waiting() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(patience, all).await.is_ok()
    }

    /// Ends metering: records what has ended, gives back what is held, and removes the journal if nothing is left in it.
    pub async fn stop(&self, patience: Duration) {
        if !self.settled(patience).await {
            tracing::warn!("usage is left in the journal; the next start records it");
        }
        if let Err(error) = self.inner.server.leave(&self.inner.db).await {
            tracing::warn!(%error, "what this server holds of limits and budgets is free in a minute");
        }
        self.inner.journal.remove_if_empty();
    }
}

/// A call that was let in and has not begun. Dropped, it did not happen.
pub struct Entered {
    inner: Arc<Inner>,
    account: Arc<account::Account>,
    tenant_id: TenantId,
    key_id: Option<Uuid>,
    call: Call,
    /// Whether limits of calls and tokens hold for it.
    limited: bool,
    /// What it is put on instead of on record.
    tab: Option<Tab>,
    held: Held,
    /// Its way so far.
    trace: Trace,
    started: Instant,
}

impl Entered {
    /// Since the call was let in.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Its way so far, to be added to.
    pub fn trace(&mut self) -> &mut Trace {
        &mut self.trace
    }

    /// Notes a stage that began at a moment of the call and has ended now.
    pub fn passed(&mut self, stage: &'static str, from: Duration) {
        self.trace.stage(stage, from, self.started.elapsed());
    }

    /// How the limits stand.
    pub fn standings(&self) -> Standings {
        self.account.standings()
    }

    /// The time by the database's clock, without asking it.
    pub fn now(&self) -> DateTime<Utc> {
        self.inner.server.now()
    }

    /// Whether a hard budget applies, so that what the call may cost has to be bounded.
    pub fn has_budgets(&self) -> bool {
        self.account.has_budgets()
    }

    /// Begins the call: takes its tokens from limits and its cost from budgets, and writes its event to the journal. On
    /// [`Refused`] the call can be begun again with smaller amounts.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn begin(&mut self, amounts: Amounts) -> Result<Metered, Refused> {
        // What a refused attempt has taken is given back by dropping it.
        let mut more = Entered {
            inner: Arc::clone(&self.inner),
            account: Arc::clone(&self.account),
            tenant_id: self.tenant_id,
            key_id: self.key_id,
            call: self.call.clone(),
            limited: self.limited,
            tab: self.tab.clone(),
            held: Held::default(),
            trace: Trace::default(),
            started: self.started,
        };
        let amounts = self.tab.as_ref().map_or(amounts, |tab| tab.price(amounts));
        let tokens = i64::try_from(amounts.tokens.total()).unwrap_or(i64::MAX);
        if more.limited {
            more.take(Metric::Tokens, tokens).await?;
        }
        more.reserve(amounts.cost).await?;
        let Entered { call, inner, .. } = &more;
        let trace = std::mem::take(&mut self.trace);
        let event = UsageEvent {
            tenant_id: self.tenant_id.uuid(),
            id: call.id,
            started_at: inner.server.now(),
            key_id: self.key_id,
            end_user: call.end_user.clone(),
            endpoint: call.endpoint,
            model: call.model.clone(),
            latency_us: 0,
            details: Details {
                streamed: call.streamed,
                cost: amounts.least_cost,
                tokens: Tokens {
                    input: amounts.tokens.input,
                    ..Tokens::default()
                },
                trace,
                ..Details::default()
            },
        };
        let mut segments = Vec::new();
        // What is on a tab and never ends has not happened.
        if self.tab.is_none() {
            let segment = inner
                .journal
                .write(&event)
                .map_err(|error| journal_error(&inner.folder, &error))?;
            segments.push(segment);
            inner.written.fetch_add(1, Ordering::Release);
        }
        let mut held = std::mem::take(&mut self.held);
        held.append(&mut more.held);
        let standings = self.account.standings();
        Ok(Metered::new(
            Arc::clone(&self.inner),
            self.tab.clone(),
            event,
            segments,
            held,
            standings,
            self.started,
        ))
    }

    async fn take(&mut self, metric: Metric, need: i64) -> Result<(), Refused> {
        let (db, server) = (&self.inner.db, &*self.inner.server);
        let refused = |kind, limit, retry_after| Refused::Limit {
            kind,
            limit,
            retry_after,
            is_beyond: need > limit,
            standings: self.account.standings(),
        };
        // Whoever works behind the scenes leaves half of each limit to those who wait for an answer.
        let patient = self.tab.is_some();
        if metric == Metric::Requests {
            for permits in &self.account.permits {
                if let Err(limit) = permits.enter(db, server, patient).await {
                    return Err(refused(LimitKind::Concurrency, limit, Duration::from_secs(1)));
                }
                self.held.permits.push(Arc::clone(permits));
            }
        }
        let windows = self.account.windows.iter();
        for window in windows.filter(|window| window.metric() == metric) {
            if let Err(standing) = window.take(db, server, need, patient).await {
                let kind = match metric {
                    Metric::Requests => LimitKind::Requests,
                    Metric::Tokens => LimitKind::Tokens,
                };
                return Err(refused(
                    kind,
                    standing.limit,
                    standing.reset.max(Duration::from_millis(1)),
                ));
            }
            self.held.windows.push((Arc::clone(window), need));
        }
        Ok(())
    }

    async fn reserve(&mut self, cost: Money) -> Result<(), Refused> {
        if !self.account.has_budgets() {
            return Ok(());
        }
        let inner = &self.inner;
        let end_user = self.call.end_user.as_deref();
        for (purse, name) in inner.accounts.purses(&self.account, end_user, inner.server.now()) {
            if !purse.reserve(&inner.db, &inner.server, cost).await? {
                return Err(Refused::Budget {
                    name,
                    standings: self.account.standings(),
                });
            }
            self.held.purses.push((purse, cost));
        }
        Ok(())
    }
}

/// What a call has taken. Dropped, it gives everything back: the call did not happen.
#[derive(Default)]
struct Held {
    permits: Vec<Arc<Permits>>,
    windows: Vec<(Arc<Window>, i64)>,
    purses: Vec<(Arc<crate::budget::Purse>, Money)>,
}

impl Held {
    fn append(&mut self, other: &mut Self) {
        self.permits.append(&mut other.permits);
        self.windows.append(&mut other.windows);
        self.purses.append(&mut other.purses);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for permits in &self.permits {
            permits.leave();
        }
        for (window, taken) in &self.windows {
            window.correct(*taken);
        }
        for (purse, reserved) in &self.purses {
            purse.settle(*reserved, Money::ZERO);
        }
    }
}

fn journal_error(folder: &std::path::Path, error: &std::io::Error) -> Error {
    tracing::error!(folder = %folder.display(), %error, "the journal of usage cannot be written");
    Error::Unavailable("usage cannot be recorded".into())
}
