//! How long a file is to live, as clients write it.

use std::ops::RangeInclusive;
use std::time::Duration;

use insula_core::Error;
use insula_core::file::Purpose;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::http::validate::{required, unsupported};

/// An hour to thirty days.
const SECONDS: RangeInclusive<u64> = 3600..=2_592_000;

/// When a file is deleted: some seconds after it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[schema(as = FileExpirationAfter)]
pub struct FileExpiresAfter {
    /// `created_at`
    #[schema(example = "created_at")]
    pub anchor: Option<String>,
    /// How many seconds.
    #[schema(minimum = 3600, maximum = 2_592_000)]
    pub seconds: Option<u64>,
}

impl FileExpiresAfter {
    /// The lifetime; `None` if neither field is there.
    ///
    /// # Errors
    /// [`Error::Invalid`] for one field without the other, another anchor, or seconds out of range.
    pub fn lifetime(&self) -> Result<Option<Duration>, Error> {
        match (self.anchor.as_deref(), self.seconds) {
            (None, None) => Ok(None),
            (Some("created_at"), Some(seconds)) if SECONDS.contains(&seconds) => {
                Ok(Some(Duration::from_secs(seconds)))
            }
            (Some("created_at"), Some(_)) => Err(out_of_range()),
            (Some("created_at"), None) => required("expires_after.seconds", None),
            (None, Some(_)) => required("expires_after.anchor", None),
            (Some(_), _) => Err(unsupported(
                "expires_after.anchor",
                "An anchor other than 'created_at'",
            )),
        }
    }
}

/// The refusal of seconds that are no number, or not within the range.
pub(super) fn out_of_range() -> Error {
    Error::invalid(
        "expires_after.seconds",
        "Invalid value for 'expires_after.seconds': expected an integer from 3600 to 2592000.",
    )
}

/// The purpose of a file that a client sends.
///
/// # Errors
/// [`Error::Invalid`] for an unknown one, and for the one that only this server gives.
pub(crate) fn purpose(name: &str) -> Result<Purpose, Error> {
    match name.parse()? {
        Purpose::BatchOutput => Err(Error::invalid(
            "purpose",
            "'batch_output' is only for files that this server makes.",
        )),
        purpose => Ok(purpose),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_have_a_range() {
        let lifetime = |anchor: Option<&str>, seconds| {
            let anchor = anchor.map(str::to_owned);
            FileExpiresAfter { anchor, seconds }.lifetime()
        };
        assert_eq!(lifetime(None, None).unwrap(), None);
        assert_eq!(
            lifetime(Some("created_at"), Some(3600)).unwrap(),
            Some(Duration::from_secs(3600))
        );
        for (anchor, seconds) in [
            (Some("created_at"), Some(3599)),
            (Some("created_at"), Some(2_592_001)),
            (Some("created_at"), None),
            (Some("now"), Some(3600)),
            (None, Some(3600)),
        ] {
            assert!(lifetime(anchor, seconds).is_err(), "{anchor:?} {seconds:?}");
        }
    }
}
