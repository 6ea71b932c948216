//! Answers: whole ones, and the chunks of a stream, which have the same shape.

use insula_core::model::{Completion as Answer, FinishReason, TokenUsage};
use serde::Serialize;
use utoipa::ToSchema;

use crate::routes::chat::{Head, Usage, finish_reason};

/// An answer, or a chunk of one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreateCompletionResponse)]
pub struct Completion {
    /// Its id, `cmpl-…`; the same in all chunks.
    pub id: String,
    /// `text_completion`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Unix seconds.
    pub created: i64,
    /// The model or assistant that was asked.
    pub model: String,
    /// One per prompt. In a chunk one, or none beside the usage.
    pub choices: Vec<Choice>,
    /// What it took. In a stream only in the last chunk, and only if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// A text, or a piece of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompletionChoice)]
pub struct Choice {
    /// The text.
    pub text: String,
    /// Which prompt it goes on from.
    pub index: u32,
    /// Always null.
    #[schema(required)]
    pub logprobs: Option<String>,
    /// Why it ended: `stop`, `length` or `content_filter`; null before its end.
    #[schema(required, value_type = Option<String>)]
    pub finish_reason: Option<&'static str>,
}

impl Completion {
    /// One without a choice.
    pub(super) fn new(Head { id, created, model }: Head) -> Self {
        Self {
            id,
            object: "text_completion",
            created,
            model,
            choices: Vec::new(),
            usage: None,
        }
    }

    /// Adds what another choice took.
    pub(super) fn add(&mut self, usage: Option<TokenUsage>) {
        let Some(usage) = usage.map(Usage::from) else {
            return;
        };
        match &mut self.usage {
            Some(sum) => sum.add(&usage),
            None => self.usage = Some(usage),
        }
    }
}

impl Choice {
    /// A whole text, behind its prompt if that is to be given back.
    pub(super) fn whole(index: u32, echo: Option<&str>, answer: Answer) -> Self {
        let said = answer.content.or(answer.refusal).unwrap_or_default();
        Self {
            text: echo.unwrap_or_default().to_owned() + &said,
            index,
            logprobs: None,
            finish_reason: Some(reason(answer.finish_reason.unwrap_or(FinishReason::Stop))),
        }
    }

    /// A piece of a text.
    pub(super) fn piece(index: u32, text: String) -> Self {
        Self {
            text,
            index,
            logprobs: None,
            finish_reason: None,
        }
    }

    /// The end of a text.
    pub(super) fn end(index: u32, ended: FinishReason) -> Self {
        Self {
            finish_reason: Some(reason(ended)),
            ..Self::piece(index, String::new())
        }
    }
}

/// Here, no tools are called.
fn reason(ended: FinishReason) -> &'static str {
    match ended {
        FinishReason::ToolCalls => finish_reason(FinishReason::Stop),
        other => finish_reason(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_has_the_keys_that_strict_clients_require() {
        let head = Head {
            id: "cmpl-1".into(),
            created: 7,
            model: "m".into(),
        };
        let usage = TokenUsage {
            prompt_tokens: 2,
            completion_tokens: 1,
            ..TokenUsage::default()
        };
        let answer = Answer {
            content: Some("world".into()),
            finish_reason: Some(FinishReason::Length),
            ..Answer::default()
        };
        let mut completion = Completion::new(head);
        completion.add(Some(usage));
        completion.add(Some(usage));
        completion.choices.push(Choice::whole(0, Some("hello "), answer));
        let json = serde_json::to_value(completion).unwrap();
        assert_eq!(
            json["choices"],
            json!([{"text": "hello world", "index": 0, "logprobs": null, "finish_reason": "length"}])
        );
        assert_eq!(
            (&json["object"], &json["usage"]["total_tokens"]),
            (&json!("text_completion"), &json!(6))
        );
    }
}
