//! `data_sources`: vector stores named in a chat call, in the manner of Azure's SDK.

use insula_core::Error;
use insula_core::chat::Grounding;
use serde::Deserialize;
use utoipa::ToSchema;

use super::filter::FilterParam;
use super::ids::body_ids;
use crate::http::validate::{count, optional_range, unsupported};

/// Where passages for a grounded answer come from.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = ChatDataSource)]
pub struct DataSource {
    /// `insula_vector_stores`
    #[serde(rename = "type")]
    #[schema(example = "insula_vector_stores")]
    pub kind: String,
    /// Which passages.
    pub parameters: DataSourceParameters,
}

/// Which passages ground the answer.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = ChatDataSourceParameters)]
pub struct DataSourceParameters {
    /// The stores to search.
    pub vector_store_ids: Vec<String>,
    /// How many passages at most.
    #[schema(minimum = 1, maximum = 50)]
    pub max_num_results: Option<u32>,
    /// Passages with a lower score are left out.
    #[schema(minimum = 0, maximum = 1)]
    pub score_threshold: Option<f64>,
    /// Only files whose attributes match.
    pub filters: Option<FilterParam>,
}

/// Most stores of one call.
const MAX_STORES: usize = 16;
/// How many passages an answer is grounded on unless the call says otherwise.
pub(super) const DEFAULT_RESULTS: u32 = 8;

impl DataSource {
    /// Checks every field; `at` is the source's own path.
    pub fn read(self, at: &str) -> Result<Grounding, Error> {
        if self.kind != "insula_vector_stores" {
            return Err(unsupported(
                &format!("{at}.type"),
                "A data source of a type other than 'insula_vector_stores'",
            ));
        }
        let at = format!("{at}.parameters");
        let DataSourceParameters {
            vector_store_ids,
            max_num_results,
            score_threshold,
            filters,
        } = self.parameters;
        let stores_at = format!("{at}.vector_store_ids");
        count(&stores_at, vector_store_ids.len(), 1..=MAX_STORES)?;
        let max_num_results = optional_range(&format!("{at}.max_num_results"), max_num_results, 1..=50)?;
        let score_threshold = optional_range(&format!("{at}.score_threshold"), score_threshold, 0.0..=1.0)?;
        Ok(Grounding {
            vector_store_ids: body_ids(&stores_at, &vector_store_ids)?,
            max_num_results: max_num_results.unwrap_or(DEFAULT_RESULTS).into(),
            filter: filters
                .map(|filter| filter.read(&format!("{at}.filters")))
                .transpose()?,
            score_threshold: score_threshold.unwrap_or(0.0),
            ranker: None,
        })
    }
}
