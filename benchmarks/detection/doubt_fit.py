# SPDX-License-Identifier: Apache-2.0
"""Weights of the evidence on proposed faces of mien-faces, fitted on training people and scenes (ten minutes).

    python -m benchmarks doubtful-faces --data DATA

It prints the weights for src/mien/faces/second_search.py and what they keep, in ten parts of which each is left out of
the fit once. None of the pictures belongs to the comparison of detectors. Run it again with another version of
mien-faces or mien-points.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import create_parser
from benchmarks.detection.detector_race import STILL_SIDE_PX, filling
from benchmarks.detection.held_out_cases import Case, drawn_cases, faceless_cases, fairface_cases
from mien.core import Bools, Float64
from mien.faces import (
    N_EVIDENCE,
    GridDetector,
    LandmarkModel,
    are_faces,
    create_detector,
    create_landmark_model,
    doubt_evidence,
    iou,
    quadratic_terms,
    unsettled,
)

# Overlap from which a box is the face of a case, and below which it is none.
_SAME_IOU, _OTHER_IOU = 0.4, 0.2
_N_PHOTOS = 3000
# Scenes without a face are few: they are shown at these scales, too.
_FACELESS_SCALES = (0.6, 1.6)
# Factor of the coefficients' penalty, and parts of the cross-validation.
_INVERSE_PENALTY, _N_PARTS = 0.3, 10


@dataclass(frozen=True, eq=False)
class Doubts:
    """Proposed faces whose truth is known.

    Attributes:
        evidence: (N, 8), see `mien.faces.doubt_evidence`.
        is_face: (N,) whether there is a face.
    """

    evidence: Float64
    is_face: Bools


def training_cases(data: Path, n: int) -> Iterator[Case]:
    """Cases of training people and scenes."""
    yield from fairface_cases(data, "train", _N_PHOTOS)
    for case in faceless_cases(data, "train"):
        yield case
        for factor in _FACELESS_SCALES:
            size = (round(factor * case.image.shape[1]), round(factor * case.image.shape[0]))
            way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
            yield replace(case, image=np.asarray(cv2.resize(case.image, size, interpolation=way), np.uint8))
    yield from drawn_cases(data, "train", n)


def doubts_of(detector: GridDetector, landmark_model: LandmarkModel, cases: Iterator[Case]) -> Doubts:
    """What a detector proposes in cases; boxes that share a part of a face are left out."""
    evidence, is_face = [np.empty((0, N_EVIDENCE))], [np.empty(0, bool)]
    for case in cases:
        found = detector.propose(case.image)
        if np.isnan(case.boxes).any():
            right = filling(found.boxes, case.image.shape)
            known = right
        else:
            overlap = iou(case.boxes, found.boxes).max(axis=0, initial=0)
            right = overlap >= _SAME_IOU
            known = right | (overlap < _OTHER_IOU)
        if known.any():
            evidence.append(doubt_evidence(detector, landmark_model, case.image, found[known])[0])
            is_face.append(right[known])
    return Doubts(np.concatenate(evidence), np.concatenate(is_face))


def fit_weights(doubts: Doubts, false_share: float) -> tuple[Float64, float]:
    """Weights of `mien.faces.quadratic_terms`, and the share of faces that count with them.

    Args:
        doubts: Proposed faces.
        false_share: Share of what is no face that counts, by weights that were fitted without it.

    Raises:
        SystemExit: More than that share counts before the weights are asked.
    """
    rows = unsettled(doubts.evidence)
    terms, is_face = quadratic_terms(doubts.evidence[rows])[:, 1:], doubts.is_face[rows]
    none = [0.0] * (1 + terms.shape[1])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=_INVERSE_PENALTY, max_iter=3000))
    parts = KFold(_N_PARTS, shuffle=True, random_state=0)
    scores = np.where(are_faces(doubts.evidence, none), np.inf, -np.inf)
    scores[rows] = cross_val_predict(model, terms, is_face, cv=parts, method="decision_function")
    limit = float(np.quantile(scores[~doubts.is_face], 1 - false_share, method="higher"))
    if not np.isfinite(limit):
        raise SystemExit(f"a share of {false_share:g} of what is no face counts already, or none can be told")
    model.fit(terms, is_face)
    scaler, regression = model[0], model[1]
    slopes = regression.coef_[0] / scaler.scale_
    weights = np.concatenate([[regression.intercept_[0] - slopes @ scaler.mean_ - limit], slopes])
    return weights, float((scores[doubts.is_face] > limit).mean())


def main(arguments: Sequence[str]) -> int:
    """Run the command line."""
    parser = create_parser("doubtful-faces", __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--n", type=int, default=150, help="faces of each bin (default: %(default)s)")
    parser.add_argument(
        "--false-share", type=float, default=0.01, help="share of proposed places without a face that may count"
    )
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    detector = create_detector("mien-faces", max_side_px=STILL_SIDE_PX, threads=1)
    landmark_model = create_landmark_model("mien-points")
    assert isinstance(detector, GridDetector)
    assert landmark_model is not None
    doubts = doubts_of(detector, landmark_model, training_cases(options.data, options.n))
    weights, kept = fit_weights(doubts, options.false_share)
    n_faces = int(doubts.is_face.sum())
    print(f"{n_faces} proposed faces, {kept:.3f} of them kept, and {len(doubts.is_face) - n_faces} other places")
    print(", ".join(f"{weight:.4g}" for weight in weights))
    return 0
