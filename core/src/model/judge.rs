//! Texts to scores: how well documents answer a query, and what in a text should not be there.

use async_trait::async_trait;

use super::EmbeddedBy;
use crate::Result;

/// What is known of a model that scores texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgeCard {
    /// The name that clients send.
    pub id: String,
    /// Name of the party that serves it.
    pub owned_by: String,
}

/// How well each document answers a query.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reranked {
    /// In the order of the documents; higher is better, 0..=1 for most models.
    pub scores: Vec<f64>,
    /// Tokens that were read; the query counts with each document.
    pub tokens: u64,
    /// Who read them, where that is a target of a route.
    pub by: Option<EmbeddedBy>,
}

/// A model that reads a query together with each document.
#[async_trait]
pub trait Reranker: Send + Sync + 'static {
    /// Scores documents. One that is too long is read as far as the model can; a query that leaves no room for documents is
    /// [`crate::Error::Invalid`] with param `query`.
    async fn rerank(&self, query: &str, documents: &[String]) -> Result<Reranked>;
}

macro_rules! categories {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// What a text should not have in it, in OpenAI's words.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Category {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Category {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The wire form.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The category of that name.
            pub fn find(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|category| category.as_str() == name)
            }
        }
    };
}

categories! {
    /// Harassing language.
    Harassment = "harassment",
    /// Harassment with violence towards somebody.
    HarassmentThreatening = "harassment/threatening",
    /// Hate for what somebody is.
    Hate = "hate",
    /// Hate with violence towards such people.
    HateThreatening = "hate/threatening",
    /// How to do what is forbidden.
    Illicit = "illicit",
    /// The same with violence or weapons.
    IllicitViolent = "illicit/violent",
    /// Acts of self-harm.
    SelfHarm = "self-harm",
    /// Somebody means to harm themselves.
    SelfHarmIntent = "self-harm/intent",
    /// How to harm oneself.
    SelfHarmInstructions = "self-harm/instructions",
    /// Sexual content.
    Sexual = "sexual",
    /// Sexual content with somebody under 18.
    SexualMinors = "sexual/minors",
    /// Death, violence, injury.
    Violence = "violence",
    /// The same in detail.
    ViolenceGraphic = "violence/graphic",
}

/// What is in a text that should not be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdict {
    /// Whether any of it is serious.
    pub flagged: bool,
    /// By category, in the order of [`Category::ALL`]: whether it is there, and how surely, 0..=1.
    pub findings: [(bool, f64); Category::ALL.len()],
}

/// Verdicts in the order of the texts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Moderated {
    /// One for each text.
    pub verdicts: Vec<Verdict>,
    /// Tokens that were read.
    pub tokens: u64,
    /// Who read them, where that is a target of a route.
    pub by: Option<EmbeddedBy>,
}

/// A model that finds what should not be in a text.
#[async_trait]
pub trait Moderator: Send + Sync + 'static {
    /// Reads texts to their ends, however long they are.
    async fn moderate(&self, texts: &[String]) -> Result<Moderated>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_thirteen_categories_and_each_has_its_name() {
        assert_eq!(Category::ALL.len(), 13);
        for category in Category::ALL {
            assert_eq!(Category::find(category.as_str()), Some(*category));
        }
        assert_eq!(Category::find("spam"), None);
    }
}
