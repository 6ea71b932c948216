//! PDF, by pdfium.
//!
//! Of the libraries that were compared, pdfium alone puts Arabic words in their order. It is C++ and is bound at run
//! time; a crash or an endless loop in it ends the child process that this runs in, nothing more.

mod bomb;
mod fields;
mod library;
mod lines;
mod outline;
mod rtl;

use insula_core::ingest::ParseError;
use pdfium_render::prelude::{
    PdfDocument, PdfPage, PdfPageObject, PdfPageObjectsCommon, PdfPageText, PdfiumError, PdfiumInternalError,
};

use crate::draft::Draft;
use crate::{Tools, error};

const PDF: &str = "a PDF document";
/// Most pages that are read. The count that a document states may be any number.
const MAX_PAGES: i32 = 20_000;
/// pdfium keeps what it has parsed until the document is closed: after so many pages it is opened anew.
const REOPEN_AFTER: i32 = 250;
/// Pages that are looked at for images, to say that a document was scanned.
const LOOK_FOR_IMAGES: i32 = 3;
/// A text layer with fewer known characters than one in so many says nothing.
const UNKNOWN_SHARE: usize = 2;

/// The text of a document, page by page, in reading order.
///
/// # Errors
/// `invalid_file` for a damaged or encrypted document and for one without text, `unsupported_file` where pdfium is not
/// installed, `server_error` when it cannot be loaded.
pub(crate) fn read(bytes: &[u8], tools: &Tools) -> Result<Draft, ParseError> {
    bomb::check(bytes)?;
    let pdfium = library::load(tools)?;
    let open = || pdfium.load_pdf_from_byte_slice(bytes, None).map_err(refusal);
    let mut document = open()?;
    let count = document.pages().len();
    if count > MAX_PAGES {
        return Err(error::invalid(format!(
            "The PDF document has more than {MAX_PAGES} pages."
        )));
    }
    let mut draft = Draft::new("application/pdf");
    let mut layer = Layer::default();
    for index in 0..count {
        if index > 0 && index % REOPEN_AFTER == 0 {
            document = open()?;
        }
        // A page that is broken does not cost the others.
        match document.pages().get(index) {
            Ok(page) => read_page(&page, index + 1, &mut draft, &mut layer)?,
            Err(_) => layer.broken += 1,
        }
    }
    layer.check(&document, count)?;
    outline::headings(&document, &mut draft);
    Ok(draft)
}

fn read_page(
    page: &PdfPage<'_>,
    number: i32,
    draft: &mut Draft,
    layer: &mut Layer,
) -> Result<(), ParseError> {
    draft.page(number);
    if let Ok(text) = page.text() {
        let text = lines::tidy(codes(&text).into_iter());
        layer.count(&text);
        draft.push(&text)?;
    }
    let written = fields::lines(page);
    layer.count(&written);
    draft.line(&written)
}

/// The characters of a page in reading order.
fn codes(text: &PdfPageText<'_>) -> Vec<u32> {
    let characters = text.chars();
    let mut has_rtl = false;
    let codes: Vec<u32> = characters
        .iter()
        .map(|character| character.unicode_value())
        .inspect(|code| has_rtl |= rtl::is_letter(*code))
        .collect();
    if !has_rtl {
        return codes;
    }
    let glyphs: Vec<rtl::Glyph> = characters
        .iter()
        .map(|character| {
            let code = character.unicode_value();
            // Only the places of these matter, and asking for one costs a call.
            let place = rtl::is_letter(code).then(|| character.origin().ok()).flatten();
            let (x, y) = place.map_or((0.0, 0.0), |(x, y)| (x.value, y.value));
            rtl::Glyph { code, x, y }
        })
        .collect();
    rtl::repair(&glyphs)
}

/// What was found in the text layer.
#[derive(Default)]
struct Layer {
    broken: i32,
    letters: usize,
    /// Characters that stand for glyphs of which the font does not say what they mean.
    unknown: usize,
}

impl Layer {
    fn count(&mut self, text: &str) {
        for character in text.chars() {
            if character == '\u{fffd}' || matches!(character, '\u{e000}'..='\u{f8ff}') {
                self.unknown += 1;
            } else if character.is_alphanumeric() {
                self.letters += 1;
            }
        }
    }

    fn check(&self, document: &PdfDocument<'_>, count: i32) -> Result<(), ParseError> {
        if self.letters + self.unknown == 0 {
            return Err(if self.broken == count {
                error::damaged(PDF, "it has no page that can be read")
            } else if has_images(document, count) {
                error::invalid(
                    "The PDF document holds no text, only images: it was scanned, and text in images is not recognised.",
                )
            } else {
                error::invalid("The PDF document holds no text.")
            });
        }
        if self.letters * UNKNOWN_SHARE < self.unknown {
            return Err(error::invalid(
                "The text of the PDF document cannot be read: its fonts do not say which characters their glyphs are.",
            ));
        }
        Ok(())
    }
}

fn has_images(document: &PdfDocument<'_>, count: i32) -> bool {
    // Scanners put the page's image into a form at times.
    let is_image = |object: &PdfPageObject<'_>| match object {
        PdfPageObject::Image(_) => true,
        PdfPageObject::XObjectForm(form) => form.iter().any(|inner| matches!(inner, PdfPageObject::Image(_))),
        _ => false,
    };
    let holds_image = |page: PdfPage<'_>| page.objects().iter().any(|object| is_image(&object));
    (0..count.min(LOOK_FOR_IMAGES)).any(|index| document.pages().get(index).is_ok_and(holds_image))
}

fn refusal(why: PdfiumError) -> ParseError {
    match why {
        PdfiumError::PdfiumLibraryInternalError(
            PdfiumInternalError::PasswordError | PdfiumInternalError::SecurityError,
        ) => error::encrypted(PDF),
        _ => error::damaged(PDF, ""),
    }
}
