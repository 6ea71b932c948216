"""A BERT sentence encoder as its authors published it: the shape from `config.json`, the weights from safetensors."""

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors.numpy import load_file


@dataclass(frozen=True)
class Encoder:
    """Shape and weights; weights are named as in the file, less a leading `bert.`."""

    hidden: int
    layers: int
    heads: int
    positions: int
    epsilon: float
    weights: dict

    @classmethod
    def load(cls, folder):
        """Reads a model folder, refusing kinds of BERT that the code beside this does not compute."""
        config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
        if config["hidden_act"] != "gelu" or config.get("position_embedding_type", "absolute") != "absolute":
            raise SystemExit(f"{folder}: only BERT with exact gelu and absolute positions is supported")
        stored = load_file(Path(folder) / "model.safetensors")
        return cls(
            hidden=config["hidden_size"],
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            positions=config["max_position_embeddings"],
            epsilon=config["layer_norm_eps"],
            weights={name[5:] if name.startswith("bert.") else name: array for name, array in stored.items()},
        )

    def layer(self, index, name):
        """One weight of one layer, for example `layer(0, "attention.self.query.bias")`."""
        return self.weights[f"encoder.layer.{index}.{name}"]
