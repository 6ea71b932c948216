//! What a page says to crawlers: where it leads, and whether it wants to be stored.

use std::collections::HashSet;

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer, naive_next_state};
use url::Url;

use crate::spelling::canonical;

/// Most links that are taken from one page.
const MOST: usize = 2000;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Directions {
    /// Canonical addresses of the same site, each once, in their order.
    pub(crate) links: Vec<String>,
    /// The page asks not to be stored.
    pub(crate) noindex: bool,
    /// The page asks not to be followed.
    pub(crate) nofollow: bool,
}

impl Directions {
    /// Takes in `noindex, nofollow` as meta elements and headers write it.
    pub(crate) fn obey(&mut self, directives: &str) {
        for directive in directives.split(',').map(|word| word.trim().to_ascii_lowercase()) {
            self.noindex |= matches!(directive.as_str(), "noindex" | "none");
            self.nofollow |= matches!(directive.as_str(), "nofollow" | "none");
        }
        if self.nofollow {
            self.links.clear();
        }
    }
}

/// Reads a page that was found at `url`. Linear in its size: tokens only, no tree.
pub(crate) fn read(url: &Url, html: &[u8]) -> Directions {
    let mut found = Directions::default();
    let mut base = url.clone();
    let mut seen = HashSet::new();
    let mut tokens = Tokenizer::new_with_emitter(html, DefaultEmitter::default());
    let mut directives = Vec::new();
    while let Some(Ok(token)) = tokens.next() {
        let Token::StartTag(tag) = token else { continue };
        if let Some(state) = naive_next_state(&tag.name) {
            tokens.set_state(state);
        }
        match &**tag.name {
            b"base" => {
                if let Some(to) = attribute(&tag, "href").and_then(|href| url.join(href.trim()).ok()) {
                    base = to;
                }
            }
            b"meta" => {
                let name = attribute(&tag, "name").unwrap_or_default().to_ascii_lowercase();
                if matches!(name.as_str(), "robots" | "insula") {
                    directives.push(attribute(&tag, "content").unwrap_or_default());
                }
            }
            b"a" | b"area" if found.links.len() < MOST => {
                let rel = attribute(&tag, "rel").unwrap_or_default().to_ascii_lowercase();
                if rel.split_ascii_whitespace().any(|word| word == "nofollow") {
                    continue;
                }
                let to = attribute(&tag, "href").and_then(|href| base.join(href.trim()).ok());
                let same_site = |to: &Url| to.origin() == url.origin() && to.username().is_empty();
                if let Some(to) = to.filter(same_site).map(canonical)
                    && to != *url
                    && seen.insert(to.clone())
                {
                    found.links.push(to.into());
                }
            }
            _ => {}
        }
    }
    for directive in directives {
        found.obey(&directive);
    }
    found
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    tag.attributes
        .get(name.as_bytes())
        .map(|value| String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(html: &str) -> Vec<String> {
        read(&Url::parse("https://example.com/docs/").unwrap(), html.as_bytes()).links
    }

    #[test]
    fn links_of_the_same_site_each_once() {
        let html = r##"<a href="a">x</a> <A HREF='/b?q=1&amp;r=2#part'>y</A> <a href="a#again"> <a href="#here">
            <a href="https://example.com/c"> <a href="http://example.com/d"> <a href="https://other.example/e">
            <a href="//example.com:443/f"> <a href="mailto:a@b"> <a href="javascript:x()"> <a name="none">
            <!-- <a href="/comment"> --> <script>"<a href='/script'>"</script> <area href=/g>
            <a rel="external NoFollow" href="/h"> <a href="https://user@example.com/i">"##;
        assert_eq!(
            links(html),
            [
                "https://example.com/docs/a",
                "https://example.com/b?q=1&r=2",
                "https://example.com/c",
                "https://example.com/f",
                "https://example.com/g",
            ]
        );
        assert_eq!(
            links("<base href='/other/'><a href=x>"),
            ["https://example.com/other/x"]
        );
    }

    #[test]
    fn pages_may_ask_not_to_be_stored_or_followed() {
        let url = Url::parse("https://example.com/").unwrap();
        let page = |content: &str| {
            let html = format!("<meta name=Robots content='{content}'><a href=/x>");
            let found = read(&url, html.as_bytes());
            (found.noindex, found.links.len())
        };
        assert_eq!(page("index, follow"), (false, 1));
        assert_eq!(page("NOINDEX"), (true, 1));
        assert_eq!(page("noarchive, nofollow"), (false, 0));
        assert_eq!(page("none"), (true, 0));
    }

    #[test]
    fn a_hostile_page_is_read_in_linear_time() {
        let page = "<a href=/x><div>".repeat(200_000);
        assert_eq!(links(&page).len(), 1);
    }
}
