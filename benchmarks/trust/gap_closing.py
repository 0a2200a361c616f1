# SPDX-License-Identifier: Apache-2.0
"""What it costs to close the gaps at equal geometry by a linear correction on the embedding (minutes on one core).

    python -m benchmarks gaps --data DATA --model NAME --page docs/research/gaps.md

The correction of a logit is a linear function of the embedding, fitted on FairFace train: again and again, the levels
of the groups that a regression on the geometry of the mouth leaves are predicted from the embedding by ridge regression
and subtracted. On other faces that closes a part of a gap; a stronger correction, its factor chosen between two halves
of FairFace train, closes more and costs more. Nothing is written into the bundle.
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
from mien.affect import Analyzer
from mien.core import DEFAULT_BUNDLE, EXPRESSIONS, Faces, columns_by_name
from mien.datasets import load_ferplus
from mien.evaluation import AuditSamples, load_audit_samples
from mien.evaluation.audit.audit_measures import AuditPredictions, mouth_geometry, smile_logits
from mien.evaluation.audit.group_gaps import N_RESAMPLES, GroupResult, conditional_gaps
from mien.evaluation.face_crops import decode_pictures
from mien.inference import machine_name
from mien.metrics import roc_auc

_NAME = "gaps"
_COLUMNS = ("gender", "race")
_N_STEPS, _STEP, _RIDGE = 30, 3.0, 1e4
_FACTORS = (1.0, 1.5, 2.0, 3.0, 4.0)

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GroupFaces:
    """Faces of FairFace with their predictions, standardised embeddings and the geometry that must be equal."""

    samples: AuditSamples
    faces: Faces
    geometry: Matrix


def read(analyzer: Analyzer, data: Path, split: str, n: int) -> GroupFaces:
    """At most n faces of a split of FairFace."""
    samples = load_audit_samples(data, split)
    samples = samples.rows(np.random.default_rng(0).permutation(len(samples))[:n])
    faces = analyzer.crops(samples.pictures())
    nothing = AuditPredictions(faces=faces, found=np.ones(len(samples), np.bool_), landmarks=samples.landmarks)
    return GroupFaces(samples, faces, mouth_geometry(samples, nothing)[0])


def correction(train: GroupFaces, features: Matrix, logits: Matrix) -> Matrix:
    """Weights (D,) of the correction on standardised embeddings, which is subtracted from the logits."""
    known = np.isfinite(train.geometry).all(axis=1) & np.isfinite(logits)
    scaled = (train.geometry - train.geometry[known].mean(axis=0)) / train.geometry[known].std(axis=0)
    scaled = np.clip(scaled[known], -3, 3)
    groups = []
    for column in _COLUMNS:
        names = train.samples.groups[column]
        members = (names[:, None] == np.unique(names)[None]).astype(np.float64)
        groups.append(members - members.mean(axis=0))
    levels = np.concatenate(groups, axis=1)[known]
    smooth = np.concatenate([scaled, scaled**2, scaled**3], axis=1)
    design = np.concatenate([smooth, levels, np.ones((len(smooth), 1))], axis=1)
    solve = np.linalg.inv(design.T @ design + 1e-3 * np.eye(design.shape[1])) @ design.T
    own = features[known]
    predict = np.linalg.inv(own.T @ own + _RIDGE * np.eye(own.shape[1])) @ own.T
    first, weights = smooth.shape[1], np.zeros(features.shape[1])
    for _ in range(_N_STEPS):
        left = solve @ (logits[known] - own @ weights)
        weights += _STEP * (predict @ (levels @ left[first : first + levels.shape[1]]))
    return weights


def chosen_factor(train: GroupFaces, features: Matrix, logits: Matrix) -> float:
    """The factor of the correction that leaves the smallest gaps on the half of the faces that did not fit it.

    Args:
        train: N faces.
        features: (N, D) standardised embeddings.
        logits: (N,) logits.
    """
    first = np.random.default_rng(0).random(len(logits)) < 0.5
    left = np.zeros(len(_FACTORS))
    for half in (first, ~first):
        fitted, tested = np.flatnonzero(half), np.flatnonzero(~half)
        change = features[tested] @ correction(_part(train, fitted), features[fitted], logits[fitted])
        other = _part(train, tested)
        for place, factor in enumerate(_FACTORS):
            after = logits[tested] - factor * change
            left[place] += sum(abs(worst(other, after, column, 1).gap) for column in _COLUMNS)
    return _FACTORS[int(left.argmin())]


def _part(faces: GroupFaces, rows: npt.NDArray[np.intp]) -> GroupFaces:
    return GroupFaces(faces.samples.rows(rows), faces.faces, faces.geometry[rows])


def worst(valid: GroupFaces, logits: Matrix, column: str, n_resamples: int = N_RESAMPLES) -> GroupResult:
    """The largest gap between a group and all others at equal geometry."""
    names, people = valid.samples.groups[column], valid.samples.people
    found = conditional_gaps("gap", logits, valid.geometry, column, names, people, n_resamples=n_resamples)
    return max(found, key=lambda one: abs(one.gap))


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit on FairFace train, measure on FairFace val and FER+ valid, and write the page."""
    parser = create_parser(_NAME, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument("--model", default=DEFAULT_BUNDLE, help="bundle with features")
    parser.add_argument("--n", type=int, default=12_000, help="training faces, at most")
    parser.add_argument("--page", type=Path, help="page to write")
    options = parser.parse_args(arguments)
    analyzer = Analyzer(options.model, features=True, threads=1)
    train, valid = (read(analyzer, options.data, split, options.n) for split in ("train", "valid"))
    ferplus = load_ferplus(options.data, "valid")
    ferplus = ferplus.take(np.isfinite(ferplus.expression).all(axis=1))
    cost = analyzer.crops(decode_pictures(ferplus))
    mean, deviation = train.faces.features.mean(axis=0), train.faces.features.std(axis=0) + 1e-3

    def scaled(faces: Faces) -> Matrix:
        return ((faces.features - mean) / deviation).astype(np.float64)

    rows = []
    for name, logits in smile_logits(train.faces).items():
        weights = correction(train, scaled(train.faces), logits)
        factor = chosen_factor(train, scaled(train.faces), logits)
        before = smile_logits(valid.faces)[name]
        for strength, title in {0.0: "none", 1.0: "fitted", factor: "stronger" if factor > 1 else "fitted"}.items():
            after = before - strength * (scaled(valid.faces) @ weights)
            cells = [_cell(worst(valid, after, column)) for column in _COLUMNS]
            paid = _cost(name, ferplus, cost, strength * (scaled(cost) @ weights))
            rows.append([name, title, f"{strength:g}", *cells, paid])
            print(*rows[-1], sep="; ", flush=True)
    about = (
        "Largest difference of a logit between a group and all others where the landmarks of the mouth, the pose and "
        "the teacher's smile are equal (`mien audit`), on FairFace val, before and after a linear correction on the "
        f"embedding that was fitted on {len(train.samples)} faces of FairFace train. It closes the gaps of the faces "
        "that it was fitted to, and a part of those of others. Between two halves of FairFace train, factors of it up "
        f"to {max(_FACTORS):g} were tried; where one above 1 leaves less on the half that did not fit it, it is a row "
        "of its own. The cost is measured on FER+ valid. The corrections are not part of the bundle: its limitations "
        "name the gaps."
    )
    header = ["logit", "correction", "factor", *_COLUMNS, "FER+ valid"]
    measured = table(header, rows)
    title = "Gaps at equal geometry, and what closing them costs"
    page = bundle_page(_NAME, title, about, analyzer.spec, [measured], machine=machine_name(), date=today())
    if options.page:
        write_page(options.page, page)
    return 0


def _cost(name: str, samples: object, faces: Faces, change: Matrix) -> str:
    """Accuracy, or agreement with the teacher on AU12, of the corrected values."""
    if "AU12" in name:
        truth = samples.action_units[:, samples.action_unit_labels.index("AU12")]  # type: ignore[attr-defined]
        known, own = np.isfinite(truth), smile_logits(faces)[name]
        return f"AUC of AU12 against the teacher {roc_auc(truth[known] >= 0.5, (own - change)[known]):.4f}"
    probabilities = faces.expression[:, columns_by_name(faces.expression_labels, EXPRESSIONS)].astype(np.float64)
    targets = samples.expression.argmax(axis=1)  # type: ignore[attr-defined]
    logits = np.log(np.clip(probabilities, 1e-9, 1))
    logits[:, EXPRESSIONS.index("happiness")] -= change
    return f"accuracy {float((logits.argmax(axis=1) == targets).mean()):.4f}"


def _cell(one: GroupResult) -> str:
    return f"{one.group} {one.gap:+.2f} ({one.gap_low:+.2f} to {one.gap_high:+.2f})"
