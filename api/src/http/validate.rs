//! Rules that several request bodies share. `param` is always the JSON path of the field.

use std::fmt::Display;
use std::ops::RangeInclusive;

use insula_core::Error;

/// Refuses a number outside `range`.
pub fn range<T: PartialOrd + Display>(param: &str, value: T, range: RangeInclusive<T>) -> Result<T, Error> {
    if range.contains(&value) {
        return Ok(value);
    }
    // Also where NaN ends up: it is contained in nothing.
    let code = if value < *range.start() {
        "integer_below_min_value"
    } else {
        "invalid_value"
    };
    let message = format!(
        "Invalid value for '{param}': expected a value from {} to {}.",
        range.start(),
        range.end()
    );
    Err(Error::Invalid {
        message,
        param: Some(param.into()),
        code: Some(code),
    })
}

/// Refuses an optional number outside `range`.
pub fn optional_range<T: PartialOrd + Display>(
    param: &str,
    value: Option<T>,
    allowed: RangeInclusive<T>,
) -> Result<Option<T>, Error> {
    value.map(|value| range(param, value, allowed)).transpose()
}

/// Refuses a list with too few or too many items.
pub fn count(param: &str, items: usize, allowed: RangeInclusive<usize>) -> Result<(), Error> {
    if allowed.contains(&items) {
        return Ok(());
    }
    let (least, most) = (allowed.start(), allowed.end());
    Err(Error::invalid(
        param,
        format!("Invalid value for '{param}': expected {least} to {most} items, but got {items}."),
    ))
}

/// Refuses a NUL, which the database cannot store.
pub fn no_nul(param: &str, text: &str) -> Result<(), Error> {
    if text.contains('\0') {
        return Err(Error::invalid(
            param,
            format!("Invalid value for '{param}': it contains a NUL character."),
        ));
    }
    Ok(())
}

/// Refuses a text that is too long or holds a NUL.
pub fn text(param: &str, text: &str, max_chars: usize) -> Result<(), Error> {
    no_nul(param, text)?;
    if text.chars().nth(max_chars).is_some() {
        return Err(Error::invalid(
            param,
            format!("Invalid value for '{param}': it is longer than {max_chars} characters."),
        ));
    }
    Ok(())
}

/// Refuses a text that is empty (or only white space), too long, or holds a NUL.
pub fn name(param: &str, value: &str, max_chars: usize) -> Result<(), Error> {
    if value.trim().is_empty() {
        return Err(Error::invalid(
            param,
            format!("Invalid value for '{param}': it must not be empty."),
        ));
    }
    text(param, value, max_chars)
}

/// The field that has to be there.
pub fn required<T>(param: &str, value: Option<T>) -> Result<T, Error> {
    value.ok_or_else(|| Error::Invalid {
        message: format!("Missing required parameter: '{param}'."),
        param: Some(param.into()),
        code: Some("missing_required_parameter"),
    })
}

/// A field that asks for something this server does not do.
pub fn unsupported(param: &str, what: &str) -> Error {
    Error::Invalid {
        message: format!("{what} is not supported by this server ('{param}')."),
        param: Some(param.into()),
        code: Some("unsupported_parameter"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn param<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
        match result.unwrap_err() {
            Error::Invalid { param, .. } => param.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ranges_are_inclusive_and_not_a_number_is_outside_all() {
        assert!(range("t", 0.0, 0.0..=2.0).is_ok() && range("t", 2.0, 0.0..=2.0).is_ok());
        for bad in [-0.1, 2.1, f64::NAN, f64::INFINITY] {
            assert_eq!(param(range("t", bad, 0.0..=2.0)), "t");
        }
        assert!(matches!(
            range("n", 0, 1..=5),
            Err(Error::Invalid {
                code: Some("integer_below_min_value"),
                ..
            })
        ));
    }

    #[test]
    fn texts_are_counted_in_characters() {
        assert!(text("t", &"é".repeat(5), 5).is_ok());
        assert_eq!(param(text("t", &"é".repeat(6), 5)), "t");
        assert_eq!(param(text("t", "a\0b", 5)), "t");
        assert_eq!(param(name("n", " \n", 5)), "n");
    }
}
