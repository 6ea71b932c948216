//! Reading the lines of a batch.

use std::io;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use super::{BatchError, Callable};

/// Longest line in bytes: as much as the body of a request may have.
pub(super) const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Longest `custom_id`, in characters.
const MOST_OF_AN_ID: usize = 512;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Where a line begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The line, from 1.
    pub(super) line: i64,
    /// Bytes before it.
    pub(super) offset: u64,
}

impl Place {
    pub(super) const START: Self = Self { line: 1, offset: 0 };
}

/// A line that is not blank.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) at: Place,
    /// Its bytes; `None` if there are more than [`MOST_BYTES`].
    pub(super) text: Option<Vec<u8>>,
}

/// A file, line by line.
pub(super) struct Lines<R> {
    reader: R,
    next: Place,
    most: usize,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            next: Place::START,
            most: MOST_BYTES,
        }
    }

    /// Goes on at a line that was read before.
    pub(super) async fn skip_to(&mut self, place: Place) -> io::Result<()> {
        let mut left = place.offset;
        while left > 0 {
            let available = self.reader.fill_buf().await?.len() as u64;
            if available == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let skipped = available.min(left);
            self.reader
                .consume(usize::try_from(skipped).unwrap_or(usize::MAX));
            left -= skipped;
        }
        self.next = place;
        Ok(())
    }

    /// Where the next line begins.
    pub(super) fn place(&self) -> Place {
        self.next
    }

    /// The next line that is not blank.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let at = self.next;
            let text = self.read().await?;
            if self.next.offset == at.offset {
                return Ok(None);
            }
            let Some(mut text) = text else {
                return Ok(Some(Line { at, text: None }));
            };
            if at == Place::START && text.starts_with(BYTE_ORDER_MARK) {
                text.drain(..BYTE_ORDER_MARK.len());
            }
            if !text.trim_ascii().is_empty() {
                return Ok(Some(Line { at, text: Some(text) }));
            }
        }
    }

    /// The bytes up to the end of the line.
    async fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut text = Some(Vec::new());
        loop {
            let available = self.reader.fill_buf().await?;
            if available.is_empty() {
                return Ok(text);
            }
            let end = memchr::memchr(b'\n', available);
            let part = &available[..end.unwrap_or(available.len())];
            let taken = part.len() + usize::from(end.is_some());
            text = text.filter(|text| text.len() + part.len() <= self.most);
            if let Some(text) = &mut text {
                text.extend_from_slice(part);
            }
            self.reader.consume(taken);
            self.next.offset += taken as u64;
            if end.is_some() {
                self.next.line += 1;
                return Ok(text);
            }
        }
    }
}

/// A line that is as it should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    /// The client's name for it.
    pub(super) custom_id: String,
    /// The model of the body.
    pub(super) model: String,
    /// The body as it is written.
    pub(super) body: &'a str,
}

/// The line's fields, whatever is in them.
#[derive(Deserialize)]
struct Fields<'a> {
    custom_id: Option<Value>,
    method: Option<Value>,
    url: Option<Value>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

/// Those of the body that decide whether the line can be called at all.
#[derive(Deserialize)]
struct Body {
    model: Option<Value>,
    stream: Option<Value>,
}

/// Reads a line.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read<'a>(line: &'a Line, endpoint: Callable) -> Result<Asked<'a>, BatchError> {
    let wrong = |code: &str, param: Option<&str>, message: String| BatchError {
        code: code.into(),
        message,
        param: param.map(str::to_owned),
        line: Some(line.at.line),
    };
    let text = line.text.as_deref().ok_or_else(|| {
        let message = format!("This line is longer than {MOST_BYTES} bytes.");
        wrong("line_too_long", None, message)
    })?;
    let not_json = || {
        wrong(
            "invalid_json_line",
            None,
            "This line is not a JSON object.".into(),
        )
    };
    let is_object = |text: &[u8]| text.trim_ascii_start().first() == Some(&b'{');
    if !is_object(text) {
        return Err(not_json());
    }
    let fields: Fields<'a> = serde_json::from_slice(text).map_err(|_| not_json())?;
    let missing = |param| {
        let message = format!("Missing required parameter: '{param}'.");
        wrong("missing_required_parameter", Some(param), message)
    };
    let custom_id = match fields.custom_id {
        None | Some(Value::Null) => return Err(missing("custom_id")),
        Some(Value::String(id)) if !id.is_empty() && id.chars().nth(MOST_OF_AN_ID).is_none() => id,
        Some(_) => {
            let message = format!("The custom_id must be a text of 1 to {MOST_OF_AN_ID} characters.");
            return Err(wrong("invalid_custom_id", Some("custom_id"), message));
        }
    };
    if fields.method.is_none_or(|method| method != "POST") {
        let message = "The method of a line must be 'POST'.".into();
        return Err(wrong("invalid_method", Some("method"), message));
    }
    if fields.url.is_none_or(|url| url != endpoint.path()) {
        let message = format!(
            "The url of a line must be the batch's endpoint, '{}'.",
            endpoint.path()
        );
        return Err(wrong("invalid_url", Some("url"), message));
    }
    let body = fields.body.ok_or_else(|| missing("body"))?.get();
    if !is_object(body.as_bytes()) {
        let message = "The body of a line must be an object.".into();
        return Err(wrong("invalid_body", Some("body"), message));
    }
    let Body { model, stream } = serde_json::from_str(body).map_err(|_| {
        let message = "The body names its model, or whether it is streamed, twice.".into();
        wrong("invalid_body", Some("body"), message)
    })?;
    let model = match model {
        None | Some(Value::Null) => return Err(missing("body.model")),
        Some(Value::String(model)) => model,
        Some(_) => {
            let message = "The model must be a text.".into();
            return Err(wrong("invalid_value", Some("body.model"), message));
        }
    };
    if stream == Some(Value::Bool(true)) {
        let message = "The lines of a batch cannot be streamed.".into();
        return Err(wrong("unsupported_parameter", Some("body.stream"), message));
    }
    Ok(Asked {
        custom_id,
        model,
        body,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::io::BufReader;

    use super::*;

    async fn all(text: &[u8], capacity: usize, most: usize) -> Vec<(i64, u64, Option<String>)> {
        let mut lines = Lines::new(BufReader::with_capacity(capacity, text));
        lines.most = most;
        let mut found = Vec::new();
        while let Some(Line { at, text }) = lines.next().await.unwrap() {
            let text = text.map(|text| String::from_utf8(text).unwrap());
            found.push((at.line, at.offset, text));
        }
        found
    }

    #[tokio::test]
    async fn lines_are_found_however_they_end() {
        let text = b"\xef\xbb\xbf{a}\r\n\n  \r\n{b}\n{c}";
        let expected = [
            (1, 0, Some("{a}\r".to_owned())),
            (4, 13, Some("{b}".to_owned())),
            (5, 17, Some("{c}".to_owned())),
        ];
        for capacity in [1, 2, 3, 64] {
            assert_eq!(all(text, capacity, 100).await, expected, "{capacity}");
        }
        assert_eq!(all(b"", 8, 8).await, []);
        assert_eq!(all(b"\n\n", 8, 8).await, []);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_told_and_passed() {
        let expected = [(1, 0, None), (2, 7, Some("ok".to_owned()))];
        for capacity in [1, 4, 64] {
            assert_eq!(all(b"123456\nok\n", capacity, 5).await, expected);
        }
    }

    #[tokio::test]
    async fn a_line_can_be_gone_back_to() {
        let text = b"\xef\xbb\xbfone\ntwo\nthree";
        let mut lines = Lines::new(BufReader::with_capacity(2, &text[..]));
        lines.next().await.unwrap();
        let place = lines.place();
        let expected = lines.next().await.unwrap();
        let mut again = Lines::new(BufReader::with_capacity(2, &text[..]));
        again.skip_to(place).await.unwrap();
        assert_eq!(again.next().await.unwrap(), expected);
        let beyond = Place { line: 9, offset: 99 };
        assert!(Lines::new(&text[..]).skip_to(beyond).await.is_err());
    }

    fn refused(text: &str) -> (String, Option<String>) {
        let line = Line {
            at: Place { line: 7, offset: 0 },
            text: Some(text.as_bytes().to_vec()),
        };
        let error = read(&line, Callable::Embeddings).unwrap_err();
        assert_eq!(error.line, Some(7));
        (error.code, error.param)
    }

    #[test]
    fn what_is_wrong_with_a_line_is_named() {
        let good = json!({"custom_id": "a", "method": "POST", "url": "/v1/embeddings",
                          "body": {"model": "m", "input": "x", "stream": false}});
        let line = Line {
            at: Place::START,
            text: Some(good.to_string().into_bytes()),
        };
        let asked = read(&line, Callable::Embeddings).unwrap();
        assert_eq!((asked.custom_id.as_str(), asked.model.as_str()), ("a", "m"));
        assert_eq!(asked.body, good["body"].to_string());

        for (pointer, value, code) in [
            ("custom_id", Value::Null, "missing_required_parameter"),
            ("custom_id", json!(7), "invalid_custom_id"),
            ("custom_id", json!(""), "invalid_custom_id"),
            ("custom_id", json!("x".repeat(513)), "invalid_custom_id"),
            ("method", json!("GET"), "invalid_method"),
            ("method", Value::Null, "invalid_method"),
            ("url", json!("/v1/chat/completions"), "invalid_url"),
            ("body", Value::Null, "missing_required_parameter"),
            ("body", json!([]), "invalid_body"),
            ("body.model", Value::Null, "missing_required_parameter"),
            ("body.model", json!(1), "invalid_value"),
            ("body.stream", json!(true), "unsupported_parameter"),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(&format!("/{}", pointer.replace('.', "/")))
                .unwrap() = value;
            let (found, param) = refused(&bad.to_string());
            assert_eq!((found.as_str(), param.as_deref()), (code, Some(pointer)), "{bad}");
        }
        for bad in [
            "{",
            "[1]",
            "nonsense",
            "\"{}\"",
            r#"{"custom_id":"a","custom_id":"b"}"#,
        ] {
            assert_eq!(refused(bad), ("invalid_json_line".into(), None), "{bad}");
        }
    }
}
