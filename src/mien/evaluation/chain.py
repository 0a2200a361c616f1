# SPDX-License-Identifier: Apache-2.0
"""Protocol of the whole chain: does affect read from found faces match affect read at the teacher's points?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.affect import Analyzer
from mien.core import EXPRESSIONS, Faces
from mien.datasets import load_lfw, person
from mien.evaluation.crops import (
    align_samples,
    bundle_report,
    decode_pictures,
    expression_chances,
    group_codes,
    mean_measure,
    with_points,
)
from mien.evaluation.report import Report

Chances = npt.NDArray[np.float32]


def evaluate_lfw_chain(analyzer: Analyzer, data: Path) -> Report:
    """LFW faces of people who taught nothing, as photos: detector, landmark net, alignment, affect net.

    Beside them the same faces cut at the teacher's points. Faces that the teacher did not find are left out; one that
    the chain does not find counts as read wrongly. Intervals by resampling people.
    """
    everyone = load_lfw(data, test=True)
    samples = with_points(everyone)
    sharp, _ = align_samples(samples, analyzer.spec)
    taught = expression_chances(analyzer.crops(sharp))
    own = np.stack([_main_face(analyzer.image(picture)) for picture in decode_pictures(samples)])
    found = np.asarray(np.isfinite(own).all(axis=1), dtype=np.bool_)
    targets = samples.expression.argmax(axis=1)
    groups = group_codes(np.array([person(name) for name in samples.names]))
    right = {
        "teacher's points": np.equal(taught.argmax(axis=1), targets),
        "whole chain": found & np.equal(np.nan_to_num(own).argmax(axis=1), targets),
    }
    gain = right["whole chain"].astype(np.float64) - right["teacher's points"]
    kinds = {"accuracy": np.ones(len(samples), dtype=bool), "accuracy on found faces": found}
    kinds |= {f"recall of {name}": np.equal(targets, EXPRESSIONS.index(name)) for name in ("happiness", "neutral")}
    measures = [mean_measure("faces found", found, kinds["accuracy"], groups)]
    for kind, rows in kinds.items():
        measures += [mean_measure(f"{kind}, {name}", hits, rows, groups) for name, hits in right.items()]
        measures.append(mean_measure(f"{kind}, whole chain minus teacher's points", gain, rows, groups))
    same = np.equal(own.argmax(axis=1), taught.argmax(axis=1))
    measures.append(mean_measure("same expression as at the teacher's points", same, found, groups))
    dropped = {"not found by the teacher": len(everyone) - len(samples)}
    return bundle_report("lfw-chain", "LFW expression, test people", analyzer, len(everyone), dropped, measures)


def _main_face(faces: Faces) -> Chances:
    """Expression probabilities (8,) of the largest face; NaN without one."""
    if not len(faces):
        return np.full(len(EXPRESSIONS), np.nan, np.float32)
    sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
    chances: Chances = expression_chances(faces)[int(sides.prod(axis=1).argmax())]
    return chances
