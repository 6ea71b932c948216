#!/usr/bin/env python3
"""Writes reference vectors: what the encoder's published weights say about some texts, in float64.

    reference.py MODEL_FOLDER OUT.json      → [{"text", "ids", "vector"}, …]

A forward pass of its own in numpy, which shares nothing with the ONNX export but the reading of the weights, so
that an error in either shows as a difference. The tests of the inference crate hold every text against it; the
server holds the first two against it whenever it starts.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from bert import Encoder
from texts import TEXTS

LONGEST = 256  # tokens, special ones included; what the model was trained on


def _erf_table(reach=6.0, steps=1 << 14):
    """Knots, values and slopes of erf; beyond `reach` it is ±1 to the last bit."""
    knots = np.linspace(-reach, reach, steps + 1)
    return knots, np.array([math.erf(x) for x in knots]), 2 / math.sqrt(math.pi) * np.exp(-(knots**2))


KNOTS, VALUES, SLOPES = _erf_table()


def erf(x):
    """erf of an array, by cubic Hermite interpolation: numpy has none. Its error is below 1e-14."""
    x = np.clip(x, KNOTS[0], KNOTS[-1])
    width = KNOTS[1] - KNOTS[0]
    left = np.minimum(((x - KNOTS[0]) / width).astype(np.int64), len(KNOTS) - 2)
    t = (x - KNOTS[left]) / width
    from_left = (1 + 2 * t) * (1 - t) ** 2 * VALUES[left] + t * (1 - t) ** 2 * width * SLOPES[left]
    from_right = t**2 * (3 - 2 * t) * VALUES[left + 1] + t**2 * (t - 1) * width * SLOPES[left + 1]
    return from_left + from_right


class Reference:
    """The encoder with float64 weights, one text at a time: no padding, hence no mask."""

    def __init__(self, encoder):
        self.encoder = encoder
        self.weights = {name: array.astype(np.float64) for name, array in encoder.weights.items() if array.dtype.kind == "f"}

    def norm(self, x, name):
        """Layer normalisation."""
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + self.encoder.epsilon)
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def dense(self, x, name):
        """A linear layer."""
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def attend(self, x, layer):
        """Self-attention of all heads; `x` is [tokens, hidden]."""
        heads = self.encoder.heads
        query, key, value = (
            self.dense(x, f"{layer}.attention.self.{part}").reshape(len(x), heads, -1).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        scores = query @ key.swapaxes(1, 2) / math.sqrt(query.shape[-1])
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        context = scores / scores.sum(-1, keepdims=True) @ value
        return self.dense(context.swapaxes(0, 1).reshape(len(x), -1), f"{layer}.attention.output.dense")

    def embed(self, ids):
        """The unit vector of one tokenized text."""
        tables = {kind: self.weights[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position", "token_type")}
        x = tables["word"][ids] + tables["position"][: len(ids)] + tables["token_type"][0]
        x = self.norm(x, "embeddings.LayerNorm")
        for index in range(self.encoder.layers):
            layer = f"encoder.layer.{index}"
            x = self.norm(x + self.attend(x, layer), f"{layer}.attention.output.LayerNorm")
            wide = self.dense(x, f"{layer}.intermediate.dense")
            wide = wide * (1 + erf(wide / math.sqrt(2))) / 2
            x = self.norm(x + self.dense(wide, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        mean = x.mean(0)
        return mean / np.linalg.norm(mean)


def main(folder, output):
    """Embeds every text of `texts.py` and writes the result."""
    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    reference = Reference(Encoder.load(folder))
    golden = []
    for text in TEXTS:
        ids = tokenizer.encode(text).ids
        if len(ids) > LONGEST:
            raise SystemExit(f"a text has {len(ids)} tokens, above the model's {LONGEST}: {text[:60]}")
        vector = [float(f"{value:.9g}") for value in reference.embed(ids)]
        golden.append({"text": text, "ids": ids, "vector": vector})
    Path(output).write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
