//! Documents to chunks that fit an embedding model.

mod given;
mod measure;
mod section;
mod stored;
mod table;

use text_splitter::{ChunkConfig, MarkdownSplitter, TextSplitter};

use crate::ingest::{Heading, ParsedDocument};
use crate::model::TokenCounter;
pub(crate) use given::Given;
use measure::Measure;
pub(crate) use stored::embed_texts;
use table::Table;

/// Tokens of the model's window that are kept for its special tokens (two for BERT; some have more).
const SPECIAL_TOKENS: usize = 4;
/// `auto` never makes longer chunks than this, however large the window: longer ones blur in one vector.
const AUTO_LARGEST: usize = 512;
/// Nothing sensible can be cut into smaller pieces.
const SMALLEST: usize = 8;
/// The heading path takes at most this share of the window, so that the text dominates the vector.
const PATH_SHARE: usize = 4;
/// Longest title in a heading path, in characters; whatever is longer was no title.
const LONGEST_TITLE: usize = 200;
/// Tokens that joining heading path and text may add at the seam.
const SEAM_TOKENS: usize = 8;

/// How long chunks are, in tokens of the store's embedding model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkSettings {
    /// Most tokens of a chunk's own text.
    pub max_tokens: usize,
    /// Tokens that a chunk repeats from the one before, roughly.
    pub overlap_tokens: usize,
    /// Most tokens of what is embedded: heading path and text, without special tokens.
    pub window_tokens: usize,
}

impl ChunkSettings {
    /// Settings that suit a model whose longest input is `model_max` tokens (`EmbedderCard::max_tokens`): four
    /// fifths of the window, the rest is for the heading path. 200 tokens with 24 of overlap for a window of 256.
    pub fn auto(model_max: usize) -> Self {
        let window = window(model_max);
        let max_tokens = (model_max * 25 / 32).clamp(SMALLEST, AUTO_LARGEST).min(window);
        Self {
            max_tokens,
            overlap_tokens: max_tokens * 12 / 100,
            window_tokens: window,
        }
    }

    /// OpenAI's `static` strategy, already validated (100..=4096 tokens, overlap at most half).
    ///
    /// The sizes are honoured up to the model's window: a model that reads 256 tokens gets chunks of 252 when 800
    /// are asked for, because a chunk that cannot be embedded whole could not be found by its end.
    pub fn fixed(max_tokens: usize, overlap_tokens: usize, model_max: usize) -> Self {
        let window = window(model_max);
        let max_tokens = max_tokens.clamp(SMALLEST, window);
        Self {
            max_tokens,
            overlap_tokens: overlap_tokens.min(max_tokens / 2),
            window_tokens: window,
        }
    }
}

fn window(model_max: usize) -> usize {
    model_max.saturating_sub(SPECIAL_TOKENS).max(SMALLEST)
}

/// A piece of a document, before it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkDraft {
    /// Position in the document, from 0 without gaps.
    pub ordinal: i32,
    /// The text, a verbatim slice of the document.
    pub text: String,
    /// Character offset of the first character in the document.
    pub start_char: i64,
    /// Character offset behind the last character.
    pub end_char: i64,
    /// Page on which the chunk starts, where the format has pages.
    pub page: Option<i32>,
    /// Titles of the sections that the chunk's start lies in, outermost first.
    pub heading_path: Vec<String>,
    /// Tokens of `text`, special tokens excluded.
    pub tokens: usize,
    /// How many of `heading_path`, from the outside, lie before `text`.
    above: usize,
    /// Column names of the table that `text` starts inside of.
    columns: Option<String>,
    /// The titles above for the embedding, cut to what the window has room for.
    context: String,
}

impl ChunkDraft {
    /// What is embedded: a line with the heading path, then the text. Never longer than the model's window; the
    /// path gives way, never the text.
    pub fn embed_text(&self) -> String {
        if self.context.is_empty() {
            self.text.clone()
        } else {
            format!("{}\n{}", self.context, self.text)
        }
    }

    /// What the text half of search indexes: all titles above, the columns of a table that goes on here, then the text.
    pub fn indexed_text(&self) -> String {
        let above = self.heading_path.iter().take(self.above).map(String::as_str);
        above
            .chain(self.columns.as_deref())
            .chain([self.text.as_str()])
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Cuts a document at headings, paragraphs, sentences, words, in this order of preference.
///
/// Every character that is not white space is in at least one chunk, and no chunk has more than
/// `settings.max_tokens` tokens (unless a single character has). A document of white space has no chunks.
/// Costs about one tokenization of the text; takes no locks and allocates in proportion to the text.
pub fn chunk(
    document: &ParsedDocument,
    counter: &dyn TokenCounter,
    settings: &ChunkSettings,
) -> Vec<ChunkDraft> {
    let mut drafts = Drafts::new(document, counter, *settings);
    for section in section::cut(&document.text, &document.headings) {
        let text = &document.text[section.clone()];
        let measure = Measure::new(text, counter);
        for (offset, piece) in split(text, &measure, document.markdown, *settings) {
            drafts.push(section.start + offset, piece);
        }
    }
    drafts.done
}

fn split<'a>(
    text: &'a str,
    measure: &Measure<'_>,
    markdown: bool,
    settings: ChunkSettings,
) -> Vec<(usize, &'a str)> {
    let config = ChunkConfig::new(settings.max_tokens).with_sizer(measure);
    let config = match config.with_overlap(settings.overlap_tokens) {
        Ok(config) => config,
        // An overlap as large as the chunk cannot advance; the constructors never make one.
        Err(_) => ChunkConfig::new(settings.max_tokens).with_sizer(measure),
    };
    if markdown {
        MarkdownSplitter::new(config).chunk_indices(text).collect()
    } else {
        TextSplitter::new(config).chunk_indices(text).collect()
    }
}

/// Collects chunks in document order.
struct Drafts<'a> {
    document: &'a ParsedDocument,
    counter: &'a dyn TokenCounter,
    settings: ChunkSettings,
    tables: Vec<Table>,
    done: Vec<ChunkDraft>,
    /// A byte offset and the character offset that belongs to it, where the last chunk started.
    at: (usize, usize),
}

impl<'a> Drafts<'a> {
    fn new(document: &'a ParsedDocument, counter: &'a dyn TokenCounter, settings: ChunkSettings) -> Self {
        Self {
            document,
            counter,
            settings,
            tables: if document.markdown {
                table::find(&document.text)
            } else {
                Vec::new()
            },
            done: Vec::new(),
            at: (0, 0),
        }
    }

    /// Adds a slice of the document. The splitter counted by summing words, which some tokenizers do not agree
    /// with to the token; here the whole is counted, and cut again in the rare case that it is too long.
    fn push(&mut self, start: usize, text: &str) {
        let tokens = self.counter.count(text);
        if tokens > self.settings.max_tokens
            && let Some(middle) = section::middle(text)
        {
            let (head, tail) = text.split_at(middle);
            self.push(start, head.trim_end());
            let rest = tail.trim_start();
            self.push(start + middle + (tail.len() - rest.len()), rest);
            return;
        }
        if text.trim().is_empty() {
            return;
        }
        let start_char = self.char_at(start);
        let end_char = start_char + text.chars().count();
        let path = path_at(&self.document.headings, start);
        let above = path.iter().filter(|heading| heading.offset < start).count();
        let heading_path: Vec<String> = path.iter().map(|heading| shorten(&heading.title)).collect();
        let columns = table::columns_at(&self.tables, start).map(shorten);
        let page = self
            .document
            .pages
            .partition_point(|page| page.offset <= start)
            .checked_sub(1);
        self.done.push(ChunkDraft {
            ordinal: i32::try_from(self.done.len()).unwrap_or(i32::MAX),
            start_char: i64::try_from(start_char).unwrap_or(i64::MAX),
            end_char: i64::try_from(end_char).unwrap_or(i64::MAX),
            page: page.map(|at| self.document.pages[at].page),
            tokens,
            above,
            context: context(
                heading_path[..above]
                    .iter()
                    .map(String::as_str)
                    .chain(columns.as_deref()),
                text,
                tokens,
                self.counter,
                self.settings.window_tokens,
            ),
            columns,
            heading_path,
            text: text.to_owned(),
        });
    }

    /// Character offset of a byte offset. Chunks come in ascending order of their starts, so each byte is counted
    /// once or, within an overlap, twice.
    fn char_at(&mut self, byte: usize) -> usize {
        let (last_byte, last_char) = self.at;
        let text = &self.document.text;
        let chars = if byte >= last_byte {
            last_char + text[last_byte..byte].chars().count()
        } else {
            last_char - text[byte..last_byte].chars().count()
        };
        self.at = (byte, chars);
        chars
    }
}

/// What lies above a text (titles, then the columns of a table), cut from the outside in until it and the text, of
/// `tokens` tokens, fit the window.
fn context<'a>(
    above: impl Iterator<Item = &'a str>,
    text: &str,
    tokens: usize,
    counter: &dyn TokenCounter,
    window: usize,
) -> String {
    let above: Vec<&str> = above.collect();
    let room = window.saturating_sub(tokens).min(window / PATH_SHARE);
    for from in 0..above.len() {
        let path = above[from..].join(" > ");
        let path_tokens = counter.count(&path);
        if path_tokens > room {
            continue;
        }
        let fits = path_tokens + tokens + SEAM_TOKENS <= window
            || counter.count(&format!("{path}\n{text}")) <= window;
        if fits {
            return path;
        }
    }
    String::new()
}

fn shorten(title: &str) -> String {
    title.chars().take(LONGEST_TITLE).collect()
}

/// The headings whose sections contain `offset`, outermost first.
fn path_at(headings: &[Heading], offset: usize) -> Vec<&Heading> {
    let until = headings.partition_point(|heading| heading.offset <= offset);
    let mut path: Vec<&Heading> = Vec::new();
    let mut level = u8::MAX;
    for heading in headings[..until].iter().rev() {
        if heading.level < level {
            level = heading.level;
            path.push(heading);
        }
        if level <= 1 {
            break;
        }
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests;
