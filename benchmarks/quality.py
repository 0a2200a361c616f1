# SPDX-License-Identifier: Apache-2.0
"""Fit the quality of faces, and show what it is worth on faces that took no part in the fit.

    python tools/quality.py --data DATA     (or: make quality)

Writes ``src/mien/faces/quality.json`` (the coefficients) and ``docs/quality-accuracy.svg``, ``docs/quality-risk.svg``;
prints what docs/quality.md says. Minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
from skimage import data as pictures
from sklearn.linear_model import LogisticRegression

from mien.affect import Analyzer, cut_faces
from mien.datasets import load_ferplus, load_held_out, load_lfw
from mien.evaluation.protocols.quality_ranking import HELD, DegradedPredictions, confidence_scores, predict_degraded
from mien.faces import SIGNALS, Detections, QualityModel, five_points, load_quality_model, quality_signals
from mien.faces.quality import DEFAULT_QUALITY
from mien.metrics import aurc, risk_coverage, roc_auc

_ROOT = Path(__file__).resolve().parent.parent
_N_HELD_OUT = 1500  # FER+ training faces that the default recipe sets aside: its bundle never learnt from them
_COPIES = 3
_N_BINS = 10
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#999999")


def fit(readings: DegradedPredictions, bundle: str, command: str) -> QualityModel:
    """The logistic model of these readings."""
    mean, deviation = readings.signals.mean(axis=0), readings.signals.std(axis=0)
    standard = np.clip((readings.signals - mean) / deviation, -3, 3)
    model = LogisticRegression(C=1.0, max_iter=1000).fit(standard, readings.correct)

    def named(values: npt.NDArray[np.floating]) -> dict[str, float]:
        return {name: round(float(value), 5) for name, value in zip(SIGNALS, values, strict=True)}

    return QualityModel(
        intercept=round(float(model.intercept_[0]), 5),
        weights=named(model.coef_[0]),
        mean=named(mean),
        deviation=named(deviation),
        bundle=bundle,
        faces=f"{_COPIES} x {_N_HELD_OUT} FER+ training faces set aside, LFW training people; degraded",
        n=len(readings.correct),
        command=command,
    )


def curve_svg(title: str, x_name: str, y_name: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """A line chart; x in [0, 1], y from 0 to the next tenth above the largest value."""
    width, height, left, bottom, top = 560, 340, 60, 50, 34
    top_value = max(0.1, np.ceil(10 * max(y for line in lines.values() for _, y in line)) / 10)

    def place(x: float, y: float) -> str:
        return f"{left + x * (width - left - 20):.1f},{height - bottom - y / top_value * (height - bottom - top):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{width / 2}" y="20" text-anchor="middle" font-size="14">{title}</text>',
        f'<text x="{width / 2}" y="{height - 10}" text-anchor="middle">{x_name}</text>',
        f'<text x="14" y="{height / 2}" text-anchor="middle" transform="rotate(-90 14 {height / 2})">{y_name}</text>',
    ]
    for step in range(6):
        level = top_value * step / 5
        x, y = place(step / 5, 0).split(","), place(0, level).split(",")
        parts.append(f'<text x="{x[0]}" y="{height - bottom + 16}" text-anchor="middle">{step / 5:.1f}</text>')
        parts.append(f'<text x="{left - 6}" y="{float(y[1]) + 4:.1f}" text-anchor="end">{level:.2f}</text>')
        parts.append(f'<path d="M{place(0, level)} L{place(1, level)}" stroke="#dddddd"/>')
    for number, (name, line) in enumerate(lines.items()):
        colour, y = _COLOURS[number % len(_COLOURS)], top + 14 + 16 * number
        points = " ".join(place(*point) for point in line)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<path d="M{left + 12},{y} h18" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{left + 36}" y="{y + 4}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def binned(quality: npt.NDArray[np.floating], correct: npt.NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Mean quality and accuracy of tenths of the faces, from the worst to the best."""
    parts = np.array_split(np.argsort(quality, kind="stable"), _N_BINS)
    return [(float(quality[part].mean()), float(correct[part].mean())) for part in parts]


def cost_ms(analyzer: Analyzer, n_faces: int = 8, n_calls: int = 200) -> float:
    """CPU milliseconds for the quality of one of several faces, when their crops are there already."""
    image = pictures.astronaut()
    face = analyzer.image(image)[[0] * n_faces]
    found = Detections(face.boxes, face.scores, five_points(face.landmarks))
    crops, model = cut_faces(image, found, analyzer.spec), load_quality_model()
    start = time.process_time()
    for _ in range(n_calls):
        model(quality_signals(image.shape[:2], found, crops))
    return (time.process_time() - start) * 1000 / n_calls / n_faces


def main() -> None:
    """Fit, write, measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    analyzer = Analyzer(threads=1)
    held_out = load_held_out(data, _N_HELD_OUT)
    held_out = held_out.take(np.isfinite(held_out.expression).all(axis=1))
    taught = [predict_degraded(analyzer, held_out, seed=100 + copy) for copy in range(_COPIES)]
    taught.append(predict_degraded(analyzer, load_lfw(data, test=False), seed=99))
    model = fit(DegradedPredictions.concatenated(taught), analyzer.spec.name, "python tools/quality.py --data DATA")
    content = {name: dict(value) if isinstance(value, Mapping) else value for name, value in asdict(model).items()}
    DEFAULT_QUALITY.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    load_quality_model.cache_clear()
    sets = {
        "FER+ valid": predict_degraded(analyzer, load_ferplus(data, "valid"), seed=1),
        "LFW test people": predict_degraded(analyzer, load_lfw(data, test=True), seed=2),
    }
    accuracy = {f"{name} (n = {len(of.correct)})": binned(of.quality, of.correct) for name, of in sets.items()}
    accuracy["as promised"] = [(0.0, 0.0), (1.0, 1.0)]
    chart = curve_svg("Accuracy against quality, tenths of the faces", "quality", "accuracy", accuracy)
    (_ROOT / "docs/quality-accuracy.svg").write_text(chart, encoding="utf-8")
    of = sets["FER+ valid"]
    risks = {f"by {name}": _thinned(risk_coverage(of.correct, trust)) for name, trust in confidence_scores(of).items()}
    chart = curve_svg("FER+ valid, degraded: error of the faces that are kept", "share of faces kept", "error", risks)
    (_ROOT / "docs/quality-risk.svg").write_text(chart, encoding="utf-8")
    print(f"fitted to {model.n} faces: {dict(model.weights)}")
    print(
        f"{cost_ms(analyzer, 1):.3f} ms for one face, {cost_ms(analyzer):.3f} ms a face for eight; {platform.machine()}"
    )
    for name, of in sets.items():
        print(f"\n{name}: {len(of.correct)} faces, accuracy {of.correct.mean():.3f},")
        print(f"mean quality {of.quality.mean():.3f}, AUC of quality {roc_auc(of.correct, of.quality):.3f}")
        for trust, values in confidence_scores(of).items():
            print(f"AURC by {trust}: {aurc(of.correct, values):.4f}")
        held = of.scores >= HELD
        auc = roc_auc(of.correct[held], of.quality[held])
        print(
            f"of {held.sum()} that the landmark net believes in: accuracy {of.correct[held].mean():.3f}, AUC {auc:.3f}"
        )
        for least in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
            kept = of.quality >= least
            right = of.correct[kept].mean() if kept.any() else float("nan")
            print(f"quality >= {least}: {kept.mean():.3f} of the faces, accuracy {right:.3f}")
        for kind in sorted(set(of.kinds)):
            if "+" not in kind:
                rows = of.kinds == kind
                right, promised = of.correct[rows].mean(), of.quality[rows].mean()
                print(f"{kind}: n {rows.sum()}, accuracy {right:.3f}, mean quality {promised:.3f}")


def _thinned(risks: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    """A hundred points of the curve; the first answers alone are noise."""
    places = np.unique(np.linspace(len(risks) // 50, len(risks) - 1, 100).astype(int))
    return [((int(place) + 1) / len(risks), float(risks[place])) for place in places]


if __name__ == "__main__":
    main()
