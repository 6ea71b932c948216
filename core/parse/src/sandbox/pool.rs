//! Children, kept for the next document.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use insula_core::ingest::{DocumentSource, ParseError, ParseErrorCode, ParsedDocument, Parser};
use tokio::sync::Semaphore;

use super::child::{Launch, ParserChild, Reading};
use super::limits::megabytes;
use super::{Attempt, FileRules, Limits};
use crate::Tools;

/// How a [`ParserPool`] works.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// The program that calls [`run_worker`](super::run_worker).
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// What the program needs besides itself, with full paths. Children can read nothing else.
    pub tools: Tools,
    /// Children at once, and so documents at once. They are started when they are needed.
    pub children: usize,
    /// What a document may cost.
    pub limits: Limits,
    /// After how many documents a child is replaced.
    pub documents_per_child: u32,
    /// How long a child may have nothing to do before it is stopped.
    pub idle_for: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            // Not the path of the executable: this is it even after an upgrade has replaced the file.
            program: "/proc/self/exe".into(),
            arguments: vec!["parse-worker".into()],
            tools: Tools::default(),
            children: 4,
            limits: Limits::default(),
            documents_per_child: 200,
            idle_for: Duration::from_secs(60),
        }
    }
}

/// Reads documents in child processes that are confined and limited. Children are killed with the value.
pub struct ParserPool {
    shared: Arc<Shared>,
}

struct Shared {
    options: PoolOptions,
    launch: Launch,
    slots: Semaphore,
    idle: Mutex<Idle>,
    told: Once,
}

#[derive(Default)]
struct Idle {
    /// The one that worked last comes last, and is taken first.
    children: Vec<(ParserChild, Instant)>,
    /// Whether a task looks after them.
    watched: bool,
}

/// What [`ParserPool::probe`] found.
#[derive(Debug, Clone)]
pub struct Probe {
    /// From nothing to a child that is confined.
    pub started_in: Duration,
    /// How far it is kept from files.
    pub files: FileRules,
    /// What it tried and must not be able to do.
    pub attempts: Vec<Attempt>,
}

const LINE: &[u8] = b"One line.";

impl ParserPool {
    /// A pool without children yet.
    pub fn new(options: PoolOptions) -> Self {
        let launch = Launch {
            program: options.program.clone(),
            arguments: options.arguments.clone(),
            limits: options.limits,
            tools: options.tools.clone(),
        };
        Self {
            shared: Arc::new(Shared {
                launch,
                slots: Semaphore::new(options.children),
                idle: Mutex::default(),
                told: Once::new(),
                options,
            }),
        }
    }

    /// Starts a child, has it read a line, then has it try what it must not be able to do.
    ///
    /// # Errors
    /// When it does not start, cannot read, or does not answer.
    pub async fn probe(&self) -> Result<Probe, ParseError> {
        let begun = Instant::now();
        let mut child = self.shared.start().await?;
        let started_in = begun.elapsed();
        match child.read(&mut &LINE[..], LINE.len() as u64, "line.txt").await {
            Reading::Answered(Ok(document)) if document.text.trim().as_bytes() == LINE => {}
            Reading::Answered(Ok(_)) => return Err(ours("The parser misread a line.".into())),
            Reading::Answered(Err(error)) => return Err(error),
            Reading::NoBytes(error) => return Err(ours(error.to_string())),
            Reading::Died(death) => return Err(ours(format!("The parser died: {death:?}"))),
        }
        let attempts = child
            .attempts()
            .await
            .map_err(|error| ours(format!("The parser died: {error}")))?;
        Ok(Probe {
            started_in,
            files: child.files.clone(),
            attempts,
        })
    }
}

#[async_trait]
impl Parser for ParserPool {
    async fn parse(&self, source: &dyn DocumentSource, filename: &str) -> Result<ParsedDocument, ParseError> {
        self.shared.parse(source, filename).await
    }
}

impl Shared {
    async fn parse(
        self: &Arc<Self>,
        source: &dyn DocumentSource,
        filename: &str,
    ) -> Result<ParsedDocument, ParseError> {
        let limits = &self.options.limits;
        let unreadable = |error| ours(format!("The file's bytes could not be read: {error}"));
        let _slot = self
            .slots
            .acquire()
            .await
            .map_err(|error| ours(error.to_string()))?;
        let mut first = true;
        loop {
            let (mut data, bytes) = source.open().await.map_err(unreadable)?;
            if bytes > limits.input() {
                return Err(ParseError {
                    code: ParseErrorCode::InvalidFile,
                    message: format!("The file is larger than {}.", megabytes(limits.input())),
                });
            }
            // After a death a new child, so that nothing but the document can be at fault.
            let kept = first.then(|| self.take()).flatten();
            let mut child = match kept {
                Some(child) => child,
                None => self.start().await?,
            };
            let was_new = child.documents == 0;
            match child.read(data.as_mut(), bytes, filename).await {
                Reading::Answered(answer) => {
                    self.keep(child);
                    return answer;
                }
                Reading::NoBytes(error) => return Err(unreadable(error)),
                Reading::Died(death) if first && death.is_worth_another_child(was_new) => first = false,
                Reading::Died(death) => return Err(death.error(limits)),
            }
        }
    }

    async fn start(&self) -> Result<ParserChild, ParseError> {
        let child = ParserChild::start(&self.launch)
            .await
            .map_err(|error| ours(format!("The parser does not start: {error}")))?;
        self.told.call_once(|| match &child.files {
            FileRules::Enforced => {}
            FileRules::OlderKernel => {
                tracing::debug!("this kernel knows only some of Landlock's rules; seccomp stands in for the others");
            }
            FileRules::Missing(reason) => {
                tracing::warn!(%reason, "parsers can read files of this machine (but write none, and use no network)");
            }
        });
        Ok(child)
    }

    /// A child that waits, if there is one.
    fn take(&self) -> Option<ParserChild> {
        loop {
            let (mut child, _) = self.idle().children.pop()?;
            if child.is_alive() {
                return Some(child);
            }
        }
    }

    /// Keeps a child for the next document, if it is fit for one.
    fn keep(self: &Arc<Self>, child: ParserChild) {
        if child.is_worn_out(self.options.documents_per_child) {
            return;
        }
        let mut idle = self.idle();
        idle.children.push((child, Instant::now()));
        if !idle.watched {
            idle.watched = true;
            tokio::spawn(stop_idle(Arc::downgrade(self), self.options.idle_for));
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stops children that have had nothing to do for long; ends with the last one, or with the pool.
async fn stop_idle(pool: Weak<Shared>, idle_for: Duration) {
    loop {
        tokio::time::sleep(idle_for / 2).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut idle = pool.idle();
        idle.children.retain(|(_, since)| since.elapsed() < idle_for);
        if idle.children.is_empty() {
            idle.watched = false;
            return;
        }
    }
}

fn ours(message: String) -> ParseError {
    ParseError {
        code: ParseErrorCode::ServerError,
        message,
    }
}
