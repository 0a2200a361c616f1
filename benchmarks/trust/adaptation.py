# SPDX-License-Identifier: Apache-2.0
"""Error of adapted bundles against the number of examples, on rendered people and on people of LFW (minutes).

python -m benchmarks adaptation --data DATA --model NAME --page docs/research/adaptation.md
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

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
    values_before_activation,
)
from mien.core import (
    ADAPTATION_VERSION,
    ADAPTED_TASKS,
    DEFAULT_BUNDLE,
    EXPRESSIONS,
    Adaptation,
    ConfigError,
    Image,
    MetricValue,
    TaskCorrection,
)
from mien.datasets import load_lfw, person
from mien.evaluation import bootstrap_metric
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

Matrix = npt.NDArray[np.float64]


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


def best_offsets(analyzer: Analyzer, faces: Faces, rows: npt.NDArray[np.intp]) -> Adaptation:
    """The correction that makes the error of these very faces least: no offset, however learned, does better on them.

    Args:
        analyzer: Analyzer of the bundle.
        faces: Faces with labels.
        rows: Faces that are corrected, and to which the correction is fitted.
    """
    tasks: dict[str, TaskCorrection] = {}
    outputs = {name: values[rows] for name, values in faces.outputs.items()}
    expression, affect, units = (analyzer.spec.task(name) for name in ADAPTED_TASKS)
    names = [faces.expression[row] for row in rows]
    if expression is not None and all(name in expression.labels for name in names):
        logits = values_before_activation(outputs, expression).astype(np.float64)
        targets = np.array([expression.labels.index(str(name)) for name in names])

        own = np.arange(len(targets)), targets

        def loss(point: Matrix) -> tuple[float, Matrix]:
            scaled = logits * np.exp(-point[-1])
            moved = scaled + point[:-1]
            slope = np.exp(moved - np.logaddexp.reduce(moved, axis=1)[:, None])
            value = -float(np.log(slope[own]).mean()) + 1e-4 * float((point**2).sum())
            slope[own] -= 1
            of_factor = -(slope * scaled).sum(axis=1).mean()
            return value, np.concatenate([slope.mean(axis=0), [of_factor]]) + 2e-4 * point

        bounds = [*[(-9, 9)] * logits.shape[1], (-2, 2)]
        found = minimize(loss, np.zeros(len(bounds)), jac=True, bounds=bounds).x
        tasks["expression"] = _correction(expression.labels, found[:-1], float(np.exp(found[-1])))
    if affect is not None and all(name in faces.values for name in affect.labels):
        own = values_before_activation(outputs, affect).astype(np.float64)
        truth = np.stack([faces.values[name][rows] for name in affect.labels], axis=1)
        tasks["valence_arousal"] = _correction(affect.labels, np.nan_to_num(np.nanmean(truth - own, axis=0)))
    if units is not None and any(name in faces.values for name in units.labels):
        known = [name for name in units.labels if name in faces.values]
        own = values_before_activation(outputs, units)[:, [units.labels.index(name) for name in known]]
        truth = np.stack([faces.values[name][rows] for name in known], axis=1)
        tried = np.linspace(-6, 6, 241)
        moved = 1 / (1 + np.exp(-(own.astype(np.float64)[None] + tried[:, None, None])))
        tasks["action_units"] = _correction(known, tried[((moved - truth) ** 2).mean(axis=1).argmin(axis=0)])
    return Adaptation(
        adaptation_version=ADAPTATION_VERSION,
        bundle=analyzer.spec.name,
        sha256=analyzer.spec.sha256,
        n_examples=len(rows),
        examples="labels",
        tasks=tasks,
    )


def _correction(labels: Sequence[str], bias: Matrix, temperature: float = 1.0) -> TaskCorrection:
    named = {label: float(value) for label, value in zip(labels, bias, strict=True)}
    return TaskCorrection(bias=named, temperature=temperature, error_before=0.0, error_after=0.0)


@dataclass(frozen=True, eq=False)
class Trial:
    """Errors of the test faces of one person for one draw of examples: task -> (R, L), as `errors` gives them."""

    person: str
    plain: dict[str, Matrix]
    adapted: dict[str, Matrix]
    best: dict[str, Matrix]


def trials(analyzer: Analyzer, faces: Faces, n: int, fewest_tests: int, *, neutral: bool = False) -> list[Trial]:
    """Every person with enough faces, three draws of n examples each.

    Args:
        analyzer: Analyzer of the bundle.
        faces: Faces of several people.
        n: Number of examples.
        fewest_tests: Fewest faces of a person that are left to test.
        neutral: Whether the examples are neutral faces alone.
    """
    found = []
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
            three = (None, adaptation, best_offsets(analyzer, faces, tests))
            found.append(Trial(str(name), *(errors(analyzer, faces, tests, one) for one in three)))
    return found


def rows_of(title: str, n: int, found: Sequence[Trial]) -> list[list[str]]:
    """A row of the page for each task.

    Args:
        title: Name of the faces and of the examples.
        n: Number of examples.
        found: What was measured.
    """
    people = np.array([one.person for one in found])
    rows = []
    for task in found[0].plain:
        size = _log_loss if task == "expression" else _squared
        before, after, best = (
            np.array([size(getattr(one, way)[task]) for one in found]) for way in ("plain", "adapted", "best")
        )
        own, left = (
            np.stack([np.nanmean(getattr(one, way)[task], axis=0) for one in found]) for way in ("plain", "adapted")
        )
        share = bootstrap_metric("share", len(found), partial(_share_of_best, before, after, best), groups=people)
        less = bootstrap_metric("less", len(found), partial(_less, own, left), groups=people)
        worse = float((after > _WORSE * before + 1e-9).mean())
        rows.append(
            [
                title,
                task,
                str(n),
                f"{len(np.unique(people))}, {len(found)}",
                *(f"{values.mean():.4f}" for values in (before, after, best)),
                _percent(share),
                *(f"{_size(values):.4f}" for values in (own, left)),
                _percent(less),
                f"{worse:.0%}",
            ]
        )
    return rows


def origin_rows(title: str, analyzer: Analyzer, faces: Faces, n: int) -> list[list[str]]:
    """Where signed errors come from: all people alike, single people, and the chance of n examples.

    Args:
        title: Name of the faces.
        analyzer: Analyzer of the bundle.
        faces: Faces of several people.
        n: Number of examples.
    """
    groups = [np.flatnonzero(faces.people == name) for name in np.unique(faces.people)]
    parts = [errors(analyzer, faces, rows, None) for rows in groups]
    found = []
    for task in parts[0]:
        if task == "expression":
            continue  # a log loss has no sign
        means = np.stack([np.nanmean(part[task], axis=0) for part in parts])
        spread = np.stack([np.nanvar(part[task], axis=0, ddof=1) for part in parts])
        counts = np.stack([np.isfinite(part[task]).sum(axis=0) for part in parts])
        alike, within = means.mean(axis=0) ** 2, spread.mean(axis=0)
        between = np.maximum(means.var(axis=0, ddof=1) - (spread / counts).mean(axis=0), 0)
        own, chance = alike + between, within / n
        left = own * chance / np.maximum(own + chance, 1e-12)
        sizes = [f"{np.sqrt(one.mean()):.4f}" for one in (alike, between, chance)]
        found.append([title, task, str(len(groups)), *sizes, str(n), f"{1 - np.sqrt(left.mean() / own.mean()):.0%}"])
    return found


def _log_loss(values: Matrix) -> float:
    return float(np.nanmean(values))


def _squared(values: Matrix) -> float:
    return float(np.nanmean(values**2))


def _size(means: Matrix) -> float:
    """Root mean square, over people and labels, of a person's mean errors (P, L)."""
    return float(np.sqrt(np.nanmean(means**2)))


def _less(own: Matrix, left: Matrix, rows: npt.NDArray[np.intp]) -> float:
    return 1 - _size(left[rows]) / _size(own[rows])


def _share_of_best(before: Matrix, after: Matrix, best: Matrix, rows: npt.NDArray[np.intp]) -> float:
    return float((before - after)[rows].sum() / (before - best)[rows].sum())


def _percent(one: MetricValue) -> str:
    return f"{one.value:.0%} ({one.low:.0%} to {one.high:.0%})"


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

    def add(title: str, n: int, found: Sequence[Trial]) -> None:
        for row in rows_of(title, n, found):
            rows.append(row)
            print(*row, sep="; ", flush=True)

    rendered = rendered_people(analyzer, options.people)
    for n in _COUNTS:
        add("rendered, labels", n, trials(analyzer, rendered, n, 15))
    for n in (5, 10):
        add("rendered, neutral only", n, trials(analyzer, rendered, n, 15, neutral=True))
    origins = [row for n in _COUNTS for row in origin_rows("rendered", analyzer, rendered, n)]
    lfw = lfw_people(analyzer, options.data)
    for n in (5, 10):
        add("LFW, labels", n, trials(analyzer, lfw, n, 4))
        add("LFW, neutral only", n, trials(analyzer, lfw, n, 4, neutral=True))
    about = (
        "Examples of one person adapt the bundle, the other faces of that person test it; three draws of examples "
        "each. Errors are the mean squared error of action unit probabilities and of valence and arousal, and the log "
        "loss of expressions. Best is the error with the offsets (for expressions also a temperature) that fit the "
        "test faces themselves best: what no offset can remove is not the person's. Removed is the part of the "
        "difference between error and best that adapting removes. The person's error is the root mean square, over "
        "people and labels, of a person's mean error on the test faces (with the offset of the site, and with the "
        "chance of which faces test); worse is the share of people and draws with more than 1 % more error. Intervals "
        "are 95 % bootstrap intervals over people. A part of the LFW people trained the expressions of the bundle, and "
        "LFW's labels are single and noisy."
    )
    header = ["faces", "task", "n", "people, trials", "error", "adapted", "best", "removed"]
    header += ["of the person", "adapted", "less", "worse"]
    title = "Adaptation: error against the number of examples"
    why = (
        "Where the errors come from, as root mean squares over labels: what all rendered people share, what differs "
        "between them, and the chance of the mean of n examples. Shrinking the mean error of each label by itself, "
        "with these variances known, would make the person's error less by the last column."
    )
    origin = ["faces", "task", "people", "shared by all", "between people", "chance of n", "n", "less at best"]
    sections = [table(header, rows), [*textwrap.wrap(why, 120), "", *table(origin, origins)]]
    page = bundle_page(_NAME, title, about, analyzer.spec, sections, machine=machine_name(), date=today())
    if options.page:
        write_page(options.page, page)
    return 0
