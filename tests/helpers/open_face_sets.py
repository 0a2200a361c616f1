# SPDX-License-Identifier: Apache-2.0
"""Small open face sets of flat images, and an analyzer that reads them without a network."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mien.core import EXPRESSIONS, CropSpec, Faces, InputSpec, MetricValue
from mien.datasets import FERPLUS_TEMPLATE, VOTES
from mien.evaluation import Report

# Blendshapes that the teacher raises for the smiles and frowns in the images below.
_SHAPES = ("mouthSmileLeft", "mouthSmileRight", "browDownLeft", "browDownRight")
_HAPPY, _NEUTRAL = EXPRESSIONS.index("happiness"), EXPRESSIONS.index("neutral")


def flat_face(smiles: bool, frowns: bool, shade: int = 0) -> bytes:
    """A flat image: the brightness of its lower and upper half encodes smile and frown."""
    image = np.zeros((96, 96, 3), np.uint8)
    image[48:] = 200 + shade if smiles else 100 + shade
    image[:48] = 200 + shade if frowns else 100 + shade
    return bytes(cv2.imencode(".png", image)[1])


def template_landmarks() -> np.ndarray:
    """68 landmarks whose five keypoints are those of the template, so that the crop is the image."""
    landmarks = np.zeros((68, 2))
    for part, point in zip((slice(36, 42), slice(42, 48), 30, 48, 54), FERPLUS_TEMPLATE, strict=True):
        landmarks[part] = point
    return landmarks


class FlatFaceAnalyzer:
    """The part of `Analyzer` that protocols use, for such images.

    Args:
        sees_brow: Whether AU04 is predicted from the brow rather than from the expression.
        blind_when_small: Whether smiles in gray images are missed.
    """

    bundle_digest = "0" * 64
    spec = SimpleNamespace(
        name="flat",
        input=InputSpec(name="x", size_px=96, colour="rgb", layout="NHWC", dtype="uint8"),
        crop=CropSpec(template=FERPLUS_TEMPLATE),
        action_unit_thresholds={},
        uncertainty=None,
    )

    def __init__(self, *, sees_brow: bool = True, blind_when_small: bool = False) -> None:
        self._sees_brow, self._blind_when_small = sees_brow, blind_when_small
        self.aligned_calls: list[bool] = []

    def crops(self, images: Sequence[Any], *, aligned: bool = False, given: str | None = None) -> Faces:
        self.aligned_calls.append(aligned or given == "whole")
        n = len(images)
        happy = np.array([image[-10:].mean() > 150 for image in images])
        brow = np.array([image[:10].mean() > 150 for image in images])
        if self._blind_when_small and images[0].ndim == 2:
            happy = np.zeros(n, bool)
        expression = np.full((n, 8), 0.02)
        expression[np.arange(n), np.where(happy, _HAPPY, _NEUTRAL)] = 0.86
        units = np.zeros((n, 2))
        units[:, 0] = np.where(brow, 0.9, 0.1) if self._sees_brow else np.where(happy, 0.2, 0.3)
        units[:, 1] = np.where(happy, 0.9, 0.1)
        return Faces(
            boxes=np.zeros((n, 4)),
            expression=expression,
            valence=happy * 0.5,
            arousal=np.zeros(n),
            action_units=units,
            expression_labels=EXPRESSIONS,
            action_unit_labels=("AU04", "AU12"),
        )


def write_teacher(path: Path, names: list[str], smiles: np.ndarray, frowns: np.ndarray, lost: int = 0) -> None:
    shapes = np.stack([smiles, smiles, frowns, frowns], axis=1).astype(np.float32)
    names_of_shapes = sorted({*_SHAPES, *_every_shape()})
    values = np.zeros((len(names), len(names_of_shapes)), np.float32)
    values[:, [names_of_shapes.index(shape) for shape in _SHAPES]] = shapes
    found = np.arange(len(names)) >= lost
    table = pa.table(
        {
            "name": names,
            "found": found,
            "blendshapes": [row.tolist() if ok else None for row, ok in zip(values, found, strict=True)],
            "points": pa.array(
                [template_landmarks().ravel().tolist() if ok else None for ok in found], type=pa.list_(pa.float32())
            ),
        }
    )
    path.parent.mkdir(exist_ok=True)
    pq.write_table(table.replace_schema_metadata({"blendshapes": json.dumps(names_of_shapes)}), path)


def _every_shape() -> list[str]:
    """The blendshapes that the AU rules use."""
    return [
        "browInnerUp", "browOuterUpLeft", "eyeWideLeft", "eyeSquintLeft", "eyeBlinkLeft", "mouthUpperUpLeft",
        "mouthFrownLeft", "mouthShrugLower", "mouthStretchLeft", "mouthRollLower", "mouthRollUpper", "jawOpen",
    ]  # fmt: skip


class ExpressionOnlyAnalyzer(FlatFaceAnalyzer):
    """The same without valence and arousal."""

    def crops(self, images: Sequence[Any], *, aligned: bool = False, given: str | None = None) -> Faces:
        unknown = np.full(len(images), np.nan)
        return dataclasses.replace(
            super().crops(images, aligned=aligned, given=given), valence=unknown, arousal=unknown
        )


def write_open_sets(folder: Path) -> Path:
    """FER+, FairFace and LFW of flat faces; smiles and frowns are independent. The teacher misses five of FairFace."""
    rng = np.random.default_rng(0)
    n = 240
    smiles, frowns = rng.random(n) < 0.5, rng.random(n) < 0.5
    images = [flat_face(a, b, i % 40) for i, (a, b) in enumerate(zip(smiles, frowns, strict=True))]
    votes = {name: np.zeros(n, np.int64) for name in VOTES}
    votes["happiness"], votes["neutral"] = 10 * smiles, 10 * ~smiles
    for split in ("train", "valid"):
        names = [f"{split}{i}.png" for i in range(n)]
        (folder / "ferplus").mkdir(exist_ok=True)
        pq.write_table(pa.table({"name": names, "image": images, **votes}), folder / f"ferplus/{split}.parquet")
        write_teacher(folder / f"teacher/ferplus_{split}.parquet", names, smiles, frowns)
    names = [f"val/{i}.jpg" for i in range(n)]
    gender = np.where(np.arange(n) % 2, "Female", "Male")
    ages, races = np.array(["3-9", "10-19", "more than 70"])[np.arange(n) % 3], np.repeat("Indian", n)
    (folder / "fairface").mkdir()
    traits = {"age": ages, "gender": gender, "race": races}
    pq.write_table(pa.table({"name": names, "image": images, **traits}), folder / "fairface/val.parquet")
    write_teacher(folder / "teacher/fairface_val.parquet", names, smiles, frowns, lost=5)
    names = [f"Person_{chr(97 + i % 26)}{chr(97 + i // 26)}_000{i}.jpg" for i in range(n)]
    emotions = np.where(smiles, "happiness", "neutral")
    (folder / "lfw_expression").mkdir()
    pq.write_table(
        pa.table({"name": names, "image": images, "emotion": emotions}), folder / "lfw_expression/photos.parquet"
    )
    write_teacher(folder / "teacher/lfw_expression.parquet", names, smiles, frowns)
    votes_of_25 = {name: rng.integers(0, 10, 40) for name in EXPRESSIONS}
    (folder / "affectnet_c25").mkdir()
    ratings = {"valence_mean": rng.uniform(-1, 1, 40), "arousal_mean": rng.uniform(-1, 1, 40), "image_set": [2] * 40}
    pq.write_table(pa.table({**votes_of_25, **ratings}), folder / "affectnet_c25/ratings.parquet")
    return folder


def metrics_by_name(report: Report) -> dict[str, MetricValue]:
    """Name -> metric of a report."""
    return {metric.name: metric for metric in report.metrics}
