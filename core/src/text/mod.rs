//! Text mechanics: chunks, terms, languages, sentences. Pure functions: no SQL, no network, no clock.

pub mod chunk;
pub(crate) mod fold;
pub mod highlight;
pub mod language;
pub mod sentence;
pub mod terms;
