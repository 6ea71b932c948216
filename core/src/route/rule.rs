//! Which calls go where: by the language of the question, and by what must stay on this machine.

use std::sync::Arc;

use crate::model::{ChatMessage, Role};
use crate::text::language;

/// What is known of a call besides the model's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteFacts {
    /// ISO 639-3 code of the question's language. Found out by the route itself where a rule needs it.
    pub language: Option<&'static str>,
    /// The tenant sends nothing to other machines: only local targets are called.
    pub local_only: bool,
    /// Personal data was found and shall stay here: only local targets are called.
    pub personal_data: bool,
    /// The only providers that the tenant allows; `None` for all.
    pub providers: Option<Arc<[String]>>,
}

impl RouteFacts {
    /// Whether only local targets may be called.
    pub fn stays_here(&self) -> bool {
        self.local_only || self.personal_data
    }

    /// Whether the tenant allows a provider.
    pub fn allows(&self, provider: &str) -> bool {
        match &self.providers {
            None => true,
            Some(allowed) => allowed.iter().any(|name| name == provider),
        }
    }
}

/// Which calls something is for. All that is said must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// The question is in one of these languages (ISO 639-3); empty for any.
    pub languages: Vec<&'static str>,
    /// The tenant is one that sends nothing to other machines, or is not.
    pub local_only: Option<bool>,
    /// Personal data was found in the call, or was not.
    pub personal_data: Option<bool>,
}

impl Condition {
    /// Whether nothing is asked for.
    pub fn is_always(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a call is one of these.
    pub fn holds(&self, facts: &RouteFacts) -> bool {
        let language = self.languages.is_empty()
            || facts
                .language
                .is_some_and(|language| self.languages.contains(&language));
        language
            && self.local_only.is_none_or(|wanted| wanted == facts.local_only)
            && self
                .personal_data
                .is_none_or(|wanted| wanted == facts.personal_data)
    }
}

/// The language of what the user asked last, if it can be told.
pub fn language_of(messages: &[ChatMessage]) -> Option<&'static str> {
    let asked = messages
        .iter()
        .rev()
        .find(|message| message.role == Role::User)?
        .content
        .as_deref()?;
    let detected = language::detect(asked);
    // Other scripts have few languages each, so that even a word tells.
    let sure = detected.reliable
        || detected
            .script
            .is_some_and(|script| script != language::Script::Latin);
    (sure && detected.code != "und").then_some(detected.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Option<&'static str> {
        language_of(&[
            ChatMessage::text(
                Role::System,
                "You answer in verse, whatever you are asked, and never twice the same.",
            ),
            ChatMessage::text(Role::User, text),
            ChatMessage::text(Role::Assistant, "Noted."),
        ])
    }

    #[test]
    fn the_question_decides_and_doubt_is_no_language() {
        assert_eq!(asked("ما هي عاصمة العراق؟"), Some("ara"));
        assert_eq!(asked("نعم"), Some("ara"));
        assert_eq!(
            asked("The refund is paid within fourteen days after we have received the goods."),
            Some("eng")
        );
        assert_eq!(asked("OK"), None);
        assert_eq!(asked("2024 42"), None);
        assert_eq!(language_of(&[]), None);
    }

    #[test]
    fn all_that_is_said_must_hold() {
        let facts = |language, personal_data| RouteFacts {
            language,
            personal_data,
            ..RouteFacts::default()
        };
        let arabic = Condition {
            languages: vec!["ara", "pes"],
            ..Condition::default()
        };
        assert!(arabic.holds(&facts(Some("ara"), false)) && !arabic.holds(&facts(None, false)));
        let both = Condition {
            personal_data: Some(true),
            ..arabic
        };
        assert!(both.holds(&facts(Some("pes"), true)) && !both.holds(&facts(Some("ara"), false)));
        assert!(Condition::default().holds(&facts(None, true)) && Condition::default().is_always());
    }
}
