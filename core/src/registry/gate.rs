//! What a version needs before it may answer.

use serde::{Deserialize, Serialize};

use super::VersionSpec;
use crate::{Error, Result};

/// What a version needs before it may answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Metrics, each with its bounds.
    pub metrics: Vec<RequiredMetric>,
}

/// A metric that must be there, within bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequiredMetric {
    /// Its name.
    pub name: String,
    /// The least that will do.
    pub at_least: Option<f64>,
    /// The most that will do.
    pub at_most: Option<f64>,
}

impl Gate {
    /// Refuses bounds that nothing is within.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the field's path.
    pub fn check(&self) -> Result<()> {
        if !(1..=64).contains(&self.metrics.len()) {
            return Err(Error::invalid("gate.metrics", "Name 1 to 64 metrics."));
        }
        for (place, metric) in self.metrics.iter().enumerate() {
            let at = |field: &str| format!("gate.metrics[{place}].{field}");
            if metric.name.is_empty() || metric.name.len() > 256 || metric.name.contains('\0') {
                return Err(Error::invalid(
                    at("name"),
                    "A metric has a name of 1 to 256 bytes.",
                ));
            }
            match (metric.at_least, metric.at_most) {
                (Some(least), Some(most)) if least > most => {
                    return Err(Error::invalid(at("at_least"), "The least is more than the most."));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Lets a version through.
    ///
    /// # Errors
    /// [`Error::State`] with the code `gate_failed`, naming the first metric that is missing or out of bounds.
    pub fn admit(&self, version: i32, spec: &VersionSpec) -> Result<()> {
        for RequiredMetric {
            name,
            at_least,
            at_most,
        } in &self.metrics
        {
            let failed = |what: String| Error::State {
                message: format!("Version {version} does not pass the gate: {what}."),
                code: "gate_failed",
            };
            let value = spec
                .metrics
                .get(name)
                .ok_or_else(|| failed(format!("it has no metric '{name}'")))?;
            if let Some(least) = at_least.filter(|least| value < least) {
                return Err(failed(format!(
                    "its '{name}' is {value}, and must be at least {least}"
                )));
            }
            if let Some(most) = at_most.filter(|most| value > most) {
                return Err(failed(format!(
                    "its '{name}' is {value}, and must be at most {most}"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_passes_with_all_metrics_within_their_bounds() {
        let metric = |name: &str, at_least, at_most| RequiredMetric {
            name: name.into(),
            at_least,
            at_most,
        };
        let gate = Gate {
            metrics: vec![
                metric("accuracy", Some(0.9), None),
                metric("loss", None, Some(0.5)),
                metric("seen", None, None),
            ],
        };
        let spec = |entries: &[(&str, f64)]| VersionSpec {
            metrics: entries
                .iter()
                .map(|(name, value)| ((*name).into(), *value))
                .collect(),
            ..VersionSpec::default()
        };
        assert!(
            gate.admit(1, &spec(&[("accuracy", 0.9), ("loss", 0.5), ("seen", 0.0)]))
                .is_ok()
        );
        for (entries, named) in [
            (vec![("accuracy", 0.89), ("loss", 0.1), ("seen", 0.0)], "accuracy"),
            (vec![("accuracy", 1.0), ("loss", 0.6), ("seen", 0.0)], "loss"),
            (vec![("accuracy", 1.0), ("loss", 0.1)], "seen"),
        ] {
            let error = gate.admit(1, &spec(&entries)).unwrap_err();
            assert!(error.to_string().contains(named), "{error}");
            assert!(matches!(
                error,
                Error::State {
                    code: "gate_failed",
                    ..
                }
            ));
        }
        let crossed = Gate {
            metrics: vec![metric("x", Some(2.0), Some(1.0))],
        };
        assert!(crossed.check().is_err());
    }
}
