#![doc = include_str!("../README.md")]

mod batch;
pub mod cl100k;
pub mod http;
pub mod onnx;
pub mod openai;
pub mod routes;
