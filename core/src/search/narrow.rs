//! The bounds of scoped tokens, where passages are handed out.

use insula_tenancy::{TenantContext, VectorStoreId};

use super::filter::{CompiledFilter, Filter};
use crate::{Error, Result, vector_store};

/// Refuses a vector store outside the caller's bounds as if it did not exist.
pub(super) fn check_store(cx: &TenantContext, store: VectorStoreId) -> Result<()> {
    match cx.narrowing() {
        Some(narrowing) if !narrowing.allows(store) => Err(vector_store::not_found(store)),
        _ => Ok(()),
    }
}

/// The request's own filter and that of the caller's bounds: a file must pass both.
pub(super) fn filters(cx: &TenantContext, own: Option<&Filter>) -> Result<Option<CompiledFilter>> {
    let forced = cx
        .narrowing()
        .and_then(|narrowing| narrowing.filter())
        .map(|filter| Filter::from_json("filters", filter).map_err(of_the_token))
        .transpose()?;
    let both: Vec<&Filter> = forced.iter().chain(own).collect();
    if both.is_empty() {
        return Ok(None);
    }
    Filter::compile_all(&both).map(Some)
}

/// A token can be signed with a filter that is none. It then finds nothing at all.
fn of_the_token(error: Error) -> Error {
    Error::Invalid {
        message: format!("The filter of this scoped token is wrong: {error}"),
        param: None,
        code: None,
    }
}
