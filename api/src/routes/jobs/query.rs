//! The query of the list of jobs.

use insula_core::Error;
use insula_core::job::{Filter, Status};
use utoipa::IntoParams;

use crate::http::{FromQuery, ListQuery, PathId, QueryParams};

/// What a list of jobs is asked for.
#[derive(Debug)]
pub struct JobsQuery {
    pub(super) list: ListQuery,
    pub(super) filter: Filter,
}

impl FromQuery for JobsQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        let statuses = Status::ALL.map(|status| (status.as_str(), status));
        Ok(Self {
            list: ListQuery::from_query(params)?,
            filter: Filter {
                status: params.choice("status", &statuses)?,
                kind: params.get("kind").map(str::to_owned),
                vector_store_id: id(params, "vector_store_id")?,
                file_id: id(params, "file_id")?,
            },
        })
    }
}

fn id<T: PathId>(params: &QueryParams, name: &str) -> Result<Option<T>, Error> {
    let parsed = params.get(name).map(str::parse::<T>).transpose();
    parsed.map_err(|_| Error::invalid(name, format!("This is not the id of a {}.", T::WHAT)))
}

/// The part of the query that only this list has.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters; JobsQuery reads them")]
pub(super) struct JobsFilter {
    /// Only jobs in this state: `queued`, `running`, `succeeded`, `dead`, `cancelled` or `scheduled`.
    status: Option<String>,
    /// Only jobs of this kind, for example `ingest_file`.
    kind: Option<String>,
    /// Only jobs that work on this vector store.
    vector_store_id: Option<String>,
    /// Only jobs that work on this file.
    file_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use insula_tenancy::FileId;

    fn filter(query: &str) -> Result<Filter, Error> {
        JobsQuery::from_query(&QueryParams::parse(query)).map(|query| query.filter)
    }

    #[test]
    fn every_field_narrows_and_none_is_needed() {
        assert_eq!(filter("").unwrap(), Filter::default());
        let file = FileId::generate();
        let expected = Filter {
            status: Some(Status::Dead),
            kind: Some("ingest_file".into()),
            vector_store_id: None,
            file_id: Some(file),
        };
        assert_eq!(
            filter(&format!("status=dead&kind=ingest_file&file_id={file}")).unwrap(),
            expected
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (query, name) in [("status=lost", "status"), ("file_id=vs_1", "file_id")] {
            match filter(query) {
                Err(Error::Invalid { param, .. }) => assert_eq!(param.as_deref(), Some(name)),
                other => panic!("{query}: {other:?}"),
            }
        }
    }
}
