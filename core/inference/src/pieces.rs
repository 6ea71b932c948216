//! Large texts in pieces, for tokenizers.

/// Bytes above which a text is cut: an encoding takes a hundred times the memory of its text.
pub(crate) const PIECE_BYTES: usize = 64 * 1024;

/// Cuts a large text before white space, where tokenizers split as well, so that the counts add up.
pub(crate) struct Pieces<'a>(pub(crate) &'a str);

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let mut end = self.0.len();
        if end > PIECE_BYTES {
            let window = &self.0[..self.0.floor_char_boundary(PIECE_BYTES)];
            end = window
                .rfind(char::is_whitespace)
                .filter(|&at| at > 0)
                .unwrap_or(window.len());
        }
        let (piece, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(piece)
    }
}
