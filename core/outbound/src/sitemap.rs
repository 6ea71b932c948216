//! Sitemaps: lists of pages, or of further sitemaps.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use url::Url;

use crate::spelling::canonical;

/// Most addresses of one sitemap, as its protocol says.
const MOST: usize = 50_000;

/// What a sitemap lists: canonical addresses of its own site.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) pages: Vec<String>,
    pub(crate) sitemaps: Vec<String>,
}

/// Reads XML, or plain text with an address per line. What is damaged counts up to the damage.
///
/// # Errors
/// If it is neither.
pub(crate) fn read(url: &Url, body: &[u8]) -> Result<Listed, &'static str> {
    // Sitemaps are UTF-8; what is not becomes an address that nobody has.
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let mut listed = Listed::default();
    if !text.starts_with('<') {
        listed.pages = text
            .lines()
            .filter_map(|line| of_site(url, line))
            .take(MOST)
            .collect();
        return if listed.pages.is_empty() {
            Err("It is not a sitemap.")
        } else {
            Ok(listed)
        };
    }
    let mut reader = Reader::from_str(text);
    let mut is_sitemap = false;
    // Inside <sitemap> or <url>; inside <loc>, with its text so far.
    let mut in_index = false;
    let mut loc: Option<String> = None;
    while listed.pages.len() + listed.sitemaps.len() < MOST {
        match reader.read_event() {
            Ok(Event::Start(tag)) => match tag.local_name().as_ref() {
                "urlset" | "sitemapindex" => is_sitemap = true,
                "sitemap" => in_index = true,
                "url" => in_index = false,
                // Not <image:loc>, which is a picture's address.
                "loc" if tag.name().prefix().is_none() => loc = Some(String::new()),
                _ => {}
            },
            Ok(Event::Text(text)) => append(&mut loc, &text),
            Ok(Event::CData(text)) => append(&mut loc, &text),
            // Only what XML itself defines: nothing is expanded.
            Ok(Event::GeneralRef(name)) => {
                append(&mut loc, resolve_predefined_entity(&name).unwrap_or_default())
            }
            Ok(Event::End(tag)) if AsRef::<str>::as_ref(&tag.local_name()) == "loc" => {
                if let Some(address) = loc.take().and_then(|text| of_site(url, &text)) {
                    if in_index {
                        &mut listed.sitemaps
                    } else {
                        &mut listed.pages
                    }
                    .push(address);
                }
            }
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    if is_sitemap {
        Ok(listed)
    } else {
        Err("It is not a sitemap.")
    }
}

fn append(loc: &mut Option<String>, text: &str) {
    if let Some(loc) = loc {
        loc.push_str(text);
    }
}

fn of_site(url: &Url, text: &str) -> Option<String> {
    let found = Url::parse(text.trim()).ok()?;
    (found.origin() == url.origin()).then(|| canonical(found).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(body: &str) -> Result<Listed, &'static str> {
        read(
            &Url::parse("https://example.com/sitemap.xml").unwrap(),
            body.as_bytes(),
        )
    }

    #[test]
    fn pages_and_further_sitemaps_of_the_same_site() {
        let pages = r#"<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
            <url><loc> https://example.com/a?x=1&amp;y=2#z </loc><lastmod>2026-01-01</lastmod>
              <image:image><image:loc>https://example.com/picture.png</image:loc></image:image></url>
            <url><loc>https://other.example/b</loc></url><url><loc><![CDATA[https://example.com/c]]></loc></url></urlset>"#;
        let found = listed(pages).unwrap();
        assert_eq!(
            found.pages,
            ["https://example.com/a?x=1&y=2", "https://example.com/c"]
        );
        let index = "<sitemapindex><sitemap><loc>https://example.com/2.xml</loc></sitemap></sitemapindex>";
        let found = listed(index).unwrap();
        assert_eq!((found.pages.len(), found.sitemaps.len()), (0, 1));
        assert_eq!(
            listed("https://example.com/a\n\nhttps://example.com/b\r\n")
                .unwrap()
                .pages
                .len(),
            2
        );
    }

    #[test]
    fn what_is_no_sitemap_is_refused_and_entities_are_not_expanded() {
        for other in ["", "hello", "<html><body>404</body></html>", "{}"] {
            assert!(listed(other).is_err(), "{other}");
        }
        let bomb = r#"<!DOCTYPE x [<!ENTITY a "https://example.com/bomb"><!ENTITY f SYSTEM "file:///etc/passwd">]>
            <urlset><url><loc>&a;</loc></url><url><loc>&f;</loc></url></urlset>"#;
        assert_eq!(listed(bomb).unwrap(), Listed::default());
        let cut = "<urlset><url><loc>https://example.com/a</loc></url><url><loc>https://exam";
        assert_eq!(listed(cut).unwrap().pages.len(), 1);
    }
}
