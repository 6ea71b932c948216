//! The structure of Markdown.

use insula_core::ingest::Heading;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// Longest title, in characters. What is longer is a paragraph above a stray line of dashes.
const LONGEST_TITLE: usize = 200;

/// The headings of a text, in order. Those in code blocks are not headings, nor is the YAML in front of a document.
pub(crate) fn headings(text: &str) -> Vec<Heading> {
    let mut found = Vec::new();
    let mut open: Option<Heading> = None;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_YAML_STYLE_METADATA_BLOCKS).into_offset_iter()
    {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                let offset = text[..range.start].rfind('\n').map_or(0, |newline| newline + 1);
                open = Some(Heading {
                    offset,
                    level: number(level),
                    title: String::new(),
                });
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some(mut heading) = open.take() {
                    heading.title = heading.title.trim().to_owned();
                    if !heading.title.is_empty() && heading.title.chars().count() <= LONGEST_TITLE {
                        found.push(heading);
                    }
                }
            }
            Event::Text(piece) | Event::Code(piece) => {
                if let Some(heading) = &mut open {
                    heading.title.push_str(&piece);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some(heading) = &mut open {
                    heading.title.push(' ');
                }
            }
            _ => {}
        }
    }
    found
}

fn number(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_styles_count_and_code_does_not() {
        let text = "Title\n=====\n\ntext\n\n```\n# not one\n```\n\n## A `code` and *more*\n\n#\n";
        let found: Vec<_> = headings(text)
            .into_iter()
            .map(|h| (h.offset, h.level, h.title))
            .collect();
        let second = text.find("## A").unwrap();
        assert!(headings("---\ntitle: x\n---\n\ntext").is_empty());
        assert!(headings(&format!("{}\n---\n", "long ".repeat(50))).is_empty());
        assert_eq!(
            found,
            vec![
                (0, 1, "Title".to_owned()),
                (second, 2, "A code and more".to_owned())
            ]
        );
    }
}
