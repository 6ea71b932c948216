//! A tenant's rules, as they are written and stored.

use serde::{Deserialize, Serialize};

use super::personal::phone;
use super::{Action, Kind, Place};
use crate::{Error, Result};

/// Most rules of one sort.
const MOST_RULES: usize = 50;
/// Most blocked terms of all rules together.
const MOST_TERMS: usize = 2_000;
/// Longest blocked term, in characters. A stream is held back by at most this much.
const LONGEST_TERM: usize = 128;

/// What a tenant wants checked before and after its calls. Without any rule nothing is, at no cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// What happens to personal data.
    pub personal_data: Vec<PersonalDataRule>,
    /// Countries (ISO 3166-1, `IQ`) whose national telephone numbers are known; numbers with a country code always are.
    pub phone_regions: Vec<String>,
    /// What happens to words that the tenant does not want.
    pub blocked_terms: Vec<TermsRule>,
    /// What happens to retrieved passages that give orders.
    pub injection: Option<InjectionRule>,
    /// How long answers may be.
    pub output: OutputLimits,
}

/// What happens to personal data of some kinds in some places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonalDataRule {
    /// Of which kinds; at least one.
    pub kinds: Vec<Kind>,
    /// [`Action::Flag`], [`Action::Redact`], [`Action::Block`] or [`Action::RouteLocal`].
    pub action: Action,
    /// Where; at least one place.
    pub places: Vec<Place>,
}

/// What happens to some terms in some places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermsRule {
    /// What decisions call the rule: letters, digits, `-` and `_`.
    pub name: String,
    /// Words and phrases; they match whole words, in any spelling of case, accents and Arabic letters.
    pub terms: Vec<String>,
    /// [`Action::Flag`], [`Action::Redact`] or [`Action::Block`].
    pub action: Action,
    /// Where; at least one place.
    pub places: Vec<Place>,
}

/// What happens to passages that read like orders to the model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct InjectionRule {
    /// [`Action::Flag`], [`Action::Drop`] or [`Action::Block`].
    pub action: Action,
    /// From which score on, 0..=1.
    pub threshold: f64,
}

/// How long answers may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OutputLimits {
    /// Most tokens to generate: asked of the model where a call asks for more, or for no number.
    pub max_tokens: Option<u32>,
    /// Most characters of an answer's text; what is beyond is cut off.
    pub max_characters: Option<u32>,
}

impl Rules {
    /// Refuses rules that cannot be applied.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names the field.
    pub fn check(&self) -> Result<()> {
        for (field, rules) in [
            ("personal_data", self.personal_data.len()),
            ("blocked_terms", self.blocked_terms.len()),
            ("phone_regions", self.phone_regions.len()),
        ] {
            if rules > MOST_RULES {
                return Err(Error::invalid(
                    field,
                    format!("At most {MOST_RULES} are allowed."),
                ));
            }
        }
        for (n, rule) in self.personal_data.iter().enumerate() {
            rule.check(&format!("personal_data[{n}]"))?;
        }
        for (n, region) in self.phone_regions.iter().enumerate() {
            if phone::region(region).is_none() {
                let message = "Expected the two capital letters of a country, as in 'IQ'.";
                return Err(Error::invalid(format!("phone_regions[{n}]"), message));
            }
        }
        for (n, rule) in self.blocked_terms.iter().enumerate() {
            rule.check(&format!("blocked_terms[{n}]"))?;
        }
        let terms: usize = self.blocked_terms.iter().map(|rule| rule.terms.len()).sum();
        if terms > MOST_TERMS {
            let message = format!("At most {MOST_TERMS} terms are allowed in all rules together.");
            return Err(Error::invalid("blocked_terms", message));
        }
        if let Some(rule) = &self.injection {
            allowed(
                "injection.action",
                rule.action,
                &[Action::Flag, Action::Drop, Action::Block],
            )?;
            if !(0.0..=1.0).contains(&rule.threshold) {
                return Err(Error::invalid("injection.threshold", "Must be between 0 and 1."));
            }
        }
        for (field, limit) in [
            ("output.max_tokens", self.output.max_tokens),
            ("output.max_characters", self.output.max_characters),
        ] {
            if limit == Some(0) {
                return Err(Error::invalid(field, "Must be at least 1."));
            }
        }
        Ok(())
    }
}

impl PersonalDataRule {
    fn check(&self, at: &str) -> Result<()> {
        if self.kinds.is_empty() {
            return Err(Error::invalid(format!("{at}.kinds"), "Name at least one kind."));
        }
        let actions = [Action::Flag, Action::Redact, Action::Block, Action::RouteLocal];
        allowed(&format!("{at}.action"), self.action, &actions)?;
        check_places(at, &self.places)?;
        if self.action == Action::RouteLocal && self.places.contains(&Place::Output) {
            let message = "An answer cannot be routed: 'route_local' is for 'input' and 'passages'.";
            return Err(Error::invalid(format!("{at}.places"), message));
        }
        Ok(())
    }
}

impl TermsRule {
    fn check(&self, at: &str) -> Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !(1..=64).contains(&self.name.len()) || !self.name.chars().all(plain) {
            let message = "Expected 1 to 64 letters, digits, '-' and '_'.";
            return Err(Error::invalid(format!("{at}.name"), message));
        }
        if self.terms.is_empty() {
            return Err(Error::invalid(format!("{at}.terms"), "Name at least one term."));
        }
        for (n, term) in self.terms.iter().enumerate() {
            let field = || format!("{at}.terms[{n}]");
            if term.chars().count() > LONGEST_TERM {
                let message = format!("A term has at most {LONGEST_TERM} characters.");
                return Err(Error::invalid(field(), message));
            }
            if !super::terms::fold(term).contains(char::is_alphanumeric) {
                return Err(Error::invalid(field(), "A term needs a letter or a digit."));
            }
            if term.contains('\0') {
                return Err(Error::invalid(field(), "A term cannot contain a NUL character."));
            }
        }
        allowed(
            &format!("{at}.action"),
            self.action,
            &[Action::Flag, Action::Redact, Action::Block],
        )?;
        check_places(at, &self.places)
    }
}

fn check_places(at: &str, places: &[Place]) -> Result<()> {
    if places.is_empty() {
        return Err(Error::invalid(format!("{at}.places"), "Name at least one place."));
    }
    Ok(())
}

fn allowed(field: &str, action: Action, actions: &[Action]) -> Result<()> {
    if actions.contains(&action) {
        return Ok(());
    }
    let names: Vec<String> = actions
        .iter()
        .map(|action| format!("'{}'", action.as_str()))
        .collect();
    let message = format!(
        "Invalid value for '{field}': '{}'. Supported values are: {}.",
        action.as_str(),
        names.join(", ")
    );
    Err(Error::invalid(field, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(rules: &Rules) -> String {
        match rules.check() {
            Err(Error::Invalid {
                param: Some(param), ..
            }) => param,
            other => panic!("{rules:?} gave {other:?}"),
        }
    }

    fn personal(action: Action, places: &[Place]) -> Rules {
        Rules {
            personal_data: vec![PersonalDataRule {
                kinds: vec![Kind::Email],
                action,
                places: places.to_vec(),
            }],
            ..Rules::default()
        }
    }

    fn terms(terms: &[&str]) -> Rules {
        Rules {
            blocked_terms: vec![TermsRule {
                name: "rivals".into(),
                terms: terms.iter().map(|term| (*term).to_owned()).collect(),
                action: Action::Block,
                places: vec![Place::Input],
            }],
            ..Rules::default()
        }
    }

    #[test]
    fn rules_that_cannot_be_applied_are_refused_at_their_place() {
        assert!(Rules::default().check().is_ok());
        assert!(personal(Action::RouteLocal, &[Place::Input]).check().is_ok());
        assert!(terms(&["Acme & Söhne"]).check().is_ok());
        let local_answer = personal(Action::RouteLocal, &[Place::Output]);
        assert_eq!(refused(&local_answer), "personal_data[0].places");
        assert_eq!(refused(&personal(Action::Block, &[])), "personal_data[0].places");
        assert_eq!(
            refused(&personal(Action::Drop, &[Place::Input])),
            "personal_data[0].action"
        );
        assert_eq!(refused(&terms(&[])), "blocked_terms[0].terms");
        assert_eq!(refused(&terms(&["a", " \u{200b}!"])), "blocked_terms[0].terms[1]");
        assert_eq!(
            refused(&terms(&["x".repeat(129).as_str()])),
            "blocked_terms[0].terms[0]"
        );
        let rules = Rules {
            phone_regions: vec!["IQ".into(), "Iraq".into()],
            ..Rules::default()
        };
        assert_eq!(refused(&rules), "phone_regions[1]");
        let output = OutputLimits {
            max_characters: Some(0),
            ..OutputLimits::default()
        };
        let rules = Rules {
            output,
            ..Rules::default()
        };
        assert_eq!(refused(&rules), "output.max_characters");
        let rules = Rules {
            injection: Some(InjectionRule {
                action: Action::Redact,
                threshold: 0.5,
            }),
            ..Rules::default()
        };
        assert_eq!(refused(&rules), "injection.action");
    }

    #[test]
    fn stored_rules_of_an_older_version_are_read() {
        let rules: Rules = serde_json::from_str(r#"{"output": {"max_tokens": 5}}"#).unwrap();
        assert_eq!(rules.output.max_tokens, Some(5));
    }
}
