//! Guardrails of an answer in one piece.

use super::stream::Shifts;
use super::{Action, Decisions, Place, Policy};
use crate::model::{Completion, FinishReason};

/// What stands in for an answer that is blocked.
const WITHHELD: &str = "The answer was withheld by the guardrails of this project.";

/// Applies a policy to an answer. One that is blocked is replaced by a refusal, and ends with
/// [`FinishReason::ContentFilter`]. Arguments of tool calls are left as they are: they are for the tenant's own code.
pub fn completion(policy: &Policy, mut completion: Completion, decisions: &Decisions) -> Completion {
    for text in [&completion.content, &completion.refusal].into_iter().flatten() {
        if policy
            .judge(text, 0..text.len(), Place::Output, &Decisions::default())
            .blocked
            .is_some()
        {
            policy.judge(text, 0..text.len(), Place::Output, decisions);
            return Completion {
                refusal: Some(WITHHELD.into()),
                finish_reason: Some(FinishReason::ContentFilter),
                usage: completion.usage,
                ..Completion::default()
            };
        }
    }
    if let Some(refusal) = &mut completion.refusal {
        redact(policy, refusal, decisions);
    }
    if let Some(content) = &mut completion.content {
        let shifts = redact(policy, content, decisions);
        for citation in &mut completion.citations {
            citation.index = shifts.apply(citation.index);
        }
        if let Some(most) = policy.limits().max_characters
            && let Some((end, _)) = content.char_indices().nth(most as usize)
        {
            content.truncate(end);
            completion
                .citations
                .retain(|citation| citation.index < most as usize);
            completion.finish_reason = Some(FinishReason::Length);
            decisions.note("output.max_characters", Action::Cut, Place::Output, 1);
        }
    }
    completion
}

fn redact(policy: &Policy, text: &mut String, decisions: &Decisions) -> Shifts {
    let mut shifts = Shifts::default();
    let verdict = policy.judge(text, 0..text.len(), Place::Output, decisions);
    for (range, placeholder) in &verdict.redactions {
        let at = text[..range.start].chars().count();
        let was = text[range.clone()].chars().count();
        shifts.push(at, was, placeholder.chars().count());
    }
    for (range, placeholder) in verdict.redactions.into_iter().rev() {
        text.replace_range(range, placeholder);
    }
    shifts
}
