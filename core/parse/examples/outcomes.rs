//! What becomes of each file of a folder: `cargo run -p insula-parse --example outcomes -- FOLDER… [--text OUT] [--worker
//! PROGRAM]`.
//!
//! Prints a Markdown table with a row per file: kind, outcome, characters, pages, headings, seconds, and the reason of a
//! refusal. A file `NAME.gt.txt` beside a document is its known text, and adds the word F1. `--text` writes what was
//! extracted into a folder. With `--worker target/debug/insula` files are read in a child of that program under its limits,
//! else in this process. libpdfium is taken from `INSULA_RUNTIME` (`.runtime`).

use std::collections::HashMap;
use std::io::Write;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;
use insula_core::ingest::{ParseError, ParsedDocument, Parser};
use insula_parse::sandbox::{ParserPool, PoolOptions};
use insula_parse::{Tools, parse};
use unicode_normalization::UnicodeNormalization;

#[tokio::main]
async fn main() {
    let mut folders: Vec<PathBuf> = Vec::new();
    let mut text: Option<PathBuf> = None;
    let mut worker: Option<PathBuf> = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--text" => text = arguments.next().map(PathBuf::from),
            "--worker" => worker = arguments.next().map(PathBuf::from),
            folder => folders.push(folder.into()),
        }
    }
    let runtime = std::env::var_os("INSULA_RUNTIME").map_or_else(|| PathBuf::from(".runtime"), PathBuf::from);
    let pdfium = runtime.join("pdfium/libpdfium.so").canonicalize().ok();
    let tools = Tools { pdfium };
    let pool = worker.map(|program| {
        ParserPool::new(PoolOptions {
            program,
            tools: tools.clone(),
            children: 1,
            ..PoolOptions::default()
        })
    });
    println!("| file | kind | outcome | characters | pages | headings | seconds | word F1 | reason |");
    println!("| --- | --- | --- | --: | --: | --: | --: | --: | --- |");
    let mut totals = (0, 0);
    for folder in &folders {
        for path in files(folder) {
            let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
            let started = Instant::now();
            let outcome = match &pool {
                Some(pool) => Some(read_in_child(&path, pool).await),
                None => read(&path, &tools),
            };
            let seconds = started.elapsed().as_secs_f64();
            match &outcome {
                Some(Ok(_)) => totals.0 += 1,
                _ => totals.1 += 1,
            }
            println!("{}", row(&path, &name, &outcome, seconds));
            if let (Some(folder), Some(Ok(document))) = (&text, &outcome) {
                write(&folder.join(name.replace('/', "__")), document);
            }
        }
    }
    println!("\n{} files were read, {} were not.", totals.0, totals.1);
}

/// All files below a folder, by name, without known texts and notes on where the files are from.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        if let Ok(entries) = std::fs::read_dir(&path) {
            waiting.extend(entries.flatten().map(|entry| entry.path()));
        } else {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if !name.ends_with(".gt.txt") && name != "SOURCE.txt" && name != "MANIFEST.json" {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// `None` for a panic, which stands for a crash of the child process.
fn read(path: &Path, tools: &Tools) -> Option<Result<ParsedDocument, ParseError>> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    catch_unwind(|| parse(&bytes, &name, tools)).ok()
}

async fn read_in_child(path: &Path, pool: &ParserPool) -> Result<ParsedDocument, ParseError> {
    let bytes = Bytes::from(std::fs::read(path).unwrap_or_default());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    pool.parse(&bytes, &name).await
}

fn row(
    path: &Path,
    name: &str,
    outcome: &Option<Result<ParsedDocument, ParseError>>,
    seconds: f64,
) -> String {
    let cells = match outcome {
        None => " | PANIC | | | | {s} | | ".to_owned(),
        Some(Err(why)) => format!(" | {} | | | | {{s}} | | {}", why.code.as_str(), why.message),
        Some(Ok(document)) => format!(
            "{} | read | {} | {} | {} | {{s}} | {} | ",
            document.media_type.rsplit('.').next().unwrap_or_default(),
            document.text.chars().count(),
            document.pages.len(),
            document.headings.len(),
            word_f1(path, &document.text).map_or(String::new(), |f1| format!("{f1:.3}")),
        ),
    };
    let cells = cells.replace("{s}", &format!("{seconds:.2}"));
    format!("| {name} | {cells} |")
}

fn write(path: &Path, document: &ParsedDocument) {
    let Ok(mut file) = std::fs::File::create(format!("{}.txt", path.display())) else {
        return;
    };
    let headings: Vec<_> = document
        .headings
        .iter()
        .map(|h| (h.offset, h.level, &h.title))
        .collect();
    let pages: Vec<_> = document.pages.iter().map(|page| page.offset).collect();
    let _ = writeln!(file, "{headings:?}\n{pages:?}\n--------\n{}", document.text);
}

/// How many words of the known text were found and of the found text are known, as one figure, letters compared without
/// vowel signs.
fn word_f1(path: &Path, text: &str) -> Option<f64> {
    let extension = path.extension()?.to_string_lossy().into_owned();
    let stem = path.file_stem()?.to_string_lossy().into_owned();
    let known = [format!("{stem}.gt.txt"), format!("{stem}_{extension}.gt.txt")]
        .iter()
        .find_map(|name| std::fs::read_to_string(path.with_file_name(name)).ok())?;
    let (known, found) = (words(&known), words(text));
    let common: usize = known
        .iter()
        .map(|(word, n)| *n.min(found.get(word).unwrap_or(&0)))
        .sum();
    let all = known.values().sum::<usize>() + found.values().sum::<usize>();
    Some(2.0 * common as f64 / all.max(1) as f64)
}

fn words(text: &str) -> HashMap<String, usize> {
    let plain: String = text
        .nfkc()
        .filter(|c| !matches!(c, '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}'))
        .collect();
    let mut counts = HashMap::new();
    for word in plain
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    counts
}
