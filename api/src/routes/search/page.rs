//! `next_page`: where the next page of a search goes on. Clients hand it back as it is.

use insula_core::Error;

/// Marks the form, in case there will be another one.
const PREFIX: &str = "page_";

/// The token of the page that begins after so many results.
pub(super) fn write(offset: i64) -> String {
    format!("{PREFIX}{offset}")
}

/// How many results were given out before. How far that may go is the search's affair.
pub(super) fn read(token: &str) -> Result<i64, Error> {
    let digits = token.strip_prefix(PREFIX).filter(|rest| rest.len() <= 6);
    let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .filter(is_number)
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| Error::invalid("page", "This is not the 'next_page' of a search."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        assert_eq!(read(&write(20)).unwrap(), 20);
        for bad in [
            "",
            "20",
            "page_",
            "page_-1",
            "page_+1",
            "page_1e3",
            "page_9999999",
            "page_٣",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
