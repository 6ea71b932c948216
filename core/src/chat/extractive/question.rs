//! What is asked, and the sentences of our own that an answer may consist of.

use crate::chat::asked::asked;
use crate::model::ChatMessage;
use crate::text::language::{self, Script};

/// The part of a conversation that is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// The last user message; with the one before it when it is too short to stand alone.
    pub(super) text: String,
    arabic: bool,
}

impl Question {
    /// Takes the question out of a conversation. Earlier turns are ignored, except for a follow-up such as `And in
    /// Germany?`, which is read together with the question before.
    pub(super) fn of(messages: &[ChatMessage]) -> Self {
        let (text, last) = asked(messages).map_or_else(Default::default, |asked| (asked.text, asked.last));
        let detected = language::detect(last);
        let arabic =
            detected.script == Some(Script::Arabic) && (detected.code == "ara" || !detected.reliable);
        Self { text, arabic }
    }

    /// What is said when the documents hold no answer.
    pub(super) fn no_answer(&self) -> &'static str {
        if self.arabic {
            "لم أجد إجابة عن هذا السؤال في المستندات."
        } else {
            "I could not find an answer to this in the documents."
        }
    }

    /// What is said when there are no documents to answer from.
    pub(super) fn needs_documents(&self) -> &'static str {
        if self.arabic {
            "هذا النموذج يجيب من المستندات فقط. اختر مساعداً (assistant) مرتبطاً بمخازن متجهات نموذجاً للمحادثة، \
             أو أرسل معرّفات مخازن المتجهات في الحقل data_sources."
        } else {
            "This model answers from documents only. Choose an assistant that has vector stores as the model, or \
             send the ids of your vector stores in the field data_sources."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Role;

    fn user(text: &str) -> ChatMessage {
        ChatMessage::text(Role::User, text)
    }

    #[test]
    fn the_last_user_message_is_the_question() {
        let messages = [
            ChatMessage::text(Role::System, "Be brief."),
            user("What does shipping to France cost in total?"),
            ChatMessage::text(Role::Assistant, "Nine euros."),
            user("How long does a refund take to arrive?"),
        ];
        assert_eq!(
            Question::of(&messages).text,
            "How long does a refund take to arrive?"
        );
        assert_eq!(Question::of(&[]).text, "");
    }

    #[test]
    fn a_follow_up_brings_its_predecessor() {
        let messages = [
            user("What does shipping to France cost?"),
            user("And to Germany?"),
        ];
        assert_eq!(
            Question::of(&messages).text,
            "What does shipping to France cost?\nAnd to Germany?"
        );
        assert_eq!(Question::of(&[user("Refund policy")]).text, "Refund policy");
    }

    #[test]
    fn answers_in_the_language_of_the_question() {
        assert!(
            Question::of(&[user("ما هي سياسة الاسترداد؟")])
                .no_answer()
                .starts_with("لم")
        );
        assert!(
            Question::of(&[user("What is the policy?")])
                .needs_documents()
                .contains("data_sources")
        );
    }
}
