//! What a conversation asks. One rule for retrieval and for the extractive model, so that passages are never looked up
//! for another question than the one that is answered.

use crate::model::{ChatMessage, Role};
use crate::text::terms;

/// The part of a conversation that is to be answered.
pub(super) struct Asked<'a> {
    /// The last user message; with the one before it when it is too short to stand alone.
    pub(super) text: String,
    /// The last user message by itself.
    pub(super) last: &'a str,
}

/// The last thing that the user asked. Earlier turns are ignored, except for a follow-up such as `And in Germany?`, which
/// is read together with the question before. `None` without a user message that has text.
pub(super) fn asked(messages: &[ChatMessage]) -> Option<Asked<'_>> {
    let mut asked = messages
        .iter()
        .rev()
        .filter(|message| message.role == Role::User)
        .filter_map(|message| message.content.as_deref())
        .map(str::trim)
        .filter(|text| !text.is_empty());
    let last = asked.next()?;
    let text = match asked.next() {
        Some(previous) if is_follow_up(last) => format!("{previous}\n{last}"),
        _ => last.to_owned(),
    };
    Some(Asked { text, last })
}

/// Whether a message means little without the one before: at most three words, or at most one that says something.
fn is_follow_up(text: &str) -> bool {
    let words = text.split_whitespace().count();
    // A language without spaces has one long "word".
    let is_short = words <= 3 && text.chars().count() <= 30;
    is_short || (words <= 6 && terms::query_tokens(text, &[]).len() <= 1 && text.chars().count() <= 40)
}
