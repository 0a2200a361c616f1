# SPDX-License-Identifier: Apache-2.0
"""Fit the uncertainty of a bundle and measure it on held-out faces and outliers (minutes on one core).

    python -m benchmarks uncertainty --data DATA --model NAME

Writes prediction sets, intervals and the probes of covered and unfamiliar faces into the bundle's ``model.json``;
prints the numbers of docs/how-to/uncertainty.md. Run it again after a bundle has new weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from benchmarks import command_of, create_parser
from benchmarks.machine import today
from benchmarks.page import measured_by
from mien.affect import Analyzer, cut_faces, fit_crop, values_before_activation
from mien.core import (
    ADAPTED_TASKS,
    DEFAULT_BUNDLE,
    EXPRESSIONS,
    Faces,
    Image,
    ProbeSpec,
    UncertaintySpec,
    columns_by_name,
)
from mien.datasets import FaceSamples, concatenate, load_fairface, load_ferplus, load_held_out, load_lfw, person
from mien.evaluation import binomial_band, expression_limits, half_widths, in_first_half, unit_offsets
from mien.evaluation.corruptions import cover_face
from mien.evaluation.face_crops import decode_pictures, with_keypoints
from mien.faces import Detections, load_landmark_net
from mien.inference import machine_name
from mien.metrics import expected_calibration_error, roc_auc
from mien.synthesis import OUTLIERS, draw_outliers
from mien.training.export.bundle_files import write_spec

_NAME = "uncertainty"
_COVERAGE = 0.9
_N_FACES, _N_COVERED, _N_OUTLIERS, _N_TEST_OUTLIERS = 1500, 700, 80, 40
# Share of real faces that may be called unfamiliar or covered, in the worst of the three sets.
_FALSE = 0.05
_RIDGE = 0.01
_N_SPLITS = 100

Matrix = npt.NDArray[np.float32]


def features_of(analyzer: Analyzer, images: Sequence[Image]) -> Matrix:
    """Embeddings (N, D) of images that are one face each."""
    return analyzer.crops(images).features


def covered_features(analyzer: Analyzer, samples: FaceSamples, seed: int) -> Matrix:
    """Embeddings of faces that `cover_face` covers, aligned at their known keypoints."""
    rng, crops = np.random.default_rng(seed), []
    samples = with_keypoints(samples)
    for picture, keypoints in zip(decode_pictures(samples), samples.keypoints, strict=True):
        zoom = max(1.0, 112 / max(picture.shape))
        large = np.asarray(cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC), np.uint8)
        place = (keypoints * large.shape[1::-1] - 0.5).astype(np.float32)
        covered = cover_face(large, place, rng)
        face = Detections(np.zeros((1, 4), np.float32), np.ones(1, np.float32), place[None])
        crops.append(cut_faces(covered, face, analyzer.spec)[0])
    return analyzer.crops(crops, aligned=True).features


def neutral_levels(analyzer: Analyzer, samples: FaceSamples) -> dict[str, tuple[float, ...]]:
    """Label -> mean, deviation between and within people of its logit on neutral faces of people with several."""
    neutral = samples.take(samples.expression.argmax(axis=1) == EXPRESSIONS.index("neutral"))
    people = np.array([person(name) for name in neutral.names])
    _, place, count = np.unique(people, return_inverse=True, return_counts=True)
    neutral, place = neutral.take(count[place] > 1), place[count[place] > 1]
    net = load_landmark_net()
    crops = np.stack([fit_crop(picture, analyzer.spec, net) for picture in decode_pictures(neutral)])
    outputs, levels = analyzer.bundle.run(crops), {}
    groups = [np.flatnonzero(place == one) for one in np.unique(place)]
    sizes = np.array([len(rows) for rows in groups])
    for name in ADAPTED_TASKS:
        task = analyzer.spec.task(name)
        if task is not None:
            values = values_before_activation(outputs, task).astype(np.float64)
            means = np.stack([values[rows].mean(axis=0) for rows in groups])
            squares = np.stack([((values[rows] - values[rows].mean(axis=0)) ** 2).sum(axis=0) for rows in groups])
            inside = squares.sum(axis=0) / (len(values) - len(groups))
            between = np.maximum(means.var(axis=0, ddof=1) - inside * (1 / sizes).mean(), 0)
            for column, label in enumerate(task.labels):
                numbers = means[:, column].mean(), between[column] ** 0.5, inside[column] ** 0.5
                levels[label] = tuple(round(float(number), 4) for number in numbers)
    return levels


def fit_probe(known: Matrix, others: Matrix, held_out: Sequence[Matrix], data: str) -> ProbeSpec:
    """A ridge logistic unit that tells others from known faces; its limit flags 5 % of the worst held-out set."""
    mean, deviation = known.mean(axis=0), known.std(axis=0) + 1e-3
    truth = np.repeat([0, 1], [len(known), len(others)])
    model = LogisticRegression(C=_RIDGE, max_iter=400, class_weight="balanced")
    model.fit((np.concatenate([known, others]) - mean) / deviation, truth)
    weights = model.coef_[0] / deviation
    bias = float(model.intercept_[0] - weights @ mean)
    probe = ProbeSpec(weights=tuple(float(f"{w:.4g}") for w in weights), bias=round(bias, 5), limit=0.5, data=data)
    limit = max(float(np.quantile(probe(features), 1 - _FALSE)) for features in held_out)
    return replace(probe, limit=min(round(limit + 5e-6, 5), 1.0))


Labelled = tuple[Matrix, npt.NDArray[np.int64]]


def coverage_of_splits(
    probabilities: Matrix, targets: npt.NDArray[np.int64], further: Labelled
) -> dict[str, tuple[float, float]]:
    """Expression -> mean coverage over random halves, and the share of them within the binomial 95 % band."""
    inside = {label: [] for label in EXPRESSIONS}
    means = {label: [] for label in EXPRESSIONS}
    for seed in range(_N_SPLITS):
        first = np.random.default_rng(seed).random(len(targets)) < 0.5
        known = np.concatenate([probabilities[first], further[0]])
        limits = expression_limits(known, np.concatenate([targets[first], further[1]]), EXPRESSIONS, _COVERAGE)
        for number, label in enumerate(EXPRESSIONS):
            own = probabilities[~first & (targets == number), number]
            low, high = binomial_band(len(own), _COVERAGE)
            share = float((own >= limits[label]).mean())
            means[label].append(share)
            inside[label].append(low <= share <= high)
    return {label: (float(np.mean(means[label])), float(np.mean(inside[label]))) for label in EXPRESSIONS}


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit read and found.

    Attributes:
        spec: The calibration.
        known: Embeddings of known faces.
        unlike: Embeddings of outliers.
        kinds: Kind of each outlier.
        first_halves: Embeddings of FER+, FairFace and LFW that set the limits.
        held_out: Probabilities and targets of held-out training faces.
    """

    spec: UncertaintySpec
    known: Matrix
    unlike: Matrix
    kinds: npt.NDArray[np.str_]
    first_halves: tuple[Matrix, ...]
    held_out: Labelled


def halves(data: Path) -> dict[str, tuple[FaceSamples, npt.NDArray[np.bool_]]]:
    """Title -> faces, and whether each is in the half that calibrates."""
    valid, fairface, lfw = load_ferplus(data, "valid"), load_fairface(data, "valid"), load_lfw(data, "test")
    valid = valid.take(np.isfinite(valid.expression).all(axis=1))
    return {
        "FER+ valid": (valid, in_first_half(valid.names)),
        "FairFace val": (fairface, in_first_half(fairface.names)),
        "LFW test people": (lfw, in_first_half([person(name) for name in lfw.names])),
    }


def fit(analyzer: Analyzer, data: Path, *, n_held_out: int = _N_FACES, brief: bool = False) -> Fitted:
    """Fit the calibration of a bundle; a brief fit reads half of the faces.

    Args:
        analyzer: Analyzer of the bundle.
        data: Folder of the open face sets.
        n_held_out: Number of FER+ training faces that were held out.
        brief: Whether half of the faces are enough.
    """
    part = 2 if brief else 1
    n_faces, n_covered, n_outliers = n_held_out // part, _N_COVERED // part, _N_OUTLIERS // part
    kept = load_held_out(data, n_faces)
    kept = kept.take(np.isfinite(kept.expression).all(axis=1))
    held = analyzer.crops(decode_pictures(kept))
    of_held_out = _probabilities(held), kept.expression.argmax(axis=1)
    sets = halves(data)
    valid = sets["FER+ valid"][0].take(sets["FER+ valid"][1])
    faces = analyzer.crops(decode_pictures(valid))
    others = [_some(samples.take(half), n_faces // 2) for samples, half in list(sets.values())[1:]]
    first_halves = (faces.features, *(features_of(analyzer, decode_pictures(samples)) for samples in others))
    further = [_some(load_fairface(data, "train"), n_faces), _some(load_lfw(data, "train"), n_covered)]
    known = np.concatenate([held.features, *(features_of(analyzer, decode_pictures(one)) for one in further)])
    drawn = list(draw_outliers(n_outliers, seed=0))
    unlike = features_of(analyzer, [one.image for one in drawn])
    hidden = np.concatenate(
        [
            covered_features(analyzer, _some(one, n_covered), 10 + i)
            for i, one in enumerate([further[0], kept, further[1]])
        ]
    )
    sources = "FairFace train, FER+ train held out, LFW training people"
    spec = _calibrated(
        Faces.concatenate([faces, held]),
        np.concatenate([_probabilities(faces), of_held_out[0]]),
        np.concatenate([valid.expression.argmax(axis=1), of_held_out[1]]),
        concatenate([valid, kept]),
    )
    spec = replace(
        spec,
        neutral_levels=neutral_levels(analyzer, load_lfw(data, "train")),
        unfamiliar=fit_probe(
            known, unlike, first_halves, f"{len(known)} faces ({sources}), {len(drawn)} drawn outliers"
        ),
        covered=fit_probe(
            known, hidden, first_halves, f"{len(known)} faces ({sources}), {len(hidden)} of them covered"
        ),
        sha256=analyzer.spec.sha256,
        command=f"{command_of(_NAME)} --data DATA --model MODEL" + (" --brief" if brief else ""),
    )
    return Fitted(spec, known, unlike, np.array([one.kind for one in drawn]), first_halves, of_held_out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, write, and print."""
    parser = create_parser(_NAME, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument("--model", default=DEFAULT_BUNDLE, help="bundle that is calibrated and written into")
    parser.add_argument("--brief", action="store_true", help="fit the probes to half of the faces, and measure nothing")
    parser.add_argument(
        "--held-out", type=int, default=_N_FACES, help="number of held-out training faces (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    data = options.data
    analyzer = Analyzer(options.model, features=True, threads=1)
    if not analyzer.spec.features:
        raise SystemExit(f"{analyzer.spec.name} gives no features, which the probes need")
    fitted = fit(analyzer, data, n_held_out=options.held_out, brief=options.brief)
    write_spec(analyzer.bundle.folder, replace(analyzer.spec, uncertainty=fitted.spec))
    if not options.brief:
        measure(analyzer, data, fitted)
        _print_spread(options.model, *halves(data)["FER+ valid"])
    return 0


def measure(analyzer: Analyzer, data: Path, fitted: Fitted) -> None:
    """Print coverage and flags on faces and outliers that took no part in the fit."""
    sets, spec = halves(data), fitted.spec
    unfamiliar, covered = spec.unfamiliar, spec.covered
    assert unfamiliar is not None, "the bundle has features"
    assert covered is not None, "the bundle has features"
    read = {name: analyzer.crops(decode_pictures(samples)) for name, (samples, _) in sets.items()}
    valid, first = sets["FER+ valid"]
    probabilities, targets = _probabilities(read["FER+ valid"]), valid.expression.argmax(axis=1)
    fairface, fairface_first = sets["FairFace val"]
    print(measured_by(_NAME, machine=machine_name(), date=today()))
    print(f"{analyzer.spec.name} {analyzer.spec.version}, weights {analyzer.spec.sha256[:12]}")
    print(f"ECE, plurality, all of FER+ valid: {expected_calibration_error(targets, probabilities):.4f}")
    print("conformal, half of FER+ valid and held-out training faces calibrate, the other half tests:")
    splits = coverage_of_splits(probabilities, targets, fitted.held_out)
    for number, label in enumerate(EXPRESSIONS):
        own = probabilities[~first & (targets == number), number]
        low, high = binomial_band(len(own), _COVERAGE)
        share = float((own >= spec.expression_limits[label]).mean())
        within = "inside" if low <= share <= high else "OUTSIDE"
        print(
            f"  {label}: n {len(own)}, coverage {share:.3f}, band {low:.3f} to {high:.3f}: {within}; "
            f"random halves: mean {splits[label][0]:.3f}, {splits[label][1]:.0%} inside"
        )
    new = list(draw_outliers(_N_TEST_OUTLIERS, seed=1))
    new_features, new_kinds = features_of(analyzer, [one.image for one in new]), np.array([one.kind for one in new])
    flagged = unfamiliar(new_features) >= unfamiliar.limit
    real = {name: faces.features[~sets[name][1]] for name, faces in read.items()}
    print(f"unfamiliar: {flagged.mean():.3f} of {len(flagged)} new outliers flagged", _interval(flagged))
    for kind in OUTLIERS:
        rest = fit_probe(fitted.known, fitted.unlike[fitted.kinds != kind], fitted.first_halves, "")
        unseen = rest(new_features[new_kinds == kind]) >= rest.limit
        own = flagged[new_kinds == kind]
        print(f"  {kind}: {own.mean():.2f} of {len(own)}; where the probe has seen no {kind}: {unseen.mean():.2f}")
    found = np.array([len(analyzer.image(one.image)) > 0 for one in new])
    print(f"  the detector finds a face in {found.sum()} of them, {flagged[found].mean():.3f} of these are flagged")
    for name, features in real.items():
        wrong = unfamiliar(features) >= unfamiliar.limit
        print(f"  false flags on {name}, second half: {wrong.mean():.3f} of {len(wrong)}", _interval(wrong))
    apart = covered_features(analyzer, _some(fairface.take(~fairface_first), _N_COVERED), 20)
    rows = covered(apart) >= covered.limit
    score = np.concatenate([covered(apart), covered(real["FairFace val"])])
    area = roc_auc(np.repeat([1, 0], [len(apart), len(real["FairFace val"])]), score)
    print(
        f"covered: {rows.mean():.3f} of {len(rows)} covered FairFace val faces flagged",
        _interval(rows),
        f"AUC {area:.3f}",
    )
    for name, features in real.items():
        wrong = covered(features) >= covered.limit
        print(f"  false flags on {name}, second half: {wrong.mean():.3f} of {len(wrong)}", _interval(wrong))


def _probabilities(faces: Faces) -> Matrix:
    """Probabilities (N, 8) in canonical order."""
    return faces.expression[:, columns_by_name(faces.expression_labels, EXPRESSIONS)]


def _calibrated(
    faces: Faces, probabilities: Matrix, targets: npt.NDArray[np.int64], samples: FaceSamples
) -> UncertaintySpec:
    """Sets and intervals from the faces of the first half."""
    tops = np.array([top or "" for top in faces.top_expressions()])
    widths = {}
    for column, name in enumerate(("valence", "arousal")):
        errors = samples.valence_arousal[:, column] - getattr(faces, name)
        if np.isfinite(errors).any():
            known = np.isfinite(errors)
            widths[name] = _rounded(half_widths(errors[known], tops[known], EXPRESSIONS, _COVERAGE))
    shared = [label for label in faces.action_unit_labels if label in samples.action_unit_labels]
    own = faces.action_units[:, [faces.action_unit_labels.index(label) for label in shared]]
    reference = samples.action_units[:, [samples.action_unit_labels.index(label) for label in shared]]
    offsets = unit_offsets(own, reference, shared, _COVERAGE)
    return UncertaintySpec(
        coverage=_COVERAGE,
        # Rounded down, so that the coverage is kept.
        expression_limits={
            label: float(np.floor(limit * 1e5) / 1e5)
            for label, limit in expression_limits(probabilities, targets, EXPRESSIONS, _COVERAGE).items()
        },
        half_widths=widths,
        unit_offsets={label: tuple(round(end + 5e-5, 4) for end in ends) for label, ends in offsets.items()},
        data=f"first half of FER+ valid and {_N_FACES} FER+ training faces held out: expression by plurality of votes; "
        "valence and arousal mapped from votes and "
        "action units of a landmark teacher, so that their coverage is that of an agreement",
        n=len(samples),
    )


def _print_spread(model: str, everyone: FaceSamples, first: npt.NDArray[np.bool_]) -> None:
    samples = everyone.take(~first)
    targets = samples.expression.argmax(axis=1)
    analyzer = Analyzer(model, threads=1, views=3)
    faces = analyzer.crops(decode_pictures(samples))
    values = faces.expression[:, columns_by_name(faces.expression_labels, EXPRESSIONS)]
    wrong = values.argmax(axis=1) != targets
    print(
        f"views: AUC of the spread over 3 views for a wrong expression, FER+ valid, second half: "
        f"{roc_auc(wrong, faces.view_spread):.3f}; of the top probability: {roc_auc(wrong, -values.max(axis=1)):.3f}; "
        f"of both: {roc_auc(wrong, faces.view_spread - values.max(axis=1)):.3f}"
    )


def _rounded(widths: dict[str, float]) -> dict[str, float]:
    return {name: round(width + 5e-5, 4) for name, width in widths.items()}


def _some(samples: FaceSamples, n: int) -> FaceSamples:
    return samples.take(np.random.default_rng(0).permutation(len(samples))[:n])


def _interval(hits: npt.NDArray[np.bool_]) -> str:
    """Wilson's 95 % interval of a share."""
    n, share, z = len(hits), float(hits.mean()), 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return f"({middle - half:.3f} to {middle + half:.3f})"
