//! Where requests of one kind go.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;

/// What stands for the model in a path.
pub(crate) const MODEL: &str = "{model}";

/// What a model's name keeps of itself within a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A URL, whole or with a gap for the model's name.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    url: Url,
    /// The path with its gap, if it has one.
    template: Option<String>,
}

impl Address {
    /// `path` follows the base URL's own.
    pub(crate) fn new(base: &Url, path: &str, query: &[(String, String)]) -> Self {
        let path = format!("{}{path}", base.path().trim_end_matches('/'));
        let mut url = base.clone();
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        if path.contains(MODEL) {
            return Self {
                url,
                template: Some(path),
            };
        }
        url.set_path(&path);
        Self { url, template: None }
    }

    /// Where a request for this model goes.
    pub(crate) fn of(&self, model: &str) -> Url {
        let mut url = self.url.clone();
        if let Some(template) = &self.template {
            let segment = utf8_percent_encode(model, SEGMENT).to_string();
            url.set_path(&template.replace(MODEL, &segment));
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(base: &str, path: &str, query: &[(&str, &str)], model: &str) -> String {
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Address::new(&base.parse().expect("URL"), path, &query)
            .of(model)
            .into()
    }

    #[test]
    fn paths_are_joined_with_one_slash() {
        for base in ["https://api.openai.com/v1", "https://api.openai.com/v1/"] {
            assert_eq!(
                address(base, "/chat/completions", &[], "gpt"),
                "https://api.openai.com/v1/chat/completions"
            );
        }
        assert_eq!(
            address("http://[::1]:8080", "/embeddings", &[], "m"),
            "http://[::1]:8080/embeddings"
        );
    }

    #[test]
    fn a_models_name_stays_one_segment() {
        let path = "/openai/deployments/{model}/chat/completions";
        let query = [("api-version", "2024-10-21")];
        assert_eq!(
            address("https://x.example", path, &query, "gpt-4o"),
            "https://x.example/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
        );
        assert_eq!(
            address("https://x.example", path, &query, "a/../b?c"),
            "https://x.example/openai/deployments/a%2F..%2Fb%3Fc/chat/completions?api-version=2024-10-21"
        );
    }
}
