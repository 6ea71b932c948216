//! Cross-encoders: a query read together with each document.

use std::sync::Arc;

use async_trait::async_trait;
use insula_core::model::{JudgeCard, Reranked, Reranker};
use insula_core::{Error, Result};
use tokenizers::Encoding;

use super::{Activation, Judge, JudgeOptions, LoadError, card, try_out, work};

/// A cross-encoder.
pub struct OnnxReranker {
    judge: Arc<Judge>,
    activation: Activation,
    max_tokens: usize,
}

impl OnnxReranker {
    /// Loads a model and tries it. Blocks.
    pub fn load(options: &JudgeOptions) -> Result<(JudgeCard, Self), LoadError> {
        let (judge, manifest) = Judge::load(options, true)?;
        let reranker = Self {
            judge: Arc::new(judge),
            activation: manifest.activation,
            max_tokens: manifest.max_tokens,
        };
        try_out(&reranker.judge, &options.model_dir, 1)?;
        Ok((card(manifest), reranker))
    }
}

#[async_trait]
impl Reranker for OnnxReranker {
    async fn rerank(&self, query: &str, documents: &[String]) -> Result<Reranked> {
        if documents.is_empty() {
            return Ok(Reranked::default());
        }
        let (query, documents) = (query.to_owned(), documents.to_vec());
        let (activation, max_tokens) = (self.activation, self.max_tokens);
        work(&self.judge, move |judge, left| {
            let asked = judge.tokenizer.encode_fast(query.as_str(), false);
            // Half is left to the documents.
            if asked.map_err(Error::internal)?.len() > max_tokens / 2 {
                return Err(Error::Invalid {
                    message: format!(
                        "The query is too long for this model, which reads {max_tokens} tokens in all."
                    ),
                    param: Some("query".into()),
                    code: Some("context_length_exceeded"),
                });
            }
            let pairs = documents.iter().map(|document| {
                let pair = (query.as_str(), document.as_str());
                judge.tokenizer.encode(pair, true)
            });
            let pairs: Vec<Encoding> = pairs.collect::<Result<_, _>>().map_err(Error::internal)?;
            let outputs = judge.outputs(&pairs, left).map_err(Error::internal)?;
            let score = |outputs: &Vec<f32>| activation.apply(outputs).last().copied().unwrap_or_default();
            Ok(Reranked {
                scores: outputs.iter().map(score).collect(),
                tokens: pairs.iter().map(|pair| pair.len() as u64).sum(),
                by: None,
            })
        })
        .await
    }
}
