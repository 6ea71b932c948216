//! What can go wrong between a caller and the data.

use std::time::Duration;

use crate::Scope;

/// Why a caller may not proceed. Messages are safe to send: they never contain the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// No key was sent.
    #[error(
        "You didn't provide an API key. Send it in the Authorization header: Authorization: Bearer YOUR_KEY."
    )]
    MissingKey,
    /// The key is malformed, unknown, revoked or expired; the caller is not told which.
    #[error("Incorrect API key provided.")]
    InvalidKey,
    /// A scoped token that was good once.
    #[error("This scoped token has expired.")]
    TokenExpired,
    /// A scoped token, or a key that is bound to vector stores, where only a key that reaches everything will do.
    #[error(
        "A scoped token, or an API key that is bound to vector stores, cannot do this; use another API key."
    )]
    Narrowed,
    /// A tenant's key where only the operator's will do.
    #[error("This is for the operator of this server; a tenant's key cannot do it.")]
    NotOperator,
    /// An operator's key where it has to be a person.
    #[error("An operator's key cannot do this. Sign in to the dashboard as somebody who runs this server.")]
    NoPerson,
    /// Nobody is signed in here, or not any more.
    #[error("You are not signed in.")]
    NotSignedIn,
    /// An address and a password that do not belong together; the caller is not told what is wrong.
    #[error("Incorrect email address or password.")]
    InvalidCredentials,
    /// A session that goes on in another tenant than the page believes.
    #[error("You have switched to another tenant in another window.")]
    TenantSwitched,
    /// Another page had the browser send this.
    #[error("This request does not come from this site's own pages.")]
    CrossOrigin,
    /// A name that is not this site's.
    #[error(
        "This site is not known by this name. Its operator sets INSULA_PUBLIC_URL to the address that people use."
    )]
    WrongHost,
    /// Somebody whom the identity provider knows and this install does not.
    #[error("Nobody has invited you yet. Ask the owner of your tenant, or the operator of this server.")]
    NotInvited,
    /// A person who is signed in, but works in no tenant.
    #[error("You are not a member of a tenant.")]
    NoTenant,
    /// An admin who would make or unmake an owner.
    #[error("Only an owner can do this to owners.")]
    OnlyOwners,
    /// The key is good but its tenant is suspended.
    #[error("This tenant is suspended. Ask the operator of this server.")]
    Suspended,
    /// The key is good but lacks a permission.
    #[error("This API key or role lacks the scope '{0}'.")]
    MissingScope(Scope),
}

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller may not do this.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The database cannot be reached or has no connection free; trying again later may help.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// The server must not run with this database login or configuration.
    #[error("refusing to start: {0}")]
    Refused(String),
    /// Somebody has tried to sign in too often; the time to wait.
    #[error("too many attempts to sign in")]
    TooManyAttempts(Duration),
    /// The tenant is being erased, or is.
    #[error("This tenant is erased, for good.")]
    Erased,
    /// An argument breaks a rule of this crate.
    #[error("{0}")]
    Invalid(String),
    /// A secret was to be kept, but the operator has configured no key to seal it with.
    #[error(
        "This server cannot keep secrets: its operator has to make a master key (`insula master-key create`) and set \
         INSULA_MASTER_KEY_FILE."
    )]
    NoMasterKey,
    /// A sealed secret cannot be opened.
    #[error("vault: {0}")]
    Vault(String),
    /// A worker no longer has the right to run its job: another one took it over, or the job was cancelled.
    #[error("the lease of this job was lost")]
    LeaseLost,
    /// Any other database error.
    #[error("database error: {0}")]
    Database(#[source] sqlx::Error),
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Io(_)
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error.to_string()),
            // Class 57P0x: shutdown and crash recovery; 53xxx: out of resources; 08xxx: connection exceptions.
            sqlx::Error::Database(db)
                if db.code().is_some_and(|code| {
                    code.starts_with("57P") || code.starts_with("53") || code.starts_with("08")
                }) =>
            {
                Self::Unavailable(db.message().to_owned())
            }
            // Raised by a trigger, see the migration of erasures.
            sqlx::Error::Database(db) if db.code().is_some_and(|code| code == "IE001") => Self::Erased,
            _ => Self::Database(error),
        }
    }
}
