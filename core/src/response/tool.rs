//! The search as a function that chat models can call.

use std::collections::BTreeSet;

use insula_tenancy::TenantContext;
use serde::Deserialize;
use serde_json::{Value, json};

use super::FileSearch;
use super::item::FileSearchResult;
use crate::chat::ground;
use crate::model::Passage;
use crate::search::Hit;
use crate::{Result, Services, metering};

/// Names to offer it under: the first one that no function of the client's has.
const NAMES: [&str; 3] = ["file_search", "search_files", "insula_file_search"];
/// Most phrasings of one search.
const MOST_QUERIES: usize = 8;
/// Most characters of a phrasing: it has to fit the embedding model's window.
const LONGEST_QUERY: usize = 600;
/// Searches of a response that says no number itself.
const DEFAULT_SEARCHES: u32 = 8;

/// The search of one response.
#[derive(Debug)]
pub(super) struct SearchTool {
    settings: FileSearch,
    /// What the model calls it.
    pub(super) name: &'static str,
    left: u32,
    seen: BTreeSet<String>,
    /// Everything that was found so far, in the order of its numbers.
    pub(super) passages: Vec<Passage>,
}

/// What one search came to.
pub(super) struct Searched {
    pub(super) results: Vec<FileSearchResult>,
    /// What the model is told.
    pub(super) told: String,
}

/// The arguments of a call, as models write them.
#[derive(Deserialize)]
struct Arguments {
    queries: Option<Queries>,
    query: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Queries {
    One(String),
    Many(Vec<String>),
}

impl SearchTool {
    pub(super) fn new(settings: FileSearch, functions: &[Value], most: Option<u32>) -> Self {
        let taken = |name: &str| {
            let named = |tool: &Value| tool["function"]["name"] == name;
            functions.iter().any(named)
        };
        let name = NAMES.into_iter().find(|name| !taken(name));
        Self {
            settings,
            name: name.unwrap_or(NAMES[0]),
            left: most.unwrap_or(DEFAULT_SEARCHES),
            seen: BTreeSet::new(),
            passages: Vec::new(),
        }
    }

    pub(super) fn forced(&self) -> bool {
        self.settings.forced
    }

    /// Whether another search may be made.
    pub(super) fn is_left(&self) -> bool {
        self.left > 0
    }

    /// How many more.
    pub(super) fn left(&self) -> u32 {
        self.left
    }

    /// A call that was not worth a search counts as one.
    pub(super) fn wasted(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    /// The function, in OpenAI's shape.
    pub(super) fn function(&self) -> Value {
        json!({"type": "function", "function": {
            "name": self.name,
            "description": "Searches the documents that this conversation is about. Call it before answering anything that \
                            they may hold; give one to three short, self-contained queries.",
            "parameters": {
                "type": "object",
                "properties": {"queries": {"type": "array", "items": {"type": "string"}}},
                "required": ["queries"],
                "additionalProperties": false,
            },
        }})
    }

    /// The queries of a call; none if it cannot be read.
    pub(super) fn queries(arguments: &str) -> Vec<String> {
        let Ok(arguments) = serde_json::from_str::<Arguments>(arguments) else {
            return Vec::new();
        };
        let queries = match (arguments.queries, arguments.query) {
            (Some(Queries::Many(queries)), _) => queries,
            (Some(Queries::One(query)), _) | (None, Some(query)) => vec![query],
            (None, None) => Vec::new(),
        };
        let mut known = BTreeSet::new();
        queries
            .iter()
            .map(|query| {
                query
                    .trim()
                    .replace('\0', " ")
                    .chars()
                    .take(LONGEST_QUERY)
                    .collect::<String>()
            })
            .filter(|query| !query.trim().is_empty() && known.insert(query.clone()))
            .take(MOST_QUERIES)
            .collect()
    }

    /// Searches, and adds what is new to the passages.
    pub(super) async fn search(
        &mut self,
        services: &Services,
        cx: &TenantContext,
        queries: &[String],
    ) -> Result<Searched> {
        self.left = self.left.saturating_sub(1);
        let found = ground::find(services, cx, queries, &self.settings.grounding, |model, reading| async move {
            metering::record_file_search(services, cx, &model, &reading).await
        })
        .await?;
        let before = self.passages.len();
        let results = found.hits.iter().map(result).collect();
        for hit in found.hits {
            if self.seen.insert(hit.chunk_id.to_string()) {
                self.passages.push(ground::passage(hit));
            }
        }
        let told = match self.passages.len() - before {
            0 => "Nothing else was found.".to_owned(),
            1 => "One more passage was found. It is among the numbered passages that you were given."
                .to_owned(),
            new => format!(
                "{new} more passages were found. They are among the numbered passages that you were given."
            ),
        };
        Ok(Searched { results, told })
    }
}

fn result(hit: &Hit) -> FileSearchResult {
    FileSearchResult {
        file_id: hit.file_id.to_string(),
        filename: hit.filename.clone(),
        score: hit.score,
        attributes: hit.attributes.clone(),
        text: hit.content.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_as_models_write_them() {
        for (arguments, queries) in [
            (r#"{"queries": ["a", " b ", "", "a"]}"#, vec!["a", "b"]),
            (r#"{"queries": "a"}"#, vec!["a"]),
            (r#"{"query": "a"}"#, vec!["a"]),
            (r#"{"queries": []}"#, vec![]),
            (r#"{"queries": ["a""#, vec![]),
            ("", vec![]),
        ] {
            assert_eq!(SearchTool::queries(arguments), queries, "{arguments}");
        }
        let long = json!({"queries": ["ä".repeat(5_000)]}).to_string();
        assert_eq!(SearchTool::queries(&long)[0].chars().count(), LONGEST_QUERY);
    }
}
