//! What is asked about usage.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use insula_core::Error;
use insula_core::usage::{Bucket, By, EventFilter, Of, UsageQuery};
use insula_tenancy::usage::{Endpoint, Outcome};
use insula_tenancy::{IdParseError, KeyId, RequestLogId};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::http::validate::no_nul;
use crate::http::{FromQuery, ListQuery, PathId, QueryParams};
use crate::routes::wire::now;

/// The id of a metered call, which is its request's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageEventId(pub(super) Uuid);

impl FromStr for UsageEventId {
    type Err = IdParseError;

    fn from_str(text: &str) -> Result<Self, IdParseError> {
        // Any id of ours would do: they differ in what they begin with.
        let digits = text.strip_prefix("req_").ok_or(IdParseError)?;
        let id: RequestLogId = format!("{}{digits}", RequestLogId::PREFIX).parse()?;
        Ok(Self(id.uuid()))
    }
}

impl PathId for UsageEventId {
    const WHAT: &'static str = "call";
}

/// Which sums are asked for.
#[derive(Debug)]
pub struct SumsQuery(pub(super) UsageQuery);

impl FromQuery for SumsQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        let month_ago = || DateTime::from_timestamp(now() - 30 * 24 * 3600, 0).unwrap_or_default();
        let from = time(params, "start_time")?.unwrap_or_else(month_ago);
        // Up to now: nothing is recorded of later.
        let until = time(params, "end_time")?.unwrap_or_else(|| from + chrono::TimeDelta::days(400));
        let buckets = [("1h", Bucket::Hour), ("1d", Bucket::Day), ("all", Bucket::All)];
        let bucket = params.choice("bucket_width", &buckets)?.unwrap_or(Bucket::Day);
        let mut by = By::default();
        for group in params.all("group_by") {
            match group {
                "endpoint" => by.endpoint = true,
                "model" => by.model = true,
                "api_key_id" => by.key = true,
                "end_user" => by.end_user = true,
                _ => {
                    let message = "Supported values are: 'endpoint', 'model', 'api_key_id', 'end_user'.";
                    return Err(Error::invalid("group_by", message));
                }
            }
        }
        Ok(Self(UsageQuery {
            from,
            until,
            bucket,
            by,
            of: Of {
                endpoint: endpoint(params)?,
                model: text(params, "model")?,
                key: key(params),
                end_user: text(params, "end_user")?,
            },
            most: i64::from(params.integer("limit", 1..=1000, 100)?),
        }))
    }
}

/// Which calls are asked for.
#[derive(Debug)]
pub struct EventsQuery {
    pub(super) list: ListQuery<100, 1000>,
    pub(super) filter: EventFilter,
}

impl FromQuery for EventsQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        let outcomes =
            [Outcome::Completed, Outcome::Cancelled, Outcome::Failed].map(|one| (one.as_str(), one));
        Ok(Self {
            list: ListQuery::from_query(params)?,
            filter: EventFilter {
                from: time(params, "start_time")?,
                until: time(params, "end_time")?,
                endpoint: endpoint(params)?,
                model: text(params, "model")?,
                key: key(params),
                end_user: text(params, "end_user")?,
                outcome: params.choice("outcome", &outcomes)?,
            },
        })
    }
}

pub(in crate::routes) fn time(params: &QueryParams, name: &str) -> Result<Option<DateTime<Utc>>, Error> {
    let Some(text) = params.get(name) else {
        return Ok(None);
    };
    let seconds = text
        .parse()
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    // Far enough from the ends that days can be added.
    let sane = seconds.filter(|time| (0..=100_000_000_000).contains(&time.timestamp()));
    sane.map(Some)
        .ok_or_else(|| Error::invalid(name, "Must be Unix seconds."))
}

fn endpoint(params: &QueryParams) -> Result<Option<Endpoint>, Error> {
    params.choice("endpoint", &Endpoint::ALL.map(|one| (one.as_str(), one)))
}

fn text(params: &QueryParams, name: &str) -> Result<Option<String>, Error> {
    let Some(text) = params.get(name) else {
        return Ok(None);
    };
    no_nul(name, text)?;
    Ok(Some(text.to_owned()))
}

/// One that is not well formed is nobody's, like one that never was: nothing is found of it.
fn key(params: &QueryParams) -> Option<KeyId> {
    let text = params.get("api_key_id")?;
    Some(text.parse().unwrap_or_else(|_| KeyId::generate()))
}

/// The query of the sums.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters; SumsQuery reads them")]
pub(super) struct SumsParams {
    /// Unix seconds; absent: thirty days ago.
    start_time: Option<i64>,
    /// Unix seconds, itself not included; absent: until now.
    end_time: Option<i64>,
    /// `1h` or `1d`, in UTC, or `all` for one sum of the whole time; days unless said otherwise.
    bucket_width: Option<String>,
    /// What is told apart: `endpoint`, `model`, `api_key_id`, `end_user`; several may be given. Calls without an end user are in
    /// no sum by end user, and such sums are of whole days.
    group_by: Option<Vec<String>>,
    /// Only calls of this endpoint, as in `chat.completions`.
    endpoint: Option<String>,
    /// Only calls of this model.
    model: Option<String>,
    /// Only calls with this key.
    api_key_id: Option<String>,
    /// Only calls for this end user.
    end_user: Option<String>,
    /// How many end users at most, those that cost most: 1 to 1000, 100 unless said otherwise.
    limit: Option<u32>,
}

/// The part of the query that only the list of calls has.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters; EventsQuery reads them")]
pub(super) struct EventsParams {
    /// Only calls that began at these Unix seconds or later.
    start_time: Option<i64>,
    /// Only calls that began before these Unix seconds.
    end_time: Option<i64>,
    /// Only calls of this endpoint, as in `chat.completions`.
    endpoint: Option<String>,
    /// Only calls of this model.
    model: Option<String>,
    /// Only calls with this key.
    api_key_id: Option<String>,
    /// Only calls for this end user.
    end_user: Option<String>,
    /// Only calls that ended so: `completed`, `cancelled` or `failed`.
    outcome: Option<String>,
}
