# SPDX-License-Identifier: Apache-2.0
"""Protocol of fairness: predictions by age, gender and race, without expression labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.affect import Analyzer
from mien.core import DEFAULT_THRESHOLD, EXPRESSIONS, Bools, ConfigError, Faces, Float64, Floats, MetricValue, ModelSpec
from mien.datasets import FaceSamples, load_fairface, load_traits, picture_file
from mien.evaluation.evaluation_report import Report
from mien.evaluation.face_crops import (
    bundle_report,
    expression_probabilities,
    fairface_title,
    mean_metric,
    unit_thresholds,
    with_keypoints,
)
from mien.evaluation.protocols.flip_rate import view_aligned

_TRAITS = ("age", "gender", "race")
_SMILE = "AU12"


def evaluate_fairness(subject: Analyzer, data: Path, split: str = "valid") -> Report:
    """FairFace faces by annotated age, gender and race: each group, and its difference from all others.

    FairFace has no expression labels, so the teacher's AU12 is the reference: groups may differ in how often they
    smile, but a smile should be predicted as happiness in every group alike. Faces are aligned by the teacher's
    keypoints. Action units are present from the bundle's thresholds on.

    Raises:
        ConfigError: The bundle has no AU12.
        DatasetError: The data are incomplete.
    """
    samples = load_fairface(data, split)
    traits = load_traits(picture_file(data, "fairface", split), _TRAITS)
    known = np.isfinite(samples.keypoints).all(axis=(1, 2))
    aligned = with_keypoints(samples)
    predicted = view_aligned(subject, aligned)
    values = _values(predicted.sharp, aligned, predicted.flipped, subject.spec)
    metrics = [line for trait in _TRAITS for line in _of_trait(trait, traits[trait][known], values)]
    return bundle_report(
        "fairness", fairface_title(split), subject, len(samples), {"no keypoints": int((~known).sum())}, metrics
    )


def _values(
    faces: Faces, samples: FaceSamples, flipped: Bools, spec: ModelSpec
) -> dict[str, tuple[Floats | Bools, Bools]]:
    """Name -> values that are averaged over a group (N,), and the rows on which they are defined (N,)."""
    if _SMILE not in faces.action_unit_labels:
        raise ConfigError(f"fairness compares smiles; this bundle has no {_SMILE}")
    happy = expression_probabilities(faces).argmax(axis=1) == EXPRESSIONS.index("happiness")
    smile = samples.action_units[:, samples.action_unit_labels.index(_SMILE)]
    present = faces.action_units >= unit_thresholds(spec, faces.action_unit_labels)
    own_smile = present[:, faces.action_unit_labels.index(_SMILE)]
    known = ~np.isnan(smile)
    smiles = known & (smile >= DEFAULT_THRESHOLD)
    everyone = np.ones(len(happy), dtype=bool)
    agreement = _unit_agreement(faces, samples, present)
    return {
        "happiness": (happy, everyone),
        "happiness where the teacher sees a smile": (happy, smiles),
        "happiness where it sees none": (happy, known & ~smiles),
        "AU12 agrees with the teacher": (own_smile == smiles, known),
        "action units agree with the teacher": (agreement, ~np.isnan(agreement)),
        "flip rate": (flipped, everyone),
    }


def _unit_agreement(faces: Faces, samples: FaceSamples, present: Bools) -> Float64:
    """(N,) fraction of a face's known AUs on which bundle and teacher agree; NaN where none is known."""
    labels = [label for label in faces.action_unit_labels if label in samples.action_unit_labels]
    truth = samples.action_units[:, [samples.action_unit_labels.index(label) for label in labels]]
    predicted = present[:, [faces.action_unit_labels.index(label) for label in labels]]
    known = ~np.isnan(truth)
    n = known.sum(axis=1)
    alike = (known & ((truth >= DEFAULT_THRESHOLD) == predicted)).sum(axis=1)
    return np.where(n > 0, alike / np.maximum(n, 1), np.nan)


def _of_trait(
    trait: str, names: npt.NDArray[np.str_], values: dict[str, tuple[Floats | Bools, Bools]]
) -> list[MetricValue]:
    """Mean of each value in each group of a trait, and its difference from all others (only one for two groups)."""
    everyone = np.arange(len(names))
    groups = sorted(set(names.tolist()), key=_age_or_name)
    metrics = []
    for value_name, (value, defined) in values.items():
        for group in groups:
            inside, outside = defined & (names == group), defined & (names != group)
            if not inside.any():
                continue
            label = f"{value_name}, {trait} {group}"
            metrics.append(mean_metric(label, value, inside, everyone))
            if outside.any() and (len(groups) > 2 or group == groups[0]):
                metrics.append(mean_metric(f"{label}, minus others", value, inside, everyone, minus=outside))
    return metrics


def _age_or_name(group: str) -> tuple[int, str]:
    """Sort key: ages in ascending order ("3-9" before "10-19", "more than 70" last), names alphabetically."""
    first = group.split("-")[0]
    return (int(first), group) if first.isdecimal() else (1000, group)
