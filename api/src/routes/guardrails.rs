//! `/v1/insula/guardrails`: what may be sent to models, and what they may answer.

use axum::extract::State;
use insula_core::Error;
use insula_core::guard::{
    self, Action, InjectionRule, Kind, OutputLimits, PersonalDataRule, Place, Rules, TermsRule,
};
use insula_tenancy::scope_types::{GuardrailsRead, GuardrailsWrite};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{ApiResult, Caller, Json};

/// A tenant's rules. They hold for chat, completions and embeddings; what they did is in each call's usage event.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = GuardrailsRules)]
#[serde(default)]
pub struct RulesObject {
    /// What happens to personal data.
    pub personal_data: Vec<PersonalDataObject>,
    /// Countries (ISO 3166-1, `IQ`) whose telephone numbers are known without a country code. With one, all are.
    pub phone_regions: Vec<String>,
    /// What happens to words that are not wanted.
    pub blocked_terms: Vec<TermsObject>,
    /// What happens to retrieved passages that try to give the model orders.
    pub injection: Option<InjectionObject>,
    /// How long answers may be.
    pub output: OutputObject,
}

/// What happens to personal data.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GuardrailsPersonalData)]
pub struct PersonalDataObject {
    /// Of which kinds; all if absent.
    #[serde(default = "all_kinds")]
    pub kinds: Vec<KindName>,
    /// What happens to it.
    pub action: PersonalDataAction,
    /// Where; `input` and `output` if absent, or `input` and `passages` to route locally.
    pub places: Option<Vec<PlaceName>>,
}

/// What happens to some words.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GuardrailsTerms)]
pub struct TermsObject {
    /// What usage events call the rule: letters, digits, `-` and `_`.
    #[schema(example = "rivals", max_length = 64)]
    pub name: String,
    /// Words and phrases of up to 128 characters. They match whole words, whatever their case, accents, and spelling of
    /// Arabic letters; Arabic particles may be joined to them.
    #[schema(min_items = 1)]
    pub terms: Vec<String>,
    /// What happens to them.
    pub action: TermsAction,
    /// Where; `input` and `output` if absent.
    pub places: Option<Vec<PlaceName>>,
}

/// What happens to passages that try to give orders.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GuardrailsInjection)]
pub struct InjectionObject {
    /// What happens to them.
    pub action: InjectionAction,
    /// From which score on. One sure sign gives 0.9, several weak ones add up.
    #[serde(default = "half")]
    #[schema(minimum = 0, maximum = 1, default = 0.5)]
    pub threshold: f64,
}

/// How long answers may be.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = GuardrailsOutput)]
#[serde(default)]
pub struct OutputObject {
    /// Most tokens that are asked of a model, whatever the call asks for.
    #[schema(minimum = 1)]
    pub max_tokens: Option<u32>,
    /// Most characters of an answer; what is beyond is cut off, with the finish reason `length`.
    #[schema(minimum = 1)]
    pub max_characters: Option<u32>,
}

/// A kind of personal data.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = GuardrailsKind)]
pub enum KindName {
    /// E-mail addresses.
    Email,
    /// Telephone numbers.
    Phone,
    /// International bank account numbers.
    Iban,
    /// Numbers of payment cards.
    PaymentCard,
    /// Addresses of the Internet Protocol.
    IpAddress,
    /// Numbers of identity documents.
    NationalId,
}

/// Where a rule looks.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = GuardrailsPlace)]
pub enum PlaceName {
    /// What the caller sends.
    Input,
    /// What is retrieved from documents.
    Passages,
    /// What the model answers.
    Output,
}

/// What happens to personal data.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = GuardrailsPersonalDataAction)]
pub enum PersonalDataAction {
    /// Nothing, but the usage event tells.
    Flag,
    /// A placeholder such as `[EMAIL]` takes its place; in passages, a mask of the same length.
    Redact,
    /// The call is refused, or the answer ends.
    Block,
    /// Only models on the operator's own machines answer.
    RouteLocal,
}

/// What happens to words that are not wanted.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = GuardrailsTermsAction)]
pub enum TermsAction {
    /// Nothing, but the usage event tells.
    Flag,
    /// `[REDACTED]` takes their place.
    Redact,
    /// The call is refused, or the answer ends.
    Block,
}

/// What happens to passages that try to give orders.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = GuardrailsInjectionAction)]
pub enum InjectionAction {
    /// Nothing, but the usage event tells.
    Flag,
    /// The passage is left out.
    Drop,
    /// The call is refused.
    Block,
}

fn all_kinds() -> Vec<KindName> {
    use KindName::{Email, Iban, IpAddress, NationalId, PaymentCard, Phone};
    vec![Email, Phone, Iban, PaymentCard, IpAddress, NationalId]
}

fn half() -> f64 {
    0.5
}

impl From<KindName> for Kind {
    fn from(name: KindName) -> Self {
        match name {
            KindName::Email => Self::Email,
            KindName::Phone => Self::Phone,
            KindName::Iban => Self::Iban,
            KindName::PaymentCard => Self::PaymentCard,
            KindName::IpAddress => Self::IpAddress,
            KindName::NationalId => Self::NationalId,
        }
    }
}

impl From<PlaceName> for Place {
    fn from(name: PlaceName) -> Self {
        match name {
            PlaceName::Input => Self::Input,
            PlaceName::Passages => Self::Passages,
            PlaceName::Output => Self::Output,
        }
    }
}

impl From<PersonalDataAction> for Action {
    fn from(name: PersonalDataAction) -> Self {
        match name {
            PersonalDataAction::Flag => Self::Flag,
            PersonalDataAction::Redact => Self::Redact,
            PersonalDataAction::Block => Self::Block,
            PersonalDataAction::RouteLocal => Self::RouteLocal,
        }
    }
}

impl From<TermsAction> for Action {
    fn from(name: TermsAction) -> Self {
        match name {
            TermsAction::Flag => Self::Flag,
            TermsAction::Redact => Self::Redact,
            TermsAction::Block => Self::Block,
        }
    }
}

impl From<InjectionAction> for Action {
    fn from(name: InjectionAction) -> Self {
        match name {
            InjectionAction::Flag => Self::Flag,
            InjectionAction::Drop => Self::Drop,
            InjectionAction::Block => Self::Block,
        }
    }
}

fn places(named: Option<Vec<PlaceName>>, otherwise: [Place; 2]) -> Vec<Place> {
    named.map_or(otherwise.to_vec(), |named| {
        named.into_iter().map(Into::into).collect()
    })
}

impl From<RulesObject> for Rules {
    fn from(rules: RulesObject) -> Self {
        let both = [Place::Input, Place::Output];
        let personal_data = rules.personal_data.into_iter().map(|rule| {
            let action = Action::from(rule.action);
            let otherwise = match action {
                Action::RouteLocal => [Place::Input, Place::Passages],
                _ => both,
            };
            PersonalDataRule {
                kinds: rule.kinds.into_iter().map(Into::into).collect(),
                action,
                places: places(rule.places, otherwise),
            }
        });
        let blocked_terms = rules.blocked_terms.into_iter().map(|rule| TermsRule {
            name: rule.name,
            terms: rule.terms,
            action: rule.action.into(),
            places: places(rule.places, both),
        });
        Self {
            personal_data: personal_data.collect(),
            phone_regions: rules.phone_regions,
            blocked_terms: blocked_terms.collect(),
            injection: rules.injection.map(|rule| InjectionRule {
                action: rule.action.into(),
                threshold: rule.threshold,
            }),
            output: OutputLimits {
                max_tokens: rules.output.max_tokens,
                max_characters: rules.output.max_characters,
            },
        }
    }
}

/// A tenant's rules, as they are applied.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Guardrails)]
pub struct GuardrailsObject {
    /// `insula.guardrails`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The rules.
    #[serde(flatten)]
    pub rules: RulesObject,
}

impl GuardrailsObject {
    /// The rules on the wire, where they are written as they are stored.
    pub(super) fn new(rules: &Rules) -> Result<Self, Error> {
        let written = serde_json::to_value(rules).map_err(Error::internal)?;
        Ok(Self {
            object: "insula.guardrails",
            rules: serde_json::from_value(written).map_err(Error::internal)?,
        })
    }
}

/// Tells the tenant's guardrails.
#[utoipa::path(
    get, path = "/v1/insula/guardrails", operation_id = "get_guardrails", tag = "guardrails",
    responses((status = OK, body = GuardrailsObject))
)]
pub async fn get_guardrails(
    caller: Caller<GuardrailsRead>,
    State(app): State<App>,
) -> ApiResult<Json<GuardrailsObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let rules = guard::get(&mut tx).await?;
    Ok(Json(GuardrailsObject::new(&rules)?))
}

/// Sets the tenant's guardrails, all of them at once.
///
/// They hold from the next second on for every chat, completion and embedding, whatever key it is called with. A rule that
/// is not in the body is gone; an empty object removes all. What is blocked is refused with the code
/// `content_policy_violation`, or ends an answer with the finish reason `content_filter`.
#[utoipa::path(
    put, path = "/v1/insula/guardrails", operation_id = "update_guardrails", tag = "guardrails",
    request_body = RulesObject, responses((status = OK, body = GuardrailsObject))
)]
pub async fn update_guardrails(
    caller: Caller<GuardrailsWrite>,
    State(app): State<App>,
    Json(request): Json<RulesObject>,
) -> ApiResult<Json<GuardrailsObject>> {
    let rules = Rules::from(request);
    let object = GuardrailsObject::new(&rules)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    guard::set(&mut tx, rules).await?;
    tx.commit().await?;
    app.services.policies.forget(&caller).await;
    Ok(Json(object))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_left_out_is_filled_in_and_shown() {
        let request: RulesObject = serde_json::from_value(json!({
            "personal_data": [{"action": "redact"}, {"kinds": ["phone"], "action": "route_local"}],
            "injection": {"action": "drop"},
        }))
        .unwrap();
        let rules = Rules::from(request);
        assert_eq!(rules.personal_data[0].kinds.len(), Kind::ALL.len());
        assert_eq!(rules.personal_data[1].places, [Place::Input, Place::Passages]);
        let shown = serde_json::to_value(GuardrailsObject::new(&rules).unwrap()).unwrap();
        assert_eq!(shown["object"], "insula.guardrails");
        assert_eq!(shown["personal_data"][0]["places"], json!(["input", "output"]));
        assert_eq!(shown["injection"], json!({"action": "drop", "threshold": 0.5}));
        assert_eq!(
            shown["output"],
            json!({"max_tokens": null, "max_characters": null})
        );
    }
}
