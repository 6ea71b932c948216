//! Formats that are not read here, by name, so that a refusal says what the file is.

use memchr::memmem;

/// How much of a ZIP file's ends is searched for the names of its entries.
const ENDS: usize = 64 * 1024;

/// Entries that tell what kind of document a ZIP file is.
const OFFICE: [(&[u8], &str); 4] = [
    (b"word/document", "a Word document"),
    (b"ppt/presentation", "a PowerPoint presentation"),
    (b"xl/workbook", "an Excel workbook"),
    (b"META-INF/container.xml", "an EPUB book"),
];

/// Whether the bytes begin as a format does that may look like text from the first byte to the last.
pub(crate) fn is_written_in_ascii(bytes: &[u8]) -> bool {
    [&b"%PDF-"[..], b"%!PS", b"{\\rtf", b"PK\x03\x04"]
        .iter()
        .any(|start| bytes.starts_with(start))
}

/// What the bytes are by their signature, with an article: `a PDF document`. `None` when no signature is known, or when
/// it is one of a text format (HTML, XML, a script).
pub(crate) fn name(bytes: &[u8]) -> Option<String> {
    let found = infer::get(bytes).filter(|found| found.matcher_type() != infer::MatcherType::Text)?;
    let name = match found.mime_type() {
        "application/postscript" => "a PostScript document",
        "application/x-7z-compressed" => "a 7z archive",
        "application/x-tar" => "a tar archive",
        "application/vnd.rar" => "a RAR archive",
        "application/x-bzip2" => "a bzip2 archive",
        "application/x-xz" => "an xz archive",
        "application/zstd" => "a zstd archive",
        mime => return Some(format!("a file of type {mime} (.{})", found.extension())),
    };
    Some(name.into())
}

/// What a ZIP file would be if it could be opened: names of entries stand uncompressed before each entry and in the
/// directory at the end.
pub(crate) fn office(bytes: &[u8]) -> Option<&'static str> {
    let ends = [
        &bytes[..bytes.len().min(ENDS)],
        &bytes[bytes.len().saturating_sub(ENDS)..],
    ];
    let holds = |entry: &[u8]| ends.iter().any(|end| memmem::find(end, entry).is_some());
    OFFICE
        .iter()
        .find(|(entry, _)| holds(entry))
        .map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::{name, office};

    #[test]
    fn formats_have_names() {
        let zip = |entry: &str| [b"PK\x03\x04\x14\0\0\0\0\0", entry.as_bytes(), b"....PK\x05\x06"].concat();
        assert_eq!(
            office(&zip("docProps/app.xmlword/document.xml")),
            Some("a Word document")
        );
        assert_eq!(office(&zip("a.txt")), None);
        assert_eq!(
            name(b"\x89PNG\r\n\x1a\n").as_deref(),
            Some("a file of type image/png (.png)")
        );
        assert_eq!(name(b"plain"), None);
    }
}
