#!/usr/bin/env python3
"""Makes the models that the tests upload: small ones that do something, and hostile ones.

    PYTHONPATH=.runtime/python python3 tests/models/make.py

What it makes is committed beside it, so that nobody needs to run it but who changes a model.
"""

import json
from pathlib import Path

import numpy
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent
FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING


def value(name, kind, *shape):
    return helper.make_tensor_value_info(name, kind, list(shape))


def weights(name, array):
    return numpy_helper.from_array(numpy.asarray(array), name)


def model(nodes, inputs, outputs, initializers=()):
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializer=list(initializers))
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="insula-tests")


def save(name, made):
    data = made if isinstance(made, bytes) else made.SerializeToString(deterministic=True)
    (HERE / name).write_bytes(data)


def node(kind, inputs, outputs, **attributes):
    return helper.make_node(kind, inputs, outputs, **attributes)


def add(step):
    """y = x + step: tells which version answered."""
    return model(
        [node("Add", ["x", "step"], ["y"])],
        [value("x", FLOAT, "n", 2)],
        [value("y", FLOAT, "n", 2)],
        [weights("step", numpy.float32([step]))],
    )


def linear():
    """A classifier of flowers by the lengths of their leaves: three classes, four columns."""
    return model(
        [
            node("MatMul", ["features", "w"], ["product"]),
            node("Add", ["product", "b"], ["logits"]),
            node("Softmax", ["logits"], ["probabilities"], axis=1),
        ],
        [value("features", FLOAT, "n", 4)],
        [value("probabilities", FLOAT, "n", 3)],
        [
            weights("w", numpy.float32([[0.4, 0.4, -0.8], [1.3, -0.4, -0.9], [-2.1, 0.1, 2.0], [-0.9, -0.8, 1.7]])),
            weights("b", numpy.float32([6.6, 2.0, -5.6])),
        ],
    )


GLYPHS = """
.###. ..#.. .###. .###. ...#. ##### ..##. ##### .###. .###.
#...# .##.. #...# #...# ..##. #.... .#... ....# #...# #...#
#..## ..#.. ....# ....# .#.#. ####. #.... ...#. #...# #...#
#.#.# ..#.. ...#. ..##. #..#. ....# ####. ..#.. .###. .####
##..# ..#.. ..#.. ....# ##### ....# #...# .#... #...# ....#
#...# ..#.. .#... #...# ...#. #...# #...# .#... #...# ...#.
.###. .###. ##### .###. ...#. .###. .###. .#... .###. .##..
"""


def digits():
    """Digits of 8 x 8 pixels, by how well they cover the drawing of each: 64 brightnesses, ten scores."""
    rows = [line.split() for line in GLYPHS.split("\n") if line]
    templates = numpy.zeros((10, 8, 8), numpy.float32)
    for digit in range(10):
        for y, line in enumerate(rows):
            for x, dot in enumerate(line[digit]):
                templates[digit, y, x + 1] = dot == "#"
    templates -= templates.mean(axis=(1, 2), keepdims=True)
    templates /= numpy.sqrt((templates**2).sum(axis=(1, 2), keepdims=True))
    return model(
        [node("MatMul", ["pixels", "w"], ["scores"])],
        [value("pixels", FLOAT, "n", 64)],
        [value("scores", FLOAT, "n", 10)],
        [weights("w", templates.reshape(10, 64).T.copy())],
    )


WORDS = ["[PAD]", "[UNK]", "good", "great", "bad", "awful", "the", "film", "was"]


def sentiment():
    """A mean of words' scores: token ids and their mask, two classes."""
    scores = numpy.zeros((len(WORDS), 2), numpy.float32)
    for word, score in {"good": 2, "great": 3, "bad": -2, "awful": -3}.items():
        scores[WORDS.index(word)] = [-score, score]
    return model(
        [
            node("Gather", ["scores", "input_ids"], ["each"]),
            node("Cast", ["attention_mask"], ["mask"], to=FLOAT),
            node("Unsqueeze", ["mask", "last"], ["column"]),
            node("Mul", ["each", "column"], ["heard"]),
            node("ReduceSum", ["heard", "tokens"], ["logits"], keepdims=0),
        ],
        [value("input_ids", INT64, "n", "tokens"), value("attention_mask", INT64, "n", "tokens")],
        [value("logits", FLOAT, "n", 2)],
        [weights("scores", scores), weights("last", numpy.int64([2])), weights("tokens", numpy.int64([1]))],
    )


def tokenizer():
    return {
        "version": "1.0",
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": {word: place for place, word in enumerate(WORDS)}, "unk_token": "[UNK]"},
        "added_tokens": [],
    }


def echo():
    """Texts in, the same texts out."""
    return model([node("Identity", ["t"], ["u"])], [value("t", STRING, "n", 1)], [value("u", STRING, "n", 1)])


def centred():
    """x less the mean of all rows: rows mind each other, so that calls must not be put together."""
    return model(
        [node("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=1), node("Sub", ["x", "mean"], ["y"])],
        [value("x", FLOAT, "n", 2)],
        [value("y", FLOAT, "n", 2)],
    )


def looping(rounds):
    """Adds up, for ever or as often as it is told."""
    body = helper.make_graph(
        [node("Identity", ["go"], ["on"]), node("Add", ["sum", "one"], ["more"])],
        "body",
        [value("round", INT64), value("go", TensorProto.BOOL), value("sum", FLOAT, 1)],
        [value("on", TensorProto.BOOL), value("more", FLOAT, 1)],
        initializer=[weights("one", numpy.float32([1e-9]))],
    )
    inputs = [value("x", FLOAT, 1)]
    initializers = [weights("true", numpy.bool_(True))]
    if rounds is None:
        inputs.append(value("rounds", INT64))
    else:
        initializers.append(weights("rounds", numpy.int64(rounds)))
    loop = node("Loop", ["rounds", "true", "x"], ["y"], body=body)
    return model([loop], inputs, [value("y", FLOAT, 1)], initializers)


def bomb():
    """As many ones as it is told, added up."""
    one = weights("value", numpy.float32([1]))
    return model(
        [node("ConstantOfShape", ["shape"], ["ones"], value=one), node("ReduceSum", ["ones"], ["y"], keepdims=0)],
        [value("shape", INT64, 1)],
        [value("y", FLOAT)],
    )


def loaded_bomb():
    """As many ones as nobody has, computed while it is loaded."""
    one = weights("value", numpy.float32([1]))
    return model(
        [
            node("ConstantOfShape", ["shape"], ["ones"], value=one),
            node("ReduceSum", ["ones"], ["sum"], keepdims=0),
            node("Add", ["x", "sum"], ["y"]),
        ],
        [value("x", FLOAT, 1)],
        [value("y", FLOAT, 1)],
        [weights("shape", numpy.int64([1 << 36]))],
    )


def external():
    made = add(1)
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in {"location": "../../../../etc/passwd", "offset": "0", "length": "4"}.items():
        tensor.external_data.add(key=key, value=text)
    return made


def giant():
    made = add(1)
    made.graph.initializer[0].dims[:] = [1 << 40]
    return made


def unknown():
    return model([node("Frobnicate", ["x"], ["y"])], [value("x", FLOAT, 1)], [value("y", FLOAT, 1)])


def liar():
    """Says that it gives whole numbers."""
    made = add(1)
    made.graph.output[0].type.tensor_type.elem_type = INT64
    return made


def sequence():
    made = helper.make_tensor_sequence_value_info("s", FLOAT, None)
    return model([node("SequenceConstruct", ["x"], ["s"])], [value("x", FLOAT, 1)], [made])


def main():
    for step in (1, 2, 3):
        save(f"add-{step}.onnx", add(step))
    for make in (linear, digits, sentiment, echo, centred, bomb, external, giant, unknown, liar, sequence):
        save(f"{make.__name__}.onnx", make())
    save("loaded-bomb.onnx", loaded_bomb())
    save("endless.onnx", looping((1 << 63) - 1))
    save("rounds.onnx", looping(None))
    save("corrupt.onnx", linear().SerializeToString()[:-40])
    text = json.dumps(tokenizer(), indent=1, ensure_ascii=False)
    (HERE / "sentiment.tokenizer.json").write_text(text + "\n", encoding="utf-8")


main()
