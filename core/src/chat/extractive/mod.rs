//! A chat model without a language model: answers with sentences of the documents, each cited.
//!
//! It cannot make anything up, needs no key, no network and no GPU, and says so when the documents hold no answer.
//! The same request always gets the same answer.

mod answer;
mod question;
mod score;
mod select;

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;

use crate::model::{
    ChatEvent, ChatModel, ChatRequest, ChatStream, Completion, EmbedPurpose, Embedder, Passage, TokenUsage,
};
use crate::text::language;
use crate::{Error, Result};
use question::Question;
use score::Candidate;

/// Words per event of a streamed answer.
const WORDS_PER_EVENT: usize = 3;

/// The extractive model. Cheap to clone and to share.
#[derive(Clone)]
pub struct Extractive {
    embedder: Option<Arc<dyn Embedder>>,
}

impl Extractive {
    /// With an embedder, sentences are also compared with the question by meaning, where the embedder knows the
    /// question's language. Without one, by words only.
    pub fn new(embedder: Option<Arc<dyn Embedder>>) -> Self {
        Self { embedder }
    }

    async fn answer(&self, request: &ChatRequest) -> Result<Completion> {
        let question = Question::of(&request.messages);
        let text = if !request.grounded {
            answer::Draft::plain(question.needs_documents())
        } else {
            let chosen = self.choose(&question, &request.passages).await?;
            if chosen.is_empty() {
                answer::Draft::plain(question.no_answer())
            } else {
                answer::Draft::cited(&chosen, &request.passages)
            }
        };
        let (content, citations, finish) = text.finish(&request.options, |text| self.count(text));
        Ok(Completion {
            usage: Some(self.usage(request, &content)),
            content: Some(content),
            citations,
            finish_reason: Some(finish),
            ..Completion::default()
        })
    }

    /// Splitting and scoring take milliseconds for the largest request, but are no work for an async thread.
    async fn choose(&self, question: &Question, passages: &[Passage]) -> Result<Vec<Candidate>> {
        let (question_text, owned) = (question.text.clone(), passages.to_vec());
        let mut candidates = tokio::task::spawn_blocking(move || score::candidates(&question_text, &owned))
            .await
            .map_err(Error::internal)?;
        let compared = self.compare(question, &mut candidates).await?;
        Ok(select::select(candidates, compared))
    }

    /// Adds cosines, if they mean anything for this question. Says whether it did.
    async fn compare(&self, question: &Question, candidates: &mut [Candidate]) -> Result<bool> {
        let Some(embedder) = &self.embedder else {
            return Ok(false);
        };
        let card = embedder.card();
        if candidates.is_empty() || language::vector_weight(&question.text, &card.languages) < 1.0 {
            return Ok(false);
        }
        let fits = |text: &str| embedder.counter().count(text) + score::SPECIAL_TOKENS <= card.max_tokens;
        if !fits(&question.text) {
            return Ok(false);
        }
        let chosen = score::worth_embedding(candidates, |text| fits(text));
        let texts = std::iter::once(question.text.clone())
            .chain(chosen.iter().map(|at| candidates[*at].sentence.text.clone()))
            .collect();
        let mut vectors = embedder
            .embed(texts, EmbedPurpose::Interactive.into())
            .await?
            .vectors
            .into_iter();
        let Some(query) = vectors.next() else {
            return Ok(false);
        };
        for (at, vector) in chosen.into_iter().zip(vectors) {
            candidates[at].cosine = Some(query.iter().zip(&vector).map(|(a, b)| a * b).sum());
        }
        Ok(true)
    }

    /// Tokens by the embedder's tokenizer, or words when there is none.
    fn count(&self, text: &str) -> usize {
        match &self.embedder {
            Some(embedder) => embedder.counter().count(text),
            None => text.split_whitespace().count(),
        }
    }

    /// What was read (messages and passages) and written, in [`Extractive::count`]'s unit: an estimate that is the
    /// same for the same request. There is no upstream whose bill it would have to match.
    fn usage(&self, request: &ChatRequest, content: &str) -> TokenUsage {
        let messages = request
            .messages
            .iter()
            .filter_map(|message| message.content.as_deref());
        let passages = request.passages.iter().map(|passage| passage.text.as_str());
        TokenUsage {
            prompt_tokens: messages.chain(passages).map(|text| self.count(text) as u64).sum(),
            completion_tokens: self.count(content) as u64,
            ..TokenUsage::default()
        }
    }
}

#[async_trait]
impl ChatModel for Extractive {
    async fn complete(&self, request: &ChatRequest) -> Result<Completion> {
        self.answer(request).await
    }

    async fn stream(&self, request: &ChatRequest) -> Result<ChatStream> {
        let completion = self.answer(request).await?;
        Ok(futures::stream::iter(events(completion)).map(Ok).boxed())
    }
}

/// A finished answer as the events of a streamed one.
fn events(completion: Completion) -> Vec<ChatEvent> {
    let content = completion.content.unwrap_or_default();
    let mut events: Vec<ChatEvent> = Vec::new();
    let words: Vec<&str> = content.split_inclusive(char::is_whitespace).collect();
    for group in words.chunks(WORDS_PER_EVENT) {
        events.push(ChatEvent::Content(group.concat()));
    }
    if !completion.citations.is_empty() {
        events.push(ChatEvent::Citations(completion.citations));
    }
    events.extend(completion.finish_reason.map(ChatEvent::Finish));
    events.extend(completion.usage.map(ChatEvent::Usage));
    events
}

#[cfg(test)]
mod tests;
