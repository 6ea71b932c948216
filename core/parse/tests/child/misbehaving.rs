//! A parser that is confined like the real one, and does as the name of its document says.

use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use insula_core::ingest::{Heading, ParseError, ParseErrorCode, ParsedDocument};
use insula_parse::Tools;
use insula_parse::sandbox::run_worker;

fn main() -> ExitCode {
    let mode = std::env::args().nth(1).unwrap_or_default();
    if mode == "refuse-to-start" {
        eprintln!("not today");
        return ExitCode::FAILURE;
    }
    // Where answers go, before the worker takes it over.
    let Ok(answers) = std::io::stdout().as_fd().try_clone_to_owned() else {
        return ExitCode::FAILURE;
    };
    let answers = std::fs::File::from(answers);
    let started = mode == "crash-first" && !Path::new(&marker()).exists();
    if started && std::fs::write(marker(), "").is_err() {
        return ExitCode::FAILURE;
    }
    let parse = |bytes: &[u8], filename: &str, _: &Tools| match filename {
        "crash if first" if started => std::process::abort(),
        _ => misbehave(bytes, filename, &answers),
    };
    match run_worker(parse) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// A file that tells a second child that there was a first one.
fn marker() -> String {
    std::env::args().nth(2).unwrap_or_default()
}

fn misbehave(
    bytes: &[u8],
    filename: &str,
    mut answers: &std::fs::File,
) -> Result<ParsedDocument, ParseError> {
    let mut document = ParsedDocument {
        text: String::from_utf8_lossy(bytes).into_owned(),
        ..ParsedDocument::default()
    };
    match filename {
        "who" => document.text = std::process::id().to_string(),
        "memory" => document.text = fill(100 * 1024 * 1024).to_string(),
        "all memory" => document.text = fill(4 << 30).to_string(),
        "brim" => document.text = brim().to_string(),
        "stack" => document.text = descend(0).to_string(),
        "spin" => loop {
            std::hint::black_box(0);
        },
        "hang" => std::thread::sleep(Duration::from_secs(600)),
        "abort" => std::process::abort(),
        "exit" => std::process::exit(0),
        "panic" => panic!("{}", document.text),
        "refuse" => {
            return Err(ParseError {
                code: ParseErrorCode::UnsupportedFile,
                message: "A reason.".into(),
            });
        }
        "print" => println!("chatter"),
        "garbage" => say(&mut answers, b"\x08\0\0\0nonsense"),
        "huge" => say(&mut answers, &u32::MAX.to_le_bytes()),
        "half" => {
            say(&mut answers, b"\x08\0\0\0non");
            std::process::exit(0);
        }
        "bad offset" => document.headings.push(Heading {
            offset: usize::MAX,
            level: 1,
            title: "nowhere".into(),
        }),
        "many headings" => {
            document.headings = (0..1_000_000)
                .map(|_| Heading {
                    offset: 0,
                    level: 1,
                    title: "h".into(),
                })
                .collect();
        }
        "threads" => document.text = threads().to_string(),
        _ => {}
    }
    Ok(document)
}

fn say(answers: &mut &std::fs::File, bytes: &[u8]) {
    if let Err(error) = answers.write_all(bytes) {
        eprintln!("{error}");
    }
}

/// Takes memory piece by piece, and uses it.
fn fill(bytes: usize) -> usize {
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    while pieces.len() * 1024 * 1024 < bytes {
        pieces.push(vec![1; 1024 * 1024]);
    }
    std::hint::black_box(&pieces).len()
}

/// Takes all memory that it is given, uses it, and holds it for a moment.
fn brim() -> usize {
    const PIECE: usize = 256 * 1024;
    let mut pieces: Vec<Vec<u8>> = Vec::with_capacity(10_000);
    loop {
        let mut piece = Vec::new();
        if piece.try_reserve_exact(PIECE).is_err() {
            break;
        }
        piece.resize(PIECE, 1);
        pieces.push(piece);
    }
    std::thread::sleep(Duration::from_millis(500));
    let taken = pieces.len() * PIECE;
    std::hint::black_box(pieces);
    taken
}

fn descend(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 64]);
    if room[63] == u64::MAX {
        0
    } else {
        descend(depth + 1) + room[0]
    }
}

/// How many of four threads ran.
fn threads() -> usize {
    let started: Vec<_> = (0..4).map(|_| std::thread::Builder::new().spawn(|| ())).collect();
    started
        .into_iter()
        .filter_map(|thread| thread.ok()?.join().ok())
        .count()
}
