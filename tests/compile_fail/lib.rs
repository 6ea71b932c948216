//! The tenant door, used as it is meant to be. That this compiles shows that the cases beside it, which take the same
//! names and go round the door, fail for no other reason.

use insula_tenancy::job::{self, NewJob};
use insula_tenancy::{Authenticator, Db, Result};

/// A key becomes a context, the context opens a transaction, the transaction reaches the tenant's data.
///
/// # Errors
/// When the key is not good, or the database is away.
pub async fn through_the_door(
    db: &Db,
    authenticator: &Authenticator,
    key: &str,
    new: NewJob<'_>,
) -> Result<()> {
    let cx = authenticator.authenticate(key).await?;
    let mut tx = db.tenant(&cx).await?;
    job::enqueue(&mut tx, new).await?;
    tx.commit().await
}
