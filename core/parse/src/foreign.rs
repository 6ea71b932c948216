//! Formats that are not read here, by name, so that a refusal says what the file is.

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
    if bytes.starts_with(b"{\\rtf") {
        return Some("an RTF document".into());
    }
    let found = infer::get(bytes).filter(|found| found.matcher_type() != infer::MatcherType::Text)?;
    let name = match found.mime_type() {
        "application/pdf" => "a PDF document",
        "application/postscript" => "a PostScript document",
        "application/zip" => office(bytes).unwrap_or("a ZIP archive"),
        "application/x-ole-storage" => "an encrypted or older Microsoft Office file",
        "application/msword" => "an older Word document",
        "application/vnd.ms-excel" => "an older Excel workbook",
        "application/vnd.ms-powerpoint" => "an older PowerPoint presentation",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "a Word document",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation" => {
            "a PowerPoint presentation"
        }
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "an Excel workbook",
        "application/epub+zip" => "an EPUB book",
        mime => return Some(format!("a file of type {mime} (.{})", found.extension())),
    };
    Some(name.into())
}

/// Names of entries stand uncompressed before each entry and in the directory at the end.
fn office(bytes: &[u8]) -> Option<&'static str> {
    let ends = [
        &bytes[..bytes.len().min(ENDS)],
        &bytes[bytes.len().saturating_sub(ENDS)..],
    ];
    let holds = |entry: &[u8]| {
        ends.iter()
            .any(|end| end.windows(entry.len()).any(|window| window == entry))
    };
    OFFICE
        .iter()
        .find(|(entry, _)| holds(entry))
        .map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn formats_have_names() {
        let zip = |entry: &str| [b"PK\x03\x04\x14\0\0\0\0\0", entry.as_bytes(), b"....PK\x05\x06"].concat();
        assert_eq!(
            name(&zip("docProps/app.xmlword/document.xml")).as_deref(),
            Some("a Word document")
        );
        assert_eq!(name(&zip("a.txt")).as_deref(), Some("a ZIP archive"));
        assert_eq!(name(b"%PDF-1.7").as_deref(), Some("a PDF document"));
        assert_eq!(
            name(b"\x89PNG\r\n\x1a\n").as_deref(),
            Some("a file of type image/png (.png)")
        );
        assert_eq!(name(b"plain"), None);
    }
}
