//! Models that score texts, behind the formats that their servers share: `/rerank` of Jina, Cohere and vLLM, and OpenAI's
//! `/moderations`.

use std::sync::Arc;

use async_trait::async_trait;
use insula_core::model::{Category, Moderated, Moderator, Reranked, Reranker, TokenCounter, Verdict};
use insula_core::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::Address;
use crate::upstream::Upstream;

/// Most bytes of an answer for each text, besides what every answer has.
const ANSWER_BYTES: usize = 4 * 1024;
/// Most tokens that a request can have had, whatever a server says.
const MOST_TOKENS: u64 = u32::MAX as u64;

/// One model at a server. Cheap to clone; clones share connections.
#[derive(Clone)]
pub(crate) struct RemoteJudge {
    upstream: Upstream,
    address: Address,
    model: String,
    counter: Arc<dyn TokenCounter>,
}

#[derive(Serialize)]
struct RerankBody<'a> {
    model: &'a str,
    query: &'a str,
    documents: &'a [String],
    return_documents: bool,
}

#[derive(Deserialize)]
struct RerankAnswer {
    results: Vec<RerankResult>,
    usage: Option<RerankUsage>,
}

#[derive(Deserialize)]
struct RerankResult {
    index: usize,
    #[serde(alias = "score")]
    relevance_score: f64,
}

#[derive(Deserialize)]
struct RerankUsage {
    total_tokens: Option<u64>,
}

#[derive(Serialize)]
struct ModerationBody<'a> {
    model: &'a str,
    input: &'a [String],
}

#[derive(Deserialize)]
struct ModerationAnswer {
    results: Vec<ModerationResult>,
}

#[derive(Deserialize)]
struct ModerationResult {
    flagged: bool,
    #[serde(default)]
    categories: Value,
    #[serde(default)]
    category_scores: Value,
}

impl RemoteJudge {
    pub(crate) fn new(
        upstream: Upstream,
        address: Address,
        model: String,
        counter: Arc<dyn TokenCounter>,
    ) -> Self {
        Self {
            upstream,
            address,
            model,
            counter,
        }
    }

    async fn ask<T: DeserializeOwned>(&self, body: &impl Serialize, texts: usize, to_do: &str) -> Result<T> {
        let body = serde_json::to_vec(body).map_err(Error::internal)?;
        let provider = self.upstream.provider();
        let call = async {
            let response = self.upstream.post(self.address.of(&self.model), body).await?;
            let limit = 64 * 1024 + texts * ANSWER_BYTES;
            let body = self.upstream.read(response, limit).await?;
            serde_json::from_slice(&body).map_err(|_| provider.broken("sent an answer that cannot be read"))
        };
        let deadline = Instant::now() + self.upstream.timeouts().total;
        timeout_at(deadline, call)
            .await
            .map_err(|_| provider.timed_out(to_do))?
    }

    /// Tokens of texts, for servers that do not say.
    async fn count(&self, texts: Vec<String>) -> Result<u64> {
        let counter = Arc::clone(&self.counter);
        let counting =
            tokio::task::spawn_blocking(move || texts.iter().map(|text| counter.count(text) as u64).sum());
        counting.await.map_err(Error::internal)
    }
}

#[async_trait]
impl Reranker for RemoteJudge {
    async fn rerank(&self, query: &str, documents: &[String]) -> Result<Reranked> {
        let body = RerankBody {
            model: &self.model,
            query,
            documents,
            return_documents: false,
        };
        let answer: RerankAnswer = self.ask(&body, documents.len(), "rank documents").await?;
        let mut scores = vec![None; documents.len()];
        for result in &answer.results {
            if let Some(score) = scores.get_mut(result.index) {
                *score = Some(result.relevance_score);
            }
        }
        let scores: Option<Vec<f64>> = scores.into_iter().collect();
        let scores = scores.ok_or_else(|| self.upstream.provider().broken("has not ranked all documents"))?;
        let tokens = match answer.usage.and_then(|usage| usage.total_tokens) {
            Some(tokens) => tokens.min(MOST_TOKENS),
            None => {
                let query = self.count(vec![query.to_owned()]).await?;
                self.count(documents.to_vec()).await? + query * documents.len() as u64
            }
        };
        Ok(Reranked {
            scores,
            tokens,
            by: None,
        })
    }
}

#[async_trait]
impl Moderator for RemoteJudge {
    async fn moderate(&self, texts: &[String]) -> Result<Moderated> {
        let body = ModerationBody {
            model: &self.model,
            input: texts,
        };
        let answer: ModerationAnswer = self.ask(&body, texts.len(), "look through texts").await?;
        if answer.results.len() != texts.len() {
            return Err(self
                .upstream
                .provider()
                .broken("has not looked through all texts"));
        }
        let verdict = |result: &ModerationResult| {
            let mut verdict = Verdict {
                flagged: result.flagged,
                ..Verdict::default()
            };
            for (finding, category) in verdict.findings.iter_mut().zip(Category::ALL) {
                let name = category.as_str();
                *finding = (
                    result.categories[name].as_bool().unwrap_or_default(),
                    result.category_scores[name].as_f64().unwrap_or_default(),
                );
            }
            verdict
        };
        Ok(Moderated {
            verdicts: answer.results.iter().map(verdict).collect(),
            tokens: self.count(texts.to_vec()).await?,
            by: None,
        })
    }
}
