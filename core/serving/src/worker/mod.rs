//! The child's side.

mod check;
mod images;
mod session;
mod texts;
mod values;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use bytes::Bytes;
use insula_confine::{Bounds, FileRules, LIBRARIES, attempts, confine, end_with_parent, frame, renew_cpu};
use insula_core::prediction::Tensor;
use insula_inference::onnx::OnnxOptions;
use ort::environment::Environment;

use self::session::Model;
use self::texts::Texts;
use crate::ModelLimits;
use crate::protocol::{Answer, Content, Head, MAX_HEAD, Request, Start, Started, VERSION};

/// What a piece of work came to, or why it cannot be done.
type Done<T> = Result<T, String>;

/// Runs a model for the server at the other end of standard input, until that closes or is gone.
///
/// The process confines itself first: see [`insula_confine`] for what it then cannot do. It must be called before the process
/// has a second thread.
///
/// # Errors
/// When the process cannot be confined, or a pipe breaks.
pub fn run_worker() -> io::Result<()> {
    std::panic::set_hook(Box::new(|panic| {
        // Where, but not what: the message may quote what was asked.
        if let Some(place) = panic.location() {
            eprintln!("panicked at {place}");
        }
    }));
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    // A library that prints must not speak in the middle of an answer.
    rustix::stdio::dup2_stdout(io::stderr())?;

    let Some(start) = frame::read::<Start>(&mut input, MAX_HEAD)? else {
        return Ok(());
    };
    if start.version != VERSION {
        return Err(io::Error::other("the parent is another version of this program"));
    }
    let tokenizer = start.tokenizer.as_ref().map(std::fs::read).transpose()?;
    let files = confine(&bounds(&start))?;
    end_with_parent(input.try_clone()?)?;
    // Not before the process is confined: the runtime starts threads.
    let environment = OnnxOptions::new(&start.library, "")
        .environment()
        .map_err(io::Error::other)?;

    // Not on the main thread: there, an overflow of the stack is not always told from other crashes.
    std::thread::scope(|scope| {
        let serving = std::thread::Builder::new()
            .name("model".into())
            .stack_size(ModelLimits::STACK)
            .spawn_scoped(scope, || {
                serve(&mut input, &mut output, &start, &environment, tokenizer, files)
            })?;
        serving
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the model's thread panicked")))
    })
}

fn bounds(start: &Start) -> Bounds {
    Bounds {
        data: start.limits.data(),
        stack: ModelLimits::MAIN_STACK,
        cpu_seconds: start.limits.cpu_seconds(start.limits.load),
        // The runtime, what it loads, and what it looks at to know the processor.
        readable: [start.model.clone(), start.library.clone()]
            .into_iter()
            .chain(LIBRARIES.map(PathBuf::from))
            .chain(["/proc/cpuinfo", "/sys/devices/system/cpu"].map(PathBuf::from))
            .collect(),
    }
}

/// What is loaded.
struct Loaded {
    model: Model,
    texts: Option<Texts>,
}

fn serve(
    input: &mut File,
    output: &mut File,
    start: &Start,
    environment: &Environment,
    tokenizer: Option<Vec<u8>>,
    files: FileRules,
) -> io::Result<()> {
    let loaded = load(start, environment, tokenizer);
    let (told, loaded) = match loaded {
        Ok(loaded) => (Ok(loaded.model.signature.clone()), Some(loaded)),
        Err(what) => (Err(what), None),
    };
    let started = Started {
        version: VERSION,
        files,
        loaded: told,
    };
    frame::write(output, &started, &[])?;
    let Some(mut loaded) = loaded else { return Ok(()) };
    let limits = &start.limits;
    while let Some(request) = frame::read::<Request>(input, MAX_HEAD)? {
        renew_cpu(limits.cpu_seconds(limits.wall))?;
        let work = receive(input, request)?;
        let done = catch_unwind(AssertUnwindSafe(|| loaded.answer(work, limits)));
        let (done, panicked) = match done {
            Ok(done) => (done, false),
            Err(_) => (Err("The model's process failed on this input.".into()), true),
        };
        let is_spent = panicked || done.as_ref().is_err_and(|what| session::is_out_of_memory(what));
        let (content, tensors) = match done {
            Ok((content, tensors)) => (content, tensors),
            Err(what) => (Content::Refused(what), Vec::new()),
        };
        let is_last = is_spent || matches!(content, Content::Attempts(_));
        let answer = Answer {
            content,
            spent: is_last,
        };
        frame::write(output, &answer, &[])?;
        for tensor in &tensors {
            io::Write::write_all(output, &tensor.data)?;
        }
        if is_last {
            break;
        }
    }
    Ok(())
}

fn load(start: &Start, environment: &Environment, tokenizer: Option<Vec<u8>>) -> Done<Loaded> {
    let loading = || {
        let model = Model::load(environment, &start.model, start.limits.threads)?;
        let texts = tokenizer.map(|bytes| Texts::new(&bytes)).transpose()?;
        Ok(Loaded { model, texts })
    };
    catch_unwind(AssertUnwindSafe(loading)).unwrap_or_else(|_| Err("It cannot be loaded.".into()))
}

/// A request with its bytes.
enum Work {
    Run(Vec<Tensor>),
    Texts(insula_core::registry::TextSteps, Vec<String>),
    Images(insula_core::registry::ImageSteps, Vec<Bytes>),
    Check,
    Attempts,
}

fn receive(input: &mut File, request: Request) -> io::Result<Work> {
    let mut bytes = |length: u64| -> io::Result<Bytes> {
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        input.read_exact(&mut bytes)?;
        Ok(bytes.into())
    };
    let mut tensor = |head: Head| -> io::Result<Tensor> {
        let data = bytes(head.bytes)?;
        head.with(data)
            .ok_or_else(|| io::Error::other("a tensor that is none"))
    };
    Ok(match request {
        Request::Run { tensors } => Work::Run(tensors.into_iter().map(tensor).collect::<Result<_, _>>()?),
        Request::Texts { steps, texts } => Work::Texts(steps, tensor(texts)?.texts()),
        Request::Images {
            steps,
            bytes: lengths,
        } => Work::Images(steps, lengths.into_iter().map(bytes).collect::<Result<_, _>>()?),
        Request::Check => Work::Check,
        Request::Attempts => Work::Attempts,
    })
}

impl Loaded {
    fn answer(&mut self, work: Work, limits: &ModelLimits) -> Done<(Content, Vec<Tensor>)> {
        let tensors = match work {
            Work::Run(tensors) => self.model.run(&tensors, limits.output)?,
            Work::Texts(steps, texts) => {
                let tokenizer = self.texts.as_ref().ok_or("The version has no tokenizer.")?;
                tokenizer.tensors(&steps, &texts, &self.model.signature)?
            }
            Work::Images(steps, files) => vec![images::tensor(&steps, &files, &self.model.signature)?],
            Work::Check => {
                let batches = check::run(&mut self.model, limits)?;
                return Ok((Content::Checked { batches }, Vec::new()));
            }
            Work::Attempts => return Ok((Content::Attempts(attempts(limits.memory)), Vec::new())),
        };
        Ok((Content::Tensors(tensors.iter().map(Head::of).collect()), tensors))
    }
}
