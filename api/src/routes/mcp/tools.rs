//! What agents can do: search, fetch, ask. The first two have the names and shapes that agents of other makers look for.

use std::sync::Arc;

use insula_core::chat::Grounding;
use insula_core::model::ChatOptions;
use insula_core::response::{self, FileSearch, Input, Item, Part, ResponseCall, Speaker};
use insula_core::search::{self, Filter, SearchRequest};
use insula_core::vector_store::Metadata;
use insula_core::{Error, metering};
use insula_tenancy::usage::Endpoint;
use insula_tenancy::{FileId, Scope, VectorStoreId, new_uuid};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Session;
use crate::http::validate::{count, name, optional_range, text};
use crate::routes::filter::FilterParam;
use crate::routes::ids::{body_id, body_ids};
use crate::routes::search::metered;

/// Most stores that one call looks into.
const MOST_STORES: i64 = 16;
/// Characters of a file that are read at once.
const PAGE: usize = 50_000;
/// Who answers, unless the call says otherwise.
const DEFAULT_MODEL: &str = "insula/extractive";

/// The tools.
pub(super) fn all() -> Vec<Tool> {
    let stores = json!({
        "type": "array", "items": {"type": "string"}, "maxItems": MOST_STORES,
        "description": "Ids of the vector stores to look into; all of them unless given.",
    });
    let results = json!({"type": "integer", "minimum": 1, "maximum": 50, "default": 10});
    let filters = json!({
        "type": "object",
        "description": "Only files whose attributes match: {\"type\": \"eq\", \"key\": …, \"value\": …}, or several joined by \
                        {\"type\": \"and\", \"filters\": […]}.",
    });
    let tools = [
        (
            "search",
            "Searches the documents by meaning and by words. Answers the best passages, each with an id for 'fetch'.",
            json!({
                "query": {"type": "string", "description": "What to look for, in the documents' language."},
                "vector_store_ids": stores, "max_num_results": results, "filters": filters,
            }),
            json!(["query"]),
        ),
        (
            "fetch",
            "Reads the whole text of a file that a search has found.",
            json!({
                "id": {"type": "string", "description": "The id of a result of 'search'."},
                "offset": {
                    "type": "integer", "minimum": 0, "default": 0,
                    "description": "Where to begin, in characters: 'next_offset' of the page before.",
                },
            }),
            json!(["id"]),
        ),
        (
            "ask",
            "Answers a question from the documents, with citations.",
            json!({
                "question": {"type": "string"},
                "vector_store_ids": stores, "filters": filters,
                "model": {
                    "type": "string", "default": DEFAULT_MODEL,
                    "description": "Who answers. The default answers with sentences of the documents.",
                },
            }),
            json!(["question"]),
        ),
    ];
    tools
        .into_iter()
        .map(|(name, description, properties, required)| {
            let schema = json!({"type": "object", "properties": properties, "required": required});
            let schema = schema.as_object().cloned().unwrap_or_default();
            let mut hints = ToolAnnotations::default();
            hints.read_only_hint = Some(true);
            hints.open_world_hint = Some(false);
            Tool::new(name, description, Arc::new(schema)).annotate(hints)
        })
        .collect()
}

/// Calls a tool; `None` if there is none of that name.
pub(super) async fn call(
    session: &Session,
    tool: &str,
    arguments: JsonObject,
) -> Option<Result<Value, Error>> {
    match tool {
        "search" => Some(match read(arguments) {
            Ok(arguments) => search(session, arguments).await,
            Err(error) => Err(error),
        }),
        "fetch" => Some(match read(arguments) {
            Ok(arguments) => fetch(session, arguments).await,
            Err(error) => Err(error),
        }),
        "ask" => Some(match read(arguments) {
            Ok(arguments) => ask(session, arguments).await,
            Err(error) => Err(error),
        }),
        _ => None,
    }
}

fn read<T: for<'de> Deserialize<'de>>(arguments: JsonObject) -> Result<T, Error> {
    let bytes = serde_json::to_vec(&arguments).map_err(Error::internal)?;
    crate::http::parse_json(&bytes)
}

#[derive(Deserialize)]
struct Search {
    query: String,
    vector_store_ids: Option<Vec<String>>,
    max_num_results: Option<u32>,
    filters: Option<FilterParam>,
}

async fn search(session: &Session, arguments: Search) -> Result<Value, Error> {
    name("query", &arguments.query, 10_000)?;
    let most = optional_range("max_num_results", arguments.max_num_results, 1..=50)?.unwrap_or(10);
    let filter = read_filter(arguments.filters)?;
    let mut hits = Vec::new();
    for (n, store) in stores(session, arguments.vector_store_ids)
        .await?
        .into_iter()
        .enumerate()
    {
        let request = SearchRequest {
            max_results: most.into(),
            filter: filter.clone(),
            ..SearchRequest::new(store, arguments.query.clone())
        };
        // Each search is an event of its own on the ledger.
        let id = if n == 0 { session.request_id } else { new_uuid() };
        let (found, _) = metered(&session.app.services, &session.cx, id, request).await?;
        hits.extend(found.hits.into_iter().map(|hit| (store, hit)));
    }
    hits.sort_by(|(_, a), (_, b)| b.score.total_cmp(&a.score));
    hits.truncate(most as usize);
    let results: Vec<Value> = hits
        .into_iter()
        .map(|(store, hit)| {
            json!({
                "id": format!("{store}/{}", hit.file_id), "title": hit.filename, "url": "", "text": hit.content,
                "score": hit.score, "page": hit.page, "heading_path": hit.heading_path,
                "attributes": hit.attributes, "chunk_id": hit.chunk_id,
            })
        })
        .collect();
    Ok(json!({ "results": results }))
}

#[derive(Deserialize)]
struct Fetch {
    id: String,
    offset: Option<u32>,
}

async fn fetch(session: &Session, arguments: Fetch) -> Result<Value, Error> {
    let unknown = || {
        let shown: String = arguments
            .id
            .chars()
            .filter(|c| !c.is_control())
            .take(100)
            .collect();
        Error::not_found("result", shown)
    };
    let (store, file) = arguments.id.split_once('/').ok_or_else(unknown)?;
    let store: VectorStoreId = body_id("id", store).map_err(|_| unknown())?;
    let file: FileId = body_id("id", file).map_err(|_| unknown())?;
    let read = search::read(&session.app.services, &session.cx, store, file)
        .await
        .map_err(|error| match error {
            Error::NotFound { .. } => unknown(),
            other => other,
        })?;
    let whole = read.passages.join("\n\n");
    let offset = arguments.offset.unwrap_or(0) as usize;
    let page: String = whole.chars().skip(offset).take(PAGE).collect();
    let end = offset + page.chars().count();
    let next_offset = whole.chars().nth(end).map(|_| end);
    Ok(json!({
        "id": arguments.id, "title": read.filename, "url": "", "text": page, "metadata": read.attributes,
        "next_offset": next_offset,
    }))
}

#[derive(Deserialize)]
struct Ask {
    question: String,
    vector_store_ids: Option<Vec<String>>,
    filters: Option<FilterParam>,
    model: Option<String>,
}

async fn ask(session: &Session, arguments: Ask) -> Result<Value, Error> {
    session.cx.require(Scope::ChatWrite)?;
    name("question", &arguments.question, 10_000)?;
    let model = arguments.model.unwrap_or_else(|| DEFAULT_MODEL.to_owned());
    text("model", &model, 256)?;
    let grounding = Grounding {
        vector_store_ids: stores(session, arguments.vector_store_ids).await?,
        max_num_results: 20,
        filter: read_filter(arguments.filters)?,
        score_threshold: 0.0,
        ranker: None,
    };
    let question = Item::message(
        Speaker::User,
        vec![Part::InputText {
            text: arguments.question,
        }],
    );
    let call = ResponseCall {
        model,
        instructions: None,
        input: vec![Input::Item(question)],
        before: None,
        options: ChatOptions::default(),
        file_search: Some(FileSearch {
            grounding,
            forced: true,
        }),
        max_tool_calls: None,
        store: false,
        metadata: Metadata::default(),
        asked: json!({}),
    };
    let metered_as = metering::Request {
        id: session.request_id,
        end_user: None,
        endpoint: Endpoint::Responses,
        streamed: false,
    };
    let run = response::begin(&session.app.services, &session.cx, call, metered_as).await?;
    let response = run.complete().await?;
    let mut answer = String::new();
    let mut citations = Vec::new();
    for item in response.output {
        let Item::Message(message) = item else { continue };
        for part in message.content {
            match part {
                Part::OutputText { text, annotations } => {
                    answer.push_str(&text);
                    citations.extend(annotations);
                }
                Part::Refusal { refusal } => answer.push_str(&refusal),
                Part::InputText { .. } | Part::InputImage { .. } => {}
            }
        }
    }
    Ok(json!({"answer": answer, "citations": citations}))
}

/// The stores that a call names, or all that the caller may search.
async fn stores(session: &Session, named: Option<Vec<String>>) -> Result<Vec<VectorStoreId>, Error> {
    match named {
        Some(ids) => {
            count("vector_store_ids", ids.len(), 1..=16)?;
            body_ids("vector_store_ids", &ids)
        }
        None => search::stores(&session.app.services, &session.cx, MOST_STORES).await,
    }
}

fn read_filter(filters: Option<FilterParam>) -> Result<Option<Filter>, Error> {
    filters.map(|filter| filter.read("filters")).transpose()
}
