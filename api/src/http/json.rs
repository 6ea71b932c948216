//! JSON in and out.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use insula_core::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ApiError, body, shape};

/// A JSON body, read and written.
///
/// As an extractor it refuses with the API's error shape, naming the field (`messages[0].role`) where the
/// body does not have the form of `T`. An absent and a `null` optional field are the same; unknown fields are
/// ignored; a field given twice is refused, because the two ends of a proxy could read it differently.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<T>(pub T);

impl<T, S> FromRequest<S> for Json<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        body::require_json(request.headers())?;
        let bytes = body::read(request).await?;
        Ok(Self(parse(&bytes)?))
    }
}

/// Reads a JSON object as `T`; errors name the field and are free of parser jargon.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    // A struct would also be read from an array, field by field, which nobody means.
    if let Some(first) = bytes.iter().find(|byte| !byte.is_ascii_whitespace())
        && matches!(first, b'[' | b'"' | b't' | b'f' | b'n' | b'-' | b'0'..=b'9')
    {
        return Err(Error::Invalid {
            message: "The request body must be a JSON object.".into(),
            param: None,
            code: None,
        });
    }
    // Nearly every body is as it should be; only what is not is read again to see where.
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| shape::explain(&error, bytes))?;
    json.end().map_err(|error| shape::syntax(&error, bytes))?;
    Ok(value)
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => (
                [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))],
                bytes,
            )
                .into_response(),
            Err(error) => ApiError::from(Error::internal(error)).into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Red,
        DarkBlue,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Item {
        name: String,
        kind: Option<Kind>,
        size: Option<u8>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Order {
        items: Vec<Item>,
        #[serde(rename = "type")]
        class: Option<String>,
    }

    fn refusal(body: &str) -> (String, Option<String>, Option<&'static str>) {
        match parse::<Order>(body.as_bytes()).unwrap_err() {
            Error::Invalid { message, param, code } => (message, param, code),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn null_is_absent_and_unknown_fields_are_ignored() {
        let order: Order =
            parse(br#" {"items":[{"name":"a","kind":null,"extra":{"deep":[1]}}],"vendor":1}"#).unwrap();
        assert_eq!(
            order,
            Order {
                items: vec![Item {
                    name: "a".into(),
                    kind: None,
                    size: None
                }],
                class: None
            }
        );
    }

    #[test]
    fn refusals_name_the_field() {
        for (body, param, message, code) in [
            (
                r#"{}"#,
                "items",
                "Missing required parameter: 'items'.",
                "missing_required_parameter",
            ),
            (
                r#"{"items":[{"name":"a"},{}]}"#,
                "items[1].name",
                "Missing required parameter: 'items[1].name'.",
                "missing_required_parameter",
            ),
            (
                r#"{"items":"x"}"#,
                "items",
                "Invalid type for 'items': expected an array, but got a string.",
                "invalid_type",
            ),
            (
                r#"{"items":[{"name":7}]}"#,
                "items[0].name",
                "Invalid type for 'items[0].name': expected a string, but got the integer 7.",
                "invalid_type",
            ),
            (
                r#"{"items":[5]}"#,
                "items[0]",
                "Invalid type for 'items[0]': expected an object, but got the integer 5.",
                "invalid_type",
            ),
            (
                r#"{"items":[{"name":"a","kind":"green"}]}"#,
                "items[0].kind",
                "Invalid value for 'items[0].kind': 'green'. Supported values are: 'red', 'dark_blue'.",
                "invalid_value",
            ),
            (
                r#"{"items":[{"name":"a","kind":7}]}"#,
                "items[0].kind",
                "Invalid type for 'items[0].kind': expected a string, but got a value of another type.",
                "invalid_type",
            ),
            (
                r#"{"items":[{"name":"a","size":300}]}"#,
                "items[0].size",
                "Invalid value for 'items[0].size': expected an integer from 0 to 255, but got the integer 300.",
                "invalid_value",
            ),
            (
                r#"{"items":[],"items":[]}"#,
                "items",
                "The field 'items' is given twice.",
                "invalid_value",
            ),
        ] {
            assert_eq!(
                refusal(body),
                (message.into(), Some(param.into()), Some(code)),
                "{body}"
            );
        }
    }

    #[test]
    fn what_is_not_json_is_said_with_its_place() {
        for (body, said) in [
            ("", "empty"),
            ("   ", "empty"),
            (r#"{"x":[1,]}"#, "near byte 8"),
            ("{\n\"x\":\nNaN}", "near byte 7"),
            (r#"{"items":[{"name":"a","size":1e999}]}"#, "number out of range"),
            (r#"{"items":[{"name":"\ud800"}]}"#, "near byte"),
            (r#"{"items":[]} trailing"#, "near byte"),
            (r#"{"items":[{"name":"a"#, "ends too early"),
            ("[1]", "must be a JSON object"),
            ("\"x\"", "must be a JSON object"),
        ] {
            let (message, param, _) = refusal(body);
            assert!(message.contains(said), "{body}: {message}");
            assert!(
                !message.contains("line") && !message.contains("column"),
                "{message}"
            );
            assert_eq!(param, None, "{body}");
        }
    }

    #[test]
    fn nesting_without_end_costs_no_stack() {
        let in_a_known_field = format!("{{\"items\":{}", "[".repeat(200_000));
        assert!(refusal(&in_a_known_field).0.len() < 300);
        let in_an_unknown_field = format!("{{\"items\":[],\"x\":{}", "[".repeat(200_000));
        assert!(refusal(&in_an_unknown_field).0.len() < 300);
        let value = parse::<serde_json::Value>(format!("{{\"x\":{}", "{\"y\":".repeat(200_000)).as_bytes());
        assert!(
            matches!(value, Err(Error::Invalid { message, .. }) if message.contains("nested too deeply"))
        );
    }
}
