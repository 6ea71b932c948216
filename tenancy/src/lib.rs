//! Who calls, for which tenant.
mod error;
mod scope;
pub use error::{AccessError, Error, Result};
pub use scope::{NamedScope, Scope, scope_types};
