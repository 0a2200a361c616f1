# SPDX-License-Identifier: Apache-2.0
"""Fit the face quality model, and measure it on faces that took no part in the fit (minutes on one core).

    python -m benchmarks quality --data DATA [--model FOLDER] [--brief] [--hiding]

Writes the coefficients, and what the quality loses where a face is hidden (`benchmarks.hidden_faces`), into the
bundle's ``model.json`` and the charts ``docs/how-to/quality-accuracy.svg`` and ``docs/how-to/quality-risk.svg``; prints
the numbers of docs/how-to/quality.md.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from skimage import data as pictures

from benchmarks import ROOT, command_of, create_parser
from benchmarks.hidden_faces import fit_hiding
from benchmarks.line_chart import unit_line_chart
from benchmarks.machine import today
from benchmarks.page import measured_by
from mien.affect import Analyzer, cut_faces
from mien.core import DEFAULT_BUNDLE, QualitySpec
from mien.datasets import load_ferplus, load_held_out, load_lfw
from mien.evaluation.protocols.quality_ranking import (
    HELD,
    DegradedPredictions,
    Way,
    changed_sets,
    confidence_scores,
    predict_degraded,
)
from mien.faces import SIGNALS, SURENESS, Detections, face_quality, keypoints_of
from mien.inference import machine_name
from mien.metrics import aurc, rank_correlation, risk_coverage, roc_auc
from mien.training.export.bundle_files import write_spec

_NAME = "quality"
_N_HELD_OUT = 1500  # FER+ training faces that the default recipe holds out: its bundle was not trained on them
# How each copy of these faces is changed.
_COPIES: tuple[Way, ...] = ("plain", "covered", "pixelated", "mixed", "mixed", "blurred")
# Sign of the weight of each signal by its meaning: larger, sharper and surer is better; turned, tilted and cut off is
# worse.
_SIGNS = {
    "size": 1,
    "sharpness": 1,
    "contrast": 1,
    "turn": -1,
    "nod": -1,
    "roll": -1,
    "outside": -1,
    "doubt": -1,
    "eye_detail": 1,
    "mouth_detail": 1,
    "sureness": 1,
}
_N_BINS = 10


def fit(predictions: DegradedPredictions, n_held_out: int, command: str) -> QualitySpec:
    """Fit a logistic model that predicts from the signals whether a prediction is correct.

    The signals of the image are weighed first, then the sureness of the network beside their sum: weighed together,
    the image keeps only what sureness does not tell, and a blurred face whose expression is not known yet would look
    almost as good as a sharp one. Weights keep the sign that the signal has by its meaning (`_SIGNS`): sets differ in
    size, sharpness and pose at the same time, and without it quality rises with the turn of a head and with blur. The
    square of sharpness has none, and is left out.

    Args:
        predictions: Predictions of a bundle on degraded faces.
        n_held_out: Number of faces that these are copies of.
        command: Command that repeats the fit.
    """
    names, n_image = (*SIGNALS, SURENESS), len(SIGNALS)
    mean, deviation = predictions.signals.mean(axis=0), predictions.signals.std(axis=0)
    standardized = np.clip((predictions.signals - mean) / deviation, -3, 3).astype(np.float64)
    used = np.flatnonzero([name in _SIGNS for name in names[:n_image]])
    weights = np.zeros(len(names))
    intercept, weights[used] = _logistic(
        standardized[:, used], predictions.correct, [_SIGNS[names[place]] for place in used]
    )
    both = np.column_stack([standardized[:, used] @ weights[used], standardized[:, n_image]])
    known, (image_share, weights[n_image]) = _logistic(both, predictions.correct, [1, 1])
    # The sum for a known expression has an intercept of its own: the sureness that moves nothing is shifted by it.
    if weights[n_image]:
        mean[n_image] -= (known - intercept) * deviation[n_image] / weights[n_image]
    kept = np.flatnonzero(np.round(weights, 5))
    return QualitySpec(
        intercept=round(intercept, 5),
        signals=tuple(names[place] for place in kept),
        weights=_rounded(weights[kept]),
        mean=_rounded(mean[kept]),
        deviation=_rounded(deviation[kept]),
        data=f"{n_held_out} FER+ training faces held out: plain, covered, pixelated, blurred, and twice degraded",
        n=len(predictions.correct),
        command=command,
        image_share=round(min(float(image_share), 1.0), 5),
    )


def _logistic(
    signals: npt.NDArray[np.float64], correct: npt.NDArray[np.bool_], signs: Sequence[int]
) -> tuple[float, npt.NDArray[np.float64]]:
    """Intercept and weights of a logistic regression with unit ridge whose weights have given signs."""
    targets = correct.astype(np.float64)

    def loss(parameters: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        logits = signals @ parameters[1:] + parameters[0]
        errors = 1 / (1 + np.exp(-logits)) - targets
        value = np.logaddexp(0, logits).sum() - targets @ logits + 0.5 * (parameters[1:] ** 2).sum()
        return float(value), np.concatenate([[errors.sum()], signals.T @ errors + parameters[1:]])

    bounds = [(None, None), *((0, None) if sign > 0 else (None, 0) for sign in signs)]
    found = minimize(loss, np.zeros(len(signs) + 1), jac=True, bounds=bounds, method="L-BFGS-B").x
    return float(found[0]), found[1:]


def _rounded(values: npt.NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(round(float(value), 5) for value in values)


def binned(quality: npt.NDArray[np.floating], correct: npt.NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Mean quality and accuracy in ten equal bins of the faces, from the lowest quality to the highest."""
    parts = np.array_split(np.argsort(quality, kind="stable"), _N_BINS)
    return [(float(quality[part].mean()), float(correct[part].mean())) for part in parts]


def cost_ms(analyzer: Analyzer, n_faces: int = 8, n_calls: int = 200) -> float:
    """CPU milliseconds per face for the quality of several faces whose crops exist already."""
    image = pictures.astronaut()
    face = analyzer.image(image)[[0] * n_faces]
    found = Detections(face.boxes, face.confidence, keypoints_of(face.landmarks))
    crops, model = cut_faces(image, found, analyzer.spec), analyzer.quality_model
    start = time.process_time()
    for _ in range(n_calls):
        face_quality(model, image.shape[:2], found, crops)
    return (time.process_time() - start) * 1000 / n_calls / n_faces


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit the model, write its coefficients and charts, and print its metrics."""
    parser = create_parser(_NAME, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument("--model", default=DEFAULT_BUNDLE, help="bundle that the model is fitted to and written into")
    parser.add_argument(
        "--held-out", type=int, default=_N_HELD_OUT, help="number of held-out training faces (default: %(default)s)"
    )
    parser.add_argument(
        "--brief", action="store_true", help="fit hidden faces to half of the faces, and measure nothing"
    )
    parser.add_argument("--hiding", action="store_true", help="keep the coefficients, and fit hidden faces alone")
    options = parser.parse_args(arguments)
    data, analyzer = options.data, Analyzer(options.model, features=True, threads=1)
    named = "" if options.model == DEFAULT_BUNDLE else f" --model {analyzer.spec.name}"
    command = f"{command_of(_NAME)} --data DATA{named}"
    held_out = load_held_out(data, options.held_out)
    held_out = held_out.take(np.isfinite(held_out.expression).all(axis=1))
    model = analyzer.spec.quality if options.hiding else None
    if model is None:
        degraded = [predict_degraded(analyzer, held_out, seed=100 + i, way=way) for i, way in enumerate(_COPIES)]
        model = fit(DegradedPredictions.concatenated(degraded), len(held_out), command)
    if analyzer.spec.features:
        further = " --brief" if options.brief else ""
        hiding = fit_hiding(analyzer, held_out, data, command + further, brief=options.brief)
        model = replace(model, hiding=hiding)
    write_spec(analyzer.bundle.folder, replace(analyzer.spec, quality=model))
    if options.brief:
        return 0
    analyzer = Analyzer(analyzer.bundle.folder, threads=1)
    sets = {
        "FER+ valid": predict_degraded(analyzer, load_ferplus(data, "valid"), seed=1),
        "LFW test people": predict_degraded(analyzer, load_lfw(data, "test"), seed=2),
    }
    if not named:
        _write_charts(sets)
    print(f"fitted to {model.n} faces: {dict(zip(model.signals, model.weights, strict=True))}")
    print(f"{cost_ms(analyzer, 1):.3f} ms for one face, {cost_ms(analyzer):.3f} ms per face for eight")
    print(measured_by(_NAME, machine=machine_name(), date=today()))
    for name, of in changed_sets(analyzer, data).items():
        right, quality = of.correct, of.quality
        known = np.isfinite(of.yaw_rad)
        by_yaw = rank_correlation(np.abs(of.yaw_rad[known]), quality[known])
        print(
            f"{name}: n {len(right)}, accuracy {right.mean():.3f}, mean quality {quality.mean():.3f}, "
            f"AUC {roc_auc(right, quality):.3f}, AURC {aurc(right, quality):.4f}, "
            f"rank correlation with yaw {by_yaw:.3f}"
        )
    for name, of in sets.items():
        print(f"\n{name}: {len(of.correct)} faces, accuracy {of.correct.mean():.3f},")
        print(f"mean quality {of.quality.mean():.3f}, AUC of quality {roc_auc(of.correct, of.quality):.3f}")
        for trust, values in confidence_scores(of).items():
            print(f"AURC by {trust}: {aurc(of.correct, values):.4f}")
        held = of.scores >= HELD
        auc = roc_auc(of.correct[held], of.quality[held])
        print(f"of {held.sum()} that the landmark model accepts: accuracy {of.correct[held].mean():.3f}, AUC {auc:.3f}")
        for least in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
            kept = of.quality >= least
            right = of.correct[kept].mean() if kept.any() else float("nan")
            print(f"quality >= {least}: {kept.mean():.3f} of the faces, accuracy {right:.3f}")
        for kind in sorted(set(of.kinds)):
            if "+" not in kind:
                rows = of.kinds == kind
                right, expected = of.correct[rows].mean(), of.quality[rows].mean()
                print(f"{kind}: n {rows.sum()}, accuracy {right:.3f}, mean quality {expected:.3f}")
    return 0


def _write_charts(sets: Mapping[str, DegradedPredictions]) -> None:
    """The charts of docs/how-to/quality.md."""
    accuracy = {f"{name} (n = {len(of.correct)})": binned(of.quality, of.correct) for name, of in sets.items()}
    accuracy["calibrated"] = [(0.0, 0.0), (1.0, 1.0)]
    chart = unit_line_chart("Accuracy against quality, tenths of the faces", "quality", "accuracy", accuracy)
    (ROOT / "docs/how-to/quality-accuracy.svg").write_text(chart, encoding="utf-8")
    of = sets["FER+ valid"]
    risks = {f"by {name}": _thinned(risk_coverage(of.correct, trust)) for name, trust in confidence_scores(of).items()}
    chart = unit_line_chart(
        "FER+ valid, degraded: error of the faces that are kept", "share of faces kept", "error", risks
    )
    (ROOT / "docs/how-to/quality-risk.svg").write_text(chart, encoding="utf-8")


def _thinned(risks: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    """A hundred points of the curve, without its noisy start."""
    places = np.unique(np.linspace(len(risks) // 50, len(risks) - 1, 100).astype(int))
    return [((int(place) + 1) / len(risks), float(risks[place])) for place in places]
