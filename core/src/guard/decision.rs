//! What guardrails decided, as data.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a rule does with what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing but to say so.
    Flag,
    /// Puts a placeholder in its place.
    Redact,
    /// Asks for a model that runs on the operator's own machines.
    RouteLocal,
    /// Leaves the passage out.
    Drop,
    /// Cuts the answer off.
    Cut,
    /// Refuses the call, or ends the answer.
    Block,
}

impl Action {
    /// The name that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Redact => "redact",
            Self::RouteLocal => "route_local",
            Self::Drop => "drop",
            Self::Cut => "cut",
            Self::Block => "block",
        }
    }
}

/// Where a rule looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// What the caller sends.
    Input,
    /// What is retrieved from documents.
    Passages,
    /// What the model answers.
    Output,
}

/// What one rule did in one place during a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Which rule, as in `personal_data.email`, `blocked_terms.rivals`, `injection` or `output.max_characters`.
    pub rule: String,
    /// What it did.
    pub action: Action,
    /// Where.
    pub place: Place,
    /// To how many findings.
    pub count: u32,
}

/// The decisions of one call, collected from wherever they are made. Clones share them: a stream decides long after the
/// function that made it has returned.
#[derive(Debug, Clone, Default)]
pub struct Decisions(Arc<Mutex<Vec<Decision>>>);

impl Decisions {
    /// Adds `count` to what a rule did.
    pub(super) fn note(&self, rule: &str, action: Action, place: Place, count: u32) {
        let mut decisions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = decisions
            .iter_mut()
            .find(|known| known.rule == rule && known.action == action && known.place == place);
        match known {
            Some(known) => known.count = known.count.saturating_add(count),
            None => decisions.push(Decision {
                rule: rule.to_owned(),
                action,
                place,
                count,
            }),
        }
    }

    /// What was decided so far, in the order of first decisions.
    pub fn list(&self) -> Vec<Decision> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether an answer was ended before its time.
    pub(crate) fn have_ended_the_answer(&self) -> bool {
        let decisions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        decisions.iter().any(|decision| {
            decision.place == Place::Output && matches!(decision.action, Action::Block | Action::Cut)
        })
    }

    /// The same for a usage event; `None` when nothing was decided.
    pub fn to_json(&self) -> Option<Value> {
        let decisions = self.list();
        if decisions.is_empty() {
            return None;
        }
        serde_json::to_value(decisions).ok()
    }
}
