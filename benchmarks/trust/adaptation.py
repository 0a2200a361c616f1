# SPDX-License-Identifier: Apache-2.0
"""Error of adapted bundles against the number of examples, on rendered people and on people of LFW (minutes).

python -m benchmarks adaptation --data DATA --model NAME --page docs/research/adaptation.md
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import create_parser
from benchmarks.machine import today
from benchmarks.page import bundle_page, table, write_page
from mien.affect import (
    Analyzer,
    Decoder,
    ExampleOutputs,
    Examples,
    fit_adaptation,
    fit_crop,
)
from mien.core import DEFAULT_BUNDLE, Adaptation, ConfigError, Image
from mien.datasets import load_lfw, person
from mien.evaluation.face_crops import decode_pictures
from mien.faces import load_landmark_net
from mien.inference import machine_name
from mien.synthesis import SynthesisRecipe, render_faces
from mien.synthesis.synthesis_recipe import ExpressionMix, OcclusionShares, PoseRange

_NAME = "adaptation"
_COUNTS = (5, 10, 20)
_N_DRAWS = 3
_PRESENCE = 0.25
_WORSE = 1.01
_RECIPE = SynthesisRecipe(
    name="adaptation",
    seed=4242,
    size_px=112,
    faces_per_identity=50,
    expressions=ExpressionMix(neutral=0.4, basic=0.6, compound=0.0, units=0.0, speech=0.0, blink_share=0.0),
    pose=PoseRange(yaw_deg=8.0, pitch_deg=5.0, roll_deg=4.0, wide_share=0.0),
    occlusion=OcclusionShares(glasses=0.0, sunglasses=0.0, face_mask=0.0, hand=0.0),
)


@dataclass(frozen=True, eq=False)
class Faces:
    """Faces of several people with the raw outputs of a bundle and whatever labels there are."""

    people: npt.NDArray[np.str_]
    outputs: dict[str, npt.NDArray[np.float32]]
    expression: tuple[str | None, ...]
    values: dict[str, npt.NDArray[np.float64]]

    def examples(self, rows: npt.NDArray[np.intp], *, neutral: bool = False) -> tuple[Examples, ExampleOutputs]:
        """The rows as examples."""
        names = ("neutral",) * len(rows) if neutral else tuple(self.expression[row] for row in rows)
        values = {} if neutral else {name: column[rows] for name, column in self.values.items()}
        given = Examples(images=[None] * len(rows), expression=names, values=values)
        return given, ExampleOutputs(
            rows=tuple(range(len(rows))), outputs={k: v[rows] for k, v in self.outputs.items()}
        )


def outputs_of(analyzer: Analyzer, images: Sequence[Image]) -> dict[str, npt.NDArray[np.float32]]:
    """Raw outputs for images of one face each."""
    net = load_landmark_net()
    return analyzer.bundle.run(np.stack([fit_crop(image, analyzer.spec, net) for image in images]))


def errors(
    analyzer: Analyzer, faces: Faces, rows: npt.NDArray[np.intp], adaptation: Adaptation | None
) -> dict[str, npt.NDArray[np.float64]]:
    """Task -> signed errors (R, L) of the rows, NaN where unknown; of expressions the log loss (R, 1)."""
    decoded = Decoder(analyzer.spec, adaptation=adaptation)({k: v[rows] for k, v in faces.outputs.items()})
    found: dict[str, npt.NDArray[np.float64]] = {}
    names = [faces.expression[row] for row in rows]
    labels = list(decoded["expression_labels"])
    if all(name in labels for name in names):
        own = decoded["expression"][np.arange(len(rows)), [labels.index(name) for name in names]]
        found["expression"] = -np.log(np.clip(own.astype(np.float64), 1e-4, 1))[:, None]
    units = list(decoded["action_unit_labels"])
    known = [name for name in faces.values if name in units]
    if known:
        own = decoded["action_units"][:, [units.index(name) for name in known]].astype(np.float64)
        found["action units"] = own - np.stack([faces.values[name][rows] for name in known], axis=1)
    if "valence" in faces.values:
        own = np.stack([decoded["valence"], decoded["arousal"]], axis=1).astype(np.float64)
        found["valence and arousal"] = own - np.stack(
            [faces.values["valence"][rows], faces.values["arousal"][rows]], axis=1
        )
    return found


def measured(
    analyzer: Analyzer, faces: Faces, n: int, fewest_tests: int, *, neutral: bool = False
) -> dict[str, tuple[float, ...]]:
    """Task -> number of people, error without and with adaptation, person-specific error without and with it."""
    plain: dict[str, list[npt.NDArray[np.float64]]] = {}
    adapted: dict[str, list[npt.NDArray[np.float64]]] = {}
    for draw in range(_N_DRAWS):
        for name in np.unique(faces.people):
            rows = np.flatnonzero(faces.people == name)
            usable = rows
            if neutral:
                usable = rows[[faces.expression[row] == "neutral" for row in rows]]
            if len(usable) < n or len(rows) < n + fewest_tests:
                continue
            chosen = np.random.default_rng([draw, len(rows), int(rows[0])]).permutation(usable)[:n]
            tests = np.setdiff1d(rows, chosen)
            try:
                given, outputs = faces.examples(chosen, neutral=neutral)
                adaptation = fit_adaptation(analyzer, given, outputs)
            except ConfigError:
                continue
            for task, values in errors(analyzer, faces, tests, None).items():
                plain.setdefault(task, []).append(values)
            for task, values in errors(analyzer, faces, tests, adaptation).items():
                adapted.setdefault(task, []).append(values)
    results = {}
    for task in plain:
        before, after = plain[task], adapted[task]
        size = (
            (lambda values: float(np.nanmean(values)))
            if task == "expression"
            else (lambda values: float(np.nanmean(values**2)))
        )
        results[task] = (
            len(before),
            float(np.mean([size(values) for values in before])),
            float(np.mean([size(values) for values in after])),
            _of_people(before),
            _of_people(after),
            float(np.mean([size(b) > _WORSE * size(a) + 1e-9 for a, b in zip(before, after, strict=True)])),
        )
    return results


def _of_people(parts: Sequence[npt.NDArray[np.float64]]) -> float:
    """Root mean square, over people and labels, of a person's mean error."""
    means = np.stack([np.nanmean(values, axis=0) for values in parts])
    return float(np.sqrt(np.nanmean(means**2)))


def rendered_people(analyzer: Analyzer, n_people: int) -> Faces:
    """Rendered faces with exact labels; no bundle was trained on this recipe."""
    drawn = list(render_faces(_RECIPE, n_people * _RECIPE.faces_per_identity))
    task = analyzer.spec.task("action_units")
    units = task.labels if task else ()
    rows = [face.labels(_PRESENCE) for face in drawn]
    values = {unit: np.array([float(row[f"{unit}_present"]) for row in rows]) for unit in units}
    for name in ("valence", "arousal"):
        values[name] = np.array([np.nan if row[name] is None else row[name] for row in rows], np.float64)
    return Faces(
        people=np.array([f"{face.person.number}" for face in drawn], np.str_),
        outputs=outputs_of(analyzer, [face.image for face in drawn]),
        expression=tuple(
            face.expression.name if face.expression.kind in ("neutral", "basic") else None for face in drawn
        ),
        values=values,
    )


def lfw_people(analyzer: Analyzer, data: Path) -> Faces:
    """People of LFW with several photos; labels are single and noisy."""
    parts = [load_lfw(data, "test"), load_lfw(data, "train")]
    names = np.array([person(name) for samples in parts for name in samples.names])
    labels = [analyzer_label for samples in parts for analyzer_label in samples.expression.argmax(axis=1)]
    pictures = [picture for samples in parts for picture in decode_pictures(samples)]
    _, place, count = np.unique(names, return_inverse=True, return_counts=True)
    kept = np.flatnonzero(count[place] >= 9)
    from mien.core import EXPRESSIONS

    return Faces(
        people=names[kept],
        outputs=outputs_of(analyzer, [pictures[row] for row in kept]),
        expression=tuple(EXPRESSIONS[labels[row]] for row in kept),
        values={},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the page."""
    parser = create_parser(_NAME, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument("--model", default=DEFAULT_BUNDLE, help="bundle")
    parser.add_argument("--people", type=int, default=40, help="number of rendered people")
    parser.add_argument("--page", type=Path, help="page to write")
    options = parser.parse_args(arguments)
    analyzer = Analyzer(options.model, threads=1)
    rows: list[list[str]] = []

    def add(title: str, n: int, results: dict[str, tuple[float, ...]]) -> None:
        for task, (count, before, after, own, left, worse) in results.items():
            change = after / before - 1
            errors_of = [f"{before:.4f}", f"{after:.4f}", f"{change:+.1%}", f"{own:.4f}", f"{left:.4f}"]
            rows.append([title, task, str(n), f"{count:.0f}", *errors_of, f"{1 - left / own:.0%}", f"{worse:.0%}"])
            print(*rows[-1], sep="; ", flush=True)

    rendered = rendered_people(analyzer, options.people)
    for n in _COUNTS:
        add("rendered, labels", n, measured(analyzer, rendered, n, 15))
    for n in (5, 10):
        add("rendered, neutral only", n, measured(analyzer, rendered, n, 15, neutral=True))
    lfw = lfw_people(analyzer, options.data)
    for n in (5, 10):
        add("LFW, labels", n, measured(analyzer, lfw, n, 4))
        add("LFW, neutral only", n, measured(analyzer, lfw, n, 4, neutral=True))
    about = (
        "Examples of one person adapt the bundle, the other faces of that person test it; three draws of examples "
        "each. Errors are the mean squared error of action unit probabilities and of valence and arousal, and the log "
        "loss of expressions. The person-specific error is the root mean square, over people and labels, of a person's "
        "mean error (with the offset of the site); worse is the share of people with more than 1 % more error. A part "
        "of the LFW people trained the expressions of the bundle, and LFW's labels are single and noisy."
    )
    header = ["faces", "task", "n", "people, draws", "error", "adapted", "change"]
    header += ["of people", "adapted", "less", "worse"]
    title = "Adaptation: error against the number of examples"
    section = table(header, rows)
    page = bundle_page(_NAME, title, about, analyzer.spec, [section], machine=machine_name(), date=today())
    if options.page:
        write_page(options.page, page)
    return 0
