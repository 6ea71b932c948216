//! How files are cut, on the wire.

use insula_core::Error;
use insula_core::vector_store::file::Chunking;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::validate::required;

/// How a file is cut into chunks: `{"type":"auto"}` or `{"type":"static","static":{…}}`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = ChunkingStrategyRequest)]
pub struct ChunkingParam {
    /// `auto` (as fits the embedding model) or `static`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The sizes, for `static`.
    #[serde(rename = "static")]
    pub sizes: Option<StaticChunking>,
}

/// Sizes of chunks in tokens of the store's embedding model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StaticChunking {
    /// Most tokens of a chunk.
    #[schema(minimum = 100, maximum = 4096)]
    pub max_chunk_size_tokens: i32,
    /// Tokens that a chunk repeats of the one before; at most half of its size.
    #[schema(minimum = 0)]
    pub chunk_overlap_tokens: i32,
}

/// How a file was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChunkingStrategy {
    /// `static`
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: &'static str,
    #[serde(rename = "static")]
    sizes: StaticChunking,
}

impl ChunkingParam {
    /// The strategy in the domain's words, which checks the ranges.
    pub fn read(strategy: Option<Self>) -> Result<Chunking, Error> {
        let Some(strategy) = strategy else {
            return Ok(Chunking::Auto);
        };
        match strategy.kind.as_str() {
            "auto" => Ok(Chunking::Auto),
            "static" => {
                let sizes = required("chunking_strategy.static", strategy.sizes)?;
                let chunking = Chunking::Static {
                    max_tokens: sizes.max_chunk_size_tokens,
                    overlap_tokens: sizes.chunk_overlap_tokens,
                };
                chunking.check()?;
                Ok(chunking)
            }
            _ => Err(Error::invalid(
                "chunking_strategy.type",
                "Invalid value for 'chunking_strategy.type'. Supported values are: 'auto', 'static'.",
            )),
        }
    }
}

impl From<Chunking> for ChunkingStrategy {
    fn from(chunking: Chunking) -> Self {
        let (max_chunk_size_tokens, chunk_overlap_tokens) = match chunking {
            // What OpenAI reports for `auto`; clients know no third kind.
            Chunking::Auto => (800, 400),
            Chunking::Static {
                max_tokens,
                overlap_tokens,
            } => (max_tokens, overlap_tokens),
        };
        Self {
            kind: "static",
            sizes: StaticChunking {
                max_chunk_size_tokens,
                chunk_overlap_tokens,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(strategy: serde_json::Value) -> Result<Chunking, Error> {
        #[derive(Deserialize)]
        struct Body {
            chunking_strategy: Option<ChunkingParam>,
        }
        let body = json!({ "chunking_strategy": strategy }).to_string();
        ChunkingParam::read(crate::http::parse_json::<Body>(body.as_bytes())?.chunking_strategy)
    }

    #[test]
    fn strategies_are_two_and_sizes_have_ranges() {
        assert_eq!(read(json!(null)).unwrap(), Chunking::Auto);
        assert_eq!(read(json!({"type": "auto"})).unwrap(), Chunking::Auto);
        let sizes = |max, overlap| json!({"type": "static", "static": {"max_chunk_size_tokens": max, "chunk_overlap_tokens": overlap}});
        assert_eq!(
            read(sizes(200, 50)).unwrap(),
            Chunking::Static {
                max_tokens: 200,
                overlap_tokens: 50
            }
        );
        for (bad, wanted) in [
            (json!({}), "chunking_strategy.type"),
            (json!({"type": "semantic"}), "chunking_strategy.type"),
            (json!({"type": "static"}), "chunking_strategy.static"),
            (
                json!({"type": "static", "static": {"max_chunk_size_tokens": 200}}),
                "chunking_strategy.static.chunk_overlap_tokens",
            ),
            (sizes(99, 0), "chunking_strategy.static.max_chunk_size_tokens"),
            (sizes(200, 101), "chunking_strategy.static.chunk_overlap_tokens"),
        ] {
            match read(bad.clone()) {
                Err(Error::Invalid {
                    param: Some(param), ..
                }) => assert_eq!(param, wanted, "{bad}"),
                other => panic!("{bad} gave {other:?}"),
            }
        }
    }

    #[test]
    fn auto_is_reported_as_clients_expect() {
        let json = serde_json::to_value(ChunkingStrategy::from(Chunking::Auto)).unwrap();
        assert_eq!(
            json,
            json!({"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}})
        );
    }
}
