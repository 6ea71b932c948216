//! A second embedding model, made on the spot: real ONNX, run by the real runtime, of two kilobytes.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use insula_inference::onnx::OnnxOptions;

use crate::runtime;

/// A bag of words: each token has a fixed vector without meaning, a text the mean of its tokens' vectors. Texts are near
/// when they share words. It reads what the bootstrap's model reads, by the same tokenizer.
#[derive(Debug, Clone)]
pub struct BagOfWords {
    /// The name that clients send.
    pub id: String,
    /// Length of its vectors.
    pub dimensions: usize,
    /// Longest input in tokens, at most 512.
    pub max_tokens: usize,
}

impl BagOfWords {
    /// As long as the bootstrap's model in everything.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.into(),
            dimensions: 384,
            max_tokens: 256,
        }
    }

    /// Writes the model's folder into `parent`.
    pub(crate) fn write(&self, parent: &Path) -> PathBuf {
        let folder = parent.join(&self.id);
        std::fs::create_dir_all(&folder).expect("a folder for a model");
        let manifest = format!(
            "id = \"{}\"\ndimensions = {}\nmax_tokens = {}\nlanguages = [\"eng\"]\noversample = 400\nowned_by = \"tests\"\n",
            self.id, self.dimensions, self.max_tokens
        );
        std::fs::write(folder.join("model.toml"), manifest).expect("model.toml");
        std::fs::write(folder.join("model.onnx"), self.graph()).expect("model.onnx");
        for name in [
            "tokenizer.json",
            "tokenizer_config.json",
            "config.json",
            "special_tokens_map.json",
        ] {
            symlink(bootstrap().join(name), folder.join(name)).expect("a link to the tokenizer");
        }
        folder
    }

    /// `last_hidden_state = sin(input_ids ⊗ frequencies)`, as ONNX's `ModelProto`.
    fn graph(&self) -> Vec<u8> {
        // Irrational steps, so that no two dimensions and no two tokens go together.
        let frequencies = (0..self.dimensions).map(|n| 0.5 + 2.5 * (n as f32 * 0.618_034).fract());
        let to_float = [text(1, "to"), number(3, FLOAT), number(20, 2)].concat();
        let nodes = [
            node("Cast", &["input_ids"], "ids", &to_float),
            node("Unsqueeze", &["ids", "axes"], "column", &[]),
            node("Mul", &["column", "frequencies"], "angles", &[]),
            node("Sin", &["angles"], "last_hidden_state", &[]),
        ];
        let axes = tensor("axes", INT64, 1, 2i64.to_le_bytes().to_vec());
        let frequencies = tensor(
            "frequencies",
            FLOAT,
            self.dimensions,
            frequencies.flat_map(f32::to_le_bytes).collect(),
        );
        let graph = [
            nodes.concat(),
            text(2, "bag_of_words"),
            bytes(5, &axes),
            bytes(5, &frequencies),
            bytes(11, &value("input_ids", INT64, &["batch", "sequence"])),
            bytes(11, &value("attention_mask", INT64, &["batch", "sequence"])),
            bytes(
                12,
                &value("last_hidden_state", FLOAT, &["batch", "sequence", "dimension"]),
            ),
        ];
        let operators = [text(1, ""), number(2, 17)].concat();
        [number(1, 8), bytes(8, &operators), bytes(7, &graph.concat())].concat()
    }
}

/// The bootstrap's model folder.
pub(crate) fn bootstrap() -> PathBuf {
    let folder = runtime().join("models/all-MiniLM-L6-v2");
    std::path::absolute(folder).expect("the current folder")
}

/// How tests load a model. One thread: tests run beside each other.
pub(crate) fn options(folder: PathBuf) -> OnnxOptions {
    OnnxOptions {
        threads: 1,
        ..OnnxOptions::new(runtime().join("onnxruntime/libonnxruntime.so"), folder)
    }
}

/// The bootstrap's model.
pub(crate) fn bootstrap_options() -> OnnxOptions {
    options(bootstrap())
}

/// `TensorProto.DataType`
pub(crate) const FLOAT: u64 = 1;
pub(crate) const INT64: u64 = 7;

pub(crate) fn node(operator: &str, inputs: &[&str], output: &str, attribute: &[u8]) -> Vec<u8> {
    let mut node: Vec<u8> = inputs.iter().flat_map(|input| text(1, input)).collect();
    node.extend([text(2, output), text(3, output), text(4, operator)].concat());
    if !attribute.is_empty() {
        node.extend(bytes(5, attribute));
    }
    bytes(1, &node)
}

pub(crate) fn tensor(name: &str, kind: u64, length: usize, data: Vec<u8>) -> Vec<u8> {
    [
        number(1, length as u64),
        number(2, kind),
        text(8, name),
        bytes(9, &data),
    ]
    .concat()
}

pub(crate) fn value(name: &str, kind: u64, dimensions: &[&str]) -> Vec<u8> {
    let shape: Vec<u8> = dimensions
        .iter()
        .flat_map(|name| bytes(1, &text(2, name)))
        .collect();
    let of_tensor = [number(1, kind), bytes(2, &shape)].concat();
    [text(1, name), bytes(2, &bytes(1, &of_tensor))].concat()
}

// Protocol Buffers: a field is its number and wire type, then a number or so many bytes.

pub(crate) fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

pub(crate) fn text(field: u64, value: &str) -> Vec<u8> {
    bytes(field, value.as_bytes())
}

pub(crate) fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut encoded = Vec::new();
    while value >= 0x80 {
        encoded.push(value as u8 | 0x80);
        value >>= 7;
    }
    encoded.push(value as u8);
    encoded
}
