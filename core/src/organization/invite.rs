//! Invitations.

use insula_tenancy::member::invite::{self, Invite};
use insula_tenancy::{InviteId, OperatorTx};

use crate::page::{Listing, Page, paged, unknown_cursor};
use crate::{Error, Result};

const PAGES: (&str, &str) = paged!(
    select "id, email, role, created_at, expires_at, accepted_at,
            accepted_at is null and expires_at <= now() as expired"
    from "invites", id "id", cursor "invites where true", where "true", "$1" "$2" "$3"
);

/// A part of the invitations.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none.
pub async fn list(tx: &mut OperatorTx, page: Page) -> Result<Listing<Invite>> {
    for (param, id) in page.cursors() {
        if invite::find(tx, id.into()).await?.is_none() {
            return Err(unknown_cursor(param, "one of your invites"));
        }
    }
    let scan = page.scan();
    let rows = sqlx::query_as(if scan.ascending { PAGES.0 } else { PAGES.1 })
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    Ok(scan.finish(rows))
}

/// An invitation.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut OperatorTx, id: InviteId) -> Result<Invite> {
    let found = invite::find(tx, id).await?;
    found.ok_or_else(|| not_found(id))
}

/// The refusal of an id that is none.
pub fn not_found(id: InviteId) -> Error {
    Error::not_found("invite", id)
}
