//! Server-sent events, as far as providers use them, with a bound on what one can make us hold.

use std::pin::Pin;

use bytes::{Buf, Bytes, BytesMut};
use futures::{Stream, StreamExt};
use memchr::memchr;

/// Longest line, and longest event, in bytes.
const EVENT_BYTES: usize = 1024 * 1024;

/// Why no further event can be read.
#[derive(Debug)]
pub(super) enum SseError {
    /// An event exceeds [`EVENT_BYTES`].
    TooLong,
    /// The connection broke.
    Transport(reqwest::Error),
}

type Body = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>;

/// The data of the events of a response body.
pub(super) struct Sse {
    body: Body,
    /// What has arrived and has not been read.
    buffer: BytesMut,
    /// How much of `buffer` holds no end of a line.
    searched: usize,
    begun: bool,
    ended: bool,
    data: Option<BytesMut>,
}

impl Sse {
    pub(super) fn new(body: impl Stream<Item = reqwest::Result<Bytes>> + Send + 'static) -> Self {
        Self {
            body: Box::pin(body),
            buffer: BytesMut::new(),
            searched: 0,
            begun: false,
            ended: false,
            data: None,
        }
    }

    /// Reads one line. `Ok(Some(data))` when it completed an event, `Ok(None)` when it did not: callers set a
    /// time limit per line, so that comments keep a stream alive.
    ///
    /// The outer `None` is the end. An event that the end cuts off before its blank line still counts.
    pub(super) async fn next_line(&mut self) -> Option<Result<Option<BytesMut>, SseError>> {
        loop {
            if let Some(line) = self.buffered_line() {
                return Some(self.accept(line));
            }
            if self.buffer.len() > EVENT_BYTES {
                return Some(Err(SseError::TooLong));
            }
            if self.ended {
                return self.data.take().map(|data| Ok(Some(data)));
            }
            match self.body.next().await {
                Some(Ok(chunk)) => self.buffer.extend_from_slice(&chunk),
                Some(Err(error)) => return Some(Err(SseError::Transport(error))),
                // A last line need not end.
                None => {
                    self.ended = true;
                    self.buffer.extend_from_slice(b"\n");
                }
            }
        }
    }

    /// The next line, without its end.
    fn buffered_line(&mut self) -> Option<BytesMut> {
        let Some(at) = memchr(b'\n', &self.buffer[self.searched..]) else {
            self.searched = self.buffer.len();
            return None;
        };
        let mut line = self.buffer.split_to(self.searched + at);
        self.buffer.advance(1);
        self.searched = 0;
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        if !std::mem::replace(&mut self.begun, true) && line.starts_with("\u{feff}".as_bytes()) {
            line.advance("\u{feff}".len());
        }
        Some(line)
    }

    fn accept(&mut self, mut line: BytesMut) -> Result<Option<BytesMut>, SseError> {
        if line.len() > EVENT_BYTES {
            return Err(SseError::TooLong);
        }
        if line.is_empty() {
            return Ok(self.data.take());
        }
        if !line.starts_with(b"data:") {
            return Ok(None);
        }
        line.advance(b"data:".len());
        if line.first() == Some(&b' ') {
            line.advance(1);
        }
        match &mut self.data {
            None => self.data = Some(line),
            Some(data) if data.len() + line.len() > EVENT_BYTES => return Err(SseError::TooLong),
            Some(data) => {
                data.extend_from_slice(b"\n");
                data.extend_from_slice(&line);
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    async fn read(chunks: Vec<Vec<u8>>) -> (Vec<String>, Option<SseError>) {
        let mut sse = Sse::new(stream::iter(
            chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk))),
        ));
        let mut events = Vec::new();
        while let Some(line) = sse.next_line().await {
            match line {
                Ok(event) => events.extend(event.map(|data| String::from_utf8(data.to_vec()).expect("text"))),
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
    async fn many_events_may_come_at_once() {
        let text = "data: x\n\n".repeat(10_000);
        let (events, error) = read(vec![text.into_bytes()]).await;
        assert!(error.is_none(), "{error:?}");
        assert_eq!(events.len(), 10_000);
    }

    #[tokio::test]
    async fn a_line_that_does_not_end_is_given_up() {
        let (events, error) = read(vec![vec![b'x'; 64 * 1024]; 20]).await;
        assert!(events.is_empty());
        assert!(matches!(error, Some(SseError::TooLong)), "{error:?}");
    }

    #[tokio::test]
    async fn a_line_that_ends_too_late_is_given_up() {
        let line = [vec![b'x'; EVENT_BYTES + 1], b"\n".to_vec()].concat();
        let (events, error) = read(vec![line]).await;
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
}
