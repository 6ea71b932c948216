//! Load: so many clients back to back, or so many requests a second whether the answers come or not.
//!
//! With a given rate a request's time counts from when it was due, not from when it was sent, so that a server that stalls is
//! charged for all who queue up behind (otherwise it would be excused by "coordinated omission").

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::LocalSet;

use super::client::{Answered, Connection, Target};
use super::process::Cpu;

/// Before what is measured.
const WARM_UP: Duration = Duration::from_secs(1);
/// Most connections of a load with a given rate.
const MOST_CONNECTIONS: usize = 1024;

/// How requests come.
#[derive(Debug, Clone, Copy)]
pub(super) enum Load {
    /// So many clients, each of which asks as soon as it has its answer.
    Closed(usize),
    /// So many requests a second.
    Open(u32),
}

/// What a load came to.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) answered: u64,
    pub(super) failed: u64,
    pub(super) took: Duration,
    /// Until the end of the answer, sorted, in nanoseconds; as are the others.
    latencies: Vec<u64>,
    firsts: Vec<u64>,
    hops: Vec<u64>,
    /// What the processes that were watched have used meanwhile.
    pub(super) cpu: Vec<Duration>,
}

impl Loaded {
    /// Requests a second.
    pub(super) fn rate(&self) -> f64 {
        self.answered as f64 / self.took.as_secs_f64()
    }

    /// Milliseconds to the end of the answer.
    pub(super) fn latency(&self, quantile: f64) -> f64 {
        millis(&self.latencies, quantile)
    }

    /// Milliseconds to the first token.
    pub(super) fn first(&self, quantile: f64) -> f64 {
        millis(&self.firsts, quantile)
    }

    /// Milliseconds that a later token was under way.
    pub(super) fn hop(&self, quantile: f64) -> f64 {
        millis(&self.hops, quantile)
    }

    /// Microseconds of CPU for each request, of one of the processes that were watched.
    pub(super) fn cpu_per_request(&self, process: usize) -> f64 {
        let cpu = self.cpu.get(process).copied().unwrap_or_default();
        cpu.as_secs_f64() * 1e6 / (self.answered + self.failed).max(1) as f64
    }

    fn note(&mut self, due: Instant, answered: Result<Answered>) {
        let Ok(Answered { first, hops }) = answered else {
            self.failed += 1;
            return;
        };
        self.answered += 1;
        self.latencies.push(nanos(due.elapsed()));
        self.firsts.extend(first.map(|first| nanos(first - due)));
        self.hops.extend(hops);
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn millis(sorted: &[u64], quantile: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let at = (quantile * last as f64).round() as usize;
    sorted.get(at).map_or(f64::NAN, |nanos| *nanos as f64 / 1e6)
}

/// Puts a load on a target, on a thread of its own.
pub(super) async fn run(target: &Target, load: Load, time: Duration, watched: &[Cpu]) -> Result<Loaded> {
    let (target, watched) = (target.clone(), watched.to_vec());
    tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let running = Running {
            target,
            watched,
            begins: Instant::now() + WARM_UP,
            ends: Instant::now() + WARM_UP + time,
        };
        let mut loaded = match load {
            Load::Closed(clients) => runtime.block_on(LocalSet::new().run_until(running.closed(clients))),
            Load::Open(rate) => runtime.block_on(LocalSet::new().run_until(running.open(rate))),
        }?;
        loaded.latencies.sort_unstable();
        loaded.firsts.sort_unstable();
        loaded.hops.sort_unstable();
        Ok(loaded)
    })
    .await?
}

struct Running {
    target: Target,
    watched: Vec<Cpu>,
    begins: Instant,
    ends: Instant,
}

impl Running {
    async fn closed(&self, clients: usize) -> Result<Loaded> {
        let (loaded, number) = (RefCell::new(Loaded::default()), Cell::new(0));
        let client = async || -> Result<()> {
            let mut connection = Connection::open(self.target.address).await?;
            loop {
                let sent = Instant::now();
                if sent >= self.ends {
                    return Ok(());
                }
                number.set(number.get() + 1);
                let answered = connection.ask(&self.target, number.get()).await;
                let broken = answered.is_err();
                if sent >= self.begins {
                    loaded.borrow_mut().note(sent, answered);
                }
                if broken {
                    connection = Connection::open(self.target.address).await?;
                }
            }
        };
        let cpu = async {
            tokio::time::sleep_until(self.begins.into()).await;
            self.watch()
        };
        let all = futures::future::try_join_all((0..clients).map(|_| client()));
        let (all, before) = tokio::join!(all, cpu);
        all?;
        let took = self.begins.elapsed();
        Ok(self.finish(loaded.into_inner(), took, &before))
    }

    async fn open(&self, rate: u32) -> Result<Loaded> {
        let loaded = Rc::new(RefCell::new(Loaded::default()));
        let idle: Rc<RefCell<Vec<Connection>>> = Rc::default();
        let connections = Rc::new(Semaphore::new(MOST_CONNECTIONS));
        let mut due = paced(rate, self.ends);
        let mut before = None;
        let mut asked = Vec::new();
        let mut number = 0;
        while let Some(due) = due.recv().await {
            number += 1;
            let counts = due >= self.begins;
            if counts && before.is_none() {
                before = Some(self.watch());
            }
            let permit = Rc::clone(&connections);
            let (loaded, idle, target) = (Rc::clone(&loaded), Rc::clone(&idle), self.target.clone());
            asked.push(tokio::task::spawn_local(async move {
                let Ok(_permit) = permit.acquire().await else {
                    return;
                };
                // The one that was used last: few at low rates, many under pressure.
                let kept = idle.borrow_mut().pop();
                let answered = async {
                    let mut connection = match kept {
                        Some(connection) => connection,
                        None => Connection::open(target.address).await?,
                    };
                    let answered = connection.ask(&target, number).await?;
                    idle.borrow_mut().push(connection);
                    Ok(answered)
                };
                let answered = answered.await;
                if counts {
                    loaded.borrow_mut().note(due, answered);
                }
            }));
        }
        for asked in asked {
            asked.await?;
        }
        let took = self.begins.elapsed();
        let loaded = Rc::into_inner(loaded).context("a request is still under way")?;
        Ok(self.finish(loaded.into_inner(), took, &before.unwrap_or_default()))
    }

    fn watch(&self) -> Vec<Duration> {
        self.watched.iter().map(Cpu::used).collect()
    }

    fn finish(&self, mut loaded: Loaded, took: Duration, before: &[Duration]) -> Loaded {
        loaded.took = took;
        let now = self.watch();
        loaded.cpu = now
            .iter()
            .zip(before)
            .map(|(now, before)| now.saturating_sub(*before))
            .collect();
        loaded
    }
}

/// When each request is due. A thread tells, because timers of the runtime are no finer than a millisecond.
fn paced(rate: u32, ends: Instant) -> mpsc::UnboundedReceiver<Instant> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let begins = Instant::now();
        for number in 0u32.. {
            let due = begins + Duration::from_secs(1) * number / rate;
            if due >= ends {
                return;
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if sender.send(due).is_err() {
                return;
            }
        }
    });
    receiver
}
