//! Classifiers of texts, whose labels speak of OpenAI's categories.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use insula_core::model::{Category, JudgeCard, Moderated, Moderator, Verdict};
use insula_core::{Error, Result};
use serde::Deserialize;

use super::{Activation, Judge, JudgeOptions, LoadError, Manifest, card, corrupt, read, try_out, work};

/// A classifier of texts.
pub struct OnnxModerator {
    judge: Arc<Judge>,
    labels: Arc<Labels>,
    max_tokens: usize,
}

/// What the outputs of a classifier mean.
struct Labels {
    activation: Activation,
    threshold: f64,
    /// By output.
    categories: Vec<Vec<Category>>,
}

impl OnnxModerator {
    /// Loads a model and tries it. Blocks.
    pub fn load(options: &JudgeOptions) -> Result<(JudgeCard, Self), LoadError> {
        let (judge, manifest) = Judge::load(options, false)?;
        let labels = Labels::read(&options.model_dir, &manifest)?;
        let moderator = Self {
            judge: Arc::new(judge),
            labels: Arc::new(labels),
            max_tokens: manifest.max_tokens,
        };
        try_out(
            &moderator.judge,
            &options.model_dir,
            moderator.labels.categories.len(),
        )?;
        Ok((card(manifest), moderator))
    }
}

impl Labels {
    fn read(folder: &Path, manifest: &Manifest) -> Result<Self, LoadError> {
        #[derive(Deserialize)]
        struct Config {
            id2label: BTreeMap<usize, String>,
        }
        let path = folder.join("config.json");
        let config: Config = serde_json::from_slice(&read(&path)?).map_err(|error| corrupt(&path, error))?;
        if config.id2label.keys().copied().ne(0..config.id2label.len()) {
            return Err(corrupt(&path, "id2label does not count from 0"));
        }
        let path = folder.join("model.toml");
        let category = |name: &String| {
            Category::find(name).ok_or_else(|| corrupt(&path, format!("'{name}' is no category")))
        };
        if let Some(stray) = manifest
            .categories
            .keys()
            .find(|label| !config.id2label.values().any(|known| known == *label))
        {
            return Err(corrupt(&path, format!("the model has no label '{stray}'")));
        }
        let categories = config
            .id2label
            .values()
            .map(|label| match manifest.categories.get(label) {
                Some(names) => names.iter().map(category).collect::<Result<Vec<_>, _>>(),
                None => Ok(Category::find(label).into_iter().collect()),
            });
        let categories: Vec<Vec<Category>> = categories.collect::<Result<_, _>>()?;
        if categories.iter().all(Vec::is_empty) {
            return Err(corrupt(&path, "no label speaks of a category"));
        }
        Ok(Self {
            activation: manifest.activation,
            threshold: manifest.threshold.unwrap_or(0.5),
            categories,
        })
    }

    /// The verdict on a text from what was found in its pieces: in each category the surest.
    fn verdict<'a>(&self, pieces: impl Iterator<Item = &'a Vec<f32>>) -> Verdict {
        let mut verdict = Verdict::default();
        for outputs in pieces {
            for (score, categories) in self.activation.apply(outputs).into_iter().zip(&self.categories) {
                for category in categories {
                    let (_, found) = &mut verdict.findings[*category as usize];
                    *found = found.max(score);
                }
            }
        }
        for (is_there, score) in &mut verdict.findings {
            *is_there = *score >= self.threshold;
            verdict.flagged |= *is_there;
        }
        verdict
    }
}

#[async_trait]
impl Moderator for OnnxModerator {
    async fn moderate(&self, texts: &[String]) -> Result<Moderated> {
        let (texts, labels, max_tokens) = (texts.to_vec(), Arc::clone(&self.labels), self.max_tokens);
        work(&self.judge, move |judge, left| {
            let (mut pieces, mut of_text) = (Vec::new(), Vec::new());
            for (n, text) in texts.iter().enumerate() {
                let own = judge.pieces(text, max_tokens).map_err(Error::internal)?;
                of_text.extend(std::iter::repeat_n(n, own.len()));
                pieces.extend(own);
            }
            let outputs = judge.outputs(&pieces, left).map_err(Error::internal)?;
            let verdict = |n: usize| {
                let own = outputs.iter().zip(&of_text).filter(move |(_, of)| **of == n);
                labels.verdict(own.map(|(outputs, _)| outputs))
            };
            Ok(Moderated {
                verdicts: (0..texts.len()).map(verdict).collect(),
                tokens: pieces.iter().map(|piece| piece.len() as u64).sum(),
                by: None,
            })
        })
        .await
    }
}
