//! The child's side.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use insula_confine::{Bounds, LIBRARIES, attempts, confine, end_with_parent, frame, renew_cpu};
use insula_core::ingest::{ParseError, ParseErrorCode, ParsedDocument};

use super::Limits;
use super::protocol::{Answer, Content, MAX_ANSWER, MAX_SMALL, Request, Start, Started, VERSION};
use crate::Tools;

/// Reads documents for the parent at the other end of standard input, until it closes or is gone.
///
/// The process confines itself first: see `insula_confine` for what it then cannot do. `parse` gets the bytes, the file name
/// and the tools. It must be called before the process has a second thread.
///
/// # Errors
/// When the process cannot be confined, or a pipe breaks.
pub fn run_worker<F>(parse: F) -> io::Result<()>
where
    F: Fn(&[u8], &str, &Tools) -> Result<ParsedDocument, ParseError> + Send,
{
    std::panic::set_hook(Box::new(|panic| {
        // Where, but not what: the message may quote the document.
        if let Some(place) = panic.location() {
            eprintln!("panicked at {place}");
        }
    }));
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    // A library that prints must not speak in the middle of an answer.
    rustix::stdio::dup2_stdout(io::stderr())?;

    let Some(start) = frame::read::<Start>(&mut input, MAX_SMALL)? else {
        return Ok(());
    };
    if start.version != VERSION {
        return Err(io::Error::other("the parent is another version of this program"));
    }
    let files = confine(&bounds(&start))?;
    end_with_parent(input.try_clone()?)?;
    let started = Started {
        version: VERSION,
        files,
    };
    frame::write(&mut output, &started, &[])?;

    // Not on the main thread: there, an overflow of the stack is not always told from other crashes.
    std::thread::scope(|scope| {
        let reading = std::thread::Builder::new()
            .name("reader".into())
            .stack_size(Limits::STACK)
            .spawn_scoped(scope, || serve(&mut input, &mut output, &start, parse))?;
        reading
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the reader panicked")))
    })
}

/// Answers requests until there are no more.
fn serve<F>(input: &mut File, output: &mut File, start: &Start, parse: F) -> io::Result<()>
where
    F: Fn(&[u8], &str, &Tools) -> Result<ParsedDocument, ParseError>,
{
    while let Some(request) = frame::read::<Request>(input, MAX_SMALL)? {
        renew_cpu(start.limits.cpu_seconds())?;
        let (answer, text) = match request {
            Request::Document { filename, bytes } => {
                let bytes = receive(input, bytes)?;
                answer(|| parse(&bytes, &filename, &start.tools))
            }
            Request::Attempts => {
                let content = Content::Attempts(attempts(start.limits.memory));
                let spent = true;
                (Answer { content, spent }, String::new())
            }
        };
        frame::write(output, &answer, text.as_bytes())?;
        if answer.spent {
            break;
        }
    }
    Ok(())
}

/// What the child keeps. Without pdfium it can read no file.
fn bounds(start: &Start) -> Bounds {
    let mut readable: Vec<PathBuf> = Vec::new();
    if let Some(pdfium) = &start.tools.pdfium {
        readable.push(pdfium.clone());
        readable.extend(LIBRARIES.map(PathBuf::from));
    }
    Bounds {
        data: start.limits.data(),
        stack: Limits::MAIN_STACK,
        cpu_seconds: start.limits.cpu_seconds(),
        readable,
    }
}

fn receive(input: &mut File, length: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Runs the parser. The answer, and the text that follows it.
fn answer(parse: impl FnOnce() -> Result<ParsedDocument, ParseError>) -> (Answer, String) {
    let refused = |message: &str| ParseError {
        code: ParseErrorCode::InvalidFile,
        message: message.into(),
    };
    let parsed = catch_unwind(AssertUnwindSafe(parse));
    let spent = parsed.is_err();
    let parsed = parsed.unwrap_or_else(|_| {
        Err(refused(
            "The parser failed on this file. It is damaged, or unlike any file of its kind.",
        ))
    });
    let (content, text) = match parsed {
        Ok(document) if structure(&document) > MAX_ANSWER / 2 => (
            Content::Error(refused("The file has too many headings or pages.")),
            String::new(),
        ),
        Ok(mut document) => {
            let text = std::mem::take(&mut document.text);
            let text_bytes = text.len() as u64;
            (Content::Document { document, text_bytes }, text)
        }
        Err(error) => (Content::Error(error), String::new()),
    };
    (Answer { content, spent }, text)
}

/// About how many bytes the document takes besides its text. Escapes in titles may double it.
fn structure(document: &ParsedDocument) -> usize {
    const EACH: usize = 48;
    let headings = document.headings.iter().map(|heading| heading.title.len() + EACH);
    headings.sum::<usize>() + document.pages.len() * EACH
}
