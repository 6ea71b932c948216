use super::*;
use crate::pieces::PIECE_BYTES;

/// Words are tokens; `<s>` stands before every text.
fn counter(max_tokens: usize) -> Counter {
    let tokenizer = r#"{
        "version": "1.0", "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        "padding": null, "added_tokens": [], "normalizer": null, "decoder": null,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "model": {"type": "WordLevel", "vocab": {"?": 0, "<s>": 1, "a": 2}, "unk_token": "?"}
    }"#;
    Counter::new(tokenizer.parse().expect("tokenizer"), max_tokens).expect("counter")
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

async fn measure(max_tokens: usize, texts: Vec<String>) -> Result<Vec<usize>> {
    let tokenizing = Tokenizing::new(Arc::new(counter(max_tokens)), 1, 1);
    let ids = tokenizing.ids(texts, EmbedPurpose::Bulk).await?;
    Ok(ids.iter().map(Vec::len).collect())
}

#[test]
fn counts_without_special_tokens_and_without_cutting() {
    assert_eq!(counter(8).count("a a a a a a"), 6);
    assert_eq!(counter(8).count(""), 0);
}

#[test]
fn large_texts_are_counted_in_pieces_that_add_up() {
    let text = "word ".repeat(40_000);
    assert_eq!(counter(8).count(&text), 40_000);
    assert!(Pieces(&text).count() > 1);
    let unbroken = "é".repeat(PIECE_BYTES);
    assert_eq!(Pieces(&unbroken).collect::<String>(), unbroken);
}

#[tokio::test]
async fn lengths_include_special_tokens() {
    let tokens = measure(8, strings(&["", "a", "a a a a a a a"]))
        .await
        .expect("lengths");
    assert_eq!(tokens, [1, 2, 8]);
}

#[tokio::test]
async fn a_long_text_is_refused_with_its_place() {
    let error = measure(3, strings(&["a", "a a a"])).await.expect_err("too long");
    let Error::Invalid { message, param, code } = error else {
        panic!("{error:?}")
    };
    assert_eq!(param.as_deref(), Some("input[1]"));
    assert_eq!(code, Some("context_length_exceeded"));
    assert!(
        message.contains("maximum context length is 3 tokens, but the input has 4 tokens"),
        "{message}"
    );
}

#[tokio::test]
async fn a_single_long_text_is_just_the_input() {
    let error = measure(3, vec!["a ".repeat(100_000)])
        .await
        .expect_err("too long");
    let Error::Invalid { message, param, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(param.as_deref(), Some("input"));
    assert!(message.contains("more than"), "counting stops early: {message}");
}

#[tokio::test]
async fn many_texts_take_several_visits() {
    let texts = vec!["a ".repeat(3); VISIT_BYTES / 2];
    let tokens = measure(8, texts).await.expect("lengths");
    assert_eq!(tokens.len(), VISIT_BYTES / 2);
    assert!(tokens.iter().all(|&n| n == 4));
}
