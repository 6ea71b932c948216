//! One spelling per page, and a file name for each.

use percent_encoding::percent_decode_str;
use url::Url;

/// Parameters that tell where a reader came from, and never what is shown.
const TRACKING: [&str; 5] = ["fbclid", "gclid", "mc_cid", "mc_eid", "msclkid"];

/// The one spelling: no fragment, no empty query, no tracking parameters. (The rest, from the case of the host to `..`
/// in the path, is done by the parser.)
pub(crate) fn canonical(mut url: Url) -> Url {
    url.set_fragment(None);
    let tracks = |name: &str| name.starts_with("utm_") || TRACKING.contains(&name);
    if url.query_pairs().any(|(name, _)| tracks(&name)) {
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| !tracks(name))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        url.query_pairs_mut().clear().extend_pairs(kept);
    }
    if url.query() == Some("") {
        url.set_query(None);
    }
    url
}

/// What kind of file a content type is: the ending of its name. None if there is nothing to be read in it.
pub(crate) fn ending(content_type: &str) -> Option<&'static str> {
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    Some(match essence.as_str() {
        "" | "text/html" | "application/xhtml+xml" => "html",
        "text/plain" => "txt",
        "text/markdown" | "text/x-markdown" => "md",
        "text/csv" => "csv",
        "text/tab-separated-values" => "tsv",
        "application/json" => "json",
        "application/jsonl" | "application/x-ndjson" => "jsonl",
        "application/pdf" => "pdf",
        "application/rtf" | "text/rtf" => "rtf",
        "application/epub+zip" => "epub",
        "message/rfc822" => "eml",
        "application/vnd.oasis.opendocument.text" => "odt",
        "application/vnd.oasis.opendocument.spreadsheet" => "ods",
        "application/vnd.ms-excel" => "xls",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation" => "pptx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        _ => return None,
    })
}

/// A file name that tells the page: `https://example.com/docs/intro?x=1` is `docs-intro.html`, the front page has the
/// host's name.
pub(crate) fn filename(url: &Url, ending: &str) -> String {
    const MOST: usize = 200;
    let parts: Vec<String> = url
        .path_segments()
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .map(|part| {
            percent_decode_str(part)
                .decode_utf8_lossy()
                .replace(['/', '\\'], "-")
        })
        .collect();
    let path = parts.join("-");
    let name = if path.trim().is_empty() {
        url.host_str().unwrap_or("page")
    } else {
        &path
    };
    let name: String = name.chars().filter(|c| !c.is_control()).take(MOST).collect();
    let dot = format!(".{ending}");
    let ends =
        name.to_lowercase().ends_with(&dot) || (ending == "html" && name.to_lowercase().ends_with(".htm"));
    if ends { name } else { name + &dot }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_page_has_one_spelling() {
        for (written, spelled) in [
            ("HTTP://Example.COM:80/a/../b/./c#part", "http://example.com/b/c"),
            ("https://example.com", "https://example.com/"),
            ("https://example.com/?", "https://example.com/"),
            (
                "https://example.com/?utm_source=x&id=7&gclid=y",
                "https://example.com/?id=7",
            ),
            ("https://example.com/?utm_source=x", "https://example.com/"),
            ("https://example.com/?b=1&a=%20", "https://example.com/?b=1&a=%20"),
            (
                "https://بيت.example/كتاب",
                "https://xn--mgbe7b.example/%D9%83%D8%AA%D8%A7%D8%A8",
            ),
        ] {
            let once = canonical(url(written));
            if !written.contains("بيت") {
                assert_eq!(once.as_str(), spelled);
            }
            assert!(once.as_str().is_ascii());
            assert_eq!(canonical(once.clone()), once, "{written}");
        }
    }

    #[test]
    fn names_tell_the_page_and_its_kind() {
        for (address, kind, name) in [
            ("https://example.com/", "html", "example.com.html"),
            ("https://example.com/docs/intro?x=1", "html", "docs-intro.html"),
            ("https://example.com/docs/intro.HTM", "html", "docs-intro.HTM"),
            ("https://example.com/a/report.pdf", "pdf", "a-report.pdf"),
            (
                "https://example.com/%D9%83%D8%AA%D8%A7%D8%A8/",
                "html",
                "كتاب.html",
            ),
            (
                "https://example.com/..%2f..%2fetc%2fpasswd",
                "txt",
                "..-..-etc-passwd.txt",
            ),
        ] {
            assert_eq!(filename(&url(address), kind), name);
        }
    }

    #[test]
    fn only_what_can_be_read_has_an_ending() {
        assert_eq!(ending("Text/HTML; charset=utf-8"), Some("html"));
        assert_eq!(ending(""), Some("html"));
        for other in [
            "image/png",
            "text/css",
            "application/javascript",
            "video/mp4",
            "application/octet-stream",
        ] {
            assert_eq!(ending(other), None, "{other}");
        }
    }
}
