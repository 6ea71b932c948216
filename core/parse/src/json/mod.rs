//! JSON and JSON lines to text: a line for each value, with the path to it.
//!
//! Values are written as they are read, by a reader without recursion: no depth overflows the stack, members with the same
//! name are all kept, and numbers stay the digits that they are.

mod lexer;
mod writer;

use insula_core::ingest::ParseError;

use crate::draft::Draft;
use crate::error;
use lexer::{Lexer, Token};
use writer::Writer;

/// Most levels of arrays and objects.
const MAX_DEPTH: usize = 1_000;

/// What stands around the place that is being read.
enum Frame {
    Array { index: usize },
    Object { key: String },
}

/// The values of a text that is JSON from its first character to its last, or `None` if it is not. Several objects one
/// after the other are JSON lines.
pub(crate) fn read(text: &str) -> Option<Result<Draft, ParseError>> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    match values(text) {
        Ok(draft) => Some(Ok(draft)),
        Err(Stop::NotJson) => None,
        Err(Stop::Refused(why)) => Some(Err(why)),
    }
}

enum Stop {
    NotJson,
    Refused(ParseError),
}

impl From<ParseError> for Stop {
    fn from(why: ParseError) -> Self {
        Self::Refused(why)
    }
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// A value, or the end of the array or object.
    First,
    /// A value, or in an object a name; or the end, since many write a comma too many.
    Another,
    Colon,
    /// A member's value.
    Value,
    /// A comma, or the end.
    Comma,
}

fn values(text: &str) -> Result<Draft, Stop> {
    let mut lexer = Lexer::new(text);
    let mut writer = Writer::new();
    let mut frames: Vec<Frame> = Vec::new();
    let mut next = Next::First;
    let mut documents = 0;
    while let Some(token) = lexer.next().map_err(|()| Stop::NotJson)? {
        let in_object = matches!(frames.last(), Some(Frame::Object { .. }));
        let value_fits = !frames.is_empty()
            && match next {
                Next::First | Next::Another => !in_object,
                Next::Value => true,
                Next::Colon | Next::Comma => false,
            };
        next = match token {
            Token::Open(bracket) if value_fits || frames.is_empty() => {
                documents += usize::from(frames.is_empty());
                open(&mut frames, bracket)?;
                Next::First
            }
            Token::Close(bracket) if matches!(next, Next::First | Next::Another | Next::Comma) => {
                match (frames.pop(), bracket) {
                    (Some(Frame::Object { .. }), b'}') | (Some(Frame::Array { .. }), b']') => {}
                    _ => return Err(Stop::NotJson),
                }
                writer.end(&frames)?;
                Next::Comma
            }
            Token::Text(name) if in_object && matches!(next, Next::First | Next::Another) => {
                if let Some(Frame::Object { key }) = frames.last_mut() {
                    *key = name.into_owned();
                }
                Next::Colon
            }
            Token::Text(text) if value_fits => {
                writer.text(&frames, &text)?;
                Next::Comma
            }
            Token::Bare(word) if value_fits => {
                writer.value(&frames, word)?;
                Next::Comma
            }
            Token::Colon if next == Next::Colon => Next::Value,
            Token::Comma if next == Next::Comma && !frames.is_empty() => {
                if let Some(Frame::Array { index }) = frames.last_mut() {
                    *index += 1;
                }
                Next::Another
            }
            _ => return Err(Stop::NotJson),
        };
    }
    if !frames.is_empty() {
        return Err(Stop::NotJson);
    }
    let media_type = if documents > 1 {
        "application/x-ndjson"
    } else {
        "application/json"
    };
    Ok(writer.finish().with_media_type(media_type))
}

fn open(frames: &mut Vec<Frame>, bracket: u8) -> Result<(), ParseError> {
    if frames.len() >= MAX_DEPTH {
        return Err(error::invalid(format!(
            "The JSON document is nested more than {MAX_DEPTH} levels deep."
        )));
    }
    frames.push(if bracket == b'{' {
        Frame::Object { key: String::new() }
    } else {
        Frame::Array { index: 0 }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(json: &str) -> String {
        read(json).unwrap().unwrap().text().trim_end().to_owned()
    }

    #[test]
    fn values_have_their_paths() {
        assert_eq!(
            lines(
                r#"{"name": "Tea", "price": 3.50, "tags": ["green", "hot", 7], "by": {"city": "Uji", "none": null}}"#
            ),
            "name: Tea\nprice: 3.50\ntags: green, hot, 7\nby.city: Uji"
        );
    }

    #[test]
    fn records_are_paragraphs() {
        let expected = "id: 1\nname: Ali\n\nid: 2\nname: Sara";
        assert_eq!(
            lines(r#"[{"id":1,"name":"Ali"},{"id":2,"name":"Sara"}]"#),
            expected
        );
        assert_eq!(
            lines("{\"id\":1,\"name\":\"Ali\"}\n{\"id\":2,\"name\":\"Sara\"}\n"),
            expected
        );
        assert_eq!(
            lines(r#"{"rows":[{"id":1,"at":[1,2]},{"id":2}]}"#),
            "rows[0].id: 1\nrows[0].at: 1, 2\n\nrows[1].id: 2"
        );
    }

    #[test]
    fn what_others_stumble_over_is_kept() {
        assert_eq!(
            lines(r#"{"model":"a","model":"b","n":12345678901234567890123,"t":NaN,"m":1e999}"#),
            "model: a\nmodel: b\nn: 12345678901234567890123\nt: NaN\nm: 1e999"
        );
        assert_eq!(
            lines(r#"{"x":"\ud800","y":"a\u0000b\n\u0645\ud83d\ude00"}"#),
            "x: \u{fffd}\ny: ab\nم😀"
        );
    }

    #[test]
    fn depth_is_limited_and_never_recursed_into() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(read(&deep).unwrap().unwrap_err().message.contains("nested"));
        let within = format!("{}1{}", "[".repeat(900), "]".repeat(900));
        assert_eq!(lines(&within), "[0][0][0][0][0][0]: 1");
    }

    #[test]
    fn other_text_is_not_json() {
        for text in [
            "[Note] read",
            "{x}",
            "{\"a\" 1}",
            "{\"a\":1",
            "[1] first\n[2] second",
            "[1,}",
            "[1 2]",
            "plain",
            "{\"a\":}",
        ] {
            assert!(read(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_soup_is_survived(soup in "[\\[\\]{}:,\"a1\\\\u \n]{0,80}") {
            let _ = read(&soup);
        }

        #[test]
        fn all_strings_of_valid_json_are_in_the_text(words in proptest::collection::vec("[a-zم]{1,12}", 1..8)) {
            let text = lines(&serde_json::json!({ "k": words, "o": { "w": words } }).to_string());
            for word in &words {
                prop_assert!(text.contains(word.as_str()));
            }
        }
    }
}
