# SPDX-License-Identifier: Apache-2.0
"""Helpers of the protocols on cropped faces: crops, columns by name, means with intervals, the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.affect import Analyzer
from mien.core import (
    DEFAULT_THRESHOLD,
    EXPRESSIONS,
    Bools,
    CropReading,
    Faces,
    Float32,
    Float64,
    Floats,
    Image,
    Indices,
    MetricValue,
    ModelSpec,
    columns_by_name,
)
from mien.datasets import FaceSamples, Pictures
from mien.evaluation.evaluation_report import Report, bootstrap_group_metric
from mien.faces import align_faces, points_in_pixels, to_colour
from mien.media import decode_image

FERPLUS_PX = 48
"""Side of the faces in FER2013 and FER+, in pixels."""

WITHOUT_TEST = MappingProxyType({"train": "train", "test": "valid"})
"""Split of a protocol on several sets -> split of FairFace and FER+, whose validation faces no recipe trains on."""


OTHER_READING: Mapping[CropReading, CropReading] = MappingProxyType({"whole": "aligned", "aligned": "whole"})
"""The way to read crops that a bundle does not choose; protocols on whole pictures report both."""


def fairface_title(split: str) -> str:
    """Name of a split of FairFace as its authors write it, for reports: FairFace val."""
    return f"FairFace {'val' if split == 'valid' else split}"


def decode_pictures(pictures: Pictures | FaceSamples) -> list[Image]:
    """The images as (H, W, 3) RGB, in order.

    Raises:
        InputError: An image cannot be decoded; the message names it.
    """
    return [decode_image(image, name=name) for name, image in zip(pictures.names, pictures.images, strict=True)]


def align_samples(samples: FaceSamples, spec: ModelSpec) -> tuple[list[Image], list[Image]]:
    """Faces aligned by their known keypoints as the analyzer aligns a detected face, and the same faces as in FER+.

    Args:
        samples: N faces with keypoints for every row.
        spec: Description of the bundle; its template and input size make the crops.

    Returns:
        N crops (S, S, 3) RGB, and N gray ones (48, 48).
    """
    sharp, small = [], []
    for picture, keypoints in zip(decode_pictures(samples), samples.keypoints, strict=True):
        place = points_in_pixels(keypoints[None], picture)
        sharp.append(align_faces(picture, place, spec.crop.template, spec.input.size_px)[0])
        small.append(to_colour(align_faces(picture, place, spec.crop.template, FERPLUS_PX), "gray")[0])
    return sharp, small


def with_keypoints(samples: FaceSamples) -> FaceSamples:
    """The rows whose keypoints are known."""
    return samples.take(np.isfinite(samples.keypoints).all(axis=(1, 2)))


def expression_probabilities(faces: Faces) -> Float32:
    """Expression probabilities (N, 8) in canonical order.

    Raises:
        ConfigError: The bundle lacks a canonical expression.
    """
    return faces.expression[:, columns_by_name(faces.expression_labels, EXPRESSIONS)]


def unit_thresholds(spec: ModelSpec, labels: Sequence[str]) -> Float64:
    """(A,) probabilities from which the bundle counts each AU as present: its own, else `DEFAULT_THRESHOLD`."""
    known = spec.action_unit_thresholds
    return np.array([known.get(label, DEFAULT_THRESHOLD) for label in labels], dtype=np.float64)


def group_codes(groups: npt.NDArray[Any]) -> Indices:
    """Group numbers from 0, for names of groups (N,).

    Examples:
        >>> group_codes(np.array(["b", "a", "b"])).tolist()
        [1, 0, 1]
    """
    return np.unique(groups, return_inverse=True)[1]


def mean_metric(
    name: str,
    values: Floats | Bools,
    rows: Bools,
    groups: Indices,
    *,
    minus: Bools | None = None,
) -> MetricValue:
    """The mean over some rows, or the difference of two means, with the bootstrap interval of whole groups.

    Args:
        name: Name of the metric.
        values: (N,) numbers, or booleans for a fraction.
        rows: (N,) rows to average.
        groups: (N,) group of each row, numbered from 0.
        minus: (N,) rows whose mean is subtracted; None to subtract nothing.

    Examples:
        >>> hits, everyone = np.array([True, True, False, True]), np.ones(4, dtype=bool)
        >>> mean_metric("accuracy", hits, everyone, np.arange(4)).value
        0.75
    """
    n = int(rows.sum()) + (int(minus.sum()) if minus is not None else 0)
    return bootstrap_group_metric(
        name, n, partial(_mean_difference, values.astype(np.float64), rows, minus, groups), int(groups.max()) + 1
    )


def _mean_difference(
    values: Float64,
    rows: Bools,
    minus: Bools | None,
    groups: Indices,
    weights: Float64,
) -> Float64:
    mean = _weighted_mean(values[rows], weights[:, groups[rows]])
    return mean if minus is None else mean - _weighted_mean(values[minus], weights[:, groups[minus]])


def _weighted_mean(values: Float64, weights: Float64) -> Float64:
    """(R,) means of N values under (R, N) weights; NaN where all weights are 0."""
    total = weights.sum(axis=1)
    return np.where(total > 0, weights @ values / np.maximum(total, 1), np.nan)


def bundle_report(
    protocol: str, data: str, analyzer: Analyzer, n_rows: int, dropped: dict[str, int], metrics: list[MetricValue]
) -> Report:
    """The report of an affect bundle."""
    return Report(
        protocol=protocol,
        data=data,
        predictor=analyzer.spec.name,
        digest=analyzer.bundle_digest,
        n_rows=n_rows,
        dropped=dropped,
        metrics=tuple(metrics),
    )
