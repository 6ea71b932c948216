//! A tenant's rules, ready to be applied.

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::rules::{InjectionRule, OutputLimits, Rules};
use super::terms::Terms;
use super::{Action, Decisions, Kind, Place, personal};
use crate::text::fold::Folded;
use crate::{Error, Result};

/// Compiled [`Rules`].
#[derive(Debug)]
pub struct Policy {
    rules: Rules,
    regions: Vec<personal::phone::Region>,
    /// One per rule of terms, with what decisions call it.
    terms: Vec<(String, Terms)>,
    fingerprint: [u8; 32],
}

/// What to do with a text.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Parts to be replaced, in order and apart from each other, each with what takes its place.
    pub(super) redactions: Vec<(Range<usize>, &'static str)>,
    /// Whether the call is to be answered by a local model.
    pub(super) route_local: bool,
    /// What was found of what is blocked, in words for the caller.
    pub(super) blocked: Option<&'static str>,
}

/// What was found by a rule.
struct Found<'a> {
    rule: &'a str,
    what: &'static str,
    placeholder: &'static str,
    range: Range<usize>,
    action: Action,
}

impl Policy {
    /// Makes rules ready.
    ///
    /// # Errors
    /// As [`Rules::check`].
    pub fn compile(rules: Rules) -> Result<Self> {
        rules.check()?;
        let regions = rules
            .phone_regions
            .iter()
            .filter_map(|code| personal::phone::region(code))
            .collect();
        let terms = rules.blocked_terms.iter().map(|rule| {
            let name = format!("blocked_terms.{}", rule.name);
            Terms::compile(&rule.terms).map(|terms| (name, terms))
        });
        let written = serde_json::to_vec(&rules).map_err(Error::internal)?;
        Ok(Self {
            regions,
            terms: terms.collect::<Result<_>>()?,
            fingerprint: Sha256::digest(written).into(),
            rules,
        })
    }

    /// Tells policies apart: an answer that one let pass another may not.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// Whether any rule is about personal data.
    pub fn minds_personal_data(&self) -> bool {
        !self.rules.personal_data.is_empty()
    }

    pub(super) fn limits(&self) -> OutputLimits {
        self.rules.output
    }

    pub(super) fn injection(&self) -> Option<InjectionRule> {
        self.rules.injection
    }

    /// Whether any rule looks at texts of that place.
    pub(super) fn looks_at(&self, place: Place) -> bool {
        let personal = self
            .rules
            .personal_data
            .iter()
            .any(|rule| rule.places.contains(&place));
        personal
            || self
                .rules
                .blocked_terms
                .iter()
                .any(|rule| rule.places.contains(&place))
    }

    fn looks_for_personal_data(&self, place: Place) -> bool {
        self.rules
            .personal_data
            .iter()
            .any(|rule| rule.places.contains(&place))
    }

    /// From where on an unfinished text of that place might hold something that is not complete yet, in bytes.
    pub(super) fn open_from(&self, text: &str, place: Place) -> usize {
        let mut open = text.len();
        if self.looks_for_personal_data(place) {
            open = open.min(personal::open_from(text));
        }
        let rules = self.rules.blocked_terms.iter().zip(&self.terms);
        let mut folded = None;
        for (_, (_, terms)) in rules.filter(|(rule, _)| rule.places.contains(&place)) {
            let folded = folded.get_or_insert_with(|| Folded::words(text));
            let from = terms.open_from(&folded.text);
            if from < folded.text.len() {
                open = open.min(folded.original(from..from + 1).start);
            }
        }
        open
    }

    /// Judges what begins in a part of a text; the rest is there for the sake of its context.
    pub(super) fn judge(
        &self,
        text: &str,
        part: Range<usize>,
        place: Place,
        decisions: &Decisions,
    ) -> Verdict {
        let mut verdict = Verdict::default();
        if !self.looks_at(place) {
            return verdict;
        }
        let mut found = self.personal(text, place);
        found.extend(self.unwanted(text, place));
        found.retain(|found| part.contains(&found.range.start));
        for found in &found {
            decisions.note(found.rule, found.action, place, 1);
            match found.action {
                Action::Block => verdict.blocked = verdict.blocked.or(Some(found.what)),
                Action::RouteLocal => verdict.route_local = true,
                Action::Redact => verdict.redactions.push((found.range.clone(), found.placeholder)),
                Action::Flag | Action::Drop | Action::Cut => {}
            }
        }
        verdict
            .redactions
            .sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut end = 0;
        verdict.redactions.retain_mut(|(range, _)| {
            range.start = range.start.max(end);
            let anything = range.start < range.end;
            end = end.max(range.end);
            anything
        });
        verdict
    }

    fn personal(&self, text: &str, place: Place) -> Vec<Found<'_>> {
        if !self.looks_for_personal_data(place) {
            return Vec::new();
        }
        let rules = || {
            self.rules
                .personal_data
                .iter()
                .filter(|rule| rule.places.contains(&place))
        };
        let mut found = Vec::new();
        for finding in personal::find(text, &self.regions) {
            let actions: Vec<Action> = rules()
                .filter(|rule| rule.kinds.contains(&finding.kind))
                .map(|rule| rule.action)
                .collect();
            if let Some(action) = strongest(&actions) {
                found.push(Found {
                    rule: finding.kind.rule(),
                    what: what(finding.kind),
                    placeholder: finding.kind.placeholder(),
                    range: finding.range.clone(),
                    action,
                });
            }
        }
        found
    }

    fn unwanted(&self, text: &str, place: Place) -> Vec<Found<'_>> {
        let mut found = Vec::new();
        let mut folded = None;
        for (rule, (name, terms)) in self.rules.blocked_terms.iter().zip(&self.terms) {
            if !rule.places.contains(&place) {
                continue;
            }
            let folded = folded.get_or_insert_with(|| Folded::words(text));
            found.extend(terms.find(&folded.text).into_iter().map(|range| Found {
                rule: name,
                what: "a blocked term",
                placeholder: "[REDACTED]",
                range: folded.original(range),
                action: rule.action,
            }));
        }
        found
    }
}

/// Of several actions on one finding: what is blocked is not redacted, and what is redacted needs no local model.
fn strongest(actions: &[Action]) -> Option<Action> {
    [Action::Block, Action::Redact, Action::RouteLocal, Action::Flag]
        .into_iter()
        .find(|action| actions.contains(action))
}

/// A kind of personal data in words for the caller.
fn what(kind: Kind) -> &'static str {
    match kind {
        Kind::Email => "an e-mail address",
        Kind::Phone => "a telephone number",
        Kind::Iban => "a bank account number",
        Kind::PaymentCard => "the number of a payment card",
        Kind::IpAddress => "an IP address",
        Kind::NationalId => "the number of an identity document",
    }
}
