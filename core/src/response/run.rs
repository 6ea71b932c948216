//! A response in the making.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::StreamExt;
use insula_tenancy::meter::{Entered, Standings};
use insula_tenancy::{ConversationId, ResponseId, TenantContext, new_uuid};

use super::event::Event;
use super::item::{Item, ItemId};
use super::step::{Sink, Step, Stepped};
use super::tool::SearchTool;
use super::{Before, Failure, Incomplete, Response, ResponseCall, Status, Usage, context, store};
use crate::cache::{CachedAnswer, replay};
use crate::chat::{self, ChatCall, Found, ground};
use crate::model::{ChatMessage, ChatOptions, FinishReason, Role, ToolCall};
use crate::{Error, Result, Services, conversation, metering};

/// A response in the making. Dropping it cancels the call of the model, and nothing is stored.
pub struct Run {
    services: Services,
    cx: TenantContext,
    call: Template,
    input: Vec<Item>,
    before: Option<Before>,
    end_user: Option<String>,
    search: Option<SearchTool>,
    /// Whether the model is offered the search, rather than given what was found for the question.
    offers_search: bool,
    messages: Vec<ChatMessage>,
    metered_as: metering::Request,
    response: Response,
    output: Vec<Option<Item>>,
    usage: Usage,
    began: Instant,
    standings: Standings,
    pending: VecDeque<Event>,
    state: State,
}

/// What all calls of the model have in common.
struct Template {
    model: String,
    options: ChatOptions,
}

enum State {
    Answering(Box<Step>),
    Searching(VecDeque<Planned>),
    Over,
}

/// A search that the model wants.
struct Planned {
    call: ToolCall,
    queries: Vec<String>,
    index: usize,
    id: ItemId,
}

/// Begins a response: by the time that this returns, the model has begun to answer.
///
/// # Errors
/// As for a chat call; [`Error::NotFound`] for an unknown response, conversation, item or vector store.
pub async fn begin(
    services: &Services,
    cx: &TenantContext,
    call: ResponseCall,
    metered_as: metering::Request,
) -> Result<Run> {
    let end_user = cx
        .end_user()
        .or(metered_as.end_user.as_deref())
        .map(str::to_owned);
    let mut tx = services.db.tenant(cx).await?;
    let mut known = match call.before {
        Some(Before::Response(id)) => {
            super::get(&mut tx, cx, id)
                .await
                .map_err(|error| named("previous_response_id", error))?;
            store::chain(&mut tx, id).await?
        }
        Some(Before::Conversation(id)) => conversation::items(&mut tx, cx, id)
            .await
            .map_err(|error| named("conversation", error))?,
        None => Vec::new(),
    };
    let input = store::resolve(&mut tx, cx, call.input).await?;
    let never_stored = conversation::retention(&mut tx).await?.responses == Some(0);
    tx.commit().await?;
    known.extend(input.iter().cloned());
    let mut messages = context::messages(&known)?;
    if let Some(instructions) = &call.instructions {
        messages.insert(0, ChatMessage::text(Role::System, instructions.clone()));
    }

    let search = call
        .file_search
        .map(|settings| SearchTool::new(settings, &call.options.tools, call.max_tool_calls));
    let offers_search = match &search {
        Some(search) => !search.forced() && chat::calls_functions(services, cx, &call.model).await?,
        None => false,
    };
    let entered = metering::enter(services, cx, &metered_as, &call.model).await?;
    let now = entered.now();
    let mut run = Run {
        services: services.clone(),
        cx: cx.clone(),
        call: Template {
            model: call.model.clone(),
            options: call.options,
        },
        input,
        before: call.before,
        end_user,
        search,
        offers_search,
        messages,
        metered_as,
        response: Response {
            id: ResponseId::generate(),
            created_at: now.timestamp(),
            completed_at: None,
            status: Status::InProgress,
            model: call.model,
            output: Vec::new(),
            error: None,
            incomplete: None,
            usage: None,
            previous_response_id: match call.before {
                Some(Before::Response(id)) => Some(id),
                _ => None,
            },
            conversation_id: conversation_of(call.before),
            metadata: call.metadata,
            // Nobody could ever see what a nameless bearer of a token had stored.
            store: call.store && !never_stored && (cx.narrowing().is_none() || cx.end_user().is_some()),
            asked: call.asked,
        },
        output: Vec::new(),
        usage: Usage::default(),
        began: Instant::now(),
        standings: Standings::default(),
        pending: VecDeque::new(),
        state: State::Over,
    };
    run.search_for_the_question().await?;
    run.ask(entered).await?;
    Ok(run)
}

fn conversation_of(before: Option<Before>) -> Option<ConversationId> {
    match before {
        Some(Before::Conversation(id)) => Some(id),
        _ => None,
    }
}

/// An unknown object that a field of the body names.
fn named(param: &str, error: Error) -> Error {
    match error {
        Error::NotFound { message, code, .. } => Error::NotFound {
            message,
            param: Some(param.to_owned()),
            code,
        },
        other => other,
    }
}

impl Run {
    /// The response as it is at its beginning.
    pub fn head(&self) -> &Response {
        &self.response
    }

    /// How the tenant's limits stand.
    pub fn standings(&self) -> Standings {
        self.standings
    }

    /// What happens next; `None` after the end.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            if let Err(error) = self.advance().await? {
                self.fail(&error).await;
            }
        }
    }

    /// The whole response.
    ///
    /// # Errors
    /// What the model, or a search, fails with.
    pub async fn complete(mut self) -> Result<Response> {
        loop {
            while let Some(event) = self.pending.pop_front() {
                if let Event::Finished(response) = event {
                    return Ok(*response);
                }
            }
            match self.advance().await {
                Some(done) => done?,
                None => return Err(Error::internal("a response ended without an end")),
            }
        }
    }

    async fn advance(&mut self) -> Option<Result<()>> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Over => None,
            State::Answering(mut step) => Some(match step.events.next().await {
                Some(Ok(event)) => {
                    let (_, mut sink) = self.parts();
                    step.take(event, &mut sink);
                    self.state = State::Answering(step);
                    Ok(())
                }
                Some(Err(error)) => {
                    let (_, mut sink) = self.parts();
                    let stepped = step.finish(&mut sink);
                    self.usage.add(stepped.usage);
                    Err(error)
                }
                None => {
                    let (_, mut sink) = self.parts();
                    let stepped = step.finish(&mut sink);
                    self.usage.add(stepped.usage);
                    self.after(stepped).await
                }
            }),
            State::Searching(mut planned) => Some(match planned.pop_front() {
                Some(next) => {
                    self.state = State::Searching(planned);
                    self.search(next).await
                }
                None => self.ask_again().await,
            }),
        }
    }

    fn parts(&mut self) -> (&mut Vec<ChatMessage>, Sink<'_>) {
        let sink = Sink {
            events: &mut self.pending,
            output: &mut self.output,
        };
        (&mut self.messages, sink)
    }

    /// Where the search is not offered to the model, it is made for what the user asks.
    async fn search_for_the_question(&mut self) -> Result<()> {
        if self.offers_search {
            return Ok(());
        }
        let Some(search) = &mut self.search else {
            return Ok(());
        };
        if !search.is_left() {
            return Ok(());
        }
        let Some(question) = ground::question(&self.messages) else {
            return Err(Error::invalid(
                "input",
                "A search of files needs a user message with text.",
            ));
        };
        let queries = vec![question.replace('\0', " ")];
        let found = search.search(&self.services, &self.cx, &queries).await?;
        let (_, mut sink) = self.parts();
        let (index, id) = sink.begin_search();
        sink.end_search(index, id, queries, found.results);
        Ok(())
    }

    /// Asks the model.
    async fn ask(&mut self, entered: Entered) -> Result<()> {
        let mut options = self.call.options.clone();
        let mut found = None;
        let mut name = None;
        if let Some(search) = &self.search {
            let sole = !self.offers_search && options.tools.is_empty();
            if !self.offers_search || !search.passages.is_empty() {
                let passages = search.passages.clone();
                found = Some(Found { passages, sole });
            }
            if self.offers_search && search.is_left() {
                options.tools.push(search.function());
                name = Some(search.name);
            }
        }
        if options.tools.is_empty() {
            options.tool_choice = None;
            options.parallel_tool_calls = None;
        }
        let call = ChatCall {
            model: self.call.model.clone(),
            messages: self.messages.clone(),
            options,
            grounding: None,
            found,
            cache_ttl: None,
        };
        let prepared =
            chat::prepare_entered(&self.services, &self.cx, call, self.metered_as.clone(), entered).await?;
        let (events, passages) = if self.metered_as.streamed {
            let answer = prepared.stream().await?;
            self.standings = answer.standings;
            (answer.answer, answer.passages)
        } else {
            let answer = prepared.complete().await?;
            self.standings = answer.standings;
            let whole = CachedAnswer {
                completion: answer.answer,
                passages: answer.passages,
            };
            (replay(&whole), whole.passages)
        };
        self.state = State::Answering(Box::new(Step::new(events, passages, name)));
        Ok(())
    }

    async fn ask_again(&mut self) -> Result<()> {
        // It was made to call something, and has.
        if self
            .call
            .options
            .tool_choice
            .as_ref()
            .is_some_and(|choice| choice == "required")
        {
            self.call.options.tool_choice = None;
        }
        // Each call is an event of its own on the ledger.
        self.metered_as.id = new_uuid();
        let entered = metering::enter(&self.services, &self.cx, &self.metered_as, &self.call.model).await?;
        self.ask(entered).await
    }

    /// After a call of the model: search and ask again, or end.
    async fn after(&mut self, stepped: Stepped) -> Result<()> {
        let Some(reason) = stepped.finish else {
            return Err(Error::Upstream {
                message: "The model's answer broke off.".into(),
                status: None,
                retry_after: None,
            });
        };
        // Functions are run by the client, who comes back with what they answered; until then there is nobody to tell what a
        // search found.
        if stepped.searches.is_empty() || stepped.calls_functions {
            return self.finish(reason).await;
        }
        let said = Some(stepped.said).filter(|said| !said.is_empty());
        self.messages.push(ChatMessage {
            content: said,
            tool_calls: stepped.searches.clone(),
            ..ChatMessage::text(Role::Assistant, "")
        });
        let mut planned = VecDeque::new();
        for call in stepped.searches {
            let queries = SearchTool::queries(&call.arguments);
            let left = self.search.as_ref().is_some_and(SearchTool::is_left);
            if queries.is_empty() || !left || planned.len() >= self.searches_left() {
                let told = if queries.is_empty() {
                    "The search was not made: give 'queries', an array of texts."
                } else {
                    "The search was not made: no more searches are allowed. Answer with what you have."
                };
                self.tell(&call, told);
                continue;
            }
            let (_, mut sink) = self.parts();
            let (index, id) = sink.begin_search();
            planned.push_back(Planned {
                call,
                queries,
                index,
                id,
            });
        }
        if planned.is_empty()
            && let Some(search) = &mut self.search
        {
            // A model that keeps calling in vain comes to an end too.
            search.wasted();
        }
        self.state = State::Searching(planned);
        Ok(())
    }

    fn searches_left(&self) -> usize {
        self.search.as_ref().map_or(0, |search| search.left() as usize)
    }

    async fn search(&mut self, planned: Planned) -> Result<()> {
        let Planned {
            call,
            queries,
            index,
            id,
        } = planned;
        let Some(search) = &mut self.search else {
            return Err(Error::internal("a search was planned for a response without one"));
        };
        let found = search.search(&self.services, &self.cx, &queries).await?;
        self.tell(&call, &found.told);
        let (_, mut sink) = self.parts();
        sink.end_search(index, id, queries, found.results);
        Ok(())
    }

    /// Tells the model what became of its call.
    fn tell(&mut self, call: &ToolCall, told: &str) {
        self.messages.push(ChatMessage {
            tool_call_id: Some(call.id.clone()),
            ..ChatMessage::text(Role::Tool, told)
        });
    }

    async fn finish(&mut self, reason: FinishReason) -> Result<()> {
        self.response.incomplete = match reason {
            FinishReason::Stop | FinishReason::ToolCalls => None,
            FinishReason::Length => Some(Incomplete::MaxOutputTokens),
            FinishReason::ContentFilter => Some(Incomplete::ContentFilter),
        };
        self.response.status = match self.response.incomplete {
            None => Status::Completed,
            Some(_) => Status::Incomplete,
        };
        self.response.completed_at = match self.response.status {
            Status::Completed => Some(self.now()),
            _ => None,
        };
        self.close().await
    }

    /// Stores the response, and announces its end.
    async fn close(&mut self) -> Result<()> {
        self.response.usage = Some(self.usage);
        self.response.output = self.output.iter().flatten().cloned().collect();
        if self.response.store || self.before.is_some() {
            let mut tx = self.services.db.tenant(&self.cx).await?;
            let end_user = self.end_user.as_deref();
            store::insert(&mut tx, &self.response, self.before, end_user, &self.input).await?;
            conversation::ensure_housekeeping(&mut tx).await?;
            tx.commit().await?;
        }
        self.state = State::Over;
        self.pending
            .push_back(Event::Finished(Box::new(self.response.clone())));
        Ok(())
    }

    /// Ends a response that cannot go on. What there is of it is stored, unless that is what failed.
    async fn fail(&mut self, error: &Error) {
        tracing::warn!(%error, response = %self.response.id, "a response failed");
        let code = match error {
            Error::LimitReached { .. } | Error::BudgetExceeded(_) => "rate_limit_exceeded",
            _ => "server_error",
        };
        self.response.status = Status::Failed;
        self.response.completed_at = None;
        self.response.incomplete = None;
        self.response.error = Some(Failure {
            code: code.to_owned(),
            message: match error {
                Error::Internal(_) => "The server failed to make this response.".to_owned(),
                said => said.to_string(),
            },
        });
        // A conversation goes on from what was said, not from what broke off.
        self.before = self.before.filter(|before| matches!(before, Before::Response(_)));
        if let Err(error) = self.close().await {
            tracing::warn!(%error, response = %self.response.id, "a failed response was not stored");
            self.state = State::Over;
            self.pending
                .push_back(Event::Finished(Box::new(self.response.clone())));
        }
    }

    /// Unix seconds.
    fn now(&self) -> i64 {
        let began = DateTime::<Utc>::from_timestamp(self.response.created_at, 0).unwrap_or_default();
        let elapsed = self.began.elapsed().min(Duration::from_secs(86_400));
        (began + elapsed).timestamp()
    }
}
