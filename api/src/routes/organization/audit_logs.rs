//! `/v1/organization/audit_logs`: who changed what, when, and from where. The operator sees all chains; a tenant's key its own.

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use insula_core::Error;
use insula_core::organization::audit_log::{self, AuditFilter, AuditLog};
use insula_tenancy::scope_types::AuditLogsRead;
use insula_tenancy::{AuditLogId, TenantId};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::http::{ApiResult, FromQuery, Json, ListQuery, Query, QueryParams, Reader};
use crate::routes::wire::{List, seconds};

/// What a list of entries is asked for.
#[derive(Debug)]
pub struct AuditQuery {
    list: ListQuery,
    filter: AuditFilter,
}

impl FromQuery for AuditQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        let second = TimeDelta::seconds(1);
        let after = |name| Ok::<_, Error>(time(params, name)?.map(|time| time + second));
        // An entry is of the second that it began in.
        let from = [time(params, "effective_at[gte]")?, after("effective_at[gt]")?];
        let until = [time(params, "effective_at[lt]")?, after("effective_at[lte]")?];
        let mut filter = AuditFilter {
            from: from.into_iter().flatten().max(),
            until: until.into_iter().flatten().min(),
            projects: ids(params, "project_ids"),
            events: texts(params, "event_types"),
            actors: texts(params, "actor_ids"),
            resources: texts(params, "resource_ids"),
        };
        if texts(params, "actor_emails").is_some() {
            // Keys act, and have no address.
            filter.actors = Some(Vec::new());
        }
        Ok(Self {
            list: ListQuery::from_query(params)?,
            filter,
        })
    }
}

fn time(params: &QueryParams, name: &str) -> Result<Option<DateTime<Utc>>, Error> {
    let Some(text) = params.get(name) else {
        return Ok(None);
    };
    let seconds = text
        .parse()
        .ok()
        .filter(|seconds| (0..=100_000_000_000).contains(seconds));
    let time = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.map(Some)
        .ok_or_else(|| Error::invalid(name, "Must be Unix seconds."))
}

fn texts(params: &QueryParams, name: &str) -> Option<Vec<String>> {
    let mut values = params.all(name).peekable();
    values.peek()?;
    // The database would stumble over a NUL, and nothing has one in its name.
    Some(
        values
            .filter(|text| !text.contains('\0'))
            .map(str::to_owned)
            .collect(),
    )
}

/// Tenants that are asked for. An id that is not well formed is nobody's, like one that does not exist.
fn ids(params: &QueryParams, name: &str) -> Option<Vec<TenantId>> {
    let texts = texts(params, name)?;
    Some(texts.iter().filter_map(|text| text.parse().ok()).collect())
}

/// The part of the query that only this list has.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters; AuditQuery reads them")]
struct AuditParams {
    /// Unix seconds; also `effective_at[gt]`, `effective_at[lt]` and `effective_at[lte]`.
    #[param(rename = "effective_at[gte]")]
    effective_at: Option<i64>,
    /// Only of these projects.
    project_ids: Option<Vec<String>>,
    /// Only these acts, as in `api_key.created`.
    event_types: Option<Vec<String>>,
    /// Only by these: a key's id, `console` for the command line.
    actor_ids: Option<Vec<String>>,
    /// Only upon what has these ids.
    resource_ids: Option<Vec<String>>,
}

/// An administrative act. Under its type stand the details: `id`, and `data`, `changes_requested` or `before`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditLog)]
pub struct AuditLogObject {
    /// Its id, `audit_log-…`.
    pub id: String,
    /// What was done, as in `api_key.created`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Unix seconds of it.
    pub effective_at: i64,
    /// The project that it was done in; absent for acts upon the install.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<AuditProject>,
    /// Who did it.
    pub actor: AuditActor,
    /// Its place in the chain of its project, or of the install; from 1.
    pub sequence: i64,
    /// SHA-256 over the entry and the hash of the one before it, in hexadecimal digits.
    pub hash: String,
    /// The details, under the type's name.
    #[serde(flatten)]
    pub details: Map<String, Value>,
}

/// The project that something was done in.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditProject {
    /// Its id, `proj_…`.
    pub id: String,
    /// What people call it now.
    #[schema(required)]
    pub name: Option<String>,
}

/// Who did something.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditActor {
    /// `api_key`, or `session` for whoever has no key: the command line, or the server by itself.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// The key: a tenant's or the operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<AuditKey>,
    /// Who acted without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub session: Option<Value>,
    /// From where; null: from the machine itself.
    #[schema(required)]
    pub ip_address: Option<String>,
}

/// The key that something was done with.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditKey {
    /// Its id: `key_…` of a tenant, `opk_…` of the operator.
    pub id: String,
}

impl AuditActor {
    fn new(actor: String, address: Option<String>) -> Self {
        if actor.starts_with("key_") || actor.starts_with("opk_") {
            return Self {
                kind: "api_key",
                api_key: Some(AuditKey { id: actor }),
                session: None,
                ip_address: address,
            };
        }
        Self {
            kind: "session",
            api_key: None,
            session: Some(json!({"user": {"id": actor, "email": null}, "ip_address": address})),
            ip_address: address,
        }
    }
}

impl TryFrom<AuditLog> for AuditLogObject {
    type Error = Error;

    fn try_from(entry: AuditLog) -> Result<Self, Error> {
        let details: Value = serde_json::from_str(&entry.details).map_err(Error::internal)?;
        Ok(Self {
            id: entry.id.to_string(),
            effective_at: seconds(entry.created_at),
            project: entry.project().map(|id| AuditProject {
                id: id.to_string(),
                name: entry.project_name,
            }),
            actor: AuditActor::new(entry.actor, entry.address),
            sequence: entry.seq,
            hash: entry.hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            details: Map::from_iter([(entry.event.clone(), details)]),
            kind: entry.event,
        })
    }
}

/// Lists administrative acts, latest first.
#[utoipa::path(
    get, path = "/v1/organization/audit_logs", operation_id = "list_audit_logs", tag = "audit logs",
    params(ListQuery, AuditParams), responses((status = OK, body = List<AuditLogObject>))
)]
pub async fn list_audit_logs(
    reader: Reader<AuditLogsRead>,
    State(app): State<App>,
    Query(query): Query<AuditQuery>,
) -> ApiResult<Json<List<AuditLogObject>>> {
    let page = query.list.page(AuditLogId::uuid)?;
    let listing = match &reader {
        Reader::Operator(operator) => {
            let mut tx = app.services.db.operator_by(operator).await?;
            audit_log::of_install(&mut tx, &query.filter, page).await?
        }
        Reader::Tenant(caller) => {
            let mut tx = app.services.db.tenant(caller).await?;
            audit_log::of_tenant(&mut tx, &query.filter, page).await?
        }
    };
    let entries: Result<Vec<AuditLogObject>, Error> =
        listing.data.into_iter().map(AuditLogObject::try_from).collect();
    Ok(Json(List::new(entries?, listing.has_more, |entry| {
        entry.id.clone()
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(query: &str) -> AuditFilter {
        AuditQuery::from_query(&QueryParams::parse(query)).unwrap().filter
    }

    #[test]
    fn seconds_are_whole_whichever_way_they_are_compared() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0);
        assert_eq!(filter("").from, None);
        assert_eq!(filter("effective_at[gte]=10").from, at(10));
        assert_eq!(filter("effective_at[gt]=10").from, at(11));
        assert_eq!(filter("effective_at%5Blt%5D=10").until, at(10));
        assert_eq!(filter("effective_at[lte]=10").until, at(11));
        assert_eq!(filter("project_ids[]=proj_x").projects, Some(Vec::new()));
        assert!(AuditQuery::from_query(&QueryParams::parse("effective_at[gt]=soon")).is_err());
    }
}
