//! Ids in paths.

use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use insula_core::Error;

use super::ApiError;

/// A type that appears in paths as the id of something.
pub trait PathId: FromStr + Send {
    /// What it identifies, as in "No vector store found with id …".
    const WHAT: &'static str;
}

/// The ids of the path, in their order. One that is not even well formed is answered exactly like one that
/// does not exist: a caller learns nothing from the difference.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

/// What [`Path`] can hold: one id, or two.
pub trait PathIds: Sized {
    /// Reads the ids from the path's parameters, already percent-decoded.
    fn read<'a>(values: impl Iterator<Item = &'a str>) -> Result<Self, Error>;
}

impl<T: PathId> PathIds for T {
    fn read<'a>(mut values: impl Iterator<Item = &'a str>) -> Result<Self, Error> {
        one(&mut values)
    }
}

impl<A: PathId, B: PathId> PathIds for (A, B) {
    fn read<'a>(mut values: impl Iterator<Item = &'a str>) -> Result<Self, Error> {
        Ok((one(&mut values)?, one(&mut values)?))
    }
}

fn one<'a, T: PathId>(values: &mut impl Iterator<Item = &'a str>) -> Result<T, Error> {
    let value = values
        .next()
        .ok_or_else(|| Error::internal("the route has fewer parameters than its handler"))?;
    value.parse().map_err(|_| unknown::<T>(value))
}

fn unknown<T: PathId>(value: &str) -> Error {
    // Enough of it to be recognised; an id of ours is never this long.
    let shown: String = value.chars().filter(|c| !c.is_control()).take(100).collect();
    Error::not_found(T::WHAT, shown)
}

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: PathIds + Send,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match RawPathParams::from_request_parts(parts, state).await {
            Ok(params) => Ok(Self(T::read(params.iter().map(|(_, value)| value))?)),
            // Not UTF-8 once decoded: no object has such an id.
            Err(_) => Err(ApiError::UnknownUrl(
                parts.method.clone(),
                parts.uri.path().to_owned(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Shoe(u8);

    impl FromStr for Shoe {
        type Err = std::num::ParseIntError;

        fn from_str(text: &str) -> Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    impl PathId for Shoe {
        const WHAT: &'static str = "shoe";
    }

    #[test]
    fn one_and_two_ids_are_read_in_order() {
        assert_eq!(Shoe::read(["7"].into_iter()).unwrap(), Shoe(7));
        assert_eq!(
            <(Shoe, Shoe)>::read(["7", "9"].into_iter()).unwrap(),
            (Shoe(7), Shoe(9))
        );
    }

    #[test]
    fn a_malformed_id_is_an_unknown_one() {
        let malformed = Shoe::read(["../x\0"].into_iter()).unwrap_err();
        assert_eq!(
            malformed.to_string(),
            Error::not_found("shoe", "../x").to_string()
        );
        assert!(matches!(
            malformed,
            Error::NotFound {
                param: None,
                code: None,
                ..
            }
        ));
        let long = Shoe::read([&*"9".repeat(10_000)].into_iter()).unwrap_err();
        assert!(long.to_string().len() < 200);
    }
}
