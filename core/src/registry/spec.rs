//! What its maker says of a version: how it was trained, how well it did, and how what it is asked is prepared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::prediction::Signature;
use crate::{Error, Result};

/// What its maker says of a version. It never changes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VersionSpec {
    /// For people.
    pub description: Option<String>,
    /// How well it did, as in `accuracy`.
    pub metrics: BTreeMap<String, f64>,
    /// What it was trained with.
    pub parameters: BTreeMap<String, String>,
    /// What it was trained on.
    pub dataset: Option<String>,
    /// Anything.
    pub tags: BTreeMap<String, String>,
    /// Names of the classes, in the order of the model's scores.
    pub labels: Option<Vec<String>>,
    /// What is done to images and texts before the model sees them.
    pub preprocessing: Option<Preprocessing>,
    /// Names of the features, in the order of the one input's last dimension.
    pub columns: Option<Vec<String>>,
    /// Which output are the scores of the classes.
    pub output: Option<Scores>,
    /// Whether calls may be put together; absent: if the model does not mind.
    pub batching: Option<bool>,
}

/// Which output are the scores of the classes, and what makes them probabilities.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scores {
    /// The output's name. Absent: the one that has a float for each class.
    pub name: Option<String>,
    /// What is done to the scores.
    pub activation: Activation,
}

/// What makes scores probabilities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// They are probabilities.
    #[default]
    None,
    /// Of classes of which one is right.
    Softmax,
    /// Of classes each of which may be right.
    Sigmoid,
}

/// What is done to images and texts before the model sees them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preprocessing {
    /// To images.
    pub image: Option<ImageSteps>,
    /// To texts.
    pub text: Option<TextSteps>,
}

/// From an image's file to a tensor, in the order of the fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageSteps {
    /// The input that gets it. Absent: the only one.
    pub input: Option<String>,
    /// Absent: the image stays as large as it is.
    pub resize: Option<Resize>,
    /// The middle of the image, so large.
    pub crop: Option<Size>,
    /// Which channels there are, in which order.
    pub channels: Channels,
    /// What each value from 0 to 255 is multiplied by.
    pub scale: f32,
    /// What is taken off each channel after that; one number is for all.
    pub mean: Vec<f32>,
    /// What each channel is divided by after that; one number is for all.
    pub std: Vec<f32>,
    /// The order of the dimensions.
    pub layout: Layout,
}

impl Default for ImageSteps {
    fn default() -> Self {
        Self {
            input: None,
            resize: None,
            crop: None,
            channels: Channels::Rgb,
            scale: 1.0 / 255.0,
            mean: Vec::new(),
            std: Vec::new(),
            layout: Layout::Nchw,
        }
    }
}

/// How large something is, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// From left to right.
    pub width: u32,
    /// From top to bottom.
    pub height: u32,
}

/// How an image is made larger or smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resize {
    /// From left to right.
    pub width: u32,
    /// From top to bottom.
    pub height: u32,
    /// What becomes of its proportions.
    #[serde(default)]
    pub fit: Fit,
    /// How pixels are made of pixels.
    #[serde(default)]
    pub filter: Filter,
}

/// What becomes of the proportions of an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// They change.
    #[default]
    Stretch,
    /// They stay, and the image covers the size: for a crop.
    Cover,
}

/// How pixels are made of pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// The nearest one.
    Nearest,
    /// Linear, over all that become one: as Pillow does it.
    #[default]
    Bilinear,
    /// Cubic.
    Bicubic,
    /// By Lanczos.
    Lanczos,
}

/// Which channels there are, in which order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
    /// Brightness alone.
    Gray,
}

impl Channels {
    /// How many there are.
    pub const fn count(self) -> usize {
        match self {
            Self::Rgb | Self::Bgr => 3,
            Self::Gray => 1,
        }
    }
}

/// The order of the dimensions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Images, channels, rows, columns.
    #[default]
    Nchw,
    /// Images, rows, columns, channels.
    Nhwc,
    /// Images, and all values of each in one row.
    Flat,
}

/// From a text to token ids, by the tokenizer that came with the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TextSteps {
    /// What is longer is cut, in tokens.
    pub max_tokens: u32,
    /// The input that gets the token ids.
    pub ids: String,
    /// The input that gets a one for each token that is not padding, if the model has it.
    pub mask: String,
    /// The input that gets the number of each token's segment, if the model has it.
    pub types: String,
}

impl Default for TextSteps {
    fn default() -> Self {
        Self {
            max_tokens: 512,
            ids: "input_ids".into(),
            mask: "attention_mask".into(),
            types: "token_type_ids".into(),
        }
    }
}

/// Longest name of a metric, a tag, a class and the like, in characters.
const MAX_NAME: usize = 256;
/// Most entries of a map.
const MAX_ENTRIES: usize = 256;
/// Most classes, and most columns.
const MAX_NAMES: usize = 20_000;
/// Largest side of an image that a model gets.
const MAX_SIDE: u32 = 4096;

impl VersionSpec {
    /// Refuses what is out of bounds. `spec` is where it was found.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the field's path.
    pub fn check(&self) -> Result<()> {
        for (field, text) in [("description", &self.description), ("dataset", &self.dataset)] {
            if let Some(text) = text {
                short(field, text, 16_384)?;
            }
        }
        map("metrics", self.metrics.keys().map(|name| (name, "")))?;
        map(
            "parameters",
            self.parameters.iter().map(|(name, value)| (name, value.as_str())),
        )?;
        map(
            "tags",
            self.tags.iter().map(|(name, value)| (name, value.as_str())),
        )?;
        if let Some((name, _)) = self.metrics.iter().find(|(_, value)| !value.is_finite()) {
            return Err(bad(&format!("metrics.{name}"), "must be a finite number"));
        }
        for (field, names) in [("labels", &self.labels), ("columns", &self.columns)] {
            let Some(names) = names else { continue };
            if !(1..=MAX_NAMES).contains(&names.len()) {
                return Err(bad(field, &format!("must have 1 to {MAX_NAMES} names")));
            }
            for (place, name) in names.iter().enumerate() {
                short(&format!("{field}[{place}]"), name, MAX_NAME)?;
            }
        }
        let Some(preprocessing) = &self.preprocessing else {
            return Ok(());
        };
        if let Some(steps) = &preprocessing.image {
            steps
                .check()
                .map_err(|error| error.within("preprocessing.image"))?;
        }
        if let Some(steps) = &preprocessing.text
            && !(1..=32_768).contains(&steps.max_tokens)
        {
            return Err(bad("preprocessing.text.max_tokens", "must be from 1 to 32768"));
        }
        Ok(())
    }
}

impl VersionSpec {
    /// Refuses what does not go with what the model takes.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the field's path.
    pub fn fits(&self, signature: &Signature, has_tokenizer: bool) -> Result<()> {
        if let Some(columns) = &self.columns {
            let input = signature.input(None).map_err(|error| error.about("columns"))?;
            let width = input.shape.last().copied().unwrap_or(-1);
            if width >= 0 && usize::try_from(width) != Ok(columns.len()) {
                return Err(Error::invalid(
                    "columns",
                    format!(
                        "The model's input has {width} columns, and {} are named.",
                        columns.len()
                    ),
                ));
            }
        }
        let Some(Preprocessing { image, text }) = &self.preprocessing else {
            return Ok(());
        };
        if let Some(steps) = image {
            let input = signature.input(steps.input.as_deref());
            input.map_err(|error| error.about("preprocessing.image.input"))?;
        }
        if let Some(steps) = text {
            if !has_tokenizer {
                return Err(Error::invalid(
                    "preprocessing.text",
                    "Send the model's 'tokenizer' with it.",
                ));
            }
            let input = signature.input(Some(&steps.ids));
            input.map_err(|error| error.about("preprocessing.text.ids"))?;
        }
        Ok(())
    }
}

impl ImageSteps {
    fn check(&self) -> Result<()> {
        let sizes = [
            ("resize", self.resize.map(|to| (to.width, to.height))),
            ("crop", self.crop.map(|to| (to.width, to.height))),
        ];
        for (field, size) in sizes {
            let Some((width, height)) = size else { continue };
            for (side, length) in [("width", width), ("height", height)] {
                if !(1..=MAX_SIDE).contains(&length) {
                    return Err(bad(
                        &format!("{field}.{side}"),
                        &format!("must be from 1 to {MAX_SIDE}"),
                    ));
                }
            }
        }
        if !self.scale.is_finite() {
            return Err(bad("scale", "must be a finite number"));
        }
        for (field, values) in [("mean", &self.mean), ("std", &self.std)] {
            if ![0, 1, self.channels.count()].contains(&values.len()) {
                return Err(bad(field, "must have one number, or one for each channel"));
            }
            if values
                .iter()
                .any(|value| !value.is_finite() || field == "std" && *value == 0.0)
            {
                return Err(bad(field, "must be finite numbers, and no divisor 0"));
            }
        }
        Ok(())
    }
}

fn bad(param: &str, what: &str) -> Error {
    Error::invalid(param, format!("Invalid value for '{param}': it {what}."))
}

fn short(param: &str, text: &str, most: usize) -> Result<()> {
    if text.contains('\0') || text.chars().nth(most).is_some() {
        return Err(bad(
            param,
            &format!("must have at most {most} characters and no NUL"),
        ));
    }
    Ok(())
}

fn map<'a>(field: &str, entries: impl ExactSizeIterator<Item = (&'a String, &'a str)>) -> Result<()> {
    if entries.len() > MAX_ENTRIES {
        return Err(bad(field, &format!("must have at most {MAX_ENTRIES} entries")));
    }
    for (name, value) in entries {
        if name.is_empty() {
            return Err(bad(field, "must not have an empty name"));
        }
        short(field, name, MAX_NAME)?;
        short(&format!("{field}.{name}"), value, 4096)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_fields_have_their_defaults_and_wrong_ones_are_named() {
        let read = |json: &str| serde_json::from_str::<VersionSpec>(json).unwrap();
        assert_eq!(read("{}"), VersionSpec::default());
        let steps = read(r#"{"preprocessing": {"image": {"resize": {"width": 8, "height": 8}}}}"#);
        let steps = steps.preprocessing.unwrap().image.unwrap();
        assert_eq!(
            (steps.channels, steps.layout, steps.resize.unwrap().filter),
            (Channels::Rgb, Layout::Nchw, Filter::Bilinear)
        );
        for (json, param) in [
            (r#"{"labels": []}"#, "labels"),
            (r#"{"tags": {"": "x"}}"#, "tags"),
            (
                r#"{"preprocessing": {"image": {"crop": {"width": 0, "height": 8}}}}"#,
                "preprocessing.image.crop.width",
            ),
            (
                r#"{"preprocessing": {"image": {"mean": [1, 2]}}}"#,
                "preprocessing.image.mean",
            ),
            (
                r#"{"preprocessing": {"image": {"std": [0]}}}"#,
                "preprocessing.image.std",
            ),
            (
                r#"{"preprocessing": {"text": {"max_tokens": 0}}}"#,
                "preprocessing.text.max_tokens",
            ),
        ] {
            match read(json).check() {
                Err(Error::Invalid {
                    param: Some(found), ..
                }) => assert_eq!(found, param),
                other => panic!("{json}: {other:?}"),
            }
        }
    }
}
