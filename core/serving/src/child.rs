//! A child, seen from the server.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use insula_confine::{Attempt, FileRules, frame};
use insula_core::prediction::{Signature, Tensor};
use insula_core::registry::{ImageSteps, TextSteps};
use insula_core::{Error, prediction::Loadable};
use std::os::unix::process::ExitStatusExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::ModelLimits;
use crate::protocol::{Answer, Content, Head, MAX_HEAD, Request, Start, Started, VERSION};

/// How long a child that has closed its output may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(2);
/// How much of what a child prints is kept, in bytes.
const LAST_WORDS: usize = 8 * 1024;

/// How to start a child.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) library: PathBuf,
    pub(crate) limits: ModelLimits,
}

/// A process that has loaded a model. Killed with the value.
pub(crate) struct ModelChild {
    process: Child,
    input: ChildStdin,
    output: ChildStdout,
    words: Arc<Mutex<Vec<u8>>>,
    listening: JoinHandle<()>,
    limits: ModelLimits,
    pub(crate) signature: Signature,
    pub(crate) files: FileRules,
    /// Whether it said that it ends.
    pub(crate) is_spent: bool,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// What was asked is wrong; the child is fine.
    Refused(String),
    /// The model cannot be loaded; the child has ended.
    Unloadable(String),
    /// Time was up, and the child was ended.
    Timeout(Duration),
    /// Memory ran out.
    Memory(u64),
    /// The child crashed.
    Crashed(String),
    /// The child does not start, which is not the model's fault.
    NotStarted(String),
}

impl Failure {
    /// Whether it was the child's end.
    pub(crate) fn is_death(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }

    /// What the caller is told.
    pub(crate) fn error(&self) -> Error {
        let broken = |code, message: String| Error::Model {
            message,
            code,
            retry_after: None,
        };
        match self {
            Self::Refused(what) => Error::Invalid {
                message: format!("The model refused the input: {what}"),
                param: None,
                code: Some("model_failed"),
            },
            Self::Unloadable(what) => broken("model_crashed", format!("The model cannot be loaded: {what}")),
            Self::Timeout(wall) => broken(
                "model_timeout",
                format!("The model took longer than allowed ({} s).", wall.as_secs_f64()),
            ),
            Self::Memory(bytes) => broken(
                "model_out_of_memory",
                format!(
                    "The model needs more memory than allowed ({} MB).",
                    bytes / (1024 * 1024)
                ),
            ),
            Self::Crashed(what) => broken("model_crashed", format!("The model's process crashed ({what}).")),
            Self::NotStarted(what) => Error::internal(format!("a model's process does not start: {what}")),
        }
    }
}

impl ModelChild {
    /// Starts a process and waits until it has loaded the model.
    pub(crate) async fn start(
        launch: &Launch,
        model: PathBuf,
        tokenizer: Option<PathBuf>,
    ) -> Result<Self, Failure> {
        let not_started = |error: io::Error| Failure::NotStarted(error.to_string());
        let mut process = Command::new(&launch.program)
            .arg0("insula")
            .args(&launch.arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Not of the terminal's group: Ctrl-C is for the server, which lets calls be finished.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(not_started)?;
        let pipes = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(Failure::NotStarted("a child without pipes".into()));
        };
        let words = Arc::default();
        let listening = tokio::spawn(listen(errors, Arc::clone(&words)));
        let limits = launch.limits;
        let mut child = Self {
            process,
            input,
            output,
            words,
            listening,
            limits,
            signature: Signature {
                inputs: Vec::new(),
                outputs: Vec::new(),
            },
            files: FileRules::Enforced,
            is_spent: false,
        };
        let start = Start {
            version: VERSION,
            limits,
            library: launch.library.clone(),
            model,
            tokenizer,
        };
        match timeout(limits.load, child.greet(&start)).await {
            Ok(Ok(started)) if started.version != VERSION => Err(Failure::NotStarted(
                "it is another version of this program".into(),
            )),
            Ok(Ok(started)) => {
                child.signature = started.loaded.map_err(|what| match is_memory(&what) {
                    true => Failure::Memory(limits.memory),
                    false => Failure::Unloadable(what),
                })?;
                child.files = started.files;
                Ok(child)
            }
            Ok(Err(error)) => Err(child.post_mortem(&error).await),
            Err(_) => Err(Failure::Timeout(limits.load)),
        }
    }

    async fn greet(&mut self, start: &Start) -> io::Result<Started> {
        self.input.write_all(&frame::encode(start)?).await?;
        frame::receive(&mut self.output, MAX_HEAD).await
    }

    /// Its process.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Runs the model.
    pub(crate) async fn run(&mut self, tensors: &[Tensor]) -> Result<Vec<Tensor>, Failure> {
        let request = Request::Run {
            tensors: tensors.iter().map(Head::of).collect(),
        };
        let data: Vec<&Bytes> = tensors.iter().map(|tensor| &tensor.data).collect();
        self.tensors(&request, &data).await
    }

    /// Makes tensors of texts.
    pub(crate) async fn texts(
        &mut self,
        steps: &TextSteps,
        texts: &[String],
    ) -> Result<Vec<Tensor>, Failure> {
        let texts = Tensor::of_texts("", vec![texts.len()], texts);
        let request = Request::Texts {
            steps: steps.clone(),
            texts: Head::of(&texts),
        };
        self.tensors(&request, &[&texts.data]).await
    }

    /// Makes a tensor of images.
    pub(crate) async fn images(
        &mut self,
        steps: &ImageSteps,
        files: &[Bytes],
    ) -> Result<Vec<Tensor>, Failure> {
        let request = Request::Images {
            steps: steps.clone(),
            bytes: files.iter().map(|file| file.len() as u64).collect(),
        };
        self.tensors(&request, &files.iter().collect::<Vec<_>>()).await
    }

    /// Runs the model on what it has not seen yet. Whether rows can be put together.
    pub(crate) async fn check(&mut self) -> Result<bool, Failure> {
        match self.ask(&Request::Check, &[]).await? {
            (Content::Checked { batches }, _) => Ok(batches),
            _ => Err(Failure::Crashed("it sent another answer".into())),
        }
    }

    /// Has it try what it must not be able to do. It cannot be used afterwards.
    pub(crate) async fn attempts(&mut self) -> Result<Vec<Attempt>, Failure> {
        match self.ask(&Request::Attempts, &[]).await? {
            (Content::Attempts(attempts), _) => Ok(attempts),
            _ => Err(Failure::Crashed("it sent another answer".into())),
        }
    }

    async fn tensors(&mut self, request: &Request, data: &[&Bytes]) -> Result<Vec<Tensor>, Failure> {
        match self.ask(request, data).await? {
            (Content::Tensors(_), tensors) => Ok(tensors),
            _ => Err(Failure::Crashed("it sent another answer".into())),
        }
    }

    async fn ask(&mut self, request: &Request, data: &[&Bytes]) -> Result<(Content, Vec<Tensor>), Failure> {
        let limits = self.limits;
        let (answer, tensors) = match timeout(limits.wall, self.talk(request, data)).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(error)) => return Err(self.post_mortem(&error).await),
            Err(_) => return Err(Failure::Timeout(limits.wall)),
        };
        self.is_spent |= answer.spent;
        match answer.content {
            Content::Refused(what) if is_memory(&what) => Err(Failure::Memory(limits.memory)),
            // Its thread panicked.
            Content::Refused(what) if answer.spent => Err(Failure::Crashed(what)),
            Content::Refused(what) => Err(Failure::Refused(what)),
            content => Ok((content, tensors)),
        }
    }

    async fn talk(&mut self, request: &Request, data: &[&Bytes]) -> io::Result<(Answer, Vec<Tensor>)> {
        self.input.write_all(&frame::encode(request)?).await?;
        for bytes in data {
            self.input.write_all(bytes).await?;
        }
        let answer: Answer = frame::receive(&mut self.output, MAX_HEAD).await?;
        let mut tensors = Vec::new();
        if let Content::Tensors(heads) = &answer.content {
            let total: u64 = heads.iter().map(|head| head.bytes).fold(0, u64::saturating_add);
            // A model took over the child, in the worst case: nothing that it says may harm the server.
            if total > self.limits.output {
                return Err(nonsense("more than it may"));
            }
            for head in heads.iter().cloned() {
                let length = usize::try_from(head.bytes).map_err(io::Error::other)?;
                let bytes = frame::receive_raw(&mut self.output, length).await?;
                let tensor = head
                    .with(bytes.into())
                    .ok_or_else(|| nonsense("a tensor that is none"))?;
                tensors.push(tensor);
            }
        }
        Ok((answer, tensors))
    }

    /// Waits for its end, and says what it was.
    async fn post_mortem(&mut self, error: &io::Error) -> Failure {
        let own_end = match error.kind() {
            // It closed its pipes: it is about to be gone.
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                timeout(GONE_WITHIN, self.process.wait()).await.ok()
            }
            _ => None,
        };
        if !self.listening.is_finished() {
            let _ = timeout(Duration::from_millis(200), &mut self.listening).await;
        }
        let words = {
            let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
            String::from_utf8_lossy(&words).into_owned()
        };
        let failure = match own_end {
            Some(Ok(status)) => death(status, &words, &self.limits),
            Some(Err(error)) => Failure::Crashed(error.to_string()),
            None => Failure::Crashed(error.to_string()),
        };
        tracing::debug!(?failure, %words, "a model's process died");
        failure
    }
}

/// What an end tells.
fn death(status: ExitStatus, words: &str, limits: &ModelLimits) -> Failure {
    if is_memory(words) {
        return Failure::Memory(limits.memory);
    }
    match status.signal() {
        Some(libc::SIGXCPU) => Failure::Timeout(limits.wall),
        Some(signal) => Failure::Crashed(format!("signal {signal}")),
        // It could not even be confined, or lost its pipes.
        None if !words.trim().is_empty() => {
            Failure::NotStarted(words.trim().lines().last().unwrap_or_default().to_owned())
        }
        None => Failure::Crashed(status.to_string()),
    }
}

fn is_memory(words: &str) -> bool {
    [
        "memory allocation of",
        "bad_alloc",
        "out of memory",
        "Out of memory",
    ]
    .iter()
    .any(|sign| words.contains(sign))
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

fn nonsense(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the child sent {what}"))
}

/// Starts a child for a version.
pub(crate) async fn start_for(launch: &Launch, model: &Loadable) -> Result<ModelChild, Failure> {
    ModelChild::start(launch, model.model.clone(), model.tokenizer.clone()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_of_an_end_is_told_from_status_and_words() {
        let limits = ModelLimits::default();
        let of = |raw, words| death(ExitStatus::from_raw(raw), words, &limits);
        assert_eq!(of(libc::SIGXCPU, ""), Failure::Timeout(limits.wall));
        assert_eq!(
            of(libc::SIGABRT, "terminate called after throwing 'std::bad_alloc'"),
            Failure::Memory(limits.memory)
        );
        assert_eq!(of(libc::SIGSEGV, ""), Failure::Crashed("signal 11".into()));
        assert!(matches!(
            of(256, "insula: model-worker: no"),
            Failure::NotStarted(_)
        ));
        assert!(matches!(of(0, ""), Failure::Crashed(_)));
    }
}
