//! Elements that a reader never sees, and where they end.

/// How an end tag concerns a skipped element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It ends something inside.
    Inside,
    /// It ends the skipped element.
    Own,
    /// It ends an element around the skipped one, whose own end tag was left out.
    Ancestor,
}

/// An element that is being left out with all it contains.
#[derive(Debug)]
pub(super) struct Skip {
    name: String,
    /// Elements of the same name that are open, itself included.
    depth: usize,
    /// Lists and tables that are open inside.
    containers: usize,
}

impl Skip {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            depth: 1,
            containers: 0,
        }
    }

    /// Whether this is an `svg` or `math` element, whose children may close themselves.
    pub(super) fn is_drawing(&self) -> bool {
        matches!(self.name.as_str(), "svg" | "math")
    }

    /// Takes note of a start tag. False when it ends the skipped element, as the next `<li>` does to a `<li>`.
    pub(super) fn goes_on_after_start(&mut self, name: &str, self_closing: bool) -> bool {
        if self.containers == 0 && ends_before(&self.name, name) {
            return false;
        }
        if name == self.name && !(self_closing && self.is_drawing()) {
            self.depth += 1;
        } else if is_container(name) {
            self.containers += 1;
        }
        true
    }

    /// Takes note of an end tag.
    pub(super) fn after_end(&mut self, name: &str) -> End {
        if name == self.name {
            self.depth -= 1;
            return if self.depth == 0 { End::Own } else { End::Inside };
        }
        if matches!(name, "body" | "html") {
            return End::Ancestor;
        }
        if is_container(name) {
            if self.containers == 0 && has_optional_end(&self.name) {
                return End::Ancestor;
            }
            self.containers = self.containers.saturating_sub(1);
        }
        End::Inside
    }
}

/// Elements that are not shown, or not text.
pub(super) fn is_hidden(name: &str, attribute: impl Fn(&str) -> Option<String>) -> bool {
    let unseen = |style: String| {
        let style: String = style.to_ascii_lowercase().split_whitespace().collect();
        style.contains("display:none") || style.contains("visibility:hidden")
    };
    matches!(
        name,
        "script"
            | "style"
            | "template"
            | "noscript"
            | "svg"
            | "math"
            | "iframe"
            | "noembed"
            | "noframes"
            | "object"
            | "canvas"
            | "audio"
            | "video"
            | "select"
            | "button"
            | "rp"
    ) || attribute("hidden").is_some()
        || attribute("aria-hidden").is_some_and(|value| value == "true")
        || attribute("style").is_some_and(unseen)
}

/// Elements without content.
pub(super) fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "br"
            | "col"
            | "embed"
            | "hr"
            | "img"
            | "input"
            | "link"
            | "meta"
            | "source"
            | "track"
            | "wbr"
    )
}

fn is_container(name: &str) -> bool {
    matches!(name, "ul" | "ol" | "dl" | "table")
}

fn has_optional_end(name: &str) -> bool {
    matches!(
        name,
        "p" | "li" | "dt" | "dd" | "tr" | "td" | "th" | "thead" | "tbody" | "tfoot" | "caption"
    )
}

/// Whether the start of `next` ends an open `name`.
fn ends_before(name: &str, next: &str) -> bool {
    match name {
        "p" => super::writer::is_block(next) || matches!(next, "p" | "li" | "td" | "th" | "tr"),
        "li" => next == "li",
        "dt" | "dd" => matches!(next, "dt" | "dd"),
        "td" | "th" => matches!(next, "td" | "th" | "tr" | "tbody" | "tfoot"),
        "tr" => matches!(next, "tr" | "tbody" | "tfoot"),
        _ => false,
    }
}
