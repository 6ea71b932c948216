//! Attribute filters as clients write them.

use insula_core::Error;
use insula_core::search::Filter;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A comparison (`type` eq, ne, gt, gte, lt, lte, in, nin with `key` and `value`), or several joined (`type` and, or
/// with `filters`).
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[schema(as = AttributeFilter)]
pub struct FilterParam {
    /// What the filter does.
    #[serde(rename = "type")]
    #[schema(example = "eq")]
    pub kind: String,
    /// The attribute to compare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What to compare with: a string, a number or a boolean; for `in` and `nin` a list of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The filters to join.
    #[schema(no_recursion)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<Vec<FilterParam>>,
}

impl FilterParam {
    /// The filter in the domain's words; `at` is its path. The domain bounds depth and size.
    pub fn read(self, at: &str) -> Result<Filter, Error> {
        let json = serde_json::to_value(self).map_err(Error::internal)?;
        Filter::from_json(at, &json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insula_core::search::Comparison;
    use insula_core::vector_store::AttributeValue;
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
