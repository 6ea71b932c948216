//! XML to text. Entities that a document defines are never expanded, and nothing it refers to is read.

use insula_core::ingest::ParseError;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

use crate::draft::Draft;
use crate::error;

/// Most levels of elements.
const MAX_DEPTH: usize = 10_000;
/// Longest value that gets its element's name in front: longer ones are prose.
const LONGEST_VALUE: usize = 100;
/// Names that say nothing about what is in them.
const MARKUP: [&str; 18] = [
    "p",
    "para",
    "paragraph",
    "text",
    "t",
    "span",
    "div",
    "li",
    "item",
    "td",
    "th",
    "cell",
    "entry",
    "line",
    "s",
    "b",
    "i",
    "value",
];

/// The text of a document. Elements that hold other elements start lines; those inside of running text do not. A short
/// value gets its element's name in front: `price: 12`. A document that has all it says in attributes gives those.
///
/// # Errors
/// `invalid_file` for XML that is not well-formed, with the position, or nested too deeply.
pub(crate) fn read(source: &str) -> Result<Draft, ParseError> {
    let draft = text(source, false)?;
    if draft.has_text() {
        Ok(draft)
    } else {
        text(source, true)
    }
}

fn text(source: &str, attributes: bool) -> Result<Draft, ParseError> {
    let mut reader = Reader::from_str(source);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_unmatched_ends = true;
    let mut writer = Writer {
        draft: Draft::new("application/xml"),
        open: Vec::new(),
        line: String::new(),
        leaf: None,
        attributes,
    };
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => writer.open(&tag)?,
            Ok(Event::Empty(tag)) => {
                writer.open(&tag)?;
                writer.close()?;
            }
            Ok(Event::End(_)) => writer.close()?,
            Ok(Event::Text(text)) => writer.text(&text.xml10_content()),
            Ok(Event::CData(text)) => writer.text(&text.xml10_content()),
            Ok(Event::GeneralRef(entity)) => {
                let character = entity.resolve_char_ref().ok().flatten().map(String::from);
                let known = || resolve_predefined_entity(&entity).map(str::to_owned);
                writer.text(&character.or_else(known).unwrap_or_default());
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(why) => {
                let why = format!("{why} (at byte {})", reader.error_position());
                return Err(error::damaged("an XML document", &why));
            }
        }
    }
    writer.end_line()?;
    Ok(writer.draft)
}

/// An element that has begun.
struct Element {
    name: String,
    /// Whether text stands in it directly.
    has_text: bool,
}

struct Writer {
    draft: Draft,
    open: Vec<Element>,
    line: String,
    /// The name of the element that alone fills the line.
    leaf: Option<String>,
    attributes: bool,
}

impl Writer {
    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), ParseError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(error::invalid(format!(
                "The XML document has elements nested more than {MAX_DEPTH} deep."
            )));
        }
        if !self.is_running() {
            self.end_line()?;
        }
        let name = tag.local_name().as_ref().to_owned();
        if self.attributes {
            self.write_attributes(&name, tag)?;
        }
        self.open.push(Element {
            name,
            has_text: false,
        });
        Ok(())
    }

    fn write_attributes(&mut self, element: &str, tag: &BytesStart<'_>) -> Result<(), ParseError> {
        let values: Vec<String> = tag
            .attributes()
            .with_checks(false)
            .filter_map(Result::ok)
            .filter(|attribute| !attribute.key.as_ref().starts_with("xmlns"))
            .map(|attribute| format!("{}={}", attribute.key.local_name().as_ref(), attribute.value))
            .collect();
        if values.is_empty() {
            return Ok(());
        }
        self.draft.line(&format!("{element}: {}", values.join("; ")))
    }

    fn close(&mut self) -> Result<(), ParseError> {
        let Some(element) = self.open.pop() else {
            return Ok(());
        };
        if self.is_running() {
            return Ok(());
        }
        if element.has_text && self.leaf.is_none() {
            self.leaf = Some(element.name);
        }
        self.end_line()
    }

    fn text(&mut self, text: &str) {
        let blank = text.trim().is_empty();
        if !blank && let Some(element) = self.open.last_mut() {
            element.has_text = true;
        }
        if text.starts_with(char::is_whitespace) && !self.line.is_empty() && !self.line.ends_with(' ') {
            self.line.push(' ');
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        self.line.push_str(&words.join(" "));
        if !blank && text.ends_with(char::is_whitespace) {
            self.line.push(' ');
        }
    }

    /// Whether the element that is open has text of its own, so that those in it are parts of its sentences.
    fn is_running(&self) -> bool {
        self.open.last().is_some_and(|element| element.has_text)
    }

    fn end_line(&mut self) -> Result<(), ParseError> {
        let leaf = self.leaf.take();
        let line = std::mem::take(&mut self.line);
        let line = line.trim();
        if line.is_empty() {
            return Ok(());
        }
        let is_prose = line.chars().count() > LONGEST_VALUE;
        match leaf.filter(|name| !is_prose && !MARKUP.contains(&name.to_ascii_lowercase().as_str())) {
            Some(name) => self.draft.line(&format!("{name}: {line}")),
            None if is_prose => self.draft.paragraph(line),
            None => self.draft.line(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(source: &str) -> String {
        read(source).unwrap().text().to_owned()
    }

    #[test]
    fn values_have_names_and_sentences_stay_whole() {
        let source = "<?xml version=\"1.0\"?><shop><tea><name>Green</name><price unit='EUR'>3.50</price></tea>\
            <note>\n  <p>It is <b>very</b> good &amp; <i>che</i>ap &#169;.</p><p>Buy&unknown; it.</p></note></shop>";
        assert_eq!(
            read_text(source),
            "name: Green\nprice: 3.50\nIt is very good & cheap ©.\nBuy it."
        );
    }

    #[test]
    fn attributes_count_where_there_is_nothing_else() {
        assert_eq!(
            read_text("<rows xmlns='x'><row id='1' name='Ali'/><row id='2' name='Sara'/></rows>"),
            "row: id=1; name=Ali\nrow: id=2; name=Sara"
        );
    }

    #[test]
    fn entities_are_not_expanded() {
        let source = "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\"><!ENTITY y \"bomb\">]><a>one &x; &y; two</a>";
        let text = read_text(source);
        assert!(
            text.contains("one") && text.contains("two") && !text.contains("bomb") && !text.contains("root")
        );
    }

    #[test]
    fn depth_is_survived_and_damage_is_named() {
        assert!(
            read(&"<a>".repeat(1_000_000))
                .unwrap_err()
                .message
                .contains("nested")
        );
        assert!(read("<a>text <").unwrap_err().message.contains("damaged"));
        assert_eq!(read_text("<a>never <b>closed"), "never closed");
        assert_eq!(read_text("</a></b>text"), "text");
    }
}
