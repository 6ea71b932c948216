//! Models that score texts, made on the spot: real ONNX whose scores can be worked out by hand.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use insula_inference::onnx::JudgeOptions;
use serde_json::Value;

use crate::model::{FLOAT, INT64, bootstrap, bytes, node, number, tensor, text, value};
use crate::runtime;

/// The name of a cross-encoder that counts how often the document, not the query, has the word `tiger`: its score is the
/// sigmoid of that number. It is called as the documentation has it.
pub const RERANKER: &str = "bge-reranker-v2-m3";

/// The name of a classifier for which `hate` is hate, `blood` is violence in detail, and `fine` is fine: a word is there by the
/// sigmoid of five, or not by that of minus five.
pub const MODERATOR: &str = "omni-moderation-latest";

/// Writes the folder of [`RERANKER`] into `parent`.
pub(crate) fn reranker(parent: &Path) -> JudgeOptions {
    let float = |input: &str, output: &str| {
        let to_float = [text(1, "to"), number(3, FLOAT), number(20, 2)].concat();
        node("Cast", &[input], output, &to_float)
    };
    let nodes = [
        node("Equal", &["input_ids", "word"], "is_word", &[]),
        float("is_word", "words"),
        float("token_type_ids", "in_document"),
        node("Mul", &["words", "in_document"], "counted", &[]),
        node("ReduceSum", &["counted", "axis"], "logits", &[]),
    ];
    let initializers = [
        words("word", &["tiger"]),
        tensor("axis", INT64, 1, 1i64.to_le_bytes().to_vec()),
    ];
    let inputs = ["input_ids", "attention_mask", "token_type_ids"];
    let graph = graph(&nodes.concat(), &initializers, &inputs);
    write(parent, RERANKER, &graph, "max_tokens = 64\n")
}

/// Writes the folder of [`MODERATOR`] into `parent`.
pub(crate) fn moderator(parent: &Path) -> JudgeOptions {
    let to_float = [text(1, "to"), number(3, FLOAT), number(20, 2)].concat();
    let flat = [text(1, "keepdims"), number(3, 0), number(20, 2)].concat();
    let scalar = |name, value: f32| tensor(name, FLOAT, 1, value.to_le_bytes().to_vec());
    let nodes = [
        node("Unsqueeze", &["input_ids", "last"], "column", &[]),
        node("Equal", &["column", "labels"], "is_label", &[]),
        node("Cast", &["is_label"], "found", &to_float),
        node("ReduceMax", &["found", "axis"], "any", &flat),
        node("Mul", &["any", "ten"], "tens", &[]),
        node("Sub", &["tens", "five"], "logits", &[]),
    ];
    let initializers = [
        words("labels", &["hate", "blood", "fine"]),
        tensor("last", INT64, 1, 2i64.to_le_bytes().to_vec()),
        tensor("axis", INT64, 1, 1i64.to_le_bytes().to_vec()),
        scalar("ten", 10.0),
        scalar("five", 5.0),
    ];
    let graph = graph(&nodes.concat(), &initializers, &["input_ids", "attention_mask"]);
    let more = "max_tokens = 16\n[categories]\nblood = [\"violence\", \"violence/graphic\"]\n";
    let options = write(parent, MODERATOR, &graph, more);
    let config = r#"{"id2label": {"0": "hate", "1": "blood", "2": "fine"}}"#;
    std::fs::write(options.model_dir.join("config.json"), config).expect("config.json");
    options
}

fn graph(nodes: &[u8], initializers: &[Vec<u8>], inputs: &[&str]) -> Vec<u8> {
    let initializers: Vec<u8> = initializers.iter().flat_map(|tensor| bytes(5, tensor)).collect();
    let inputs: Vec<u8> = inputs
        .iter()
        .flat_map(|name| bytes(11, &value(name, INT64, &["batch", "sequence"])))
        .collect();
    let output = bytes(12, &value("logits", FLOAT, &["batch", "label"]));
    let graph = [nodes, &text(2, "judge"), &initializers, &inputs, &output].concat();
    let operators = [text(1, ""), number(2, 18)].concat();
    [number(1, 8), bytes(8, &operators), bytes(7, &graph)].concat()
}

/// The ids of words, each of which is one token.
fn words(name: &str, words: &[&str]) -> Vec<u8> {
    let text = std::fs::read(bootstrap().join("tokenizer.json")).expect("tokenizer.json");
    let tokenizer: Value = serde_json::from_slice(&text).expect("JSON");
    let id = |word: &&str| {
        tokenizer["model"]["vocab"][*word]
            .as_i64()
            .expect("a word of one token")
    };
    let ids: Vec<u8> = words.iter().map(id).flat_map(i64::to_le_bytes).collect();
    tensor(name, INT64, words.len(), ids)
}

fn write(parent: &Path, id: &str, graph: &[u8], more: &str) -> JudgeOptions {
    let folder: PathBuf = parent.join(format!("judge-{id}"));
    std::fs::create_dir_all(&folder).expect("a folder for a model");
    let manifest = format!("id = \"{id}\"\nowned_by = \"tests\"\n{more}");
    std::fs::write(folder.join("model.toml"), manifest).expect("model.toml");
    std::fs::write(folder.join("model.onnx"), graph).expect("model.onnx");
    symlink(bootstrap().join("tokenizer.json"), folder.join("tokenizer.json"))
        .expect("a link to the tokenizer");
    JudgeOptions {
        library: runtime().join("onnxruntime/libonnxruntime.so"),
        model_dir: folder,
        threads: 1,
    }
}
