//! A child, seen from the server.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use insula_confine::frame;
use insula_core::ingest::{ParseError, ParsedDocument};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::death::Death;
use super::protocol::{Answer, Content, MAX_ANSWER, MAX_SMALL, Request, Start, Started, VERSION};
use super::{Attempt, FileRules, Limits};
use crate::{MAX_TEXT_BYTES, Tools};

/// How long a child may take until it is confined.
const START_WITHIN: Duration = Duration::from_secs(20);
/// How often the memory of a child that works is looked at, to know later what it died of.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a child that has closed its output may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(2);
/// How much of what a child prints is kept, in bytes.
const LAST_WORDS: usize = 8 * 1024;

/// A process that is confined and waits for a document, or works on one. Killed with the value.
pub(super) struct ParserChild {
    process: Child,
    input: ChildStdin,
    output: ChildStdout,
    words: Arc<Mutex<Vec<u8>>>,
    listening: JoinHandle<()>,
    limits: Limits,
    /// How many documents it was given.
    pub(super) documents: u32,
    /// Whether it said that it ends.
    pub(super) spent: bool,
    pub(super) files: FileRules,
}

/// How to start one.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<std::ffi::OsString>,
    pub(super) limits: Limits,
    pub(super) tools: Tools,
}

/// How giving a document to a child ended.
pub(super) enum Reading {
    /// With an answer; the child is fine.
    Answered(Result<ParsedDocument, ParseError>),
    /// The document's bytes could not be had; the child is in the middle of it.
    NoBytes(io::Error),
    /// With its death.
    Died(Death),
}

/// What broke a conversation.
enum Broken {
    Source(io::Error),
    Child(io::Error),
}

impl ParserChild {
    /// Starts a process and waits until it is confined.
    pub(super) async fn start(launch: &Launch) -> io::Result<Self> {
        let mut process = Command::new(&launch.program)
            .arg0("insula")
            .args(&launch.arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Not of the terminal's group: Ctrl-C is for the server, which lets documents be finished.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let (Some(input), Some(output), Some(errors)) =
            (process.stdin.take(), process.stdout.take(), process.stderr.take())
        else {
            return Err(io::Error::other("a child without pipes"));
        };
        let words = Arc::default();
        let listening = tokio::spawn(listen(errors, Arc::clone(&words)));
        let mut child = Self {
            process,
            input,
            output,
            words,
            listening,
            limits: launch.limits,
            documents: 0,
            spent: false,
            files: FileRules::Enforced,
        };
        let started = timeout(START_WITHIN, child.greet(launch)).await;
        match started.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(files) => {
                child.files = files;
                Ok(child)
            }
            Err(error) => Err(io::Error::new(
                error.kind(),
                format!("{error}; {}", child.last_words().await.trim()),
            )),
        }
    }

    async fn greet(&mut self, launch: &Launch) -> io::Result<FileRules> {
        let start = Start {
            version: VERSION,
            limits: launch.limits,
            tools: launch.tools.clone(),
        };
        self.input.write_all(&frame::encode(&start)?).await?;
        let started: Started = frame::receive(&mut self.output, MAX_SMALL).await?;
        if started.version != VERSION {
            return Err(io::Error::other("the child is another version of this program"));
        }
        Ok(started.files)
    }

    /// Whether it still runs.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Whether it must not be given another document.
    pub(super) fn is_worn_out(&self, documents: u32) -> bool {
        self.spent
            || self.documents >= documents
            || self
                .process
                .id()
                .and_then(insula_confine::memory)
                .is_none_or(|memory| memory.peak > self.limits.worn_out())
    }

    /// Gives it a document.
    pub(super) async fn read(
        &mut self,
        data: &mut (dyn AsyncRead + Send + Unpin),
        bytes: u64,
        filename: &str,
    ) -> Reading {
        self.documents += 1;
        let limits = self.limits;
        let mut most = 0;
        let process = self.process.id();
        let talk = timeout(limits.wall, self.talk(data, bytes, filename));
        let watch = async {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let memory = process.and_then(insula_confine::memory).unwrap_or_default();
                most = memory.data.max(most);
            }
        };
        let talked = tokio::select! {
            talked = talk => talked,
            never = watch => never,
        };
        match talked {
            Ok(Ok(answer)) => Reading::Answered(answer),
            Ok(Err(Broken::Source(error))) => Reading::NoBytes(error),
            Ok(Err(Broken::Child(error))) => Reading::Died(self.post_mortem(&error, most).await),
            Err(_) => Reading::Died(Death::Wall),
        }
    }

    /// Has it try what it must not be able to do. It cannot be used afterwards.
    pub(super) async fn attempts(&mut self) -> io::Result<Vec<Attempt>> {
        self.spent = true;
        let request = frame::encode(&Request::Attempts)?;
        self.input.write_all(&request).await?;
        let answer: Answer = frame::receive(&mut self.output, MAX_SMALL).await?;
        match answer.content {
            Content::Attempts(attempts) => Ok(attempts),
            Content::Document { .. } | Content::Error(_) => Err(nonsense("another answer")),
        }
    }

    async fn talk(
        &mut self,
        data: &mut (dyn AsyncRead + Send + Unpin),
        bytes: u64,
        filename: &str,
    ) -> Result<Result<ParsedDocument, ParseError>, Broken> {
        let filename = filename.into();
        let request = frame::encode(&Request::Document { filename, bytes }).map_err(Broken::Child)?;
        self.input.write_all(&request).await.map_err(Broken::Child)?;
        self.send(data, bytes).await?;
        let answer: Answer = frame::receive(&mut self.output, MAX_ANSWER)
            .await
            .map_err(Broken::Child)?;
        self.spent |= answer.spent;
        match answer.content {
            Content::Document { document, text_bytes } => self
                .text_of(document, text_bytes)
                .await
                .map(Ok)
                .map_err(Broken::Child),
            Content::Error(error) => Ok(Err(error)),
            Content::Attempts(_) => Err(Broken::Child(nonsense("another answer"))),
        }
    }

    async fn send(&mut self, data: &mut (dyn AsyncRead + Send + Unpin), mut left: u64) -> Result<(), Broken> {
        let mut buffer = vec![0; 64 * 1024];
        while left > 0 {
            let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = data.read(&mut buffer[..room]).await.map_err(Broken::Source)?;
            if read == 0 {
                return Err(Broken::Source(io::ErrorKind::UnexpectedEof.into()));
            }
            self.input
                .write_all(&buffer[..read])
                .await
                .map_err(Broken::Child)?;
            left -= read as u64;
        }
        Ok(())
    }

    async fn text_of(&mut self, mut document: ParsedDocument, bytes: u64) -> io::Result<ParsedDocument> {
        let bytes = usize::try_from(bytes)
            .ok()
            .filter(|bytes| *bytes <= MAX_TEXT_BYTES)
            .ok_or_else(|| nonsense("a text too long"))?;
        let text = frame::receive_raw(&mut self.output, bytes).await?;
        document.text = String::from_utf8(text).map_err(|_| nonsense("a text that is none"))?;
        check(document)
    }

    /// Waits for its end, and says what it was.
    async fn post_mortem(&mut self, error: &io::Error, data: u64) -> Death {
        let own_end = match error.kind() {
            // It closed its pipes: it is about to be gone.
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                timeout(GONE_WITHIN, self.process.wait()).await.ok()
            }
            _ => None,
        };
        let words = self.last_words().await;
        let death = match own_end {
            Some(Ok(status)) => Death::of(status, &words, data, &self.limits),
            Some(Err(error)) => Death::Crashed(error.to_string()),
            None => Death::Crashed(error.to_string()),
        };
        tracing::debug!(?death, documents = self.documents, %words, "a parser died");
        death
    }

    /// What it printed last. Its end is waited for, because it may still be on its way.
    async fn last_words(&mut self) -> String {
        if !self.listening.is_finished() {
            let _ = timeout(Duration::from_millis(200), &mut self.listening).await;
        }
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&words).into_owned()
    }
}

/// Keeps the last of what a child prints.
async fn listen(mut errors: ChildStderr, words: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = vec![0; 1024];
    while let Ok(read @ 1..) = errors.read(&mut buffer).await {
        let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
        words.extend_from_slice(&buffer[..read]);
        let surplus = words.len().saturating_sub(LAST_WORDS);
        words.drain(..surplus);
    }
}

/// A document took over the child, in the worst case. Nothing that it says may harm what works on with it.
fn check(document: ParsedDocument) -> io::Result<ParsedDocument> {
    let text = &document.text;
    let headings = document.headings.iter().map(|heading| heading.offset);
    let pages = document.pages.iter().map(|page| page.offset);
    let in_order = headings.clone().is_sorted() && pages.clone().is_sorted();
    let at_characters = headings.chain(pages).all(|offset| text.is_char_boundary(offset));
    let levels = document
        .headings
        .iter()
        .all(|heading| (1..=6).contains(&heading.level));
    if in_order && at_characters && levels && !text.contains('\0') {
        Ok(document)
    } else {
        Err(nonsense("a document against its own rules"))
    }
}

fn nonsense(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the child sent {what}"))
}
