#!/usr/bin/env python3
"""Writes a BERT sentence encoder as the graph that a graphics card runs fastest.

    export_cuda.py MODEL_FOLDER OUT.onnx

The same inputs, output and meaning as `export_minilm.py`, with weights in half precision and with ONNX Runtime's own fused
operators (`com.microsoft`), which have CUDA kernels for whole parts of a layer. Attention is given the length of each text
instead of a mask, which is what its fused kernels want. No operator computes a shape: those run on the processor, and the
server refuses a graph that does not run on the card as a whole.
"""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper

from bert import Encoder
from export_minilm import IR_VERSION, OPSET, Graph, pooled

FUSED = "com.microsoft"


class HalfGraph(Graph):
    """A graph whose weights are in half precision."""

    def weight(self, name, value):
        """A weight."""
        return self.constant(name, value, np.float16)

    def fused(self, operator, inputs, output, others=(), **attributes):
        """A node of ONNX Runtime's own operators; `others` are outputs that nothing reads."""
        self.nodes.append(
            helper.make_node(operator, inputs, [output, *others], name=output, domain=FUSED, **attributes)
        )
        return output

    def product(self, source, name, weight):
        """`source · weightᵀ`; biases are added by the fused operator that follows."""
        return self.add("MatMul", [source, self.weight(f"{name}.weight", weight.T)], f"{name}.product")


def embeddings(graph, encoder):
    """The sum of word, position and type embeddings, normalised, in one operator."""
    narrow = [
        graph.add("Cast", [name], f"{name}.narrow", to=TensorProto.INT32) for name in ("input_ids", "token_type_ids")
    ]
    tables = [
        graph.weight(f"{kind}_embeddings.weight", encoder.weights[f"embeddings.{kind}_embeddings.weight"])
        for kind in ("word", "position", "token_type")
    ]
    norm = [graph.weight(f"embedded.{part}", encoder.weights[f"embeddings.LayerNorm.{part}"]) for part in ("weight", "bias")]
    return graph.fused(
        "EmbedLayerNormalization", [*narrow, *tables, *norm], "embedded", others=["embedded.mask"], epsilon=encoder.epsilon
    )


def lengths(graph):
    """[batch]: how many tokens each text has."""
    narrow = graph.add("Cast", ["attention_mask"], "mask.narrow", to=TensorProto.INT32)
    return graph.add("ReduceSum", [narrow, graph.constant("axis_seq", [1], np.int64)], "lengths", keepdims=0)


def layer(graph, encoder, index, source, text_lengths):
    """One transformer layer: five matrix products with what lies between them fused."""
    weight = lambda name: encoder.layer(index, name)  # noqa: E731
    prefix = f"layer{index}"

    def normed(branch, trunk, name, norm, bias):
        parts = [graph.weight(f"{prefix}.{name}.{part}", weight(f"{norm}.{part}")) for part in ("weight", "bias")]
        bias = graph.weight(f"{prefix}.{name}.branch.bias", weight(bias))
        return graph.fused(
            "SkipLayerNormalization", [branch, trunk, *parts, bias], f"{prefix}.{name}", epsilon=encoder.epsilon
        )

    names = [f"attention.self.{name}" for name in ("query", "key", "value")]
    joint = np.concatenate([weight(f"{name}.weight").T for name in names], axis=1)
    joint_bias = np.concatenate([weight(f"{name}.bias") for name in names])
    weights = [graph.weight(f"{prefix}.attention.weight", joint), graph.weight(f"{prefix}.attention.bias", joint_bias)]
    attended = graph.fused(
        "Attention", [source, *weights, text_lengths], f"{prefix}.attention", num_heads=encoder.heads
    )
    attended = graph.product(attended, f"{prefix}.attention.output", weight("attention.output.dense.weight"))
    attended = normed(attended, source, "attended", "attention.output.LayerNorm", "attention.output.dense.bias")
    wide = graph.product(attended, f"{prefix}.wide", weight("intermediate.dense.weight"))
    bias = graph.weight(f"{prefix}.wide.bias", weight("intermediate.dense.bias"))
    wide = graph.fused("BiasGelu", [wide, bias], f"{prefix}.gelu")
    narrow = graph.product(wide, f"{prefix}.narrow", weight("output.dense.weight"))
    return normed(narrow, attended, "output", "output.LayerNorm", "output.dense.bias")


def export(encoder):
    """The whole encoder. The checker of ONNX does not know the fused operators: ONNX Runtime is what checks it."""
    graph = HalfGraph()
    hidden, text_lengths = embeddings(graph, encoder), lengths(graph)
    for index in range(encoder.layers):
        hidden = layer(graph, encoder, index, hidden, text_lengths)
    # Sums over a text in full precision: 256 halves may be more than a half can hold.
    output = pooled(graph, graph.add("Cast", [hidden], "hidden.wide", to=TensorProto.FLOAT))
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "seq"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", encoder.hidden])]
    body = helper.make_graph(graph.nodes, "sentence_encoder", inputs, outputs, list(graph.constants.values()))
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)]
    return helper.make_model(body, opset_imports=opsets, producer_name="insula", ir_version=IR_VERSION)


if __name__ == "__main__":
    onnx.save(export(Encoder.load(sys.argv[1])), sys.argv[2])
