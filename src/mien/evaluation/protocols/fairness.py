# SPDX-License-Identifier: Apache-2.0
"""Does the bundle treat faces of all ages, genders and origins alike? An audit without expression labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.affect import Analyzer
from mien.core import EXPRESSIONS, ConfigError, Faces, MetricValue
from mien.datasets import FaceSamples, load_fairface, load_traits, picture_file
from mien.evaluation.evaluation_report import Report
from mien.evaluation.face_crops import (
    Bools,
    bundle_report,
    expression_probabilities,
    fairface_title,
    mean_metric,
    with_keypoints,
)
from mien.evaluation.protocols.flip_rate import view_aligned

_TRAITS = ("age", "gender", "race")
_SMILE = "AU12"


def evaluate_fairness(subject: Analyzer, data: Path, split: str = "valid") -> Report:
    """FairFace validation faces by annotated age, gender and race: each group, and its difference from all others.

    Nobody labelled their expressions, so the teacher's smile stands in: a group may well smile more in these pictures,
    but a smile should be called happiness in every group alike. Faces are cut by the teacher's points.

    Raises:
        ConfigError: the bundle has no AU12.
        DatasetError: the data are incomplete.
    """
    samples = load_fairface(data, split)
    traits = load_traits(picture_file(data, "fairface", split), _TRAITS)
    known = np.isfinite(samples.keypoints).all(axis=(1, 2))
    aligned = with_keypoints(samples)
    seen = view_aligned(subject, aligned)
    values = _values(seen.sharp, aligned, seen.flipped)
    measures = [line for trait in _TRAITS for line in _of_trait(trait, traits[trait][known], values)]
    return bundle_report(
        "fairness", fairface_title(split), subject, len(samples), {"no points": int((~known).sum())}, measures
    )


def _values(
    faces: Faces, samples: FaceSamples, flipped: Bools
) -> dict[str, tuple[npt.NDArray[np.floating] | Bools, Bools]]:
    """Name -> what is averaged over a group (N,), and the rows on which it is defined (N,)."""
    if _SMILE not in faces.action_unit_labels:
        raise ConfigError(f"fairness compares smiles; this bundle has no {_SMILE}")
    happy = expression_probabilities(faces).argmax(axis=1) == EXPRESSIONS.index("happiness")
    smile = samples.action_units[:, samples.action_unit_labels.index(_SMILE)]
    own_smile = faces.action_units[:, faces.action_unit_labels.index(_SMILE)] >= 0.5
    known = ~np.isnan(smile)
    smiles = known & (smile >= 0.5)
    everyone = np.ones(len(happy), dtype=bool)
    agreement = _unit_agreement(faces, samples)
    return {
        "happiness": (happy, everyone),
        "happiness where the teacher sees a smile": (happy, smiles),
        "happiness where it sees none": (happy, known & ~smiles),
        "AU12 agrees with the teacher": (own_smile == smiles, known),
        "action units agree with the teacher": (agreement, ~np.isnan(agreement)),
        "flip rate": (flipped, everyone),
    }


def _unit_agreement(faces: Faces, samples: FaceSamples) -> npt.NDArray[np.float64]:
    """(N,) share of a face's known units on which bundle and teacher decide alike at .5; NaN where none is known."""
    labels = [label for label in faces.action_unit_labels if label in samples.action_unit_labels]
    truth = samples.action_units[:, [samples.action_unit_labels.index(label) for label in labels]]
    guess = faces.action_units[:, [faces.action_unit_labels.index(label) for label in labels]] >= 0.5
    known = ~np.isnan(truth)
    n = known.sum(axis=1)
    alike = (known & ((truth >= 0.5) == guess)).sum(axis=1)
    return np.where(n > 0, alike / np.maximum(n, 1), np.nan)


def _of_trait(
    trait: str, names: npt.NDArray[np.str_], values: dict[str, tuple[npt.NDArray[np.floating] | Bools, Bools]]
) -> list[MetricValue]:
    """Each value in each group of a trait, and its difference from all others; once where there are two groups."""
    everyone = np.arange(len(names))
    groups = sorted(set(names.tolist()), key=_age_or_name)
    measures = []
    for value_name, (value, defined) in values.items():
        for group in groups:
            inside, outside = defined & (names == group), defined & (names != group)
            if not inside.any():
                continue
            label = f"{value_name}, {trait} {group}"
            measures.append(mean_metric(label, value, inside, everyone))
            if outside.any() and (len(groups) > 2 or group == groups[0]):
                measures.append(mean_metric(f"{label}, minus others", value, inside, everyone, minus=outside))
    return measures


def _age_or_name(group: str) -> tuple[int, str]:
    """Ages in ascending order ("3-9" before "10-19", "more than 70" last), names by the alphabet."""
    first = group.split("-")[0]
    return (int(first), group) if first.isdecimal() else (1000, group)
