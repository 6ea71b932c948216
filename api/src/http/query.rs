//! Query strings.

use axum::extract::FromRequestParts;
use http::request::Parts;
use insula_core::Error;

use super::ApiError;

/// A typed query string. Unknown parameters are ignored.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

/// A type that can be read from a query string.
pub trait FromQuery: Sized {
    /// Reads it, with a refusal that names the parameter.
    fn from_query(params: &QueryParams) -> Result<Self, Error>;
}

/// The decoded parameters of a query string, in order.
#[derive(Debug, Clone, Default)]
pub struct QueryParams(Vec<(String, String)>);

impl QueryParams {
    /// Decodes the part of a URL after `?`.
    pub fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The last value of `name`; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().rev();
        values
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// All values of an array parameter. SDKs write `include[]=a&include[]=b`; `include=a` works too.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name || key.strip_suffix("[]") == Some(name))
            .map(|(_, value)| value.as_str())
    }

    /// A whole number within `range`, or `default` if it is not given.
    pub fn integer(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<u32>,
        default: u32,
    ) -> Result<u32, Error> {
        let Some(text) = self.get(name) else {
            return Ok(default);
        };
        match text.parse() {
            Ok(value) if range.contains(&value) => Ok(value),
            _ => Err(Error::invalid(
                name,
                format!(
                    "Invalid value for '{name}': expected an integer from {} to {}.",
                    range.start(),
                    range.end()
                ),
            )),
        }
    }

    /// One of `known`, or none if it is not given.
    pub fn choice<T: Copy>(&self, name: &str, known: &[(&str, T)]) -> Result<Option<T>, Error> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match known.iter().find(|(value, _)| *value == text) {
            Some((_, choice)) => Ok(Some(*choice)),
            None => {
                let known: Vec<_> = known.iter().map(|(value, _)| format!("'{value}'")).collect();
                let message = format!(
                    "Invalid value for '{name}'. Supported values are: {}.",
                    known.join(", ")
                );
                Err(Error::invalid(name, message))
            }
        }
    }
}

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: FromQuery,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let params = QueryParams::parse(parts.uri.query().unwrap_or_default());
        Ok(Self(T::from_query(&params)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_come_with_and_without_brackets_and_encoded() {
        let params = QueryParams::parse("include[]=a&include%5B%5D=b%20c&include=d&included=e");
        assert_eq!(params.all("include").collect::<Vec<_>>(), ["a", "b c", "d"]);
    }

    #[test]
    fn numbers_are_checked_against_their_range() {
        let limit = |query| QueryParams::parse(query).integer("limit", 1..=100, 20);
        assert_eq!(limit("").unwrap(), 20);
        assert_eq!(limit("limit=").unwrap(), 20);
        assert_eq!(limit("limit=100").unwrap(), 100);
        for bad in [
            "limit=0",
            "limit=101",
            "limit=-1",
            "limit=x",
            "limit=99999999999999999999",
            "limit=1.5",
        ] {
            let error = limit(bad).unwrap_err();
            assert!(
                matches!(error, Error::Invalid { param: Some(param), .. } if param == "limit"),
                "{bad}"
            );
        }
    }

    #[test]
    fn choices_list_what_is_known() {
        let error = QueryParams::parse("order=up")
            .choice("order", &[("asc", 1), ("desc", 2)])
            .unwrap_err();
        assert!(error.to_string().contains("'asc', 'desc'"), "{error}");
    }
}
