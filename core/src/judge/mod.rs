//! Models that score texts: how well documents answer a query, and what in a text should not be there.

use std::sync::Arc;
use std::time::Duration;

use futures::join;
use insula_tenancy::TenantContext;
use insula_tenancy::meter::{Metered, Standings};

use crate::guard::{self, Decisions};
use crate::metering::{self, Reading};
use crate::model::{Moderated, Moderator, Reranked, Reranker};
use crate::route::{RouteKind, RoutedJudge, tenant};
use crate::{Error, Result, Services};

/// Ranks documents by how well they answer a query.
///
/// # Errors
/// [`Error::NotFound`] for an unknown model; [`Error::LimitReached`], [`Error::BudgetExceeded`]; what the model fails with.
pub async fn rerank(
    services: &Services,
    cx: &TenantContext,
    call: Call<'_>,
    mut query: String,
    mut documents: Vec<String>,
) -> Result<(Reranked, Standings)> {
    let reranker = reranker(services, cx, call.model).await?;
    // The query is read with each document.
    let bytes = documents.iter().map(String::len).sum::<usize>() + query.len() * documents.len();
    let fields = [
        ("documents", documents.as_mut_slice()),
        ("query", std::slice::from_mut(&mut query)),
    ];
    let admitted = call.admit(services, cx, fields, bytes).await?;
    let (reranked, durable) = join!(reranker.rerank(&query, &documents), admitted.metered.durable());
    let reranked = durable.map_err(Error::from).and(reranked);
    admitted.settle(reranked, Reading::of_reranked)
}

/// Finds what should not be in texts.
///
/// # Errors
/// As for [`rerank`].
pub async fn moderate(
    services: &Services,
    cx: &TenantContext,
    call: Call<'_>,
    mut texts: Vec<String>,
) -> Result<(Moderated, Standings)> {
    let moderator = moderator(services, cx, call.model).await?;
    let bytes = texts.iter().map(String::len).sum();
    let fields = [("input", texts.as_mut_slice())];
    let admitted = call.admit(services, cx, fields, bytes).await?;
    let (moderated, durable) = join!(moderator.moderate(&texts), admitted.metered.durable());
    let moderated = durable.map_err(Error::from).and(moderated);
    admitted.settle(moderated, |moderated| Reading {
        tokens: moderated.tokens,
        by: moderated.by.clone(),
    })
}

/// What ranks what another call has found, such as the hits of a search.
pub(crate) struct Ranker {
    model: String,
    reranker: Arc<dyn Reranker>,
}

impl Ranker {
    /// The model of that name.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown one.
    pub(crate) async fn find(services: &Services, cx: &TenantContext, model: &str) -> Result<Self> {
        Ok(Self {
            model: model.to_owned(),
            reranker: reranker(services, cx, model).await?,
        })
    }

    /// Scores documents, within the tenant's guardrails. What it took is to be recorded by who asks.
    ///
    /// # Errors
    /// What guardrails forbid; what the model fails with.
    pub(crate) async fn score(
        &self,
        services: &Services,
        cx: &TenantContext,
        query: &str,
        mut documents: Vec<String>,
    ) -> Result<(Vec<f64>, Reading)> {
        let mut query = query.to_owned();
        let fields = [
            ("query", std::slice::from_mut(&mut query)),
            ("query", documents.as_mut_slice()),
        ];
        guard_fields(services, cx, &self.model, fields, &Decisions::default()).await?;
        let reranked = self.reranker.rerank(&query, &documents).await?;
        if reranked.scores.len() != documents.len() {
            return Err(Error::internal("a reranker has not scored all documents"));
        }
        let reading = Reading::of_reranked(&reranked);
        Ok((reranked.scores, reading))
    }
}

/// Applies the tenant's guardrails to the texts of a request's fields.
async fn guard_fields<const N: usize>(
    services: &Services,
    cx: &TenantContext,
    model: &str,
    fields: [(&str, &mut [String]); N],
    decisions: &Decisions,
) -> Result<()> {
    let settings = services.policies.of(&services.db, cx).await?;
    let Some(policy) = &settings.policy else {
        return Ok(());
    };
    for (param, texts) in fields {
        let stays_here = guard::texts(policy, param, texts, decisions)?;
        guard::check_embedder(stays_here, &services.routes, model).map_err(|error| error.about(param))?;
    }
    Ok(())
}

impl Reading {
    fn of_reranked(reranked: &Reranked) -> Self {
        Self {
            tokens: reranked.tokens,
            by: reranked.by.clone(),
        }
    }
}

/// A call of a model that scores texts.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The model.
    pub model: &'a str,
    /// The request behind it.
    pub request: &'a metering::Request,
}

/// A call that may go on.
struct Admitted {
    metered: Metered,
    /// When the model was asked, from the beginning of the call.
    asked: Duration,
    decisions: Decisions,
}

impl Call<'_> {
    /// Applies the tenant's guardrails to the texts of the request's fields, and reserves what reading so many bytes may take.
    async fn admit<const N: usize>(
        self,
        services: &Services,
        cx: &TenantContext,
        fields: [(&str, &mut [String]); N],
        bytes: usize,
    ) -> Result<Admitted> {
        let mut entered = metering::enter(services, cx, self.request, self.model).await?;
        let decisions = Decisions::default();
        if let Err(error) = guard_fields(services, cx, self.model, fields, &decisions).await {
            return Err(metering::refuse(&mut entered, error, decisions.to_json()).await);
        }
        let metered = metering::begin_reading(services, &mut entered, self.model, bytes).await?;
        Ok(Admitted {
            asked: metered.elapsed(),
            metered,
            decisions,
        })
    }
}

impl Admitted {
    fn settle<T>(mut self, answer: Result<T>, reading: impl FnOnce(&T) -> Reading) -> Result<(T, Standings)> {
        let standings = self.metered.standings();
        self.metered.passed("model", self.asked);
        match answer {
            Ok(answer) => {
                self.metered
                    .note(|details| details.decisions = self.decisions.to_json());
                metering::settle_reading(self.metered, &reading(&answer));
                Ok((answer, standings))
            }
            Err(error) => {
                metering::fail(self.metered, &error, 1);
                Err(error)
            }
        }
    }
}

async fn reranker(services: &Services, cx: &TenantContext, model: &str) -> Result<Arc<dyn Reranker>> {
    may_name(services, cx, model).await?;
    if let Some(local) = services.models.find_reranker(model) {
        return Ok(Arc::clone(local));
    }
    let routed = routed(services, cx, model, &RouteKind::Rerank).await?;
    routed
        .map(|judge| Arc::new(judge) as _)
        .ok_or_else(|| Error::model_not_found(model))
}

async fn moderator(services: &Services, cx: &TenantContext, model: &str) -> Result<Arc<dyn Moderator>> {
    may_name(services, cx, model).await?;
    if let Some(local) = services.models.find_moderator(model) {
        return Ok(Arc::clone(local));
    }
    let routed = routed(services, cx, model, &RouteKind::Moderations).await?;
    routed
        .map(|judge| Arc::new(judge) as _)
        .ok_or_else(|| Error::model_not_found(model))
}

/// A model that the operator keeps from the tenant does not exist for it.
async fn may_name(services: &Services, cx: &TenantContext, model: &str) -> Result<()> {
    if tenant::permits(services, cx, model).await? {
        Ok(())
    } else {
        Err(Error::model_not_found(model))
    }
}

async fn routed(
    services: &Services,
    cx: &TenantContext,
    model: &str,
    kind: &RouteKind,
) -> Result<Option<RoutedJudge>> {
    let Some(route) = services.routes.find(model) else {
        return Ok(None);
    };
    let facts = tenant::facts(services, cx, model).await?;
    Ok(RoutedJudge::new(route, kind, facts))
}
