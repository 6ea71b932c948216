//! The tokens of JSON. Lenient where the grammar is not needed to understand a value: `NaN`, `1e999`, raw line breaks in
//! strings.

use std::borrow::Cow;

/// A piece of a document.
pub(super) enum Token<'a> {
    /// `{` or `[`.
    Open(u8),
    /// `}` or `]`.
    Close(u8),
    Comma,
    Colon,
    /// A string without its escapes.
    Text(Cow<'a, str>),
    /// A number, `true`, `null` and the like, as written.
    Bare(&'a str),
}

pub(super) struct Lexer<'a> {
    rest: &'a str,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// The next token; `None` at the end, an error for what cannot stand in JSON.
    pub(super) fn next(&mut self) -> Result<Option<Token<'a>>, ()> {
        self.rest = self.rest.trim_start();
        let Some(first) = self.rest.bytes().next() else {
            return Ok(None);
        };
        let token = match first {
            b'{' | b'[' => Token::Open(first),
            b'}' | b']' => Token::Close(first),
            b',' => Token::Comma,
            b':' => Token::Colon,
            b'"' => return self.string().map(Some),
            _ => return self.bare().map(Some),
        };
        self.rest = &self.rest[1..];
        Ok(Some(token))
    }

    fn bare(&mut self) -> Result<Token<'a>, ()> {
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        let is_number = word.bytes().any(|byte| byte.is_ascii_digit());
        if !is_number && !matches!(word, "true" | "false" | "null" | "NaN" | "Infinity" | "-Infinity") {
            return Err(());
        }
        self.rest = rest;
        Ok(Token::Bare(word))
    }

    fn string(&mut self) -> Result<Token<'a>, ()> {
        let inside = &self.rest[1..];
        let Some(at) = inside.find(['"', '\\']) else {
            return Err(());
        };
        if inside.as_bytes()[at] == b'"' {
            self.rest = &inside[at + 1..];
            return Ok(Token::Text(Cow::Borrowed(&inside[..at])));
        }
        let mut text = String::new();
        let mut rest = inside;
        loop {
            let at = rest.find(['"', '\\']).ok_or(())?;
            text.push_str(&rest[..at]);
            let is_end = rest.as_bytes()[at] == b'"';
            rest = &rest[at + 1..];
            if is_end {
                self.rest = rest;
                return Ok(Token::Text(Cow::Owned(text)));
            }
            rest = escape(rest, &mut text)?;
        }
    }
}

/// Writes the character of the escape that `rest` begins with, and returns what follows.
fn escape<'a>(rest: &'a str, text: &mut String) -> Result<&'a str, ()> {
    let letter = rest.chars().next().ok_or(())?;
    let after = &rest[letter.len_utf8()..];
    match letter {
        'n' => text.push('\n'),
        't' => text.push('\t'),
        'r' | 'b' | 'f' => text.push(' '),
        'u' => return unicode(after, text),
        other => text.push(other),
    }
    Ok(after)
}

/// The digits behind `\u`. Half of a pair without the other half is no character.
fn unicode<'a>(rest: &'a str, text: &mut String) -> Result<&'a str, ()> {
    let code = |digits: Option<&str>| u32::from_str_radix(digits?, 16).ok();
    let first = code(rest.get(..4)).ok_or(())?;
    let after = &rest[4..];
    if (0xd800..0xdc00).contains(&first)
        && let Some(second) = after.strip_prefix("\\u").and_then(|next| code(next.get(..4)))
        && (0xdc00..0xe000).contains(&second)
    {
        let pair = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        text.push(char::from_u32(pair).unwrap_or('\u{fffd}'));
        return Ok(&after[6..]);
    }
    text.push(char::from_u32(first).unwrap_or('\u{fffd}'));
    Ok(after)
}
