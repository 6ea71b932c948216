//! Files of files: ZIP, and gzip of one.

use std::io::{Cursor, Read};

use flate2::read::MultiGzDecoder;
use insula_core::ingest::ParseError;
use zip::ZipArchive;

use crate::draft::Draft;
use crate::{Reader, charset, clean, error};

const ZIP: &str = "a ZIP archive";
const GZIP: &str = "a gzip file";
/// Most entries that are looked at.
const MAX_ENTRIES: usize = 10_000;
/// Most bytes of one entry, unpacked.
const MAX_ENTRY: u64 = 128 * 1024 * 1024;
/// Longest name of an entry in a heading, in characters.
const LONGEST_NAME: usize = 200;

/// Every entry that can be read, each below a heading with its name. Nothing is written to disk, so that names are
/// never paths.
///
/// # Errors
/// `invalid_file` when no entry can be read, with the reason of the first; and when an archive is damaged, encrypted,
/// or unpacks to more than is allowed.
pub(crate) fn zip(reader: &mut Reader<'_>, bytes: &[u8]) -> Result<Draft, ParseError> {
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|why| error::damaged(ZIP, &why.to_string()))?;
    if archive.len() > MAX_ENTRIES {
        return Err(error::invalid(format!(
            "The ZIP archive has more than {MAX_ENTRIES} entries."
        )));
    }
    let mut draft = Draft::new("application/zip");
    let mut refused: Vec<String> = Vec::new();
    let mut read = 0;
    for index in 0..archive.len() {
        let name = match archive.by_index_raw(index) {
            Ok(entry) if entry.is_dir() => continue,
            Ok(entry) => name_of(entry.name_raw()),
            Err(_) => continue,
        };
        if is_litter(&name) {
            continue;
        }
        match entry(reader, &mut archive, index, &name) {
            Ok(inner) if inner.has_text() => {
                read += 1;
                draft.heading(1, &name)?;
                draft.append(inner, 1)?;
            }
            Ok(_) => refused.push(format!("{name}: {}", error::no_text().message)),
            Err(Stop::Entry(why)) => refused.push(format!("{name}: {}", why.message)),
            Err(Stop::Archive(why)) => return Err(why),
        }
    }
    if read > 0 {
        return Ok(draft);
    }
    Err(match refused.first() {
        None => error::invalid("The ZIP archive is empty."),
        Some(first) => error::invalid(format!(
            "None of the {} files in the ZIP archive can be read. {first}",
            refused.len()
        )),
    })
}

/// Why an entry cannot be read, and whether another could.
enum Stop {
    Entry(ParseError),
    Archive(ParseError),
}

fn entry(
    reader: &mut Reader<'_>,
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
    name: &str,
) -> Result<Draft, Stop> {
    let entry = archive.by_index(index).map_err(|why| {
        let why = why.to_string();
        Stop::Entry(if why.to_lowercase().contains("password") {
            error::encrypted("a file")
        } else {
            error::damaged("a file", &why)
        })
    })?;
    // A film beside documents does not count against what they may unpack to.
    if entry.size() > MAX_ENTRY {
        return Err(Stop::Entry(error::too_large_unpacked("a file")));
    }
    let content = unpack(reader, entry, "an archive").map_err(Stop::Archive)?;
    match content {
        Ok(content) => reader.inside(&content, name).map_err(Stop::Entry),
        Err(why) => Err(Stop::Entry(error::damaged("a file", &why.to_string()))),
    }
}

/// The one file in a gzip file.
///
/// # Errors
/// As for the file inside; `invalid_file` when it is damaged or unpacks to more than is allowed.
pub(crate) fn gzip(reader: &mut Reader<'_>, bytes: &[u8], filename: &str) -> Result<Draft, ParseError> {
    let content = unpack(reader, MultiGzDecoder::new(bytes), GZIP)?;
    let content = content.map_err(|why| error::damaged(GZIP, &why.to_string()))?;
    let name = filename.strip_suffix(".gz").unwrap_or(filename);
    reader.inside(&content, name)
}

/// The whole content, as far as both its own limit and what the whole upload may unpack to allow. The outer error is
/// that of a limit, the inner one that of broken data.
fn unpack(
    reader: &mut Reader<'_>,
    packed: impl Read,
    what: &str,
) -> Result<std::io::Result<Vec<u8>>, ParseError> {
    let limit = reader.unpackable.min(MAX_ENTRY);
    let mut content = Vec::new();
    let done = packed.take(limit + 1).read_to_end(&mut content);
    if content.len() as u64 > limit {
        return Err(error::too_large_unpacked(what));
    }
    reader.unpackable -= content.len() as u64;
    Ok(done.map(|_| content))
}

/// Names are bytes in whatever character set the archiver used.
fn name_of(raw: &[u8]) -> String {
    let name = clean::clean(&charset::decode(raw, false)).replace(['\n', '\t'], " ");
    name.chars().take(LONGEST_NAME).collect()
}

/// Files that systems add without being asked.
fn is_litter(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    name.starts_with("__MACOSX/") || matches!(file, ".DS_Store" | "Thumbs.db" | "desktop.ini")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use crate::{Tools, parse, zip_of};

    fn gzipped(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn message(bytes: &[u8]) -> String {
        parse(bytes, "x", &Tools::default()).unwrap_err().message
    }

    #[test]
    fn entries_become_sections() {
        let archive = zip_of(&[
            ("folder/", ""),
            ("../../etc/notes.txt", "Plain notes."),
            ("__MACOSX/._notes.txt", "litter"),
            ("picture.bin", "\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}"),
            ("terms.md", "# Terms\n\nPets."),
        ]);
        let document = parse(&archive, "x.zip", &Tools::default()).unwrap();
        assert_eq!(
            document.text,
            "# ../../etc/notes.txt\n\nPlain notes.\n\n# terms.md\n\n# Terms\n\nPets."
        );
        assert_eq!(document.media_type, "application/zip");
        let levels: Vec<u8> = document.headings.iter().map(|heading| heading.level).collect();
        assert_eq!(levels, [1, 1, 2]);
    }

    #[test]
    fn an_archive_without_a_readable_file_says_why() {
        assert!(
            message(&zip_of(&[("a.bin", "\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}")]))
                .contains("a.bin: This is a binary")
        );
        assert_eq!(message(&zip_of(&[])), "The ZIP archive is empty.");
        assert!(message(&gzipped(b"")).contains("empty"));
        assert!(message(&gzipped(b"some text")[..15]).contains("damaged"));
    }

    #[test]
    fn nesting_and_size_have_limits() {
        let mut nested = gzipped(b"text");
        assert!(parse(&nested, "x.gz", &Tools::default()).is_ok());
        for _ in 0..5 {
            nested = gzipped(&nested);
        }
        assert!(message(&nested).contains("nested"));
        let bomb = gzipped(&vec![b' '; 129 * 1024 * 1024]);
        assert!(message(&bomb).contains("too large"));
    }
}
