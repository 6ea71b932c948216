//! What an answer is charged: the provider's own count of tokens where it gives one, else ours.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{Stream, join};
use insula_tenancy::Money;
use insula_tenancy::meter::{Amounts, Metered};
use insula_tenancy::usage::{Outcome, Tokens, Trace};

use crate::guard::Decisions;
use crate::model::{ChatEvent, ChatMessage, ChatRequest, ChatStream, Completion, TokenCounter, TokenUsage};
use crate::route::{Answered, Attempt, Failed, Price, Route, Taken};
use crate::{Error, Result, metering};

/// Tokens that a message has besides its text: who speaks, where it begins and ends.
const PER_MESSAGE: u64 = 4;

/// Tokens that an image has, where nobody says: about what the larger providers count for one of a megapixel.
const PER_IMAGE: u64 = 1_000;
/// More tokens than any provider counts for an image.
const MOST_PER_IMAGE: u64 = 20_000;

/// The text of a prompt, for counting.
pub(super) struct Prompt {
    text: String,
    messages: u64,
    images: u64,
}

impl Prompt {
    /// Everything of the request that the model reads.
    pub(super) fn of(request: &ChatRequest) -> Self {
        let mut text = String::with_capacity(request.messages.iter().map(length).sum());
        for message in &request.messages {
            text.push_str(message.content.as_deref().unwrap_or_default());
            for call in &message.tool_calls {
                text.push_str(&call.name);
                text.push_str(&call.arguments);
            }
        }
        for tool in &request.options.tools {
            text.push_str(&tool.to_string());
        }
        if let Some(format) = &request.options.response_format {
            text.push_str(&format.to_string());
        }
        Self {
            text,
            messages: request.messages.len() as u64,
            images: request
                .messages
                .iter()
                .map(|message| message.images.len() as u64)
                .sum(),
        }
    }

    /// Roughly how many tokens there are.
    pub(super) fn roughly(&self) -> u64 {
        metering::roughly(self.text.len()) + PER_MESSAGE * self.messages + PER_IMAGE * self.images
    }

    /// More tokens than there are: none is shorter than a byte.
    fn at_most(&self) -> u64 {
        self.text.len() as u64 + 2 * PER_MESSAGE * (self.messages + 1) + MOST_PER_IMAGE * self.images
    }

    /// How many tokens there are, where they may be too many for a model's window. A prompt that surely fits is not counted: no
    /// language needs a token for every other byte.
    pub(super) async fn measure(&self, route: &Route) -> Result<Option<u64>> {
        let window = route.context_window.map(u64::from);
        if window.is_none_or(|window| self.text.len() as u64 / 2 < window) {
            return Ok(None);
        }
        let (text, counter) = (self.text.clone(), Arc::clone(&route.targets[0].counter));
        let counted = tokio::task::spawn_blocking(move || counter.count(&text) as u64);
        let tokens = counted.await.map_err(Error::internal)?;
        Ok(Some(tokens + PER_MESSAGE * self.messages))
    }

    /// How many tokens there are, by the model's tokenizer; images by rule of thumb.
    fn count(&self, counter: &dyn TokenCounter) -> u64 {
        counter.count(&self.text) as u64 + PER_MESSAGE * self.messages + PER_IMAGE * self.images
    }
}

fn length(message: &ChatMessage) -> usize {
    message.content.as_deref().map_or(0, str::len)
}

/// What is reserved for a call: by the length of its prompt, which is quick, or by counting, which is exact.
pub(super) struct Reservation<'a> {
    pub(super) route: &'a Route,
    pub(super) prompt: &'a Prompt,
    /// Most tokens that the caller asks for.
    pub(super) asked: Option<u32>,
    pub(super) at: chrono::DateTime<chrono::Utc>,
    /// Whether the tenant pays the provider itself.
    pub(super) own_key: bool,
}

impl Reservation<'_> {
    pub(super) fn quick(&self) -> Amounts {
        self.amounts(self.prompt.at_most())
    }

    pub(super) fn exact(&self, counter: &dyn TokenCounter) -> Amounts {
        // Providers frame messages in their own way.
        let framing = PER_MESSAGE * (self.prompt.messages + 1);
        let images = (MOST_PER_IMAGE - PER_IMAGE) * self.prompt.images;
        self.amounts(self.prompt.count(counter) + framing + images)
    }

    fn amounts(&self, input: u64) -> Amounts {
        let output = u64::from(self.route.output_bound(self.asked));
        let roughly = self.prompt.roughly();
        let mut amounts = Amounts {
            tokens: Tokens {
                input: roughly,
                output: self.asked.map_or(0, u64::from),
                ..Tokens::default()
            },
            ..Amounts::default()
        };
        if !self.own_key && !self.route.is_free() {
            amounts.cost = self.route.ceiling(input, output, self.at);
            amounts.least_cost = self.route.ceiling(roughly, 0, self.at);
        }
        amounts
    }
}

/// An answer under way, and what it is charged when it is over.
pub(super) struct Bill {
    metered: Metered,
    price: Price,
    counter: Arc<dyn TokenCounter>,
    prompt: Prompt,
    decisions: Decisions,
    /// What was produced, as long as nobody has said how many tokens that is.
    produced: String,
    usage: Option<TokenUsage>,
    finished: bool,
    /// When the answer, or the first piece of it, was there.
    answered: Duration,
    streams: bool,
}

impl Bill {
    /// Opens the bill of a call that is being answered.
    fn open(mut metered: Metered, taken: &Taken, prompt: Prompt, decisions: Decisions) -> Self {
        let attempts = u16::try_from(taken.attempts.len()).unwrap_or(u16::MAX);
        metered.note(|details| {
            details.provider = Some(taken.provider.to_string());
            details.upstream_model = Some(taken.upstream_model.to_string());
            details.attempts = attempts;
            note_attempts(&mut details.trace, &taken.attempts);
        });
        Self {
            answered: metered.elapsed(),
            streams: false,
            metered,
            price: taken.price,
            counter: Arc::clone(&taken.counter),
            prompt,
            decisions,
            produced: String::new(),
            usage: None,
            finished: false,
        }
    }

    /// What the call took: as the provider says, or as it is counted here.
    fn usage(&self) -> TokenUsage {
        self.usage.unwrap_or_else(|| TokenUsage {
            prompt_tokens: self.prompt.count(&*self.counter),
            completion_tokens: self.counter.count(&self.produced) as u64,
            ..TokenUsage::default()
        })
    }

    /// Settles.
    fn end(mut self, outcome: Outcome, error: Option<String>) {
        if self.streams {
            self.metered.passed("stream", self.answered);
        }
        let usage = self.usage();
        let (price, counted) = (self.price, self.usage.is_none());
        let decisions = self.decisions.to_json();
        self.metered.end(|details| {
            details.decisions = decisions;
            details.outcome = outcome;
            details.error = error;
            details.tokens = usage.into();
            details.cost = price.cost(&usage);
            details.estimated = counted;
        });
    }

    /// Settles an answer in one piece, and completes what it says about itself. What was produced is charged, whatever
    /// `guard` then lets through.
    pub(super) fn complete(
        mut self,
        mut completion: Completion,
        guard: impl FnOnce(Completion) -> Completion,
    ) -> Completion {
        self.usage = completion.usage;
        if self.usage.is_none() {
            self.produced = completion.content.clone().unwrap_or_default();
            for call in &completion.tool_calls {
                self.produced.push_str(&call.name);
                self.produced.push_str(&call.arguments);
            }
        }
        completion.usage = Some(self.usage());
        let guarded = guard(completion);
        self.metered.passed("guardrails", self.answered);
        self.end(Outcome::Completed, None);
        guarded
    }

    fn note(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::Content(text) | ChatEvent::Refusal(text) => self.produced.push_str(text),
            ChatEvent::ToolCalls(calls) => {
                for call in calls {
                    self.produced.push_str(call.name.as_deref().unwrap_or_default());
                    self.produced.push_str(&call.arguments);
                }
            }
            ChatEvent::Usage(usage) => {
                self.usage = Some(*usage);
                return;
            }
            ChatEvent::Finish(_) => {
                self.finished = true;
                return;
            }
            ChatEvent::Citations(_) => return,
        }
        let elapsed = self.metered.elapsed();
        let (input, output) = (self.prompt.roughly(), metering::roughly(self.produced.len()));
        let price = self.price;
        self.metered.note(|details| {
            if details.first_token_us.is_none() {
                details.first_token_us = u64::try_from(elapsed.as_micros()).ok();
            }
            details.tokens.input = input;
            details.tokens.output = output;
            details.cost = price.cost(&TokenUsage {
                prompt_tokens: input,
                completion_tokens: output,
                ..TokenUsage::default()
            });
        });
    }
}

/// A stream whose bill is settled when it ends, fails, or is dropped.
pub(super) struct Billed {
    events: ChatStream,
    /// Taken when it is settled.
    bill: Option<Bill>,
    over: bool,
}

impl Billed {
    pub(super) fn new(events: ChatStream, bill: Bill) -> Self {
        let bill = Bill {
            streams: true,
            ..bill
        };
        Self {
            events,
            bill: Some(bill),
            over: false,
        }
    }
}

impl Stream for Billed {
    type Item = Result<ChatEvent>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let next = ready!(self.events.as_mut().poll_next(context));
        self.over = next.is_none();
        match &next {
            Some(Ok(event)) => {
                if let Some(bill) = &mut self.bill {
                    bill.note(event);
                }
            }
            Some(Err(error)) => {
                if let Some(bill) = self.bill.take() {
                    bill.end(Outcome::Failed, Some(error.name()));
                }
            }
            None => {
                if let Some(bill) = self.bill.take() {
                    let counted = bill.usage.is_none().then(|| bill.usage());
                    bill.end(Outcome::Completed, None);
                    // The caller may have asked for what the provider does not tell.
                    if let Some(usage) = counted {
                        return Poll::Ready(Some(Ok(ChatEvent::Usage(usage))));
                    }
                }
            }
        }
        Poll::Ready(next)
    }
}

impl Drop for Billed {
    /// The caller left, or guardrails had enough: what was produced until then is charged.
    fn drop(&mut self) {
        if let Some(bill) = self.bill.take() {
            // An answer that guardrails have ended is as whole as it will be.
            let whole = bill.finished || bill.decisions.have_ended_the_answer();
            bill.end(
                if whole {
                    Outcome::Completed
                } else {
                    Outcome::Cancelled
                },
                None,
            );
        }
    }
}

/// Waits for the answer, and meanwhile for its event to be safe; then opens the bill of whoever gave it.
///
/// # Errors
/// What nobody could answer is settled as failed.
pub(super) async fn open<T>(
    mut metered: Metered,
    answered: impl Future<Output = Result<Answered<T>, Failed>>,
    prompt: Prompt,
    decisions: &Decisions,
) -> Result<(T, Bill)> {
    let began = metered.elapsed();
    let (answered, durable) = join!(answered, metered.durable());
    metered.passed("model", began);
    match answered {
        Ok(Answered { answer, taken }) => {
            durable?;
            Ok((answer, Bill::open(metered, &taken, prompt, decisions.clone())))
        }
        Err(failed) => {
            metered.note(|details| note_attempts(&mut details.trace, &failed.attempts));
            metering::fail(metered, &failed.error, failed.attempts.len());
            Err(failed.error)
        }
    }
}

fn note_attempts(trace: &mut Trace, attempts: &[Attempt]) {
    for attempt in attempts {
        trace.attempt(attempt);
    }
}

/// Settles a call that was answered from the cache: nothing was read or written for it.
pub(super) fn settle_hit(metered: Metered, decisions: &Decisions) {
    let decisions = decisions.to_json();
    metered.end(|details| {
        details.outcome = Outcome::Completed;
        details.cache_hit = true;
        details.estimated = false;
        details.tokens = Tokens::default();
        details.cost = Money::ZERO;
        details.decisions = decisions;
    });
}
