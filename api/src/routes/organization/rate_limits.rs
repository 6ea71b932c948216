//! `/v1/organization/projects/{project_id}/rate_limits`: how many requests and tokens of each model a project gets in a minute.

use std::str::FromStr;

use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use insula_core::Error;
use insula_core::organization::project;
use insula_tenancy::limit::{self, Limit, SubjectKind, TenantLimit};
use insula_tenancy::{IdParseError, OperatorTx, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ProjectId, about};
use crate::app::App;
use crate::http::{ApiResult, FromQuery, Json, Operator, Path, PathId, Query, QueryParams, validate};
use crate::routes::wire::List;

/// The id of the limits on a model: the model's name, in letters that a path can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitId(String);

impl std::fmt::Display for RateLimitId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rl-{}", URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl FromStr for RateLimitId {
    type Err = IdParseError;

    fn from_str(text: &str) -> Result<Self, IdParseError> {
        let encoded = text.strip_prefix("rl-").ok_or(IdParseError)?;
        let model = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| IdParseError)?;
        String::from_utf8(model).map(Self).map_err(|_| IdParseError)
    }
}

impl PathId for RateLimitId {
    const WHAT: &'static str = "rate limit in this project";
}

/// The limits on calls of a model.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProjectRateLimit)]
pub struct RateLimitObject {
    /// Its id, `rl-…`.
    pub id: String,
    /// `project.rate_limit`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The model.
    pub model: String,
    /// Calls in a minute; null: any number.
    #[schema(required)]
    pub max_requests_per_1_minute: Option<i64>,
    /// Tokens read and written in a minute; null: any number.
    #[schema(required)]
    pub max_tokens_per_1_minute: Option<i64>,
}

impl From<(String, Limit)> for RateLimitObject {
    fn from((model, limit): (String, Limit)) -> Self {
        Self {
            object: "project.rate_limit",
            max_requests_per_1_minute: limit.requests_per_minute,
            max_tokens_per_1_minute: limit.tokens_per_minute,
            id: RateLimitId(model.clone()).to_string(),
            model,
        }
    }
}

/// What is to be changed of the limits on a model; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateProjectRateLimitRequest)]
pub struct UpdateRateLimit {
    /// Calls in a minute.
    #[schema(minimum = 0)]
    pub max_requests_per_1_minute: Option<i64>,
    /// Tokens read and written in a minute.
    #[schema(minimum = 0)]
    pub max_tokens_per_1_minute: Option<i64>,
    /// Refused: days are not counted. Budgets bound what is spent in a day.
    pub max_requests_per_1_day: Option<i64>,
    /// Refused: images are counted as tokens.
    pub max_images_per_1_minute: Option<i64>,
    /// Refused: there is no audio.
    pub max_audio_megabytes_per_1_minute: Option<i64>,
    /// Refused: batches have no limit of their own.
    pub batch_1_day_max_input_tokens: Option<i64>,
}

impl UpdateRateLimit {
    /// A limit that was accepted and not kept would be worse than none.
    fn check(&self) -> Result<(), Error> {
        for (param, value) in [
            ("max_requests_per_1_day", self.max_requests_per_1_day),
            ("max_images_per_1_minute", self.max_images_per_1_minute),
            (
                "max_audio_megabytes_per_1_minute",
                self.max_audio_megabytes_per_1_minute,
            ),
            ("batch_1_day_max_input_tokens", self.batch_1_day_max_input_tokens),
        ] {
            if value.is_some() {
                return Err(validate::unsupported(param, "This limit"));
            }
        }
        validate::optional_range(
            "max_requests_per_1_minute",
            self.max_requests_per_1_minute,
            0..=i64::MAX,
        )?;
        validate::optional_range(
            "max_tokens_per_1_minute",
            self.max_tokens_per_1_minute,
            0..=i64::MAX,
        )?;
        Ok(())
    }
}

/// What a list of limits is asked for. They are of names, not of rows, and have no time.
#[derive(Debug)]
pub struct RateLimitsQuery {
    limit: usize,
    after: Option<String>,
    before: Option<String>,
}

impl FromQuery for RateLimitsQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        let cursor = |name| {
            let cursor = params.get(name).map(str::parse::<RateLimitId>).transpose();
            let cursor = cursor.map_err(|_| {
                Error::invalid(
                    name,
                    "This cursor is not the id of one of this project's rate limits.",
                )
            })?;
            Ok::<_, Error>(cursor.map(|RateLimitId(model)| model))
        };
        let limit = params.integer("limit", 1..=100, 100)?;
        Ok(Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            after: cursor("after")?,
            before: cursor("before")?,
        })
    }
}

impl RateLimitsQuery {
    /// The part of `all`, which are in order, that is asked for; and whether more follow.
    fn part(&self, all: Vec<(String, Limit)>) -> (Vec<(String, Limit)>, bool) {
        let behind = |name: &String| self.after.as_ref().is_none_or(|after| name > after);
        let ahead = |name: &String| self.before.as_ref().is_none_or(|before| name < before);
        let mut part: Vec<_> = all
            .into_iter()
            .filter(|(name, _)| behind(name) && ahead(name))
            .collect();
        let has_more = part.len() > self.limit;
        if has_more && self.before.is_some() && self.after.is_none() {
            // The nearest ones before the cursor.
            part.drain(..part.len() - self.limit);
        }
        part.truncate(self.limit);
        (part, has_more)
    }
}

/// The query of the list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters; RateLimitsQuery reads them")]
struct RateLimitsParams {
    /// How many at most: 1 to 100, 100 unless said otherwise.
    limit: Option<u32>,
    /// Id after which the page starts: the last one of the page before.
    after: Option<String>,
    /// Id before which the page ends.
    before: Option<String>,
}

/// The limits on every model that can be named here, and on those that the project has a limit of its own on.
async fn limits(app: &App, tx: &mut OperatorTx, project: TenantId) -> Result<Vec<(String, Limit)>, Error> {
    let routes = app.services.routes.list();
    let chat = routes.iter().map(|route| route.name.to_string());
    let embedders = app.services.models.embedders().map(|(name, _)| name.to_owned());
    Ok(limit::model_limits(tx, project, chat.chain(embedders)).await?)
}

/// Lists how much of each model a project gets in a minute, by the models' names.
#[utoipa::path(
    get, path = "/v1/organization/projects/{project_id}/rate_limits", operation_id = "list_project_rate_limits",
    tag = "organization", params(("project_id" = String, Path, description = "Its id, `proj_…`"), RateLimitsParams),
    responses((status = OK, body = List<RateLimitObject>))
)]
pub async fn list_project_rate_limits(
    operator: Operator,
    State(app): State<App>,
    Path(ProjectId(id)): Path<ProjectId>,
    Query(query): Query<RateLimitsQuery>,
) -> ApiResult<Json<List<RateLimitObject>>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::get(&mut tx, id).await?;
    let (part, has_more) = query.part(limits(&app, &mut tx, id).await?);
    let part = part.into_iter().map(RateLimitObject::from).collect();
    Ok(Json(List::new(part, has_more, |limit| limit.id.clone())))
}

/// Changes how much of a model a project gets in a minute. Servers follow within a second.
#[utoipa::path(
    post, path = "/v1/organization/projects/{project_id}/rate_limits/{rate_limit_id}",
    operation_id = "update_project_rate_limit", tag = "organization",
    params(("project_id" = String, Path, description = "The project's id, `proj_…`"),
    ("rate_limit_id" = String, Path, description = "Its id, `rl-…`")),
    request_body = UpdateRateLimit, responses((status = OK, body = RateLimitObject))
)]
pub async fn update_project_rate_limit(
    operator: Operator,
    State(app): State<App>,
    Path((project, id)): Path<(ProjectId, RateLimitId)>,
    Json(request): Json<UpdateRateLimit>,
) -> ApiResult<Json<RateLimitObject>> {
    let ProjectId(project) = project;
    request.check()?;
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::to_change(&mut tx, project).await?;
    let RateLimitId(model) = &id;
    let known = limits(&app, &mut tx, project).await?;
    if !known.iter().any(|(name, _)| name == model) {
        return Err(Error::not_found(RateLimitId::WHAT, &id).into());
    }
    let own = limit::limits_of(&mut tx, project).await?;
    let own = own
        .into_iter()
        .find(|limit| limit.subject_kind == SubjectKind::Model && limit.subject == *model);
    let before = own.map(|own| own.limit).unwrap_or_default();
    let new = TenantLimit {
        subject_kind: SubjectKind::Model,
        subject: model.clone(),
        limit: Limit {
            requests_per_minute: request.max_requests_per_1_minute.or(before.requests_per_minute),
            tokens_per_minute: request.max_tokens_per_1_minute.or(before.tokens_per_minute),
            concurrency: before.concurrency,
        },
    };
    limit::set_limit(&mut tx, project, &new)
        .await
        .map_err(|error| about("max_requests_per_1_minute", error))?;
    let changed = limits(&app, &mut tx, project).await?;
    let changed = changed.into_iter().find(|(name, _)| name == model);
    let changed = changed.ok_or_else(|| Error::not_found(RateLimitId::WHAT, &id))?;
    tx.commit().await?;
    Ok(Json(changed.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_models_name_whatever_is_in_it() {
        for model in ["gpt-5", "org/model:free", "نموذج"] {
            let id = RateLimitId(model.into());
            assert!(!id.to_string().contains('/'));
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for bad in ["", "rl-%", "gpt-5", "rl-/w"] {
            assert!(bad.parse::<RateLimitId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn pages_follow_the_names() {
        let all = || {
            ["a", "b", "c", "d"]
                .map(|name| (name.to_owned(), Limit::default()))
                .to_vec()
        };
        let part = |limit, after: Option<&str>, before: Option<&str>| {
            let query = RateLimitsQuery {
                limit,
                after: after.map(str::to_owned),
                before: before.map(str::to_owned),
            };
            let (part, has_more) = query.part(all());
            (
                part.into_iter().map(|(name, _)| name).collect::<String>(),
                has_more,
            )
        };
        assert_eq!(part(2, None, None), ("ab".into(), true));
        assert_eq!(part(2, Some("b"), None), ("cd".into(), false));
        assert_eq!(part(2, None, Some("d")), ("bc".into(), true));
        assert_eq!(part(9, Some("a"), Some("d")), ("bc".into(), false));
    }
}
