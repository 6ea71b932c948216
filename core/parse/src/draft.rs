//! A document while it is put together.

use insula_core::ingest::{Heading, PageStart, ParseError, ParsedDocument};

use crate::{MAX_TEXT_BYTES, clean, error, markdown};

/// Text in its stored form, with what is known of its structure. Every piece is cleaned before it is added, so that
/// offsets into what is there stay right.
#[derive(Debug)]
pub(crate) struct Draft {
    text: String,
    headings: Vec<Heading>,
    pages: Vec<PageStart>,
    markdown: bool,
    media_type: &'static str,
}

impl Draft {
    /// An empty document of plain text.
    pub(crate) fn new(media_type: &'static str) -> Self {
        Self {
            text: String::new(),
            headings: Vec::new(),
            pages: Vec::new(),
            markdown: false,
            media_type,
        }
    }

    /// A whole document of plain text.
    pub(crate) fn plain(media_type: &'static str, text: &str) -> Result<Self, ParseError> {
        let mut draft = Self::new(media_type);
        draft.push(text)?;
        Ok(draft)
    }

    /// A whole document of Markdown.
    pub(crate) fn markdown(media_type: &'static str, text: &str) -> Result<Self, ParseError> {
        let mut draft = Self::plain(media_type, text)?;
        draft.find_headings();
        Ok(draft)
    }

    /// Declares the text to be Markdown and takes its headings.
    pub(crate) fn find_headings(&mut self) {
        self.markdown = true;
        self.headings = markdown::headings(&self.text);
    }

    /// The text so far.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Adds text as it is, cleaned.
    ///
    /// # Errors
    /// `invalid_file` when the document becomes longer than [`MAX_TEXT_BYTES`].
    pub(crate) fn push(&mut self, text: &str) -> Result<(), ParseError> {
        // Before cleaning, which needs as much memory again; NFC makes text shorter, not longer, save for oddities.
        if self.text.len() + text.len() > 2 * MAX_TEXT_BYTES {
            return Err(error::too_much_text());
        }
        self.text.push_str(&clean::clean(text));
        if self.text.len() > MAX_TEXT_BYTES {
            return Err(error::too_much_text());
        }
        Ok(())
    }

    /// Adds text on a line of its own.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), ParseError> {
        if text.is_empty() {
            return Ok(());
        }
        self.gap(1);
        self.push(text)
    }

    /// Adds text after a blank line.
    pub(crate) fn paragraph(&mut self, text: &str) -> Result<(), ParseError> {
        self.gap(2);
        self.push(text)
    }

    /// Ends the line, and with `newlines` of 2 leaves one blank.
    pub(crate) fn gap(&mut self, newlines: usize) {
        if self.text.is_empty() {
            return;
        }
        let there = self.text.bytes().rev().take_while(|byte| *byte == b'\n').count();
        for _ in there..newlines {
            self.text.push('\n');
        }
    }

    /// Writes a heading as a `#` line and takes note of it.
    pub(crate) fn heading(&mut self, level: u8, title: &str) -> Result<(), ParseError> {
        let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
        if title.is_empty() {
            return Ok(());
        }
        self.gap(2);
        let offset = self.text.len();
        self.push(&format!("{} {title}", "#".repeat(usize::from(level))))?;
        self.text.push_str("\n\n");
        self.add_heading(offset, level, &title);
        Ok(())
    }

    /// Takes note of a heading whose line is in the text already. They must come in ascending order of `offset`.
    pub(crate) fn add_heading(&mut self, offset: usize, level: u8, title: &str) {
        self.headings.push(Heading {
            offset,
            level: level.clamp(1, 6),
            title: clean::clean(title),
        });
    }

    /// Starts a page at the end of the text so far.
    pub(crate) fn page(&mut self, page: i32) {
        self.gap(2);
        self.pages.push(PageStart {
            offset: self.text.len(),
            page,
        });
    }

    /// The bytes of a page, while no other text follows the last one.
    pub(crate) fn page_range(&self, page: i32) -> Option<(usize, usize)> {
        let at = self.pages.binary_search_by_key(&page, |start| start.page).ok()?;
        let end = self.pages.get(at + 1).map_or(self.text.len(), |next| next.offset);
        Some((self.pages[at].offset, end))
    }

    /// Adds a whole document below a heading. Its own headings sink by `levels`; its pages are left out, since their
    /// numbers would be taken for those of the outer document.
    pub(crate) fn append(&mut self, inner: Draft, levels: u8) -> Result<(), ParseError> {
        self.gap(2);
        let start = self.text.len();
        self.push(&inner.text)?;
        self.markdown |= inner.markdown;
        self.headings
            .extend(inner.headings.into_iter().map(|heading| Heading {
                offset: start + heading.offset,
                level: (heading.level + levels).min(6),
                title: heading.title,
            }));
        Ok(())
    }

    /// Whether there is anything that a person would call text: a letter or a digit.
    pub(crate) fn has_text(&self) -> bool {
        self.text.chars().any(char::is_alphanumeric)
    }

    /// The same under another media type.
    pub(crate) fn with_media_type(mut self, media_type: &'static str) -> Self {
        self.media_type = media_type;
        self
    }

    /// The finished document.
    ///
    /// # Errors
    /// `invalid_file` when there is no text.
    pub(crate) fn finish(mut self) -> Result<ParsedDocument, ParseError> {
        if !self.has_text() {
            return Err(error::no_text());
        }
        self.text.truncate(self.text.trim_end().len());
        let end = self.text.len();
        // A last page without text would start behind the end.
        for page in &mut self.pages {
            page.offset = page.offset.min(end);
        }
        Ok(ParsedDocument {
            text: self.text,
            headings: self.headings,
            pages: self.pages,
            markdown: self.markdown,
            media_type: self.media_type.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_those_of_the_cleaned_text() {
        let mut draft = Draft::new("text/plain");
        draft.page(1);
        draft.push("first\0 page\r\n").unwrap();
        draft.page(2);
        draft.heading(1, " The\nsecond ").unwrap();
        draft.push("Cafe\u{301}").unwrap();
        draft.page(3);
        let document = draft.finish().unwrap();
        assert_eq!(document.text, "first page\n\n# The second\n\nCafé");
        assert_eq!(document.headings[0].offset, 12);
        assert_eq!(document.headings[0].title, "The second");
        let starts: Vec<usize> = document.pages.iter().map(|page| page.offset).collect();
        assert_eq!(starts, [0, 12, document.text.len()]);
    }

    #[test]
    fn an_inner_document_sinks_below_its_heading() {
        let inner = Draft::markdown("text/markdown", "# Inner\n\ntext").unwrap();
        let mut outer = Draft::new("application/zip");
        outer.heading(1, "inner.md").unwrap();
        outer.append(inner, 1).unwrap();
        let document = outer.finish().unwrap();
        assert!(document.markdown);
        assert_eq!(document.text, "# inner.md\n\n# Inner\n\ntext");
        let levels: Vec<_> = document.headings.iter().map(|h| (h.offset, h.level)).collect();
        assert_eq!(levels, [(0, 1), (12, 2)]);
    }

    #[test]
    fn marks_alone_are_no_text_and_too_much_is_refused() {
        let draft = Draft::plain("text/plain", "-----\n| | |\n").unwrap();
        assert_eq!(draft.finish().unwrap_err().message, "The file contains no text.");
        let mut draft = Draft::new("text/plain");
        let half = "a".repeat(MAX_TEXT_BYTES);
        draft.push(&half).unwrap();
        assert!(draft.push("a").unwrap_err().message.contains("64 MiB"));
    }
}
