//! Who answers a conversation, and from which passages.
//!
//! A call names a model. That is a route of this install, or one of the tenant's assistants, which brings instructions
//! and vector stores. A call may also bring stores of its own (`data_sources`). With stores the call is *grounded*: the
//! passages that match the question are put before the model, numbered, delimited and marked as material, and the
//! markers `[n]` in its answer become citations.

mod around;
mod asked;
mod bill;
mod cite;
pub mod extractive;
pub(crate) mod ground;

use std::time::Duration;

use insula_tenancy::meter::{Amounts, Entered, Metered, Refused, Standings};
use insula_tenancy::{TenantContext, VectorStoreId};

pub use around::CacheStatus;
pub use cite::find_citations;

use crate::cache::{self, CachedAnswer, Wanted};
use crate::model::{ChatMessage, ChatOptions, ChatRequest, ChatStream, Completion, Passage, Role};
use crate::route::tenant::{self, Choice};
use crate::route::{self, OwnKeys, RouteCall};
use crate::search::Filter;
use crate::{Error, Result, Services, assistant, metering};

use self::around::Around;
use self::bill::{Billed, Prompt, Reservation};

/// Vector stores that an answer is to come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Grounding {
    /// The stores.
    pub vector_store_ids: Vec<VectorStoreId>,
    /// Passages over all stores, 1..=50.
    pub max_num_results: i64,
    /// Which files may answer.
    pub filter: Option<Filter>,
    /// Passages below this score are not used.
    pub score_threshold: f64,
    /// The model that has the last word on their order.
    pub ranker: Option<String>,
}

/// Passages that somebody else has found for a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The passages, in the order of their numbers.
    pub passages: Vec<Passage>,
    /// Whether the answer is to come from them and nothing else.
    pub sole: bool,
}

/// A conversation to be answered.
#[derive(Debug, Clone)]
pub struct ChatCall {
    /// A route or an assistant.
    pub model: String,
    /// At least one message.
    pub messages: Vec<ChatMessage>,
    /// Sampling and shape.
    pub options: ChatOptions,
    /// Stores that the call itself names.
    pub grounding: Option<Grounding>,
    /// Passages that were found before the call, in place of any stores.
    pub found: Option<Found>,
    /// How old an answer may be that was given to the same call before, if the call says so; zero: it must be new.
    pub cache_ttl: Option<Duration>,
}

/// A call that is ready to be sent to its model.
pub struct PreparedChat {
    choice: Choice,
    request: ChatRequest,
    entered: Entered,
    own_keys: OwnKeys,
    around: Around,
}

/// An answer, and what belongs to it.
pub struct Answer<T> {
    /// The answer.
    pub answer: T,
    /// The passages that it may cite.
    pub passages: Vec<Passage>,
    /// How the tenant's limits stand.
    pub standings: Standings,
    /// Whether it came from the cache, if it may.
    pub cache: Option<CacheStatus>,
}

impl PreparedChat {
    /// Who answers to the model's name for this tenant.
    pub fn choice(&self) -> &Choice {
        &self.choice
    }

    /// The passages that the answer may cite.
    pub fn passages(&self) -> &[Passage] {
        &self.request.passages
    }

    /// Answers in one piece.
    ///
    /// # Errors
    /// [`Error::LimitReached`], [`Error::BudgetExceeded`]; what the model fails with.
    pub async fn complete(self) -> Result<Answer<Completion>> {
        if let Some(hit) = self.around.hit() {
            return self.serve(&hit).await;
        }
        let Begun {
            choice,
            request,
            call,
            metered,
            prompt,
            around,
        } = self.begin().await?;
        let passages = request.passages.clone();
        let standings = metered.standings();
        let answered = route::complete(&choice.route, request, &call);
        let (answer, bill) = bill::open(metered, answered, prompt, &around.decisions).await?;
        let answer = bill.complete(answer, |answer| around.guard(answer));
        let answer = cite::cite(answer, &passages);
        let cache = around.miss();
        around.finish(&answer, &passages);
        Ok(Answer {
            answer,
            passages,
            standings,
            cache,
        })
    }

    /// Answers piece by piece. Dropping the stream cancels the call at the provider.
    ///
    /// # Errors
    /// [`Error::LimitReached`], [`Error::BudgetExceeded`]; what the model fails with before the first piece.
    pub async fn stream(self) -> Result<Answer<ChatStream>> {
        if let Some(hit) = self.around.hit() {
            let Answer {
                passages,
                standings,
                cache,
                ..
            } = self.serve(&hit).await?;
            return Ok(Answer {
                answer: cache::replay(&hit),
                passages,
                standings,
                cache,
            });
        }
        let Begun {
            choice,
            request,
            call,
            metered,
            prompt,
            around,
        } = self.begin().await?;
        let passages = request.passages.clone();
        let standings = metered.standings();
        let answered = route::stream(&choice.route, request, &call);
        let (answer, bill) = bill::open(metered, answered, prompt, &around.decisions).await?;
        let guarded = around.guard_stream(Box::pin(Billed::new(answer, bill)));
        let cited = if passages.is_empty() {
            guarded
        } else {
            cite::cite_stream(guarded, passages.clone())
        };
        let cache = around.miss();
        Ok(Answer {
            answer: around.follow(cited, &passages),
            passages,
            standings,
            cache,
        })
    }

    /// Gives an answer that was given before, at no cost.
    async fn serve(mut self, hit: &CachedAnswer) -> Result<Answer<Completion>> {
        let metered = self.entered.begin(Amounts::default()).await?;
        let standings = metered.standings();
        metered.durable().await?;
        bill::settle_hit(metered, &self.around.decisions);
        self.around.log(&hit.completion);
        Ok(Answer {
            answer: hit.completion.clone(),
            passages: hit.passages.clone(),
            standings,
            cache: Some(CacheStatus::Hit),
        })
    }

    /// Reserves what the call may take, and writes it down.
    async fn begin(self) -> Result<Begun> {
        let Self {
            choice,
            mut request,
            mut entered,
            own_keys,
            around,
        } = self;
        let route = &choice.route;
        let asked = request.options.max_tokens;
        let began = entered.elapsed();
        if entered.has_budgets() && !route.is_free() {
            // What is reserved has to be a bound.
            request.options.max_tokens = Some(route.output_bound(asked));
        }
        let prompt = Prompt::of(&request);
        let prompt_tokens = prompt.measure(route).await?;
        let at = entered.now();
        let reservation = Reservation {
            route,
            prompt: &prompt,
            asked,
            at,
            own_key: own_keys.cover(route),
        };
        let mut metered = match entered.begin(reservation.quick()).await {
            // The quick bound is a high one. What the call really needs may be there.
            Err(Refused::Budget { .. }) => {
                let exact = reservation.exact(&*route.targets[0].counter);
                entered.begin(exact).await
            }
            begun => begun,
        }?;
        metered.passed("reservation", began);
        let call = RouteCall {
            facts: choice.facts.clone(),
            prompt_tokens,
            own_keys,
            ..RouteCall::new(at)
        };
        Ok(Begun {
            choice,
            request,
            call,
            metered,
            prompt,
            around,
        })
    }
}

/// A call that may go on.
struct Begun {
    choice: Choice,
    request: ChatRequest,
    call: RouteCall,
    metered: Metered,
    prompt: Prompt,
    around: Around,
}

/// Finds the model and the passages of a call.
///
/// # Errors
/// [`Error::LimitReached`]; [`Error::NotFound`] for an unknown model or store; [`Error::Invalid`] for an embedding model or values out of range.
pub async fn prepare(
    services: &Services,
    cx: &TenantContext,
    call: ChatCall,
    metered_as: metering::Request,
) -> Result<PreparedChat> {
    let entered = metering::enter(services, cx, &metered_as, &call.model).await?;
    prepare_entered(services, cx, call, metered_as, entered).await
}

/// The same for a call that limits have let in already.
pub(crate) async fn prepare_entered(
    services: &Services,
    cx: &TenantContext,
    call: ChatCall,
    metered_as: metering::Request,
    mut entered: Entered,
) -> Result<PreparedChat> {
    let ChatCall {
        model,
        mut messages,
        mut options,
        mut grounding,
        found,
        cache_ttl,
    } = call;
    if let Some(end_user) = cx.end_user() {
        options.user = Some(end_user.to_owned());
    }
    let began = entered.elapsed();
    let mut around = Around::of(services, cx).await?;
    let mut instructions = None;
    let chat = |choice: &Choice| choice.route.is_chat();
    let mut choice = tenant::find(services, cx, &model).await?.filter(chat);
    if choice.is_none() {
        let mut tx = services.db.tenant(cx).await?;
        let preset = assistant::find_by_name(&mut tx, &model).await?;
        tx.commit().await?;
        let Some(assistant) = preset.and_then(|preset| assistant::within(cx, preset)) else {
            return Err(if services.models.find_embedder(&model).is_some() {
                Error::invalid(
                    "model",
                    format!("'{model}' is an embedding model and cannot chat."),
                )
            } else {
                Error::model_not_found(&model)
            });
        };
        let settings = assistant.settings;
        choice = tenant::find(services, cx, &settings.model).await?.filter(chat);
        instructions = Some(settings.instructions).filter(|text| !text.trim().is_empty());
        if grounding.is_none() && found.is_none() && !settings.vector_store_ids.is_empty() {
            grounding = Some(Grounding {
                vector_store_ids: settings.vector_store_ids,
                max_num_results: i64::from(settings.max_num_results),
                filter: None,
                score_threshold: settings.score_threshold,
                ranker: None,
            });
        }
    }
    let mut choice = choice.ok_or_else(|| Error::model_not_found(&model))?;
    let own_keys = OwnKeys::of(services, cx, &choice.route).await?;
    entered.passed("route", began);
    let began = entered.elapsed();
    // What the caller says is guarded; an assistant's instructions are the tenant's own.
    let mut stays_here = match around.input(&mut messages, &mut options) {
        Ok(stays_here) => stays_here,
        Err(error) => return Err(metering::refuse(&mut entered, error, around.decisions.to_json()).await),
    };
    entered.passed("guardrails", began);
    stays_here |= choice.route.needs_personal_data() && around::speak_of_persons(&messages);
    if let Some(instructions) = instructions {
        messages.insert(0, ChatMessage::text(Role::System, instructions));
    }
    let grounded = grounding.is_some() || found.is_some();
    let sole = found.as_ref().is_none_or(|found| found.sole);
    let mut passages = match (found, grounding) {
        (Some(found), _) => found.passages,
        (None, Some(grounding)) => {
            let began = entered.elapsed();
            let (passages, trace) = ground::retrieve(services, cx, &messages, grounding).await?;
            entered.passed("search", began);
            entered.trace().append(began, trace);
            passages
        }
        (None, None) => Vec::new(),
    };
    match around.passages(&mut passages) {
        Ok(too) => stays_here |= too,
        Err(error) => return Err(metering::refuse(&mut entered, error, around.decisions.to_json()).await),
    }
    let used = passages.iter().filter_map(Passage::used);
    entered.trace().chunks(used);
    choice.facts.personal_data |= stays_here;
    if grounded {
        ground::instruct(&mut messages, &passages, sole);
    }
    let request = ChatRequest {
        model: String::new(),
        messages,
        options,
        passages,
        grounded,
    };
    let wanted = Wanted::choose(cache_ttl, choice.cache_ttl);
    let names = [model.as_str(), &choice.route.name];
    around.ready(services, cx, &metered_as, names, wanted, &request);
    Ok(PreparedChat {
        choice,
        request,
        entered,
        own_keys,
        around,
    })
}

/// Whether whoever answers to the model's name for this tenant, itself or behind an assistant, can call functions.
///
/// # Errors
/// When the database is away.
pub(crate) async fn calls_functions(services: &Services, cx: &TenantContext, model: &str) -> Result<bool> {
    let mut choice = tenant::find(services, cx, model).await?;
    if choice.is_none() {
        let mut tx = services.db.tenant(cx).await?;
        let assistant = assistant::find_by_name(&mut tx, model).await?;
        tx.commit().await?;
        if let Some(assistant) = assistant {
            choice = tenant::find(services, cx, &assistant.settings.model).await?;
        }
    }
    Ok(choice.is_some_and(|choice| choice.route.capabilities.tools))
}
