//! What happened to the calls of each model.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, Uri};
use serde::Serialize;
use serde_json::{Value, json};

#[derive(Default, Serialize)]
struct Count {
    requests: u64,
    aborted: u64,
    tokens: u64,
    body: Value,
    path: String,
    authorization: Option<String>,
    api_key: Option<String>,
}

#[derive(Clone, Default)]
pub(crate) struct Counts(Arc<Mutex<BTreeMap<String, Count>>>);

impl Counts {
    pub(crate) fn tell(&self) -> Value {
        self.0.lock().map(|counts| json!(*counts)).unwrap_or_default()
    }

    /// Notes a call.
    pub(crate) fn arrived(&self, model: &str, uri: &Uri, headers: &HeaderMap, body: Value) -> Caller {
        let header = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        let mut number = 0;
        self.change(model, |count| {
            count.requests += 1;
            number = count.requests;
            count.body = body;
            count.path = uri.to_string();
            count.authorization = header("authorization");
            count.api_key = header("api-key").or_else(|| header("x-api-key"));
        });
        Caller {
            counts: self.clone(),
            model: model.to_owned(),
            number,
            finished: false,
        }
    }

    fn change(&self, model: &str, change: impl FnOnce(&mut Count)) {
        if let Ok(mut counts) = self.0.lock() {
            change(counts.entry(model.to_owned()).or_default());
        }
    }
}

/// Counts a caller who leaves, unless the answer was finished before.
pub(crate) struct Caller {
    counts: Counts,
    model: String,
    number: u64,
    finished: bool,
}

impl Caller {
    /// Which call of its model it is, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The answer is whole.
    pub(crate) fn finish(&mut self) {
        self.finished = true;
    }

    /// A word of the answer leaves.
    pub(crate) fn produced(&self) {
        self.counts.change(&self.model, |count| count.tokens += 1);
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        if !self.finished {
            self.counts.change(&self.model, |count| count.aborted += 1);
        }
    }
}
