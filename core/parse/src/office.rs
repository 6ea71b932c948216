//! Documents that xberg reads: Office, OpenDocument, EPUB, RTF, Outlook messages, notebooks.
//!
//! This module is all that knows xberg, so that another library can take its place.

use std::borrow::Cow;

use insula_core::ingest::ParseError;
use xberg::{
    ConcurrencyConfig, ExtractInput, ExtractedDocument, ExtractionConfig, ImageExtractionConfig,
    OutputFormat, PageConfig, PageContent, PostProcessorConfig, SecurityLimits, XbergError,
};

use crate::draft::Draft;
use crate::kind::Office;
use crate::{MAX_TEXT_BYTES, error, tidy};

/// Most bytes that the parts of a document may have unpacked.
const MAX_UNPACKED: usize = 256 * 1024 * 1024;
/// Most parts.
const MAX_PARTS: usize = 20_000;
/// Most cells of all tables.
const MAX_CELLS: usize = 1_000_000;
/// Most slides.
const MAX_SLIDES: usize = 5_000;

/// The text of a document as Markdown; a presentation's slides are its pages.
///
/// # Errors
/// `invalid_file` for a damaged or encrypted document and for one that unpacks to more than is allowed.
pub(crate) fn read(bytes: &[u8], office: Office) -> Result<Draft, ParseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|why| error::server(format!("The document reader could not be started: {why}.")))?;
    let input = ExtractInput::from_bytes(bytes.to_vec(), office.media_type(), None);
    let read = runtime.block_on(xberg::extract(input, &config(office)));
    let document = read
        .map_err(|why| refusal(office, &why))?
        .results
        .into_iter()
        .next()
        .ok_or_else(|| error::damaged(office.name(), ""))?;
    let mut draft = Draft::new(office.media_type());
    match slides(office, &document) {
        Slides::None => draft.push(&tidy::tidy(&content(office, &document)))?,
        Slides::Apart(slides) => {
            for (n, slide) in slides.iter().enumerate() {
                draft.page(i32::try_from(n + 1).unwrap_or(i32::MAX));
                draft.push(&tidy::tidy(slide))?;
            }
        }
        Slides::Pages(slides) => {
            for slide in slides {
                draft.page(i32::try_from(slide.page_number).unwrap_or(i32::MAX));
                draft.push(&tidy::tidy(&slide.content))?;
                if let Some(notes) = slide
                    .speaker_notes
                    .as_deref()
                    .filter(|notes| !notes.trim().is_empty())
                {
                    draft.paragraph(&format!("Notes: {}", notes.trim()))?;
                }
            }
        }
    }
    draft.find_headings();
    Ok(draft)
}

/// The slides of a presentation.
enum Slides<'a> {
    None,
    /// As the library gives them, with notes.
    Pages(&'a [PageContent]),
    /// What stands between the rules that begin each slide.
    Apart(Vec<String>),
}

fn slides(office: Office, document: &ExtractedDocument) -> Slides<'_> {
    if !matches!(office, Office::Pptx | Office::Ppt | Office::Odp) {
        return Slides::None;
    }
    match document.pages.as_deref() {
        Some(pages) if !pages.is_empty() => Slides::Pages(pages),
        _ => {
            let lines: Vec<&str> = document.content.lines().collect();
            let slides = lines
                .split(|line| tidy::is_rule(line))
                .map(|slide| slide.join("\n"));
            // Nothing stands before the first rule.
            Slides::Apart(slides.skip_while(|slide| slide.trim().is_empty()).collect())
        }
    }
}

/// The content, with what only this kind of document has put right.
fn content(office: Office, document: &ExtractedDocument) -> Cow<'_, str> {
    match office {
        // How RTF writes a no-break space.
        Office::Rtf => Cow::Owned(document.content.replace("\\~", "\u{a0}")),
        Office::Msg => Cow::Owned(
            document
                .content
                .lines()
                .filter_map(message_line)
                .collect::<Vec<_>>()
                .join("\n"),
        ),
        _ => Cow::Borrowed(&document.content),
    }
}

/// A line of a message as `email` writes it: the subject as heading, fields without marks, none for machines.
fn message_line(line: &str) -> Option<String> {
    let field = line.strip_prefix("**").and_then(|line| line.split_once("**: "));
    match field {
        None => Some(line.to_owned()),
        Some(("Subject", value)) => Some(format!("# {value}")),
        Some((name @ ("From" | "To" | "CC" | "BCC" | "Date"), value)) => Some(format!("{name}: {value}")),
        Some(_) => None,
    }
}

/// Nothing but text: no images, no attachments, no cache on disk, no threads of its own, no looking things up.
fn config(office: Office) -> ExtractionConfig {
    ExtractionConfig {
        use_cache: false,
        enable_quality_processing: false,
        disable_ocr: true,
        escape_markdown: false,
        output_format: OutputFormat::Markdown,
        postprocessor: Some(PostProcessorConfig {
            enabled: false,
            ..PostProcessorConfig::default()
        }),
        images: Some(ImageExtractionConfig {
            extract_images: false,
            inject_placeholders: false,
            ..ImageExtractionConfig::default()
        }),
        pages: matches!(office, Office::Pptx).then(|| PageConfig {
            extract_pages: true,
            ..PageConfig::default()
        }),
        security_limits: Some(SecurityLimits {
            max_archive_size: MAX_UNPACKED,
            // Empty documents of large programs have ratios of several hundred; the size is what counts.
            max_compression_ratio: usize::MAX,
            max_files_in_archive: MAX_PARTS,
            max_content_size: MAX_TEXT_BYTES,
            max_table_cells: MAX_CELLS,
            max_pages: Some(MAX_SLIDES),
            ..SecurityLimits::default()
        }),
        max_archive_depth: 0,
        // The time that a document may take is measured from outside.
        extraction_timeout_secs: None,
        concurrency: Some(ConcurrencyConfig {
            max_threads: Some(1),
            ..ConcurrencyConfig::default()
        }),
        ..ExtractionConfig::default()
    }
}

/// The library's errors as reasons. Those of limits and passwords are told apart by their words: it has no types for them
/// in all formats.
fn refusal(office: Office, why: &XbergError) -> ParseError {
    let reason = why.to_string();
    let lower = reason.to_lowercase();
    let holds = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if holds(&["encrypt", "password"]) {
        error::encrypted(office.name())
    } else if holds(&["depth", "nesting"]) {
        error::too_deep(office.name())
    } else if holds(&[
        "zip bomb",
        "too large",
        "too many",
        "too long",
        "exceeds limit",
        "limit exceeded",
    ]) {
        error::too_large_unpacked(office.name())
    } else {
        let reason = reason
            .rsplit_once(": invalid Zip archive: ")
            .map_or(&*reason, |(_, reason)| reason);
        let known = ["Parsing error: ", "Validation error: ", "Security violation: "];
        let reason = known
            .iter()
            .find_map(|start| reason.strip_prefix(start))
            .unwrap_or(reason);
        error::damaged(office.name(), reason)
    }
}

impl Office {
    /// What it is called in a reason, with an article.
    fn name(self) -> &'static str {
        match self {
            Self::Docx | Self::Doc => "a Word document",
            Self::Pptx | Self::Ppt => "a PowerPoint presentation",
            Self::Odt => "an OpenDocument text",
            Self::Odp => "an OpenDocument presentation",
            Self::Epub => "an EPUB book",
            Self::Rtf => "an RTF document",
            Self::Msg => "an Outlook message",
            Self::Notebook => "a Jupyter notebook",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Pptx => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            Self::Odt => "application/vnd.oasis.opendocument.text",
            Self::Odp => "application/vnd.oasis.opendocument.presentation",
            Self::Doc => "application/msword",
            Self::Ppt => "application/vnd.ms-powerpoint",
            Self::Epub => "application/epub+zip",
            Self::Rtf => "application/rtf",
            Self::Msg => "application/vnd.ms-outlook",
            Self::Notebook => "application/x-ipynb+json",
        }
    }
}
