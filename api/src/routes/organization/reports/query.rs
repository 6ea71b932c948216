//! What a report is asked for.

use chrono::{DateTime, Utc};
use insula_core::Error;
use insula_core::organization::usage::{GroupBy, Report, Width};
use insula_tenancy::usage::Endpoint;
use insula_tenancy::{KeyId, TenantId};
use utoipa::IntoParams;

use crate::http::{FromQuery, QueryParams};
use crate::routes::wire::now;

/// Seconds that are far enough from the ends of time that days can be added.
const SANE: std::ops::RangeInclusive<i64> = 0..=100_000_000_000;
/// What cursors begin with.
const CURSOR: &str = "page_";

/// What sums can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Project,
    User,
    Key,
    Model,
    Batch,
    ServiceTier,
    ApiSource,
    LineItem,
}

impl Group {
    const ALL: [(&'static str, Self); 8] = [
        ("project_id", Self::Project),
        ("user_id", Self::User),
        ("api_key_id", Self::Key),
        ("model", Self::Model),
        ("batch", Self::Batch),
        ("service_tier", Self::ServiceTier),
        ("api_source", Self::ApiSource),
        ("line_item", Self::LineItem),
    ];
}

/// What one of the reports can be asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) widths: &'static [(&'static str, Width)],
    pub(super) groups: &'static [Group],
    /// Most days at once; hours and minutes have bounds of their own.
    pub(super) most_days: u32,
}

/// The query as it was sent.
#[derive(Debug, Clone)]
pub struct ReportQuery(QueryParams);

impl FromQuery for ReportQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        Ok(Self(params.clone()))
    }
}

/// A report, and which of its buckets are answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) report: Report,
    pub(super) groups: Vec<Group>,
    /// Where the next page begins.
    pub(super) next: Option<DateTime<Utc>>,
    /// Whether a filter lets nothing through.
    pub(super) nothing: bool,
}

impl ReportQuery {
    /// What is asked for, where that can be asked of a report of this shape.
    pub(super) fn read(&self, shape: Shape, endpoints: Option<Vec<Endpoint>>) -> Result<Asked, Error> {
        let params = &self.0;
        let width = params.choice("bucket_width", shape.widths)?.unwrap_or(Width::Day);
        let start = seconds(params, "start_time")?.ok_or_else(|| Error::Invalid {
            message: "Missing required parameter: 'start_time'.".into(),
            param: Some("start_time".into()),
            code: Some("missing_required_parameter"),
        })?;
        let end = seconds(params, "end_time")?.unwrap_or_else(|| now().max(start) + 1);
        if end <= start {
            return Err(Error::invalid("end_time", "Must be after 'start_time'."));
        }
        // Whole buckets: what a sum is over is what its bucket says.
        let first = floor(start, width);
        let end = floor(end + width.seconds() - 1, width);
        let (few, most) = match width {
            Width::Minute => (60, 1_440),
            Width::Hour => (24, 168),
            Width::Day => (7, shape.most_days),
        };
        let limit = i64::from(params.integer("limit", 1..=most, few)?);
        let from = match params.get("page") {
            None => first,
            Some(cursor) => cursor
                .strip_prefix(CURSOR)
                .and_then(|seconds| seconds.parse().ok())
                .filter(|from| (first..end).contains(from) && floor(*from, width) == *from)
                .ok_or_else(|| Error::invalid("page", "This is not the 'next_page' of this report."))?,
        };
        let until = end.min(from.saturating_add(limit.saturating_mul(width.seconds())));
        let groups = groups(params, shape)?;
        let has = |group| groups.contains(&group);
        let by = GroupBy {
            project: has(Group::Project),
            key: has(Group::Key),
            model: has(Group::Model) || has(Group::LineItem),
            endpoint: has(Group::LineItem),
        };
        Ok(Asked {
            report: Report {
                from: time(from),
                until: time(until),
                width,
                endpoints,
                projects: ids::<TenantId>(params, "project_ids"),
                keys: ids::<KeyId>(params, "api_key_ids"),
                models: texts(params, "models"),
                line_items: texts(params, "line_items"),
                by,
            },
            next: (until < end).then(|| time(until)),
            // Calls are made with keys, not by members; and none is of a batch.
            nothing: texts(params, "user_ids").is_some()
                || params.choice("batch", &[("true", true), ("false", false)])? == Some(true),
            groups,
        })
    }

    /// Refuses a parameter that could only be ignored.
    pub(super) fn refuse(&self, name: &str, why: &str) -> Result<(), Error> {
        match self.0.all(name).next() {
            None => Ok(()),
            Some(_) => Err(Error::invalid(name, why)),
        }
    }
}

impl Asked {
    /// The cursor of the next page.
    pub(super) fn next_page(&self) -> Option<String> {
        self.next.map(|next| format!("{CURSOR}{}", next.timestamp()))
    }
}

fn groups(params: &QueryParams, shape: Shape) -> Result<Vec<Group>, Error> {
    let known = Group::ALL
        .into_iter()
        .filter(|(_, group)| shape.groups.contains(group));
    let known: Vec<(&str, Group)> = known.collect();
    // Some write one parameter with commas in it.
    let named = params.all("group_by").flat_map(|names| names.split(','));
    named
        .filter(|name| !name.is_empty())
        .map(|name| match known.iter().find(|(known, _)| *known == name) {
            Some((_, group)) => Ok(*group),
            None => {
                let known: Vec<String> = known.iter().map(|(name, _)| format!("'{name}'")).collect();
                let message = format!(
                    "Invalid value for 'group_by'. Supported values are: {}.",
                    known.join(", ")
                );
                Err(Error::invalid("group_by", message))
            }
        })
        .collect()
}

/// Ids that are asked for. One that is not well formed is nobody's, like one that does not exist.
fn ids<T: std::str::FromStr>(params: &QueryParams, name: &str) -> Option<Vec<T>> {
    let texts = texts(params, name)?;
    Some(texts.iter().filter_map(|text| text.parse().ok()).collect())
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

fn seconds(params: &QueryParams, name: &str) -> Result<Option<i64>, Error> {
    let Some(text) = params.get(name) else {
        return Ok(None);
    };
    let seconds = text.parse().ok().filter(|seconds| SANE.contains(seconds));
    seconds
        .map(Some)
        .ok_or_else(|| Error::invalid(name, "Must be Unix seconds."))
}

fn floor(seconds: i64, width: Width) -> i64 {
    width.floor(time(seconds)).timestamp()
}

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

/// The query of a report.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters; ReportQuery reads them")]
pub(super) struct ReportParams {
    /// Unix seconds. The first bucket is the one that they lie in, whole.
    start_time: i64,
    /// Unix seconds, themselves not included; absent: until now. The last bucket is answered whole, too.
    end_time: Option<i64>,
    /// `1m`, `1h` or `1d`, in UTC; days unless said otherwise. Costs know no minutes.
    bucket_width: Option<String>,
    /// What is told apart; several may be given.
    group_by: Option<Vec<String>>,
    /// Only these projects.
    project_ids: Option<Vec<String>>,
    /// Only calls with these API keys.
    api_key_ids: Option<Vec<String>>,
    /// Buckets at once. Minutes: 60, at most 1440. Hours: 24, at most 168. Days: 7, at most 31; of costs 180.
    limit: Option<u32>,
    /// The `next_page` of the page before.
    page: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        widths: &[("1m", Width::Minute), ("1h", Width::Hour), ("1d", Width::Day)],
        groups: &[Group::Project, Group::Model],
        most_days: 31,
    };

    fn read(query: &str) -> Result<Asked, Error> {
        ReportQuery(QueryParams::parse(query)).read(SHAPE, None)
    }

    #[test]
    fn buckets_are_whole_and_pages_follow_each_other() {
        let asked = read("start_time=86500&end_time=345601&limit=2&group_by[]=model").unwrap();
        let times = |asked: &Asked| (asked.report.from.timestamp(), asked.report.until.timestamp());
        assert_eq!(times(&asked), (86_400, 3 * 86_400));
        assert_eq!(asked.next_page().as_deref(), Some("page_259200"));
        assert!(asked.report.by.model && !asked.report.by.project);
        let asked = read("start_time=86500&end_time=345601&limit=2&page=page_259200").unwrap();
        assert_eq!((times(&asked), asked.next_page()), ((259_200, 432_000), None));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (query, name) in [
            ("", "start_time"),
            ("start_time=x", "start_time"),
            ("start_time=-1", "start_time"),
            ("start_time=10&end_time=10", "end_time"),
            ("start_time=10&bucket_width=1w", "bucket_width"),
            ("start_time=10&limit=32", "limit"),
            ("start_time=10&group_by=colour", "group_by"),
            ("start_time=10&group_by=line_item", "group_by"),
            ("start_time=10&page=page_11", "page"),
            ("start_time=10&page=page_99999999999999999", "page"),
            ("start_time=10&end_time=20&page=page_86400", "page"),
            ("start_time=10&batch=maybe", "batch"),
        ] {
            match read(query) {
                Err(Error::Invalid { param, .. }) => assert_eq!(param.as_deref(), Some(name), "{query}"),
                other => panic!("{query}: {other:?}"),
            }
        }
    }

    #[test]
    fn ids_that_are_none_are_nobodys() {
        let asked = read("start_time=1&project_ids[]=proj_x&models[]=a&models[]=b").unwrap();
        assert_eq!(asked.report.projects, Some(Vec::new()));
        assert_eq!(asked.report.models, Some(vec!["a".into(), "b".into()]));
        assert!(read("start_time=1&user_ids=user-1").unwrap().nothing);
    }
}
