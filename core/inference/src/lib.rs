#![doc = include_str!("../README.md")]

pub mod anthropic;
mod batch;
pub mod cl100k;
pub mod endpoint;
pub mod http;
pub mod onnx;
pub mod openai;
mod pieces;
pub mod routes;
pub mod tokens;
mod upstream;
