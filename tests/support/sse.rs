//! Server-sent events, read strictly.

use reqwest::Response;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// The events of an answer.
pub struct EventStream {
    response: Response,
    buffer: String,
}

impl EventStream {
    pub(crate) fn new(response: Response) -> Self {
        let kind = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        assert!(
            kind.starts_with("text/event-stream"),
            "not a stream of events: {kind}"
        );
        Self {
            response,
            buffer: String::new(),
        }
    }

    /// The answer's headers.
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The data of the next event, which must have no name; `None` once the stream has ended cleanly.
    ///
    /// # Panics
    /// When the connection breaks, or something that is no event and no comment comes.
    pub async fn next(&mut self) -> Option<String> {
        let (name, data) = self.next_named().await?;
        assert_eq!(name, "", "a named event: {data}");
        Some(data)
    }

    /// The name (empty if it has none) and the data of the next event; `None` once the stream has ended cleanly.
    ///
    /// # Panics
    /// As [`EventStream::next`].
    pub async fn next_named(&mut self) -> Option<(String, String)> {
        loop {
            while let Some(end) = self.buffer.find("\n\n") {
                let event: String = self.buffer.drain(..end + 2).collect();
                let event = event.trim_end();
                if event.starts_with(':') {
                    continue;
                }
                let (name, data) = match event
                    .strip_prefix("event: ")
                    .and_then(|rest| rest.split_once('\n'))
                {
                    Some((name, data)) => (name, data),
                    None => ("", event),
                };
                let data = data
                    .strip_prefix("data: ")
                    .unwrap_or_else(|| panic!("not an event: {event:?}"));
                assert!(!data.contains('\n'), "data on several lines: {event:?}");
                return Some((name.to_owned(), data.to_owned()));
            }
            let Some(bytes) = self.response.chunk().await.expect("the stream broke") else {
                assert!(
                    self.buffer.is_empty(),
                    "the stream ended inside an event: {:?}",
                    self.buffer
                );
                return None;
            };
            self.buffer
                .push_str(std::str::from_utf8(&bytes).expect("events are cut at characters"));
        }
    }

    /// The next event as JSON.
    pub async fn next_json(&mut self) -> Value {
        let data = self.next().await.expect("the stream ended");
        serde_json::from_str(&data).unwrap_or_else(|error| panic!("{data}: {error}"))
    }

    /// All that is left.
    pub async fn rest(mut self) -> Vec<String> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}
