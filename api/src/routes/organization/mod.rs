//! `/v1/organization/…`: the install as OpenAI's administration API shows an organization. A project is a tenant.
//!
//! All but the reports take the operator's keys and no tenant's. Reports also take a tenant's, and then are of that tenant.

pub mod admin_api_keys;
pub mod api_keys;
pub mod audit_logs;
pub mod invites;
pub mod model_permissions;
pub mod projects;
pub mod rate_limits;
pub mod reports;
pub mod service_accounts;
pub mod spend;
pub mod users;

use std::str::FromStr;
use std::time::Duration;

use insula_core::Error;
use insula_tenancy::{AuditLogId, IdParseError, KeyId, Scope, ServiceAccountId, TenantId};

use crate::http::PathId;

/// A tenant's id in a path of the organization's, where it is a project.
#[derive(Debug, Clone, Copy)]
pub struct ProjectId(TenantId);

impl FromStr for ProjectId {
    type Err = IdParseError;

    fn from_str(text: &str) -> Result<Self, IdParseError> {
        text.parse().map(Self)
    }
}

impl PathId for ProjectId {
    const WHAT: &'static str = "project";
}

impl PathId for KeyId {
    const WHAT: &'static str = "API key in this project";
}

impl PathId for ServiceAccountId {
    const WHAT: &'static str = "service account in this project";
}

impl PathId for AuditLogId {
    const WHAT: &'static str = "audit log";
}

/// The longest that a key may live when it is said at all: a hundred years.
const LONGEST_LIFE: u64 = 100 * 366 * 86_400;

/// A lifetime from now.
pub(super) fn lifetime(param: &str, seconds: Option<u64>) -> Result<Option<Duration>, Error> {
    let seconds = crate::http::validate::optional_range(param, seconds, 1..=LONGEST_LIFE)?;
    Ok(seconds.map(Duration::from_secs))
}

/// Scopes of a key by their names; none or an empty list: all.
fn scopes(param: &str, names: Option<&[String]>) -> Result<Vec<Scope>, Error> {
    let Some(names) = names.filter(|names| !names.is_empty()) else {
        return Ok(Scope::ALL.to_vec());
    };
    let scope = |(at, name): (usize, &String)| {
        name.parse().map_err(|_| {
            let known: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
            let message = format!("This is no scope. Supported values are: {}.", known.join(", "));
            Error::invalid(format!("{param}[{at}]"), message)
        })
    };
    names.iter().enumerate().map(scope).collect()
}

/// What is wrong with one field, where the domain leaves open with which.
fn about(param: &str, error: insula_tenancy::Error) -> Error {
    match error {
        insula_tenancy::Error::Invalid(message) => {
            Error::invalid(param, format!("Invalid value for '{param}': {message}."))
        }
        other => other.into(),
    }
}
