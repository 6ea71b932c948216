//! A tenant's guardrails: rules that are applied before and after a call to a model.
//!
//! Before: [`input`] looks at what the caller sends, [`passages`] at what was retrieved. After: [`completion`] and
//! [`stream`] look at the answer. Each may redact, refuse, or ask for a local model, and says what it did in
//! [`Decisions`], which become part of the call's usage event. A tenant without rules has no [`Policy`], and nothing is
//! looked at.

mod decision;
mod injection;
mod output;
mod personal;
mod policies;
mod policy;
mod rules;
mod store;
mod stream;
mod terms;

pub use decision::{Action, Decision, Decisions, Place};
pub use output::completion;
pub use personal::Kind;
pub use policies::{Policies, Settings};
pub use policy::Policy;
pub use rules::{InjectionRule, OutputLimits, PersonalDataRule, Rules, TermsRule};
pub use store::{get, set};
pub use stream::stream;

use crate::model::{ChatMessage, ChatOptions, Passage};
use crate::route::{Route, Routes};
use crate::{Error, Result};

/// The code of a refusal.
const CODE: &str = "content_policy_violation";

/// Applies a policy to what the caller sends: redacts it, and bounds the length of the answer. Whether a model on the
/// operator's own machines has to answer.
///
/// # Errors
/// [`Error::Invalid`] with the code `content_policy_violation` that names the message, when a rule blocks it, or when it shows an
/// image, which no rule can look into.
pub fn input(
    policy: &Policy,
    messages: &mut [ChatMessage],
    options: &mut ChatOptions,
    decisions: &Decisions,
) -> Result<bool> {
    let mut route_local = false;
    if policy.looks_at(Place::Input) {
        for (n, message) in messages.iter_mut().enumerate() {
            if !message.images.is_empty() {
                return Err(Error::Invalid {
                    message: "The guardrails of this tenant look at what is sent, and images cannot be looked into."
                        .into(),
                    param: Some(format!("messages[{n}].content")),
                    code: Some(CODE),
                });
            }
            if let Some(content) = &mut message.content {
                let at = || format!("messages[{n}].content");
                route_local |= text(policy, content, Place::Input, at, decisions)?;
            }
            for (k, call) in message.tool_calls.iter_mut().enumerate() {
                let at = || format!("messages[{n}].tool_calls[{k}].function.arguments");
                route_local |= text(policy, &mut call.arguments, Place::Input, at, decisions)?;
            }
        }
    }
    if let Some(most) = policy.limits().max_tokens {
        options.max_tokens = Some(options.max_tokens.map_or(most, |asked| asked.min(most)));
    }
    Ok(route_local)
}

/// Applies a policy to texts that are to be embedded. `param` is the field that they came in; the error names the text
/// where there are several. Whether a model on the operator's own machines has to embed them.
///
/// # Errors
/// As [`input`].
pub fn texts(policy: &Policy, param: &str, texts: &mut [String], decisions: &Decisions) -> Result<bool> {
    let mut route_local = false;
    if policy.looks_at(Place::Input) {
        let one = texts.len() == 1;
        for (n, found) in texts.iter_mut().enumerate() {
            let at = || {
                if one {
                    param.to_owned()
                } else {
                    format!("{param}[{n}]")
                }
            };
            route_local |= text(policy, found, Place::Input, at, decisions)?;
        }
    }
    Ok(route_local)
}

/// Refuses texts that must stay here (`stays_here`) for an embedding model that runs elsewhere. Embedding models have no
/// other to take their place: vectors of two models cannot be compared.
///
/// # Errors
/// As [`input`].
pub fn check_embedder(stays_here: bool, routes: &Routes, model: &str) -> Result<()> {
    let elsewhere = |route: &Route| route.targets.iter().any(|target| !target.local);
    if stays_here && routes.find(model).is_some_and(|route| elsewhere(&route)) {
        let what = "personal data to leave this server, which this embedding model does not run on";
        return Err(blocked(what, Some("input".into())));
    }
    Ok(())
}

/// Applies a policy to retrieved passages: leaves out what gives orders, masks what is to be redacted (each character by
/// one, so that positions stay what they are). Whether a model on the operator's own machines has to answer.
///
/// # Errors
/// [`Error::Invalid`] with the code `content_policy_violation`, when a rule blocks a passage.
pub fn passages(policy: &Policy, passages: &mut Vec<Passage>, decisions: &Decisions) -> Result<bool> {
    if let Some(rule) = policy.injection() {
        let suspicious = |passage: &Passage| injection::score(&passage.text) >= rule.threshold;
        let found = passages.iter().filter(|passage| suspicious(passage)).count();
        if found > 0 {
            let count = u32::try_from(found).unwrap_or(u32::MAX);
            decisions.note("injection", rule.action, Place::Passages, count);
            match rule.action {
                Action::Block => {
                    return Err(blocked(
                        "a retrieved passage that gives orders to the model",
                        None,
                    ));
                }
                Action::Drop => passages.retain(|passage| !suspicious(passage)),
                _ => {}
            }
        }
    }
    let mut route_local = false;
    if policy.looks_at(Place::Passages) {
        for passage in passages {
            let whole = 0..passage.text.len();
            let verdict = policy.judge(&passage.text, whole, Place::Passages, decisions);
            if let Some(what) = verdict.blocked {
                return Err(blocked(&format!("{what} in a retrieved passage"), None));
            }
            route_local |= verdict.route_local;
            for (range, _) in verdict.redactions.iter().rev() {
                let mask = "█".repeat(passage.text[range.clone()].chars().count());
                passage.text.replace_range(range.clone(), &mask);
            }
        }
    }
    Ok(route_local)
}

/// Takes personal data of all kinds out of a text, whatever the tenant's rules: for what is stored.
pub(crate) fn redact_all(text: &str) -> String {
    let mut redacted = text.to_owned();
    for finding in personal::find(text, &[]).iter().rev() {
        redacted.replace_range(finding.range.clone(), finding.kind.placeholder());
    }
    redacted
}

/// Whether there is personal data of any kind in a text, whatever the tenant's rules: for routes that ask.
pub fn has_personal_data(text: &str) -> bool {
    !personal::find(text, &[]).is_empty()
}

/// Applies a policy to one text, whose field `at` names.
fn text(
    policy: &Policy,
    text: &mut String,
    place: Place,
    at: impl FnOnce() -> String,
    decisions: &Decisions,
) -> Result<bool> {
    let verdict = policy.judge(text, 0..text.len(), place, decisions);
    if let Some(what) = verdict.blocked {
        return Err(blocked(what, Some(at())));
    }
    for (range, placeholder) in verdict.redactions.into_iter().rev() {
        text.replace_range(range, placeholder);
    }
    Ok(verdict.route_local)
}

fn blocked(what: &str, param: Option<String>) -> Error {
    Error::Invalid {
        message: format!("The guardrails of this project do not allow {what}."),
        param,
        code: Some(CODE),
    }
}

#[cfg(test)]
mod tests;
