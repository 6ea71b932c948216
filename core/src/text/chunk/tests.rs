use proptest::prelude::*;

use super::*;
use crate::ingest::PageStart;

/// One token per started four characters of a word, punctuation apart: like a small WordPiece.
struct Pieces;

impl TokenCounter for Pieces {
    fn count(&self, text: &str) -> usize {
        text.split(|c: char| c.is_whitespace() || c.is_ascii_punctuation())
            .map(|word| word.chars().count().div_ceil(4))
            .sum::<usize>()
            + text.chars().filter(char::is_ascii_punctuation).count()
    }
}

/// A tokenizer for which the whole is more than its words.
struct Stubborn;

impl TokenCounter for Stubborn {
    fn count(&self, text: &str) -> usize {
        text.chars().count() + text.split_whitespace().count().saturating_sub(1) * 3
    }
}

fn document(text: &str, markdown: bool) -> ParsedDocument {
    let mut headings = Vec::new();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let level = line.bytes().take_while(|b| *b == b'#').count();
        if markdown && (1..=6).contains(&level) && line[level..].starts_with(' ') {
            let title = line[level..].trim().to_owned();
            headings.push(Heading {
                offset,
                level: u8::try_from(level).unwrap(),
                title,
            });
        }
        offset += line.len();
    }
    ParsedDocument {
        text: text.into(),
        headings,
        markdown,
        ..ParsedDocument::default()
    }
}

#[test]
fn settings_fit_the_window() {
    let auto = ChunkSettings::auto(256);
    assert_eq!(
        auto,
        ChunkSettings {
            max_tokens: 200,
            overlap_tokens: 24,
            window_tokens: 252
        }
    );
    assert_eq!(ChunkSettings::auto(8192).max_tokens, 512);
    let fixed = ChunkSettings::fixed(800, 400, 256);
    assert_eq!(
        fixed,
        ChunkSettings {
            max_tokens: 252,
            overlap_tokens: 126,
            window_tokens: 252
        }
    );
    let roomy = ChunkSettings::fixed(800, 400, 8192);
    assert_eq!((roomy.max_tokens, roomy.overlap_tokens), (800, 400));
    assert!(ChunkSettings::auto(0).max_tokens > 0);
}

#[test]
fn headings_and_pages_travel_with_the_chunk() {
    let text = "# Shop\n\nWelcome.\n\n## Refunds\n\nPaid in 14 days.\n\n### Late\n\nAsk us.\n\n## Contact\n\nCall.\n";
    let mut parsed = document(text, true);
    parsed.pages = vec![
        PageStart { offset: 0, page: 1 },
        PageStart {
            offset: text.find("### Late").unwrap(),
            page: 2,
        },
    ];
    let chunks = chunk(&parsed, &Pieces, &ChunkSettings::fixed(10, 0, 40));
    let late = chunks.iter().find(|c| c.text.contains("Ask us")).unwrap();
    assert_eq!(late.heading_path, ["Shop", "Refunds", "Late"]);
    assert_eq!(late.page, Some(2));
    assert!(late.text.starts_with("### Late"));
    assert_eq!(late.embed_text(), format!("Shop > Refunds\n{}", late.text));
    assert_eq!(late.indexed_text(), format!("Shop\nRefunds\n{}", late.text));
    let contact = chunks.iter().find(|c| c.text.contains("Call")).unwrap();
    assert_eq!(contact.heading_path, ["Shop", "Contact"]);
    assert_eq!(chunks[0].page, Some(1));
}

#[test]
fn the_path_gives_way_to_the_text() {
    let text = format!(
        "# {}\n\n## Short\n\n{}",
        "long title ".repeat(20),
        "body ".repeat(60)
    );
    let chunks = chunk(&document(&text, true), &Pieces, &ChunkSettings::fixed(30, 0, 44));
    assert!(chunks.len() > 3);
    for c in &chunks {
        assert!(Pieces.count(&c.embed_text()) <= 40, "{}", c.embed_text());
    }
    assert!(chunks.last().unwrap().embed_text().starts_with("Short\n"));
    assert_eq!(chunks.last().unwrap().heading_path.len(), 2);
}

#[test]
fn cuts_behind_arabic_and_chinese_sentences() {
    let settings = ChunkSettings::fixed(16, 0, 64);
    let arabic = "متى يدفع المبلغ؟ يدفع خلال أسبوعين۔ تفضلوا بزيارة الموقع! شكرا لكم.";
    for c in chunk(&document(arabic, false), &Pieces, &settings) {
        assert!(c.text.ends_with(['؟', '۔', '!', '.']), "{}", c.text);
    }
    let chinese = "退款需要十四天时间才能到账。请保留您的购买收据原件！还有其他问题需要帮助吗？请随时联系我们的客服人员。";
    let chunks = chunk(
        &document(chinese, false),
        &Pieces,
        &ChunkSettings::fixed(9, 0, 64),
    );
    assert!(chunks.len() >= 2);
    for c in chunks {
        assert!(c.text.ends_with(['。', '！', '？']), "{}", c.text);
    }
}

#[test]
fn chunks_overlap_when_asked() {
    let text = (0..200)
        .map(|i| format!("Sentence number {i} here. "))
        .collect::<String>();
    let chunks = chunk(
        &document(&text, false),
        &Pieces,
        &ChunkSettings::fixed(60, 20, 256),
    );
    assert!(
        chunks
            .windows(2)
            .filter(|pair| pair[1].start_char < pair[0].end_char)
            .count()
            > chunks.len() / 2
    );
}

#[test]
fn nothing_comes_of_nothing() {
    for text in ["", " \n\t\n "] {
        assert!(chunk(&document(text, false), &Pieces, &ChunkSettings::auto(256)).is_empty());
    }
}

fn check(
    parsed: &ParsedDocument,
    counter: &dyn TokenCounter,
    settings: &ChunkSettings,
) -> Result<(), TestCaseError> {
    let chunks = chunk(parsed, counter, settings);
    let chars: Vec<char> = parsed.text.chars().collect();
    let mut covered = vec![false; chars.len()];
    for (at, c) in chunks.iter().enumerate() {
        let (start, end) = (
            usize::try_from(c.start_char).unwrap(),
            usize::try_from(c.end_char).unwrap(),
        );
        prop_assert_eq!(usize::try_from(c.ordinal).unwrap(), at);
        prop_assert_eq!(chars[start..end].iter().collect::<String>(), c.text.clone());
        prop_assert_eq!(c.tokens, counter.count(&c.text));
        prop_assert!(
            c.tokens <= settings.max_tokens || c.text.chars().count() == 1,
            "{} tokens",
            c.tokens
        );
        prop_assert!(counter.count(&c.embed_text()) <= settings.window_tokens || c.text.chars().count() == 1);
        prop_assert!(!c.text.trim().is_empty());
        covered[start..end].fill(true);
    }
    for (at, c) in chars.iter().enumerate() {
        prop_assert!(covered[at] || c.is_whitespace(), "{c:?} at {at} is in no chunk");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn invariants_hold_for_any_text(text in "(\\PC|[\n\t ]){0,400}", max in 10usize..80, overlap in 0usize..40, markdown: bool) {
        check(&document(&text, markdown), &Pieces, &ChunkSettings::fixed(max, overlap, 90))?;
    }

    #[test]
    fn invariants_hold_for_markdown(
        blocks in prop::collection::vec("(#{1,6} [a-z ]{1,30}|- [a-zء-ي ]{1,60}|[A-Za-z0-9 .,؟。*_`|>]{1,200}|```|\\| a \\| b \\|)", 1..40),
        max in 10usize..60,
        overlap in 0usize..30,
    ) {
        check(&document(&blocks.join("\n\n"), true), &Pieces, &ChunkSettings::fixed(max, overlap, 70))?;
    }

    #[test]
    fn invariants_hold_when_the_sum_of_words_is_too_low(text in "[a-z ء-ي\n]{0,600}", max in 16usize..60) {
        check(&document(&text, false), &Stubborn, &ChunkSettings::fixed(max, 8, 70))?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn invariants_hold_for_large_documents(word in "[a-z一 .]{1,40}", times in 2_000usize..4_000) {
        check(&document(&word.repeat(times), false), &Pieces, &ChunkSettings::fixed(200, 24, 256))?;
    }
}

#[test]
fn rows_are_kept_whole_and_told_their_columns() {
    let row = |n: usize| format!("| pen number {n} | {} | {} |\n", n * 3, n * 7);
    let rows: String = (0..60).map(row).collect();
    let text = format!("# Stock\n\n| item | price | stock |\n| --- | --- | --- |\n{rows}");
    let chunks = chunk(&document(&text, true), &Pieces, &ChunkSettings::auto(64));
    let with_rows: Vec<_> = chunks.iter().filter(|chunk| chunk.text.contains("pen")).collect();
    assert!(with_rows.len() > 3);
    for (position, chunk) in with_rows.into_iter().enumerate() {
        for line in chunk.text.lines().filter(|line| !line.trim().is_empty()) {
            let whole = line.starts_with('|') && line.ends_with('|');
            assert!(whole || line.starts_with('#'), "cut inside a row: {line:?}");
        }
        let told = chunk.indexed_text().contains("item | price | stock");
        assert!(told, "chunk {position} has no columns");
        assert!(chunk.embed_text().contains("item | price | stock"), "{position}");
    }
}

#[test]
fn a_word_without_end_is_cut_all_the_same() {
    let text = "x".repeat(300_000);
    let chunks = chunk(&document(&text, false), &Pieces, &ChunkSettings::auto(256));
    assert_eq!(chunks.iter().map(|chunk| chunk.end_char).max(), Some(300_000));
    assert!(chunks.iter().all(|chunk| chunk.tokens <= 200));
}
