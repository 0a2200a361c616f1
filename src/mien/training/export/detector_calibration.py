# SPDX-License-Identifier: Apache-2.0
"""Fits the confidence of a face detector, and the threshold from which a cell counts as a face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from mien.core import Bools, ConfigError, Float32, Float64, GridSpec
from mien.faces import Detections, decode_cells, distinct_faces, iou
from mien.inference import create_session
from mien.training.data.batch_loader import clean_inputs
from mien.training.data.canvases.face_targets import BOX, FACE_COLUMNS, VISIBLE, WEIGHT, window_rows
from mien.training.data.feature_vectors import is_vectors
from mien.training.data.training_set import TrainingSet
from mien.training.export.onnx_export import DETECTOR_OUTPUT, GRAPH_INPUT
from mien.training.recipes.recipe import Recipe

# Canvases of the fit, how many go through the network together, and the confidence from which a cell counts.
_N_CANVASES, _BATCH, _LEAST = 1500, 16, 0.05
_SAME_IOU, _TOUCHING = 0.5, 0.2
# Share of canvases without a face on which a false one may be.
_FALSE_ALARMS = 0.01
_LOWEST, _HIGHEST = 0.2, 0.9


def fit_confidence(graph: bytes, samples: TrainingSet, recipe: Recipe, grid: GridSpec) -> GridSpec:
    """The grid with a logistic confidence, and the lowest threshold with few false alarms.

    Args:
        graph: Exported ONNX model.
        samples: Canvases with their faces.
        recipe: Recipe of the detector.
        grid: Grid with the logit itself as log odds.

    Raises:
        ConfigError: The canvases show no face, or there is none without a face.
    """
    plain = replace(grid, scale=1.0, offset=0.0)
    logits, is_face, alarms, n_faceless = _detections(graph, samples, recipe, plain)
    if not is_face.any() or is_face.all() or not n_faceless:
        raise ConfigError("fitting a detector's confidence needs canvases with faces, without faces, and false alarms")
    scale, offset = _logistic(logits, is_face)
    confidence = 1 / (1 + np.exp(-(scale * np.sort(alarms)[::-1] + offset)))
    n_allowed = int(_FALSE_ALARMS * n_faceless)
    threshold = float(confidence[n_allowed]) if len(confidence) > n_allowed else _LOWEST
    return replace(
        grid,
        scale=round(scale, 5),
        offset=round(offset, 5),
        threshold=round(min(max(threshold, _LOWEST), _HIGHEST), 4),
    )


def _detections(
    graph: bytes, samples: TrainingSet, recipe: Recipe, grid: GridSpec
) -> tuple[Float64, Bools, Float64, int]:
    """Logits of detections, whether each is a face, the surest logit on canvases without a face, and their number."""
    session, size = create_session(graph, threads=1), recipe.model.input_px
    rows = np.arange(min(_N_CANVASES, len(samples)))
    logits: list[float] = []
    is_face: list[bool] = []
    alarms: list[float] = []
    n_faceless = 0
    for start in range(0, len(rows), _BATCH):
        chosen = rows[start : start + _BATCH]
        inputs = clean_inputs(samples, recipe, chosen)
        cells = session.run({GRAPH_INPUT: inputs})[DETECTOR_OUTPUT]
        for row, own in zip(chosen, cells, strict=True):
            found = decode_cells(own, grid, (size, size), _LEAST)
            found = found[distinct_faces(found)]
            faces = _faces(samples, int(row), size)
            known, sure = _verdicts(found, faces)
            found_logits = np.log(found.confidence / (1 - found.confidence))
            logits += found_logits[known].tolist()
            is_face += sure[known].tolist()
            if not len(faces):
                n_faceless += 1
                alarms += [float(found_logits.max())] if len(found) else []
    return np.array(logits), np.array(is_face, bool), np.array(alarms), n_faceless


def _faces(samples: TrainingSet, row: int, size: int) -> Float32:
    """(K, FACE_COLUMNS) faces in the middle of a canvas."""
    if is_vectors(samples.inputs):
        raise ConfigError("a detector is fitted to pictures, not to vectors")
    canvas = samples.inputs[row]
    corner = ((canvas.shape[1] - size) // 2, (canvas.shape[0] - size) // 2)
    placed = window_rows(samples.targets["faces"][row].reshape(-1, FACE_COLUMNS), corner, size, mirrored=False)
    return placed[~np.isnan(placed[:, 0])]


def _verdicts(found: Detections, faces: Float32) -> tuple[Bools, Bools]:
    """Whether each detection can be judged, and whether it is a face that must be found."""
    sure = faces[faces[:, WEIGHT] == 1]
    right = iou(found.boxes, np.ascontiguousarray(sure[:, BOX])).max(axis=1, initial=0) >= _SAME_IOU
    touching = iou(found.boxes, np.ascontiguousarray(faces[:, VISIBLE])).max(axis=1, initial=0) >= _TOUCHING
    return np.asarray(right | ~touching), np.asarray(right)


def _logistic(logits: Float64, is_face: Bools) -> tuple[float, float]:
    """Scale and offset of the logistic regression of faces on logits."""

    def loss(parameters: Float64) -> float:
        odds = parameters[0] * logits + parameters[1]
        return float((np.logaddexp(0, odds) - is_face * odds).mean())

    found = minimize(loss, np.array([1.0, 0.0]), bounds=[(0.05, 20), (-20, 20)], method="L-BFGS-B").x
    return float(found[0]), float(found[1])
