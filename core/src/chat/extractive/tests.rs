use futures::StreamExt;

use super::*;
use crate::model::{
    ChatMessage, ChatOptions, EmbedWork, EmbedderCard, Embeddings, FinishReason, Role, TokenCounter,
};

fn passage(text: &str, start: i64) -> Passage {
    Passage {
        vector_store_id: String::new(),
        file_id: "file-1".into(),
        filename: "terms.md".into(),
        chunk_id: "chunk_1".into(),
        heading_path: vec!["Terms".into()],
        page: None,
        start,
        text: text.into(),
        score: 0.9,
    }
}

fn request(question: &str, passages: Vec<Passage>) -> ChatRequest {
    ChatRequest {
        model: "insula/extractive".into(),
        messages: vec![ChatMessage::text(Role::User, question)],
        options: ChatOptions::default(),
        passages,
        grounded: true,
    }
}

fn shop() -> Vec<Passage> {
    vec![
        passage(
            "## Delivery\n\nParcels leave our warehouse on the same day. Delivery to islands costs extra.",
            0,
        ),
        passage(
            "## Refunds\n\nWe refund the full price. A refund is paid within **14 days** of the return.[3]",
            100,
        ),
    ]
}

async fn ask(question: &str, passages: Vec<Passage>) -> Completion {
    Extractive::new(None)
        .complete(&request(question, passages))
        .await
        .unwrap()
}

#[tokio::test]
async fn answers_with_cited_sentences() {
    let answer = ask("Within how many days is a refund paid?", shop()).await;
    let content = answer.content.unwrap();
    assert!(
        content.contains("A refund is paid within 14 days of the return. [2]"),
        "{content}"
    );
    assert!(!content.contains("warehouse"));
    for citation in &answer.citations {
        let marker: String = content.chars().skip(citation.index).take(3).collect();
        assert_eq!(marker, format!("[{}]", citation.passage + 1));
        let (passage, start) = (&shop()[citation.passage], shop()[citation.passage].start);
        let cited: String = passage
            .text
            .chars()
            .skip(usize::try_from(citation.start - start).unwrap())
            .take(usize::try_from(citation.end - citation.start).unwrap())
            .collect();
        assert!(content.contains(&crate::text::sentence::plain(&cited)), "{cited}");
    }
    assert_eq!(answer.finish_reason, Some(FinishReason::Stop));
    assert!(answer.usage.unwrap().prompt_tokens > answer.usage.unwrap().completion_tokens);
}

#[tokio::test]
async fn says_when_the_documents_do_not_answer() {
    for passages in [shop(), vec![]] {
        let answer = ask("Who founded the University of Bologna?", passages).await;
        assert_eq!(
            answer.content.unwrap(),
            "I could not find an answer to this in the documents."
        );
        assert!(answer.citations.is_empty());
    }
    let arabic = ask("من هو مؤسس جامعة بولونيا؟", shop()).await.content.unwrap();
    assert_eq!(arabic, "لم أجد إجابة عن هذا السؤال في المستندات.");
}

#[tokio::test]
async fn says_how_to_attach_documents() {
    let mut plain = request("What is the refund period?", vec![]);
    plain.grounded = false;
    let answer = Extractive::new(None).complete(&plain).await.unwrap();
    assert!(answer.content.unwrap().contains("data_sources"));
}

#[tokio::test]
async fn answers_arabic_questions() {
    let text = "تأسست الشركة عام 1990. يُدفع المبلغ المسترد خلال أربعة عشر يوماً من الإرجاع؛ شكراً لكم.";
    let answer = ask("متى يدفع المبلغ المسترد بعد الإرجاع؟", vec![passage(text, 0)]).await;
    assert!(answer.content.unwrap().contains("أربعة عشر يوماً"));
}

#[tokio::test]
async fn limits_are_kept() {
    let extractive = Extractive::new(None);
    let mut short = request("Within how many days is a refund paid?", shop());
    short.options.max_tokens = Some(4);
    let answer = extractive.complete(&short).await.unwrap();
    assert_eq!(answer.finish_reason, Some(FinishReason::Length));
    assert!(answer.content.unwrap().split_whitespace().count() <= 4);

    let mut stopped = request("Within how many days is a refund paid?", shop());
    stopped.options.stop = vec!["14".into()];
    let answer = extractive.complete(&stopped).await.unwrap();
    let content = answer.content.unwrap();
    assert!(!content.contains("14") && answer.citations.iter().all(|c| c.index < content.chars().count()));
}

#[tokio::test]
async fn a_stream_says_the_same_as_a_whole_answer() {
    let extractive = Extractive::new(None);
    let whole = extractive
        .complete(&request("Within how many days is a refund paid?", shop()))
        .await
        .unwrap();
    let stream = extractive
        .stream(&request("Within how many days is a refund paid?", shop()))
        .await
        .unwrap();
    let events: Vec<ChatEvent> = stream.map(|event| event.unwrap()).collect().await;
    let text: String = events
        .iter()
        .filter_map(|event| {
            if let ChatEvent::Content(piece) = event {
                Some(piece.as_str())
            } else {
                None
            }
        })
        .collect();
    assert_eq!(Some(text), whole.content);
    let tail: Vec<_> = events.iter().rev().take(3).collect();
    assert!(matches!(
        tail[..],
        [
            ChatEvent::Usage(_),
            ChatEvent::Finish(FinishReason::Stop),
            ChatEvent::Citations(_)
        ]
    ));
    assert!(
        events
            .iter()
            .all(|event| !matches!(event, ChatEvent::Content(piece) if piece.is_empty()))
    );
}

/// Knows that "cash back" means "refund", and nothing else.
struct Thesaurus {
    card: EmbedderCard,
}

struct Words;

impl TokenCounter for Words {
    fn count(&self, text: &str) -> usize {
        text.split_whitespace().count()
    }
}

#[async_trait]
impl Embedder for Thesaurus {
    fn card(&self) -> &EmbedderCard {
        &self.card
    }

    fn counter(&self) -> &dyn TokenCounter {
        &Words
    }

    async fn embed(&self, texts: Vec<String>, work: EmbedWork) -> Result<Embeddings> {
        assert_eq!(work.purpose, EmbedPurpose::Interactive);
        let about_money = |text: &String| text.contains("refund") || text.contains("cash back");
        let vectors = texts.iter().map(|text| {
            if about_money(text) {
                vec![1.0, 0.0]
            } else {
                vec![0.0, 1.0]
            }
        });
        Ok(Embeddings {
            vectors: vectors.collect(),
            tokens: vec![1; texts.len()],
            by: None,
        })
    }
}

#[tokio::test]
async fn meaning_finds_what_words_do_not() {
    let card = EmbedderCard {
        id: "thesaurus".into(),
        dimensions: 2,
        max_tokens: 64,
        languages: vec!["eng".into()],
        oversample: 1,
        owned_by: "test".into(),
    };
    let extractive = Extractive::new(Some(Arc::new(Thesaurus { card })));
    let answer = extractive
        .complete(&request("Can I get cash back somehow?", shop()))
        .await
        .unwrap();
    assert!(answer.content.unwrap().contains("We refund the full price. [2]"));
}
