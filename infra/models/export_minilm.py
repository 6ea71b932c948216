#!/usr/bin/env python3
"""Writes a BERT sentence encoder as one ONNX graph: token ids in, unit-length sentence vectors out.

    export_minilm.py MODEL_FOLDER OUT.onnx

Inputs `input_ids`, `attention_mask`, `token_type_ids`: int64 [batch, seq]. Output `sentence_embedding`: float
[batch, hidden], mean-pooled over the mask and L2-normalised inside the graph, so that no caller can forget it.
Standard operators of opset 17 only, weights in fp32. Needs numpy, onnx and safetensors; no torch.
"""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bert import Encoder

OPSET = 17
IR_VERSION = 8  # of opset 17's time, so that older runtimes read the file too


class Graph:
    """Nodes and constants in the making. Each method adds one node and returns the name of its output."""

    def __init__(self):
        self.nodes = []
        self.constants = {}

    def constant(self, name, value, dtype=np.float32):
        """A named constant; the same name twice is the same constant."""
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value, dtype), name)
        return name

    def add(self, operator, inputs, output, **attributes):
        """A node named after its single output."""
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def linear(self, source, name, weight, bias):
        """`source · weightᵀ + bias`; the weight is transposed here, once, instead of at every run."""
        product = self.add("MatMul", [source, self.constant(f"{name}.weight", weight.T)], f"{name}.product")
        return self.add("Add", [product, self.constant(f"{name}.bias", bias)], name)

    def layer_norm(self, source, name, scale, shift, epsilon):
        """Layer normalisation over the hidden dimension."""
        inputs = [source, self.constant(f"{name}.scale", scale), self.constant(f"{name}.shift", shift)]
        return self.add("LayerNormalization", inputs, name, axis=-1, epsilon=epsilon)

    def gelu(self, source, name):
        """Exact gelu, `x · (1 + erf(x / √2)) / 2`, in the order of operators that runtimes recognise and fuse."""
        scaled = self.add("Div", [source, self.constant("sqrt2", np.sqrt(2))], f"{name}.scaled")
        erf = self.add("Erf", [scaled], f"{name}.erf")
        shifted = self.add("Add", [erf, self.constant("one", 1)], f"{name}.shifted")
        product = self.add("Mul", [source, shifted], f"{name}.product")
        return self.add("Mul", [product, self.constant("half", 0.5)], name)


def embeddings(graph, encoder):
    """The sum of word, position and type embeddings, normalised."""
    weights = encoder.weights
    # Positions are a slice of a constant: made with Range, they are mis-fused by ONNX Runtime 1.31's embedding fusion,
    # which then fails when the model runs rather than when it loads.
    length = graph.add("Shape", ["input_ids"], "length", start=1, end=2)
    steps = graph.constant("positions", np.arange(encoder.positions)[None], np.int64)
    first, axis = graph.constant("first", [0], np.int64), graph.constant("axis_seq", [1], np.int64)
    positions = graph.add("Slice", [steps, first, length, axis], "position_ids")

    def look_up(kind, ids):
        table = graph.constant(f"{kind}_embeddings.weight", weights[f"embeddings.{kind}_embeddings.weight"])
        return graph.add("Gather", [table, ids], f"{kind}_embeddings")

    typed = graph.add("Add", [look_up("word", "input_ids"), look_up("token_type", "token_type_ids")], "typed_words")
    placed = graph.add("Add", [typed, look_up("position", positions)], "placed_words")
    norm = "embeddings.LayerNorm"
    return graph.layer_norm(placed, "embedded", weights[f"{norm}.weight"], weights[f"{norm}.bias"], encoder.epsilon)


def mask_bias(graph):
    """[batch, 1, 1, seq]: 0 where there is a token, -10000 (which softmax makes 0) where there is padding."""
    mask = graph.add("Unsqueeze", ["attention_mask", graph.constant("axes_heads", [1, 2], np.int64)], "mask.wide")
    mask = graph.add("Cast", [mask], "mask", to=TensorProto.FLOAT)
    padding = graph.add("Sub", [graph.constant("one", 1), mask], "padding")
    return graph.add("Mul", [padding, graph.constant("minus_much", -10000)], "mask.bias")


def attention(graph, encoder, index, source, bias):
    """Multi-head self-attention of one layer, before its residual."""
    head_size = encoder.hidden // encoder.heads
    split = graph.constant("shape_split", [0, 0, encoder.heads, head_size], np.int64)
    merge = graph.constant("shape_merge", [0, 0, encoder.hidden], np.int64)
    prefix = f"layer{index}.attention"

    def heads(name, order):
        part = f"attention.self.{name}"
        weight, offset = encoder.layer(index, f"{part}.weight"), encoder.layer(index, f"{part}.bias")
        flat = graph.linear(source, f"{prefix}.{name}", weight, offset)
        parts = graph.add("Reshape", [flat, split], f"{prefix}.{name}.split")
        return graph.add("Transpose", [parts], f"{prefix}.{name}.heads", perm=order)

    query, value = heads("query", [0, 2, 1, 3]), heads("value", [0, 2, 1, 3])
    key = heads("key", [0, 2, 3, 1])
    scores = graph.add("MatMul", [query, key], f"{prefix}.dot")
    scores = graph.add("Div", [scores, graph.constant("sqrt_head", np.sqrt(head_size))], f"{prefix}.scaled")
    scores = graph.add("Add", [scores, bias], f"{prefix}.masked")
    scores = graph.add("Softmax", [scores], f"{prefix}.softmax", axis=-1)
    context = graph.add("MatMul", [scores, value], f"{prefix}.context")
    context = graph.add("Transpose", [context], f"{prefix}.context.back", perm=[0, 2, 1, 3])
    context = graph.add("Reshape", [context, merge], f"{prefix}.context.merged")
    output = "attention.output.dense"
    return graph.linear(context, f"{prefix}.output", encoder.layer(index, f"{output}.weight"), encoder.layer(index, f"{output}.bias"))


def layer(graph, encoder, index, source, bias):
    """One transformer layer: attention, then a feed-forward network, each with residual and normalisation."""
    weight = lambda name: encoder.layer(index, name)  # noqa: E731
    prefix = f"layer{index}"

    def residual(branch, trunk, name, norm):
        total = graph.add("Add", [branch, trunk], f"{prefix}.{name}.sum")
        return graph.layer_norm(total, f"{prefix}.{name}", weight(f"{norm}.weight"), weight(f"{norm}.bias"), encoder.epsilon)

    attended = residual(attention(graph, encoder, index, source, bias), source, "attended", "attention.output.LayerNorm")
    wide = graph.linear(attended, f"{prefix}.wide", weight("intermediate.dense.weight"), weight("intermediate.dense.bias"))
    narrow = graph.linear(
        graph.gelu(wide, f"{prefix}.gelu"), f"{prefix}.narrow", weight("output.dense.weight"), weight("output.dense.bias")
    )
    return residual(narrow, attended, "output", "output.LayerNorm")


def pooled(graph, hidden):
    """The unit-length mean over real tokens. The mean's divisor cancels in the normalisation, so it is never computed."""
    axis = graph.constant("axis_seq", [1], np.int64)
    row = graph.add("Unsqueeze", ["attention_mask", axis], "pool.mask.row")
    row = graph.add("Cast", [row], "pool.mask", to=TensorProto.FLOAT)
    total = graph.add("Squeeze", [graph.add("MatMul", [row, hidden], "pool.sum.row"), axis], "pool.sum")
    length = graph.add("ReduceL2", [total], "pool.length", axes=[1], keepdims=1)
    length = graph.add("Max", [length, graph.constant("tiny", 1e-12)], "pool.length.nonzero")
    return graph.add("Div", [total, length], "sentence_embedding")


def export(encoder):
    """The whole encoder as a checked ONNX model."""
    graph = Graph()
    hidden, bias = embeddings(graph, encoder), mask_bias(graph)
    for index in range(encoder.layers):
        hidden = layer(graph, encoder, index, hidden, bias)
    output = pooled(graph, hidden)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "seq"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", encoder.hidden])]
    body = helper.make_graph(graph.nodes, "sentence_encoder", inputs, outputs, list(graph.constants.values()))
    model = helper.make_model(
        body, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="insula", ir_version=IR_VERSION
    )
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    onnx.save(export(Encoder.load(sys.argv[1])), sys.argv[2])
