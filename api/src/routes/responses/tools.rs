//! What a model may call, and the shape that it answers in.

use insula_core::Error;
use insula_core::chat::Grounding;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::input::wrong_type;
use crate::http::validate::{count, name, optional_range, required, unsupported};
use crate::routes::chat::tools as chat_tools;
use crate::routes::filter::FilterParam;
use crate::routes::ids::body_ids;
use crate::routes::search::foreign_ranker;

const MAX_TOOLS: usize = 128;
/// Most stores of one search.
const MAX_STORES: usize = 16;
/// Passages of one search, unless the call says otherwise.
const DEFAULT_RESULTS: u32 = 20;

/// A tool: a function of the client's, or the search over vector stores.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = ResponseTool)]
pub struct ToolParam {
    /// `function` or `file_search`
    #[serde(rename = "type")]
    #[schema(value_type = String, required, example = "file_search")]
    pub kind: Option<String>,
    /// Of a function: 1 to 64 letters, digits, underscores and dashes.
    pub name: Option<String>,
    /// Of a function: what it does.
    pub description: Option<String>,
    /// Of a function: its parameters, as JSON schema.
    #[schema(value_type = Option<Object>)]
    pub parameters: Option<Value>,
    /// Of a function: whether arguments must follow the schema.
    pub strict: Option<bool>,
    /// Of a search: the stores.
    pub vector_store_ids: Option<Vec<String>>,
    /// Of a search: how many passages at most.
    #[schema(minimum = 1, maximum = 50, default = 20)]
    pub max_num_results: Option<u32>,
    /// Of a search: only files whose attributes match.
    pub filters: Option<FilterParam>,
    /// Of a search: how results are ranked.
    pub ranking_options: Option<FileSearchRanking>,
}

/// How results of a search are ranked.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct FileSearchRanking {
    /// A model that ranks (see `/v1/rerank`): it has the last word. `none`, `auto` and `default-2024-11-15` mean this server's own
    /// ranking.
    pub ranker: Option<String>,
    /// Results below this score are left out.
    #[schema(minimum = 0, maximum = 1)]
    pub score_threshold: Option<f64>,
}

/// The shape of the answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = ResponseText)]
pub struct TextParam {
    /// `{"type": "text"}`, `{"type": "json_object"}`, or `{"type": "json_schema", "name": …, "schema": …}`.
    #[schema(value_type = Option<Object>)]
    pub format: Option<Value>,
    /// Has no effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verbosity: Option<String>,
}

/// Tools, checked.
#[derive(Debug, Default)]
pub(super) struct Tools {
    /// The functions, as chat models take them.
    pub(super) functions: Vec<Value>,
    /// The search, and its place among the tools.
    pub(super) search: Option<(usize, Grounding)>,
    /// As they are told with the response.
    pub(super) echo: Vec<Value>,
}

/// What a call says must be called.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// As chat models take it.
    pub(super) choice: Option<Value>,
    /// Whether nothing may be called.
    pub(super) none: bool,
    /// Whether the search is to be made in any case.
    pub(super) search: bool,
    /// As it is told with the response.
    pub(super) echo: Value,
}

pub(super) fn check(tools: Vec<ToolParam>) -> Result<Tools, Error> {
    count("tools", tools.len(), 0..=MAX_TOOLS)?;
    let mut checked = Tools::default();
    for (i, tool) in tools.into_iter().enumerate() {
        let at = format!("tools[{i}]");
        match required(&format!("{at}.type"), tool.kind.clone())?.as_str() {
            "function" => function(&at, tool, &mut checked)?,
            "file_search" if checked.search.is_some() => {
                let message =
                    "Only one tool of the type 'file_search' can be given; it can name several stores.";
                return Err(Error::invalid(at, message));
            }
            "file_search" => {
                let (grounding, echo) = search(&at, tool)?;
                checked.search = Some((i, grounding));
                checked.echo.push(echo);
            }
            _ => return Err(unsupported(&format!("{at}.type"), "A tool of this type")),
        }
    }
    Ok(checked)
}

fn function(at: &str, tool: ToolParam, checked: &mut Tools) -> Result<(), Error> {
    let name = required(&format!("{at}.name"), tool.name)?;
    chat_tools::check_identifier(&format!("{at}.name"), &name)?;
    if tool
        .parameters
        .as_ref()
        .is_some_and(|parameters| !parameters.is_object())
    {
        return Err(wrong_type(&format!("{at}.parameters"), "an object"));
    }
    let mut function = json!({ "name": name });
    if let Some(description) = &tool.description {
        function["description"] = json!(description);
    }
    if let Some(parameters) = &tool.parameters {
        function["parameters"] = parameters.clone();
    }
    if let Some(strict) = tool.strict {
        function["strict"] = json!(strict);
    }
    checked
        .functions
        .push(json!({"type": "function", "function": function}));
    checked.echo.push(json!({
        "type": "function", "name": name, "description": tool.description, "parameters": tool.parameters,
        "strict": tool.strict,
    }));
    Ok(())
}

fn search(at: &str, tool: ToolParam) -> Result<(Grounding, Value), Error> {
    let stores_at = format!("{at}.vector_store_ids");
    let stores = required(&stores_at, tool.vector_store_ids)?;
    count(&stores_at, stores.len(), 1..=MAX_STORES)?;
    let results_at = format!("{at}.max_num_results");
    let results = optional_range(&results_at, tool.max_num_results, 1..=50)?.unwrap_or(DEFAULT_RESULTS);
    let threshold = tool
        .ranking_options
        .as_ref()
        .and_then(|options| options.score_threshold);
    let threshold_at = format!("{at}.ranking_options.score_threshold");
    let threshold = optional_range(&threshold_at, threshold, 0.0..=1.0)?.unwrap_or(0.0);
    let mut echo = json!({
        "type": "file_search", "vector_store_ids": stores, "max_num_results": results, "filters": tool.filters,
        "ranking_options": {"ranker": "auto", "score_threshold": threshold},
    });
    let ranker = tool.ranking_options.and_then(|options| options.ranker);
    if let Some(ranker) = &ranker {
        name(&format!("{at}.ranking_options.ranker"), ranker, 256)?;
        echo["ranking_options"]["ranker"] = json!(ranker);
    }
    let grounding = Grounding {
        vector_store_ids: body_ids(&stores_at, &stores)?,
        max_num_results: results.into(),
        filter: tool
            .filters
            .map(|filter| filter.read(&format!("{at}.filters")))
            .transpose()?,
        score_threshold: threshold,
        ranker: foreign_ranker(ranker),
    };
    Ok((grounding, echo))
}

pub(super) fn check_choice(choice: Option<Value>, tools: &Tools) -> Result<Choice, Error> {
    let at = "tool_choice";
    let Some(choice) = choice else {
        return Ok(Choice {
            echo: json!("auto"),
            ..Choice::default()
        });
    };
    let echo = choice.clone();
    let plain = |choice| Choice {
        choice,
        echo: echo.clone(),
        ..Choice::default()
    };
    match &choice {
        Value::String(word) => match word.as_str() {
            "auto" => Ok(plain(None)),
            "none" => Ok(Choice {
                none: true,
                ..plain(None)
            }),
            "required" if tools.echo.is_empty() => Err(Error::invalid(
                at,
                "'tool_choice' is 'required', but no tools are given.",
            )),
            // There is nothing else to choose.
            "required" if tools.functions.is_empty() => Ok(Choice {
                search: true,
                ..plain(None)
            }),
            "required" => Ok(plain(Some(choice))),
            _ => Err(Error::invalid(
                at,
                "Invalid value for 'tool_choice'. Supported values are: 'none', 'auto', 'required', or a tool.",
            )),
        },
        Value::Object(_) => match choice.get("type").and_then(Value::as_str) {
            Some("file_search") if tools.search.is_some() => Ok(Choice {
                search: true,
                ..plain(None)
            }),
            Some("file_search") => Err(Error::invalid(at, "There is no tool of the type 'file_search'.")),
            Some("function") => {
                let at = "tool_choice.name";
                let name = match choice.get("name") {
                    Some(Value::String(name)) => name,
                    Some(Value::Null) | None => return required(at, None),
                    Some(_) => return Err(wrong_type(at, "a string")),
                };
                let known = |tool: &&Value| tool["function"]["name"].as_str() == Some(name);
                if tools.functions.iter().find(known).is_none() {
                    return Err(Error::invalid(at, "There is no tool of this name."));
                }
                Ok(plain(Some(
                    json!({"type": "function", "function": {"name": name}}),
                )))
            }
            Some(_) => Err(unsupported("tool_choice.type", "A choice of this type")),
            None => required("tool_choice.type", None),
        },
        _ => Err(wrong_type(at, "a string or an object")),
    }
}

/// The format as chat models take it, and as it is told with the response.
pub(super) fn check_format(text: &TextParam) -> Result<(Option<Value>, Value), Error> {
    let at = "text.format";
    let Some(format) = &text.format else {
        return Ok((None, json!({"type": "text"})));
    };
    if !format.is_object() {
        return Err(wrong_type(at, "an object"));
    }
    let chat = match format.get("type").and_then(Value::as_str) {
        Some("text") => None,
        Some("json_object") => Some(json!({"type": "json_object"})),
        Some("json_schema") => {
            let name_at = format!("{at}.name");
            let name = required(&name_at, format.get("name").filter(|name| !name.is_null()))?;
            let name = name.as_str().ok_or_else(|| wrong_type(&name_at, "a string"))?;
            chat_tools::check_identifier(&name_at, name)?;
            let schema_at = format!("{at}.schema");
            let schema = required(
                &schema_at,
                format.get("schema").filter(|schema| !schema.is_null()),
            )?;
            if !schema.is_object() {
                return Err(wrong_type(&schema_at, "an object"));
            }
            let mut inner = json!({"name": name, "schema": schema});
            for key in ["description", "strict"] {
                if let Some(value) = format.get(key).filter(|value| !value.is_null()) {
                    inner[key] = value.clone();
                }
            }
            Some(json!({"type": "json_schema", "json_schema": inner}))
        }
        Some(_) => {
            let known = "'text', 'json_object', 'json_schema'";
            let message = format!("Invalid value for '{at}.type'. Supported values are: {known}.");
            return Err(Error::invalid(format!("{at}.type"), message));
        }
        None => return required(&format!("{at}.type"), None),
    };
    Ok((chat, format.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use insula_tenancy::VectorStoreId;

    fn tools(tools: Value) -> Result<Tools, Error> {
        #[derive(Deserialize)]
        struct Body {
            tools: Vec<ToolParam>,
        }
        let body = json!({ "tools": tools }).to_string();
        check(crate::http::parse_json::<Body>(body.as_bytes())?.tools)
    }

    fn param<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
        match result {
            Err(
                Error::Invalid {
                    param: Some(param), ..
                }
                | Error::NotFound {
                    param: Some(param), ..
                },
            ) => param,
            other => panic!("{other:?}"),
        }
    }

    fn store() -> String {
        VectorStoreId::generate().to_string()
    }

    #[test]
    fn functions_are_rewritten_for_chat_and_told_with_every_key() {
        let checked =
            tools(json!([{"type": "function", "name": "f", "parameters": {"type": "object"}}])).unwrap();
        assert_eq!(
            checked.functions,
            [json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}})]
        );
        let echo = json!({"type": "function", "name": "f", "description": null, "parameters": {"type": "object"}, "strict": null});
        assert_eq!(checked.echo, [echo]);
    }

    #[test]
    fn searches_have_defaults_and_bounds() {
        let id = store();
        let checked = tools(json!([{"type": "file_search", "vector_store_ids": [id]}])).unwrap();
        let (place, grounding) = checked.search.unwrap();
        assert_eq!((place, grounding.max_num_results), (0, 20));
        assert_eq!(
            checked.echo[0]["ranking_options"],
            json!({"ranker": "auto", "score_threshold": 0.0})
        );
        for (bad, wanted) in [
            (json!([{"type": "web_search"}]), "tools[0].type"),
            (json!([{"name": "f"}]), "tools[0].type"),
            (json!([{"type": "function"}]), "tools[0].name"),
            (
                json!([{"type": "function", "name": "no spaces"}]),
                "tools[0].name",
            ),
            (
                json!([{"type": "function", "name": "f", "parameters": 1}]),
                "tools[0].parameters",
            ),
            (json!([{"type": "file_search"}]), "tools[0].vector_store_ids"),
            (
                json!([{"type": "file_search", "vector_store_ids": []}]),
                "tools[0].vector_store_ids",
            ),
            (
                json!([{"type": "file_search", "vector_store_ids": ["vs_x"]}]),
                "tools[0].vector_store_ids[0]",
            ),
            (
                json!([{"type": "file_search", "vector_store_ids": [id], "max_num_results": 51}]),
                "tools[0].max_num_results",
            ),
            (
                json!([{"type": "file_search", "vector_store_ids": [id], "filters": {"type": "x"}}]),
                "tools[0].filters.type",
            ),
            (
                json!([{"type": "file_search", "vector_store_ids": [id], "ranking_options": {"score_threshold": 2}}]),
                "tools[0].ranking_options.score_threshold",
            ),
            (
                json!([{"type": "file_search", "vector_store_ids": [id]}, {"type": "file_search", "vector_store_ids": [id]}]),
                "tools[1]",
            ),
        ] {
            assert_eq!(param(tools(bad.clone())), wanted, "{bad}");
        }
    }

    #[test]
    fn a_choice_needs_what_it_chooses() {
        let both = tools(json!([
            {"type": "function", "name": "f"}, {"type": "file_search", "vector_store_ids": [store()]},
        ]))
        .unwrap();
        let choice = |choice: Value| check_choice(Some(choice), &both);
        assert!(choice(json!({"type": "file_search"})).unwrap().search);
        assert!(choice(json!("none")).unwrap().none);
        assert_eq!(choice(json!("required")).unwrap().choice, Some(json!("required")));
        assert_eq!(
            choice(json!({"type": "function", "name": "f"})).unwrap().choice,
            Some(json!({"type": "function", "function": {"name": "f"}}))
        );
        for (bad, wanted) in [
            (json!("any"), "tool_choice"),
            (json!(1), "tool_choice"),
            (json!({}), "tool_choice.type"),
            (json!({"type": "function"}), "tool_choice.name"),
            (json!({"type": "function", "name": "g"}), "tool_choice.name"),
            (json!({"type": "web_search"}), "tool_choice.type"),
        ] {
            assert_eq!(param(choice(bad.clone())), wanted, "{bad}");
        }
        assert_eq!(
            param(check_choice(Some(json!("required")), &Tools::default())),
            "tool_choice"
        );
        let only_search = tools(json!([{"type": "file_search", "vector_store_ids": [store()]}])).unwrap();
        assert!(
            check_choice(Some(json!("required")), &only_search)
                .unwrap()
                .search
        );
    }

    #[test]
    fn formats_are_nested_for_chat() {
        let format = |format: Value| {
            check_format(&TextParam {
                format: Some(format),
                verbosity: None,
            })
        };
        let (chat, echo) =
            format(json!({"type": "json_schema", "name": "s", "schema": {"type": "object"}, "strict": true}))
                .unwrap();
        assert_eq!(
            chat,
            Some(
                json!({"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}, "strict": true}})
            )
        );
        assert_eq!(echo["name"], "s");
        assert_eq!(format(json!({"type": "text"})).unwrap().0, None);
        for (bad, wanted) in [
            (json!("x"), "text.format"),
            (json!({}), "text.format.type"),
            (json!({"type": "xml"}), "text.format.type"),
            (json!({"type": "json_schema", "schema": {}}), "text.format.name"),
            (json!({"type": "json_schema", "name": "s"}), "text.format.schema"),
        ] {
            assert_eq!(param(format(bad.clone())), wanted, "{bad}");
        }
    }
}
