//! Documents that are ZIP files inside.

use std::borrow::Cow;
use std::io::{Cursor, Read};

use insula_core::ingest::ParseError;
use zip::ZipArchive;

use super::{Kind, Office, Sheet};
use crate::{error, foreign};

/// Longest media type in a `mimetype` entry.
const MIMETYPE: u64 = 128;
/// How much of an OpenDocument manifest is looked at for signs of encryption.
const MANIFEST: u64 = 1024 * 1024;

/// Entries that tell what kind of document it is, in the order in which they are asked for.
const TELLING: [(&str, Kind); 4] = [
    ("word/document", Kind::Office(Office::Docx)),
    ("ppt/presentation", Kind::Office(Office::Pptx)),
    ("xl/workbook.bin", Kind::Sheet(Sheet::Xlsb)),
    ("xl/workbook", Kind::Sheet(Sheet::Xlsx)),
];

/// Kinds that are not read, by their entries.
const UNREAD: [(&str, &str); 4] = [
    ("visio/document", "a Visio drawing"),
    ("Index/Document.iwa", "an Apple iWork document"),
    ("AndroidManifest.xml", "an Android app"),
    ("FixedDocumentSequence.fdseq", "an XPS document"),
];

pub(super) fn kind(bytes: &[u8]) -> Result<Kind, ParseError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|why| {
        error::damaged(
            foreign::office(bytes).unwrap_or("a ZIP archive"),
            &why.to_string(),
        )
    })?;
    let media_type = head(&mut archive, "mimetype", MIMETYPE).unwrap_or_default();
    if let Some((kind, name)) = by_media_type(media_type.trim()) {
        return if is_encrypted(&mut archive) {
            Err(error::encrypted(name))
        } else {
            Ok(kind)
        };
    }
    let names: Vec<String> = archive.file_names().flatten().map(Cow::into_owned).collect();
    let holds = |start: &str| names.iter().any(|name| name.starts_with(start));
    if holds("[Content_Types].xml") || holds("_rels/") {
        if let Some((_, kind)) = TELLING.iter().find(|(entry, _)| holds(entry)) {
            return Ok(*kind);
        }
    } else if holds("META-INF/container.xml") {
        return Ok(Kind::Office(Office::Epub));
    }
    match UNREAD.iter().find(|(entry, _)| holds(entry)) {
        Some((_, name)) => Err(error::unsupported(name)),
        None => Ok(Kind::Zip),
    }
}

fn by_media_type(media_type: &str) -> Option<(Kind, &'static str)> {
    let open_document = "application/vnd.oasis.opendocument.";
    match media_type {
        "application/epub+zip" => Some((Kind::Office(Office::Epub), "an EPUB book")),
        other => match other.strip_prefix(open_document)?.trim_end_matches("-template") {
            "text" | "text-master" => Some((Kind::Office(Office::Odt), "an OpenDocument text")),
            "presentation" => Some((Kind::Office(Office::Odp), "an OpenDocument presentation")),
            "spreadsheet" => Some((Kind::Sheet(Sheet::Ods), "an OpenDocument spreadsheet")),
            _ => None,
        },
    }
}

/// OpenDocument lists in its manifest what is encrypted. EPUB has a file for it, which also lists fonts that are merely
/// obfuscated; only encrypted pages count.
fn is_encrypted(archive: &mut ZipArchive<Cursor<&[u8]>>) -> bool {
    let manifest = head(archive, "META-INF/manifest.xml", MANIFEST).unwrap_or_default();
    let book = head(archive, "META-INF/encryption.xml", MANIFEST).unwrap_or_default();
    manifest.contains("encryption-data") || book.contains("html\"") || book.contains("html'")
}

fn head(archive: &mut ZipArchive<Cursor<&[u8]>>, entry: &str, limit: u64) -> Option<String> {
    let mut bytes = Vec::new();
    let entry = archive.by_name(entry).ok()?;
    entry.take(limit).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zip_of;

    #[test]
    fn entries_tell_the_kind() {
        let types = ("[Content_Types].xml", "");
        for (entries, expected) in [
            (vec![types, ("word/document.xml", "")], Kind::Office(Office::Docx)),
            (vec![types, ("xl/workbook.xml", "")], Kind::Sheet(Sheet::Xlsx)),
            (vec![types, ("xl/workbook.bin", "")], Kind::Sheet(Sheet::Xlsb)),
            (
                vec![("mimetype", "application/epub+zip")],
                Kind::Office(Office::Epub),
            ),
            (
                vec![("mimetype", "application/vnd.oasis.opendocument.spreadsheet")],
                Kind::Sheet(Sheet::Ods),
            ),
            (vec![("word/document.xml.txt", "notes")], Kind::Zip),
        ] {
            assert_eq!(kind(&zip_of(&entries)).unwrap(), expected);
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let encrypted = zip_of(&[
            ("mimetype", "application/vnd.oasis.opendocument.text"),
            ("META-INF/manifest.xml", "<manifest:encryption-data/>"),
        ]);
        let message = kind(&encrypted).unwrap_err().message;
        assert!(
            message.contains("OpenDocument text that is encrypted"),
            "{message}"
        );
        let book = zip_of(&[("[Content_Types].xml", ""), ("word/document.xml", "")]);
        let message = kind(&book[..book.len() - 10]).unwrap_err().message;
        assert!(
            message.starts_with("This is a Word document that is damaged"),
            "{message}"
        );
        let drawing = zip_of(&[("[Content_Types].xml", ""), ("visio/document.xml", "")]);
        assert!(kind(&drawing).unwrap_err().message.contains("Visio"));
    }
}
