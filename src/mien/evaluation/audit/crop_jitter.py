# SPDX-License-Identifier: Apache-2.0
"""How far predictions move when the image of a face is mirrored, shifted, scaled or turned a little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from mien.affect import Analyzer, CropView, fit_crop
from mien.core import DIMENSIONS, Faces, Float64, Image, Indices, MetricValue
from mien.evaluation.evaluation_report import bootstrap_metric
from mien.faces import create_landmark_model

JitterLevel = Literal["image", "crop"]
"""What is jittered: the image, which is then aligned as always, or the aligned crop that the network sees."""


def _shifts(share: float) -> tuple[CropView, ...]:
    return tuple(CropView(right=x * share, down=y * share) for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)))


def _scales(share: float) -> tuple[CropView, ...]:
    return CropView(scale=1 + share), CropView(scale=1 - share)


def _turns(degrees: float) -> tuple[CropView, ...]:
    return tuple(CropView(turn_rad=float(np.deg2rad(sign * degrees))) for sign in (1, -1))


JITTERS: Mapping[str, tuple[CropView, ...]] = MappingProxyType(
    {
        "mirrored": (CropView(mirrored=True),),
        "shifted by 2 %": _shifts(0.02),
        "shifted by 5 %": _shifts(0.05),
        "shifted by 10 %": _shifts(0.10),
        "scaled by 5 %": _scales(0.05),
        "scaled by 10 %": _scales(0.10),
        "turned by 3 degrees": _turns(3),
        "turned by 8 degrees": _turns(8),
    }
)
"""Name of a jitter -> its views, each direction once; a face counts with their mean."""


@dataclass(frozen=True, kw_only=True)
class JitterResult:
    """How far predictions move under one jitter.

    Attributes:
        jitter: Name in `JITTERS`.
        level: What is jittered.
        changes: Means over faces with intervals that resample people: the share with another top expression, the total
            variation distance of the probabilities, and absolute changes of valence, arousal and the probabilities of
            action units; those that the bundle gives.
    """

    jitter: str
    level: JitterLevel
    changes: tuple[MetricValue, ...]


def crop_jitter(
    analyzer: Analyzer, pictures: Sequence[Image], people: npt.NDArray[np.str_] | None = None
) -> list[JitterResult]:
    """Changes of the predictions under every jitter, of the images and of the aligned crops.

    Args:
        analyzer: Analyzer of the bundle.
        pictures: N >= 1 images of one face each, (H, W, 3) uint8 RGB.
        people: (N,) person of each image; None where each shows another one.
    """
    net = create_landmark_model(analyzer.config.landmark_model, runtime=analyzer.config.runtime)
    crops = [fit_crop(picture, analyzer.spec, net) for picture in pictures]
    levels: dict[JitterLevel, Sequence[Image]] = {"image": pictures, "crop": crops}
    results = []
    for level, images in levels.items():
        aligned = level == "crop"
        plain = analyzer.crops(list(images), aligned=aligned)
        for name, views in JITTERS.items():
            moved = [analyzer.crops([view.of(image) for image in images], aligned=aligned) for view in views]
            changes = [_changes(plain, faces) for faces in moved]
            results.append(
                JitterResult(
                    jitter=name,
                    level=level,
                    changes=tuple(
                        bootstrap_metric(
                            measure,
                            len(images),
                            partial(_mean, np.mean([each[measure] for each in changes], axis=0)),
                            groups=people,
                        )
                        for measure in changes[0]
                    ),
                )
            )
    return results


def _changes(plain: Faces, moved: Faces) -> dict[str, Float64]:
    """Measure -> (N,) changes."""
    found: dict[str, Float64] = {}
    if plain.expression_labels:
        found["another top expression"] = (plain.expression.argmax(axis=1) != moved.expression.argmax(axis=1)).astype(
            np.float64
        )
        distance = np.abs(plain.expression.astype(np.float64) - moved.expression).sum(axis=1) / 2
        found["distance of the probabilities"] = np.asarray(distance)
    for name in DIMENSIONS:
        if np.isfinite(getattr(plain, name)).any():
            found[name] = np.abs(getattr(plain, name).astype(np.float64) - getattr(moved, name))
    if plain.action_unit_labels:
        found["action units"] = np.abs(plain.action_units.astype(np.float64) - moved.action_units).mean(axis=1)
    return found


def _mean(values: Float64, rows: Indices) -> float:
    return float(values[rows].mean())
