//! Server-sent events, as far as OpenAI's format uses them, with a bound on what a provider can make us hold.

use std::io;
use std::pin::Pin;

use futures::{Stream, StreamExt, TryStreamExt};
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};
use tokio_util::io::StreamReader;

/// Longest line, and longest event, in bytes.
const EVENT_BYTES: usize = 1024 * 1024;

/// Why no further event can be read.
#[derive(Debug)]
pub(super) enum SseError {
    /// An event exceeds [`EVENT_BYTES`].
    TooLong,
    /// The text is not UTF-8.
    NotText,
    /// The connection broke.
    Transport(io::Error),
}

impl From<LinesCodecError> for SseError {
    fn from(error: LinesCodecError) -> Self {
        match error {
            LinesCodecError::MaxLineLengthExceeded => Self::TooLong,
            LinesCodecError::Io(error)
                if error.get_ref().is_some_and(|inner| inner.is::<reqwest::Error>()) =>
            {
                Self::Transport(error)
            }
            LinesCodecError::Io(error) if error.kind() == io::ErrorKind::InvalidData => Self::NotText,
            LinesCodecError::Io(error) => Self::Transport(error),
        }
    }
}

type Lines = Pin<Box<dyn Stream<Item = Result<String, LinesCodecError>> + Send>>;

/// The data of the events of a response body.
pub(super) struct Sse {
    lines: Lines,
    data: Option<String>,
}

impl Sse {
    pub(super) fn new<B: bytes::Buf + Send + 'static>(
        body: impl Stream<Item = reqwest::Result<B>> + Send + 'static,
    ) -> Self {
        let reader = StreamReader::new(Box::pin(body.map_err(io::Error::other)));
        let lines = FramedRead::new(reader, LinesCodec::new_with_max_length(EVENT_BYTES));
        Self {
            lines: Box::pin(lines),
            data: None,
        }
    }

    /// Reads one line. `Ok(Some(data))` when it completed an event, `Ok(None)` when it did not: callers set a
    /// time limit per line, so that comments keep a stream alive.
    ///
    /// The outer `None` is the end. An event that the end cuts off before its blank line still counts.
    pub(super) async fn next_line(&mut self) -> Option<Result<Option<String>, SseError>> {
        let Some(line) = self.lines.next().await else {
            return self.data.take().map(|data| Ok(Some(data)));
        };
        Some(line.map_err(SseError::from).and_then(|line| self.accept(&line)))
    }

    fn accept(&mut self, line: &str) -> Result<Option<String>, SseError> {
        let line = line.strip_prefix('\u{feff}').unwrap_or(line);
        if line.is_empty() {
            return Ok(self.data.take());
        }
        let Some(value) = line.strip_prefix("data:") else {
            return Ok(None);
        };
        let value = value.strip_prefix(' ').unwrap_or(value);
        match &mut self.data {
            None => self.data = Some(value.to_owned()),
            Some(data) if data.len() + value.len() > EVENT_BYTES => return Err(SseError::TooLong),
            Some(data) => {
                data.push('\n');
                data.push_str(value);
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::stream;

    use super::*;

    async fn read(chunks: Vec<Vec<u8>>) -> (Vec<String>, Option<SseError>) {
        let mut sse = Sse::new(stream::iter(
            chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk))),
        ));
        let mut events = Vec::new();
        while let Some(line) = sse.next_line().await {
            match line {
                Ok(event) => events.extend(event),
                Err(error) => return (events, Some(error)),
            }
        }
        (events, None)
    }

    #[tokio::test]
    async fn events_survive_any_cut() {
        let text = "\u{feff}: hello\r\nevent: x\r\ndata: {\"é\":1}\r\n\r\nid: 7\ndata:two\ndata: lines\n\ndata: [DONE]";
        for at in 0..text.len() {
            let (head, tail) = text.as_bytes().split_at(at);
            let (events, error) = read(vec![head.to_vec(), tail.to_vec()]).await;
            assert!(error.is_none(), "cut at {at}: {error:?}");
            assert_eq!(events, ["{\"é\":1}", "two\nlines", "[DONE]"], "cut at {at}");
        }
    }

    #[tokio::test]
    async fn a_line_that_does_not_end_is_given_up() {
        let (events, error) = read(vec![vec![b'x'; 64 * 1024]; 20]).await;
        assert!(events.is_empty());
        assert!(matches!(error, Some(SseError::TooLong)), "{error:?}");
    }

    #[tokio::test]
    async fn an_event_that_does_not_end_is_given_up() {
        let line = [b"data: ".to_vec(), vec![b'x'; 64 * 1024], b"\n".to_vec()].concat();
        let (events, error) = read(vec![line; 20]).await;
        assert!(events.is_empty());
        assert!(matches!(error, Some(SseError::TooLong)), "{error:?}");
    }

    #[tokio::test]
    async fn bytes_that_are_not_text_are_an_error() {
        let (_, error) = read(vec![b"data: \xff\xfe\n\n".to_vec()]).await;
        assert!(matches!(error, Some(SseError::NotText)), "{error:?}");
    }
}
