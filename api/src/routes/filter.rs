//! Attribute filters as clients write them.

use insula_core::Error;
use insula_core::search::{Comparison, Filter};
use insula_core::vector_store::AttributeValue;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::attributes::read_value;
use crate::http::validate::{no_nul, required};

/// A comparison (`type` eq, ne, gt, gte, lt, lte, in, nin with `key` and `value`), or several joined (`type` and, or
/// with `filters`).
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = AttributeFilter)]
pub struct FilterParam {
    /// What the filter does.
    #[serde(rename = "type")]
    #[schema(example = "eq")]
    pub kind: String,
    /// The attribute to compare.
    pub key: Option<String>,
    /// What to compare with: a string, a number or a boolean; for `in` and `nin` a list of them.
    pub value: Option<Value>,
    /// The filters to join.
    #[schema(no_recursion)]
    pub filters: Option<Vec<FilterParam>>,
}

impl FilterParam {
    /// The filter in the domain's words; `at` is its path. The domain bounds depth and size.
    pub fn read(self, at: &str) -> Result<Filter, Error> {
        match self.kind.as_str() {
            "and" => Ok(Filter::And(self.joined(at)?)),
            "or" => Ok(Filter::Or(self.joined(at)?)),
            "in" => self.list(at).map(|(key, values)| Filter::In(key, values)),
            "nin" => self.list(at).map(|(key, values)| Filter::NotIn(key, values)),
            "eq" => self.comparison(at, Comparison::Eq),
            "ne" => self.comparison(at, Comparison::Ne),
            "gt" => self.comparison(at, Comparison::Gt),
            "gte" => self.comparison(at, Comparison::Gte),
            "lt" => self.comparison(at, Comparison::Lt),
            "lte" => self.comparison(at, Comparison::Lte),
            _ => {
                let message = format!(
                    "Invalid value for '{at}.type'. Supported values are: 'eq', 'ne', 'gt', 'gte', 'lt', 'lte', \
                     'in', 'nin', 'and', 'or'."
                );
                Err(Error::invalid(format!("{at}.type"), message))
            }
        }
    }

    fn joined(self, at: &str) -> Result<Vec<Filter>, Error> {
        let filters = required(&format!("{at}.filters"), self.filters)?;
        filters
            .into_iter()
            .enumerate()
            .map(|(i, filter)| filter.read(&format!("{at}.filters[{i}]")))
            .collect()
    }

    fn comparison(self, at: &str, comparison: Comparison) -> Result<Filter, Error> {
        let key = read_key(at, self.key)?;
        let at = format!("{at}.value");
        Ok(Filter::Compare(
            comparison,
            key,
            read_value(&at, required(&at, self.value)?)?,
        ))
    }

    fn list(self, at: &str) -> Result<(String, Vec<AttributeValue>), Error> {
        let key = read_key(at, self.key)?;
        let at = format!("{at}.value");
        match required(&at, self.value)? {
            Value::Array(values) => {
                let read = values
                    .into_iter()
                    .enumerate()
                    .map(|(i, value)| read_value(&format!("{at}[{i}]"), value));
                Ok((key, read.collect::<Result<_, _>>()?))
            }
            _ => Err(Error::Invalid {
                message: format!("Invalid type for '{at}': expected an array."),
                param: Some(at),
                code: Some("invalid_type"),
            }),
        }
    }
}

fn read_key(at: &str, key: Option<String>) -> Result<String, Error> {
    let at = format!("{at}.key");
    let key = required(&at, key)?;
    no_nul(&at, &key)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, Deserialize)]
    struct Body {
        filters: FilterParam,
    }

    fn read(filter: Value) -> Result<Filter, Error> {
        let body: Body = crate::http::parse_json(json!({"filters": filter}).to_string().as_bytes())?;
        body.filters.read("filters")
    }

    #[test]
    fn trees_are_read() {
        let filter = json!({"type": "and", "filters": [
            {"type": "eq", "key": "lang", "value": "ar"},
            {"type": "or", "filters": [
                {"type": "gte", "key": "year", "value": 2020.5},
                {"type": "nin", "key": "kind", "value": ["a", true]},
            ]},
        ]});
        let year = AttributeValue::Number(serde_json::Number::from_f64(2020.5).unwrap());
        let expected = Filter::And(vec![
            Filter::Compare(Comparison::Eq, "lang".into(), AttributeValue::Text("ar".into())),
            Filter::Or(vec![
                Filter::Compare(Comparison::Gte, "year".into(), year),
                Filter::NotIn(
                    "kind".into(),
                    vec![AttributeValue::Text("a".into()), AttributeValue::Bool(true)],
                ),
            ]),
        ]);
        assert_eq!(read(filter).unwrap(), expected);
    }

    #[test]
    fn refusals_name_the_branch() {
        for (filter, wanted) in [
            (json!("x"), "filters"),
            (json!({"key": "k", "value": 1}), "filters.type"),
            (json!({"type": "like", "key": "k", "value": 1}), "filters.type"),
            (json!({"type": "eq", "value": 1}), "filters.key"),
            (json!({"type": "eq", "key": "k\0", "value": 1}), "filters.key"),
            (json!({"type": "eq", "key": "k", "value": "\0"}), "filters.value"),
            (json!({"type": "eq", "key": "k"}), "filters.value"),
            (json!({"type": "eq", "key": "k", "value": [1]}), "filters.value"),
            (json!({"type": "in", "key": "k", "value": 1}), "filters.value"),
            (
                json!({"type": "in", "key": "k", "value": [null]}),
                "filters.value[0]",
            ),
            (json!({"type": "and"}), "filters.filters"),
            (
                json!({"type": "or", "filters": [{"type": "eq", "key": "k", "value": 1}, {"type": "x"}]}),
                "filters.filters[1].type",
            ),
            (
                json!({"type": "or", "filters": [{"type": 7}]}),
                "filters.filters[0].type",
            ),
        ] {
            match read(filter.clone()) {
                Err(Error::Invalid {
                    param: Some(param), ..
                }) => assert_eq!(param, wanted, "{filter}"),
                other => panic!("{filter} gave {other:?}"),
            }
        }
    }
}
