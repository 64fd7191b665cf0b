"""Scores without Beam and without our transforms: pandas reads, numpy or torch compute. Short, slow, and independent."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from safetensors.torch import load_file
import torch


def breast_cancer_probability(rows: pd.DataFrame, package: Path) -> np.ndarray:
    """P(malignant) of each row: standardise, three linear layers in float64, sigmoid."""
    steps = json.loads((package / "preprocess.json").read_text())
    (standardise,) = [s for s in steps if s["step"] == "standardise"]
    x = (rows[standardise["columns"]].to_numpy() - standardise["mean"]) / standardise["scale"]
    weights = load_file(package / "weights.safetensors")
    names = sorted(
        (n.removesuffix(".weight") for n in weights if n.endswith(".weight")),
        key=lambda n: int(n.rsplit(".", 1)[1]),
    )
    for name in names:
        x = (
            x @ weights[f"{name}.weight"].double().numpy().T
            + weights[f"{name}.bias"].double().numpy()
        )
        x = x if name == names[-1] else np.maximum(x, 0)
    return 1 / (1 + np.exp(-x[:, 0]))


def digits_probabilities(rows: pd.DataFrame, package: Path) -> np.ndarray:
    """P(digit) of each image, float32 (rows, 10): decode, scale to -1..1, the network all at once, softmax."""
    import yaml

    from model_zoo.architectures.builders import build

    card = yaml.safe_load((package / "model.yaml").read_text())
    network = build(card["builder"], card["parameters"])
    network.load_state_dict(load_file(package / "weights.safetensors"))
    pixels = np.stack(
        [np.asarray(Image.open(io.BytesIO(png)), dtype=np.float32) for png in rows["image"]]
    )
    x = torch.from_numpy((pixels / 255 - 0.5) / 0.5)[:, None]
    with torch.inference_mode():
        (logits,) = network.eval()(image=x).values()
    return torch.softmax(logits, dim=1).numpy()
