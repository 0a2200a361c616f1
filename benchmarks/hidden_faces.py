# SPDX-License-Identifier: Apache-2.0
"""Fit of how hidden a face is, and of what its quality loses by it; part of the benchmark `quality`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from mien.affect import Analyzer, cut_faces
from mien.core import EXPRESSIONS, Float32, Float64, HidingSpec, Indices, columns_by_name
from mien.datasets import FaceSamples, load_fairface, load_lfw
from mien.evaluation.corruptions import with_border
from mien.evaluation.face_crops import FERPLUS_PX, decode_pictures, with_keypoints
from mien.evaluation.hiding import HIDING, UNHIDDEN, hidden_copy
from mien.evaluation.protocols.quality_ranking import followed_face
from mien.faces import SIGNALS, HidingUnit, load_landmark_net, points_in_pixels, quality_signals

_N_FAIRFACE, _N_LFW = 600, 400
_LARGEST_ZOOM, _SMALLEST_SCALE = 3.0, 0.4
_CROPS_PER_RUN = 64
# What the unit knows of an image besides its embedding: detail means little without the size of the face.
_SIGNALS = ("size", "sharpness", "sharpness_squared", "contrast", "eye_detail", "mouth_detail")
# Signals are fewer than features: the ridge holds them less.
_SIGNAL_SCALE = 3.0
# Ridge of the unit, per face, for standardized features.
_RIDGE = 0.003
# Faces that are not hidden count as much as this share of the hidden ones.
_UNHIDDEN_SHARE = 0.75
_PLAIN = 0.9
_CHANCE = 1 / len(EXPRESSIONS)

_COVERS = ("mask", "hand", "sunglasses", "bar")
# Weight of covered faces among those that the unit of detail calls plain: a mosaic looks covered as well.
_COVER_WEIGHT = 0.1

FACTORS = {"detail": ((0.65, 0.8), (0.5, 1.0)), "cover": ((0.65, 0.8), (0.65, 1.0))}
"""Way of hiding -> shares of the recall that is left, and the factor of the quality at each.

With a mosaic or a blur that leaves little, what is right is mostly the most frequent expression: quality is then below
one half. Behind covers the expressions that are left are right more often, so quality falls slowly.
"""


@dataclass(frozen=True, eq=False, kw_only=True)
class HiddenCopies:
    """Copies of faces that are hidden in some way, or not, as a network sees them.

    Attributes:
        ways: (N,) names in `mien.evaluation.hiding.HIDING` or `UNHIDDEN`.
        seen: (N,) how much is left to see, NaN for all.
        signals: (N, 11) quality signals, see `mien.faces.quality_signals`.
        features: (N, D) embeddings.
        predicted: (N,) number of the top expression.
        votes: (N, 8) shares of the raters' votes; NaN where there are none.
    """

    ways: npt.NDArray[np.str_]
    seen: Float64
    signals: Float32
    features: Float32
    predicted: Indices
    votes: Float64

    @classmethod
    def concatenated(cls, parts: Sequence[HiddenCopies]) -> HiddenCopies:
        """All copies, in order."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def hidden_copies(analyzer: Analyzer, samples: FaceSamples, ways: Sequence[Sequence[str]], seed: int) -> HiddenCopies:
    """Predictions of copies of each face, analysed as the next frame of a followed face.

    Args:
        analyzer: Analyzer of the bundle, with features.
        samples: Images filled by one face; those without known keypoints are left out.
        ways: Ways to change the first face, the second and so on, again from the first where they end.
        seed: Seed of degrees and places.
    """
    samples, net = with_keypoints(samples), load_landmark_net()
    rng = np.random.default_rng(seed)
    known, signals, crops, rows = [], [], [], []
    for row, (picture, keypoints) in enumerate(zip(decode_pictures(samples), samples.keypoints, strict=True)):
        for way in ways[row % len(ways)]:
            small = max(picture.shape) <= FERPLUS_PX
            zoom = rng.uniform(1, _LARGEST_ZOOM) if small else rng.uniform(_SMALLEST_SCALE, 1)
            enlarged = cv2.INTER_CUBIC if zoom > 1 else cv2.INTER_AREA
            image = np.asarray(cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=enlarged), np.uint8)
            places = points_in_pixels(keypoints, image)
            image, matrix = with_border(image)
            places = places @ matrix[:, :2].T + matrix[:, 2]
            image, matrix, seen = hidden_copy(image, places, way, rng)
            places = (places @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
            image = np.ascontiguousarray(image)
            face = followed_face(net, image, places)
            crop = cut_faces(image, face, analyzer.spec)
            signals.append(quality_signals(image.shape[:2], face, crop)[0])
            crops.append(crop[0])
            known.append((way, seen))
            rows.append(row)
    features, predicted = [], []
    for start in range(0, len(crops), _CROPS_PER_RUN):
        faces = analyzer.crops(crops[start : start + _CROPS_PER_RUN], aligned=True)
        features.append(faces.features)
        order = columns_by_name(faces.expression_labels, EXPRESSIONS)
        predicted.append(faces.expression[:, order].argmax(axis=1))
    return HiddenCopies(
        ways=np.array([way for way, _ in known]),
        seen=np.array([seen for _, seen in known]),
        signals=np.stack(signals),
        features=np.concatenate(features),
        predicted=np.concatenate(predicted),
        votes=samples.expression[rows].astype(np.float64),
    )


def recall_left(copies: HiddenCopies) -> dict[str, tuple[float, float, float]]:
    """Way to hide a face -> intercept, slope and mean of a logistic curve from what is seen to the recall that is left.

    The recall of an expression is the share of the votes for it that are on faces with this prediction; the mean over
    the eight, above 1/8 (always the same answer) and over that of plain faces, is what is left.
    """
    plain = copies.ways == "plain"
    frequency = copies.votes[plain].mean(axis=0)
    hits = copies.votes[np.arange(len(copies.votes)), copies.predicted] / (
        len(EXPRESSIONS) * frequency[copies.predicted]
    )
    left = (hits - _CHANCE) / (hits[plain].mean() - _CHANCE)
    curves = {}
    for way in HIDING:
        rows = copies.ways == way
        seen, mean = copies.seen[rows], float(copies.seen[rows].mean())
        deviation = float(seen.std())
        known = ((seen - mean) / deviation, left[rows])
        intercept, slope = minimize(_curve_loss, [0.0, 1.0], known, method="Nelder-Mead").x
        curves[way] = (float(intercept), max(float(slope), 0.0) / deviation, mean)
    return curves


def _curve_loss(parameters: Float64, seen: Float64, left: Float64) -> float:
    """Mean squared error of a rising logistic curve from what is seen (N,), standardized, to what is left (N,)."""
    return float(((_share(parameters[0] + max(parameters[1], 0) * seen) - left) ** 2).mean())


def targets(copies: HiddenCopies, curves: Mapping[str, tuple[float, float, float]]) -> Float64:
    """Share (N,) of the recall that is left at the degree to which each copy is hidden; 1 where it is not."""
    result = np.ones(len(copies.ways))
    for way, (intercept, slope, mean) in curves.items():
        rows = copies.ways == way
        result[rows] = _share(intercept + slope * (copies.seen[rows] - mean))
    return result


def fit_unit(copies: HiddenCopies, shares: Float64, name: str) -> HidingSpec:
    """A logistic unit from embeddings and signals to the share that one way of hiding leaves, without its description.

    Args:
        copies: N copies of faces.
        shares: (N,) share of the recall that is left of each.
        name: ``"detail"`` or ``"cover"``.
    """
    covered = np.isin(copies.ways, _COVERS)
    coarse = np.isin(copies.ways, list(HIDING)) & ~covered
    if name == "detail":
        counts, shares = np.where(covered, _COVER_WEIGHT, 1.0), np.where(covered, 1.0, shares)
    else:
        # Faces without detail say nothing of covers; those that lost next to nothing are plain.
        counts, shares = np.where(coarse & (shares < _PLAIN), 0.0, 1.0), np.where(coarse, 1.0, shares)
    columns = columns_by_name(SIGNALS, _SIGNALS)
    embedding, image = copies.features, copies.signals[:, columns]
    mean, deviation = embedding.mean(axis=0), embedding.std(axis=0) + np.float32(1e-3)
    middle, spread = image.mean(axis=0), image.std(axis=0)
    known = np.column_stack(
        [(embedding - mean) / deviation, _SIGNAL_SCALE * np.clip((image - middle) / spread, -3, 3)]
    ).astype(np.float32)
    hidden = covered | coarse
    counts = np.where(hidden, counts, _UNHIDDEN_SHARE * hidden.sum() / max((~hidden).sum(), 1))
    counts /= counts.sum()

    def loss(parameters: Float64) -> tuple[float, Float64]:
        logits = known @ parameters[1:].astype(np.float32) + np.float32(parameters[0])
        errors = (counts * (_share(logits) - shares)).astype(np.float32)
        value = (counts * (np.logaddexp(0, logits) - shares * logits)).sum() + _RIDGE * (parameters[1:] ** 2).sum() / 2
        slopes = known.T @ errors + _RIDGE * parameters[1:]
        return float(value), np.concatenate([[errors.sum()], slopes])

    start = np.zeros(known.shape[1] + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
    weights = found[1 : 1 + len(mean)] / deviation
    return HidingSpec(
        name=name,
        weights=tuple(float(f"{weight:.4g}") for weight in weights),
        bias=round(float(found[0] - weights @ mean), 5),
        signals=_SIGNALS,
        signal_weights=_rounded(_SIGNAL_SCALE * found[1 + len(mean) :]),
        mean=_rounded(middle),
        deviation=_rounded(spread),
        shares=FACTORS[name][0],
        factors=FACTORS[name][1],
        data="",
        n=len(shares),
        command="",
    )


def _rounded(values: npt.NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(round(float(value), 5) for value in values)


def fit_hiding(
    analyzer: Analyzer, held_out: FaceSamples, data: Path, command: str, *, brief: bool = False
) -> tuple[HidingSpec, ...]:
    """Fit to copies of held-out FER+ training faces, whose votes tell what is lost, and of FairFace and LFW faces.

    Args:
        analyzer: Analyzer of the bundle, with features.
        held_out: FER+ faces with votes that the bundle was not trained on.
        data: Folder of the open face sets.
        command: Command that repeats the fit.
        brief: Whether half of the faces are enough.
    """
    part = 2 if brief else 1
    held_out = held_out.take(np.arange(0, len(held_out), part))
    others = [way for way in UNHIDDEN if way != "plain"]
    ways = list(HIDING)
    three = [["plain", *(np.random.default_rng(row).permutation([*ways, *others])[:3])] for row in range(44)]
    parts = [
        hidden_copies(analyzer, held_out, [["plain", *ways, other] for other in others], seed=1),
        hidden_copies(analyzer, _some(load_fairface(data, "train"), _N_FAIRFACE // part), three, seed=2),
        hidden_copies(analyzer, _some(load_lfw(data, "train"), _N_LFW // part), three, seed=3),
    ]
    curves, copies = recall_left(parts[0]), HiddenCopies.concatenated(parts)
    shares = targets(copies, curves)
    described = (
        f"{len(parts[0].ways)} copies of FER+ training faces held out, {len(parts[1].ways)} of FairFace train and "
        f"{len(parts[2].ways)} of LFW training people: plain, small, dim, grainy, compressed, or behind a mosaic, a "
        "blur, a mask, a hand, sunglasses or a bar"
    )
    specs = tuple(replace(fit_unit(copies, shares, name), data=described, command=command) for name in FACTORS)
    fitted = [HidingUnit(spec)(copies.signals, copies.features) for spec in specs]
    for way in dict.fromkeys(copies.ways):
        rows = copies.ways == way
        print(
            f"{way}: n {rows.sum()}, recall left {shares[rows].mean():.2f}; 5 %, half and 95 % of the units:", end=" "
        )
        print(*(np.quantile(values[rows], [0.05, 0.5, 0.95]).round(2).tolist() for values in fitted))
    return specs


def _share(logits: npt.NDArray[np.floating]) -> Float64:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float64)


def _some(samples: FaceSamples, n: int) -> FaceSamples:
    return samples.take(np.random.default_rng(0).permutation(len(samples))[:n])
