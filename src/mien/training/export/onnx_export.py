# SPDX-License-Identifier: Apache-2.0
"""Exports networks to ONNX: calibration, export, and parity checks."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import onnx
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

from mien.affect import activate
from mien.core import (
    CELL_VALUES,
    FACE_GRID,
    SPEC_VERSION,
    Activation,
    ConfigError,
    CropSpec,
    Float32,
    InputSpec,
    ModelError,
    ModelSpec,
    TaskName,
    TaskSpec,
)
from mien.evaluation import search_thresholds, small_set_note
from mien.inference import create_session
from mien.training.export.graph_cleanup import speed_up
from mien.training.losses.task_losses import class_frequencies
from mien.training.models.network import AffectNetwork
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.settings import CalibrationSettings

logger = logging.getLogger(__name__)

GRAPH_INPUT, DETECTOR_OUTPUT, _FEATURES = "crops", "cells", "features"
MAX_PARITY_GAP = 1e-4
OPSET = 18
_MIN_CALIBRATION_ROWS = 50  # fewer would fit noise
_NEUTRAL_SHARE = 0.8


_OUTPUT_NAMES = {
    "expression": "expression_logits",
    "action_units": "action_unit_logits",
    "landmarks": "points",
    "pose": "pose_rad",
    "eyes": "eyes_logits",
    "face": "face_logit",
    "faces": DETECTOR_OUTPUT,
}

# Task of a recipe -> name of the task in a bundle, where the two differ.
_BUNDLE_TASKS = {"pose": "head_pose", "eyes": "eyes_open"}

# Activation in the runtime, lowest and highest value after it, and meaning of the value, by task.
_MEANINGS: dict[str, tuple[Activation, float, float, str]] = {
    "expression": ("softmax", 0.0, 1.0, "probability that most raters would choose this expression"),
    "valence_arousal": ("identity", -1.0, 1.0, "mean rating on a scale from -1 to 1"),
    "action_units": ("sigmoid", 0.0, 1.0, "probability that the action is visible"),
    "action_unit_intensity": ("identity", 0.0, 5.0, "FACS intensity from 0 (absent) to 5 (maximum)"),
    "action_unit_sides": ("identity", 0.0, 5.0, "FACS intensity of the person's own left or right side, 0 to 5"),
    "landmarks": ("identity", -1.0, 2.0, "fraction of the crop's side"),
    "pose": ("identity", -3.1416, 3.1416, "radians, as seen in the crop"),
    "eyes": ("sigmoid", 0.0, 1.0, "1 is wide open, 0 closed"),
    "face": ("sigmoid", 0.0, 1.0, "probability that the crop shows a face where it should be"),
    "faces": ("identity", -1e6, 1e6, "numbers of each cell of the grid, see the model card"),
    "joints": ("identity", -1.0, 2.0, "fraction of the crop's side"),
}


def output_names(network: AffectNetwork) -> tuple[str, ...]:
    """Names of the graph's outputs: one per task that is not auxiliary, then the features if the network has them."""
    names = tuple(_OUTPUT_NAMES.get(task, task) for task in network.bundle_tasks)
    return (*names, _FEATURES) if network.gives_features else names


def export_onnx(network: AffectNetwork, size_px: int) -> bytes:
    """Export an affect network to ONNX, with its weights, a dynamic batch size, and without auxiliary tasks.

    Args:
        network: Network on the CPU.
        size_px: Side S of its crops (N, S, S, C), or the length D of its vectors (N, D).
    """
    multiple = FACE_GRID.multiple_px if network.tasks == ("faces",) else 0
    # The exporter takes a dimension of a single cell, and two that are equal, for constants.
    sides = (2 * multiple, 3 * multiple) if multiple else (size_px, size_px)
    shape = (2, *sides, network.n_channels) if network.has_pixels else (2, size_px)
    example = torch.zeros(shape, dtype=torch.uint8 if network.has_pixels else torch.float32)
    return to_onnx(network.without_auxiliary(), example, output_names(network), multiple_px=multiple)


def to_onnx(network: nn.Module, example: Tensor, outputs: Sequence[str], *, multiple_px: int = 0) -> bytes:
    """Export a network with one input to ONNX, with its weights and a dynamic batch size.

    Args:
        network: Network on the CPU.
        example: Two rows of its input.
        outputs: Names of its outputs, in order.
        multiple_px: Number that divides the sides of pictures of any size, the second and third dimension of the
            input; 0 for pictures of the size of the example.
    """
    dynamic: dict[int, object] = {0: torch.export.Dim("n_faces")}
    if multiple_px:
        dynamic[1], dynamic[2] = (multiple_px * torch.export.Dim(name, min=1) for name in ("rows", "columns"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            network.eval(),
            (example,),
            path,
            input_names=[GRAPH_INPUT],
            output_names=list(outputs),
            dynamic_shapes=(dynamic,),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        model = onnx.load(path)
    speed_up(model)
    return strip_debug_info(model)


def strip_debug_info(model: onnx.ModelProto) -> bytes:
    """Serialize a model without the exporter's debug information, which contains paths of the training machine."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        del part.metadata_props[:]
        part.doc_string = ""
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
        tensor.doc_string = ""
    return bytes(model.SerializeToString())


def adjust_logits(network: AffectNetwork, targets: Float32, strength: float) -> None:
    """Add -strength log(frequency) to the bias of the expression head, in place; no other output changes.

    Args:
        network: Network whose expression head ends in a dense layer.
        targets: (N, C) training shares of the classes, NaN where unknown.
        strength: Factor; 0 changes nothing.

    Raises:
        ConfigError: The expression head ends in another layer.

    Source: Menon et al., ICLR 2021, post-hoc logit adjustment.
    """
    if not strength:
        return
    head = [module for module in network.get_submodule("expression").modules() if isinstance(module, nn.Linear)]
    if not head or head[-1].bias is None or head[-1].out_features != targets.shape[1]:
        raise ConfigError("[calibration] logit_adjustment needs an expression head that ends in a dense layer")
    shift = strength * class_frequencies(targets).log()
    with torch.no_grad():
        head[-1].bias.sub_(shift)
        for first, columns in network.readers("expression"):
            first.bias.add_(first.weight[:, columns] @ shift)


def parity_gap(
    network: nn.Module, graph: bytes, inputs: npt.NDArray[np.generic], outputs: Sequence[str] | None = None
) -> float:
    """`runtime_gap`, checked against the limit for bundles.

    Raises:
        ModelError: The gap exceeds 1e-4.
    """
    gap = runtime_gap(network, graph, inputs, outputs)
    if not gap <= MAX_PARITY_GAP:
        raise ModelError(f"the exported graph differs from the network by {gap:.2e}, more than {MAX_PARITY_GAP:.0e}")
    return gap


def runtime_gap(
    network: nn.Module, graph: bytes, inputs: npt.NDArray[np.generic], outputs: Sequence[str] | None = None
) -> float:
    """Largest absolute difference between torch and the runtime over all outputs for the same inputs.

    Args:
        network: Network on the CPU.
        graph: ONNX model that was exported from it.
        inputs: (N, S, S, C) uint8 crops or (N, D) float32 vectors.
        outputs: Names of the outputs of the network, in order; None for those of an `AffectNetwork`.
    """
    names = outputs
    if names is None:
        affect = cast(AffectNetwork, network)
        network, names = affect.without_auxiliary(), output_names(affect)
    session = create_session(graph)
    with torch.inference_mode():
        expected = [output.numpy() for output in network.eval()(torch.from_numpy(inputs))]
    got = session.run({GRAPH_INPUT: inputs})
    return max(float(np.abs(want - got[name]).max()) for want, name in zip(expected, names, strict=True))


def fit_temperature(logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> float:
    """Temperature T that minimizes the negative log-likelihood of the labels under softmax(logits / T).

    With single labels the calibrated confidence is the probability that the prediction is correct; with shares of
    votes it would be the share of raters who agree, which is lower.

    Args:
        logits: (N, C) logits.
        labels: (N,) classes.

    Source: Guo et al., ICML 2017.
    """
    logits = np.asarray(logits, dtype=np.float64)
    rows = np.arange(len(logits))

    def negative_log_likelihood(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        top = scaled.max(axis=1, keepdims=True)
        log_sum = top[:, 0] + np.log(np.exp(scaled - top).sum(axis=1))
        return float((log_sum - scaled[rows, labels]).mean())

    return float(np.exp(minimize_scalar(negative_log_likelihood, bounds=(-2.0, 2.0), method="bounded").x))


def fit_thresholds(probabilities: Float32, targets: Float32) -> tuple[float, ...]:
    """Threshold of each action unit with the best F1 on the faces whose target is known.

    Args:
        probabilities: (N, A) probabilities.
        targets: (N, A) probabilities in [0, 1], present from 0.5, NaN where unknown. A unit without a known target gets
            0.5.
    """
    thresholds: list[float] = []
    for column in range(probabilities.shape[1]):
        known = ~np.isnan(targets[:, column])
        if not known.any():
            thresholds.append(0.5)
            continue
        truth = targets[known, column, None] >= 0.5
        thresholds += search_thresholds(truth, probabilities[known, column, None]).thresholds
    return tuple(thresholds)


def neutral_thresholds(probabilities: Float32, settings: CalibrationSettings) -> tuple[float, ...]:
    """Threshold of each action unit that the given share of neutral faces reaches, but at least the lowest one.

    Args:
        probabilities: (N, A) probabilities of neutral faces.
        settings: Share of false alarms, and the lowest threshold.

    Raises:
        ConfigError: There are fewer than 50 neutral faces.

    Examples:
        >>> probabilities = np.linspace(0, 1, 101, dtype=np.float32)[:, None]
        >>> neutral_thresholds(probabilities, CalibrationSettings(false_alarms=0.1))
        (0.905,)
    """
    _check_neutral(len(probabilities))
    n_above = int(settings.false_alarms * len(probabilities))
    ordered = np.sort(probabilities.astype(np.float64), axis=0)[::-1]
    between = (ordered[n_above - 1] + ordered[n_above]) / 2 if n_above else ordered[0] + 1e-4
    return tuple(round(float(min(max(value, settings.lowest_threshold), 1.0)), 4) for value in between)


def check_held_out(
    settings: CalibrationSettings, labels: Mapping[str, tuple[str, ...]], targets: Mapping[str, Float32]
) -> None:
    """Refuse held-out faces that `calibrate` would refuse, before a network is trained.

    Args:
        settings: Settings that select what is fitted.
        labels: Names of the outputs of each task of the bundle.
        targets: Labels (N, L) of the held-out faces by task.

    Raises:
        ConfigError: Thresholds by false alarms need 50 neutral faces.
    """
    n = len(targets.get("action_units", ())) if "action_units" in labels else 0
    if settings.thresholds and settings.false_alarms and n >= _MIN_CALIBRATION_ROWS:
        _check_neutral(int(_neutral(labels, targets).sum()))


def _check_neutral(n: int) -> None:
    if n < _MIN_CALIBRATION_ROWS:
        raise ConfigError(
            f"[calibration] false_alarms needs {_MIN_CALIBRATION_ROWS} held-out neutral faces, got {n}; hold out more "
            "([data] calibration_rows)"
        )


def _names(spec: ModelSpec) -> dict[str, tuple[str, ...]]:
    return {task.task: task.labels for task in spec.tasks}


def _neutral(labels: Mapping[str, tuple[str, ...]], targets: Mapping[str, Float32]) -> npt.NDArray[np.bool_]:
    """(N,) faces with at least 0.8 of the votes for neutral."""
    if "expression" not in labels or "expression" not in targets:
        raise ConfigError("[calibration] false_alarms needs an expression head and held-out expressions")
    shares = targets["expression"][:, labels["expression"].index("neutral")]
    return np.asarray(np.nan_to_num(shares) >= _NEUTRAL_SHARE)


def describe(recipe: Recipe, version: str, graph: bytes, labels: Mapping[str, tuple[str, ...]]) -> ModelSpec:
    """Create the spec of an exported network of pixels, before calibration and evaluation.

    Args:
        recipe: Recipe of the training.
        version: Version of the weights.
        graph: Exported ONNX model.
        labels: Names of the outputs of each task.

    Raises:
        ConfigError: A bundle does not support one of the tasks.
    """
    model = recipe.model
    return ModelSpec(
        spec_version=SPEC_VERSION,
        name=recipe.name,
        version=version,
        sha256=hashlib.sha256(graph).hexdigest(),
        input=InputSpec(name=GRAPH_INPUT, size_px=model.input_px, colour=model.colour, layout="NHWC", dtype="uint8"),
        crop=CropSpec(template=model.template, given=model.given),
        tasks=tuple(
            _describe_task(task, CELL_VALUES if task == "faces" else labels[task]) for task in recipe.bundle_tasks
        ),
        features=_FEATURES if model.features else "",
        recipe=recipe.name,
        grid=FACE_GRID if recipe.tasks == ("faces",) else None,
    )


def _describe_task(task: str, labels: tuple[str, ...]) -> TaskSpec:
    if task not in _MEANINGS:
        raise ConfigError(f"a bundle supports {sorted(_MEANINGS)}, not {task!r}")
    activation, low, high, unit = _MEANINGS[task]
    return TaskSpec(
        task=cast("TaskName", _BUNDLE_TASKS.get(task, task)),
        output=_OUTPUT_NAMES.get(task, task),
        labels=labels,
        activation=activation,
        low=low,
        high=high,
        unit=unit,
    )


def calibrate(
    spec: ModelSpec,
    outputs: Mapping[str, Float32],
    targets: Mapping[str, Float32],
    settings: CalibrationSettings,
    inferred: tuple[str, ...] = (),
) -> ModelSpec:
    """Fit a temperature for expressions and thresholds for action units, each on at least 50 faces.

    Args:
        spec: Spec of the bundle.
        outputs: Raw outputs of the graph for held-out faces.
        targets: Labels (N, L) of these faces by task, NaN where unknown; the expression with most votes counts.
        settings: Settings that select what is fitted.
        inferred: Action units whose training labels were inferred from other units.

    Returns:
        The spec with temperature and thresholds.
    """
    tasks = []
    for task in spec.tasks:
        truth, raw = targets.get(task.task), outputs[task.output]
        if task.task == "expression" and settings.temperature and truth is not None:
            named = ~np.isnan(truth).any(axis=1)
            if named.sum() >= _MIN_CALIBRATION_ROWS:
                temperature = fit_temperature(raw[named], truth[named].argmax(axis=1))
                logger.info("temperature %.3f, fitted on %d faces", temperature, named.sum())
                task = dataclasses.replace(task, temperature=round(temperature, 4))
        if task.task == "action_units":
            task = dataclasses.replace(task, inferred=tuple(unit for unit in inferred if unit in task.labels))
            if settings.thresholds and truth is not None and len(truth) >= _MIN_CALIBRATION_ROWS:
                probabilities = activate(raw, task)
                if settings.false_alarms:
                    found = neutral_thresholds(probabilities[_neutral(_names(spec), targets)], settings)
                    share, lowest = 100 * settings.false_alarms, settings.lowest_threshold
                    rule = f"reached by {share:.3g} % of held-out neutral faces, at least {lowest:g}"
                else:
                    found, rule = fit_thresholds(probabilities, truth), "best F1 on held-out faces"
                    note = small_set_note("thresholds", task.labels, (truth >= 0.5).sum(axis=0).tolist())
                    if note:
                        logger.warning("%s", note)
                task = dataclasses.replace(task, thresholds=found, threshold_rule=rule)
                logger.info("thresholds %s", dict(zip(task.labels, task.thresholds, strict=True)))
        tasks.append(task)
    return dataclasses.replace(spec, tasks=tuple(tasks))
