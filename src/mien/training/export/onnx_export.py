# SPDX-License-Identifier: Apache-2.0
"""From a trained network to ONNX: calibration, export, merging a head into a frozen bundle, parity checks."""

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
from onnx import compose, helper, version_converter
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

from mien.affect import activate
from mien.core import (
    SPEC_VERSION,
    Activation,
    ConfigError,
    CropSpec,
    InputSpec,
    ModelError,
    ModelSpec,
    TaskName,
    TaskSpec,
)
from mien.evaluation import search_thresholds
from mien.inference import Bundle, create_session, prepare
from mien.training.models.network import AffectNetwork
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.settings import CalibrationSettings, ModelSettings

logger = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]

GRAPH_INPUT, _FEATURES = "crops", "features"
MAX_PARITY_GAP = 1e-4
OPSET = 18
_MIN_CALIBRATION_ROWS = 50  # fewer would fit chance


_OUTPUT_NAMES = {"expression": "expression_logits", "action_units": "action_unit_logits"}

# task -> activation by the runtime, lowest and highest value after it, what the value is
_MEANINGS: dict[str, tuple[Activation, float, float, str]] = {
    "expression": ("softmax", 0.0, 1.0, "probability that most raters would choose this expression"),
    "valence_arousal": ("identity", -1.0, 1.0, "mean rating on a scale from -1 to 1"),
    "action_units": ("sigmoid", 0.0, 1.0, "probability that the action is visible"),
}


def output_names(network: AffectNetwork) -> tuple[str, ...]:
    """Names of the graph's outputs: one per task in order, then the features."""
    return (*(_OUTPUT_NAMES.get(task, task) for task in network.tasks), _FEATURES)


def export_onnx(network: AffectNetwork, size_px: int) -> bytes:
    """The graph with its weights inside, for any number N of faces.

    Args:
        network: on the CPU.
        size_px: side of its crops (N, S, S, C); for a network of vectors (N, D) this is D.
    """
    shape = (2, size_px, size_px, network.n_channels) if network.has_pixels else (2, size_px)
    example = torch.zeros(shape, dtype=torch.uint8 if network.has_pixels else torch.float32)
    return to_onnx(network, example, output_names(network))


def to_onnx(network: nn.Module, example: Tensor, outputs: Sequence[str]) -> bytes:
    """The graph of any network that takes one batch, for any number of rows, with its weights inside.

    Args:
        network: on the CPU.
        example: two rows of its input.
        outputs: names for what it returns, in order.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            network.eval(),
            (example,),
            path,
            input_names=[GRAPH_INPUT],
            output_names=list(outputs),
            dynamic_shapes=({0: torch.export.Dim("n_faces")},),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        return strip_debug_info(onnx.load(path))


def strip_debug_info(model: onnx.ModelProto) -> bytes:
    """A model without what the exporter notes for debugging: source paths of the machine that trained it."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        del part.metadata_props[:]
        part.doc_string = ""
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
        tensor.doc_string = ""
    return bytes(model.SerializeToString())


def parity_gap(
    network: nn.Module, graph: bytes, inputs: npt.NDArray[np.generic], outputs: Sequence[str] | None = None
) -> float:
    """`runtime_gap`, if it is small enough for a bundle that is given to users.

    Raises:
        ModelError: it exceeds 1e-4.
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
        network: on the CPU.
        graph: exported from it.
        inputs: (N, S, S, C) uint8 crops or (N, D) float32 vectors.
        outputs: names of what the network returns, in order; those of an `AffectNetwork` unless given.
    """
    names = output_names(cast(AffectNetwork, network)) if outputs is None else outputs
    session = create_session(graph)
    with torch.inference_mode():
        expected = [output.numpy() for output in network.eval()(torch.from_numpy(inputs))]
    got = session.run({GRAPH_INPUT: inputs})
    return max(float(np.abs(want - got[name]).max()) for want, name in zip(expected, names, strict=True))


def fit_temperature(logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> float:
    """The temperature T at which softmax(logits / T) has the least negative log-likelihood of the labels.

    Held against single labels, the confidence becomes the chance of being right; held against shares of votes it would
    become the share of raters who agree, which is lower.

    Args:
        logits: (N, C).
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


def fit_thresholds(probabilities: Floats, targets: Floats) -> tuple[float, ...]:
    """Per action unit, the threshold with the best F1 on the faces whose target is known.

    Args:
        probabilities: (N, A) probabilities.
        targets: (N, A) probabilities in [0, 1]; present from .5 on, NaN where unknown. A unit that no face knows keeps .5.
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


def describe(recipe: Recipe, version: str, graph: bytes, labels: Mapping[str, tuple[str, ...]]) -> ModelSpec:
    """The spec of an exported network of pixels, before calibration and measurement.

    Args:
        recipe: that it was trained by.
        version: of the weights.
        graph: exported.
        labels: task -> names of its outputs.

    Raises:
        ConfigError: a bundle cannot hold one of the tasks.
    """
    model = recipe.model
    return ModelSpec(
        spec_version=SPEC_VERSION,
        name=recipe.name,
        version=version,
        sha256=hashlib.sha256(graph).hexdigest(),
        input=InputSpec(name=GRAPH_INPUT, size_px=model.input_px, colour=model.colour, layout="NHWC", dtype="uint8"),
        crop=CropSpec(template=model.template),
        tasks=tuple(_describe_task(task, labels[task]) for task in recipe.tasks),
        features=_FEATURES,
        recipe=recipe.name,
    )


def _describe_task(task: str, labels: tuple[str, ...]) -> TaskSpec:
    if task not in _MEANINGS:
        raise ConfigError(f"a bundle has {sorted(_MEANINGS)}; {task!r} has no place in it")
    activation, low, high, unit = _MEANINGS[task]
    return TaskSpec(
        task=cast("TaskName", task),
        output=_OUTPUT_NAMES.get(task, task),
        labels=labels,
        activation=activation,
        low=low,
        high=high,
        unit=unit,
    )


def calibrate(
    spec: ModelSpec,
    outputs: Mapping[str, Floats],
    targets: Mapping[str, Floats],
    settings: CalibrationSettings,
    inferred: tuple[str, ...] = (),
) -> ModelSpec:
    """The spec with a temperature for expressions and thresholds for action units, where 50 or more faces can say.

    Args:
        spec: of the bundle.
        outputs: the graph's raw outputs for faces that it was not taught.
        targets: task -> (N, L) labels of those faces, NaN where unknown; the expression is the one with most votes.
        settings: what is fitted.
        inferred: action units that were taught by inference from others.
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
                task = dataclasses.replace(task, thresholds=fit_thresholds(activate(raw, task), truth))
                logger.info("thresholds %s", dict(zip(task.labels, task.thresholds, strict=True)))
        tasks.append(task)
    return dataclasses.replace(spec, tasks=tuple(tasks))


_BACKBONE, _HEAD = "backbone/", "head/"


def merge_graphs(backbone: Bundle, head: bytes, names: tuple[str, ...], model: ModelSettings) -> bytes:
    """The graph of a bundle with a head behind its features and raw scores.

    Args:
        backbone: the frozen bundle.
        head: graph of a network of vectors, as `export_onnx` writes it.
        names: of the head's outputs that the merged graph gives; the features follow.
        model: that says which stretches the head's vector has.

    Raises:
        ConfigError: the bundle lacks what the head sees.
        ModelError: the two graphs do not fit.
    """
    below = compose.add_prefix(_modern((backbone.folder / "model.onnx").read_bytes()), _BACKBONE, rename_inputs=False)
    above = compose.add_prefix(_modern(head), _HEAD)
    seen = _stretches(backbone.spec, model)
    outer = {name: f"{_HEAD}{name}" for name in names}
    outer[backbone.spec.features] = _BACKBONE + backbone.spec.features
    nodes = [
        *below.graph.node,
        helper.make_node("Concat", [_BACKBONE + name for name in seen], [_HEAD + GRAPH_INPUT], axis=1),
        *above.graph.node,
        *(helper.make_node("Identity", [inner], [name]) for name, inner in outer.items()),
    ]
    graph = helper.make_graph(
        nodes,
        "backbone and head",
        list(below.graph.input),
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n_faces", None]) for name in outer],
        initializer=[*below.graph.initializer, *above.graph.initializer],
    )
    imports = {own.domain: own for own in (*below.opset_import, *above.opset_import)}
    merged = helper.make_model(
        graph,
        opset_imports=list(imports.values()),
        functions=[*below.functions, *above.functions],
        ir_version=max(below.ir_version, above.ir_version),
    )
    try:
        onnx.checker.check_model(merged, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(f"{backbone.folder}: the head does not fit behind this graph ({error})") from error
    return strip_debug_info(merged)


def merged_parity_gap(
    backbone: Bundle, network: AffectNetwork, graph: bytes, names: tuple[str, ...], model: ModelSettings, n: int = 8
) -> float:
    """Largest absolute difference between the merged graph and torch over the frozen bundle's own vectors.

    Measured on pictures of noise, of which no two are alike: they reach every part of both graphs.

    Raises:
        ModelError: it exceeds 1e-4.
    """
    spec = backbone.spec.input
    shape = (n, spec.size_px, spec.size_px) if spec.n_channels == 1 else (n, spec.size_px, spec.size_px, 3)
    crops = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    vectors = stretch_vectors(backbone.spec, backbone.run(crops), model)
    with torch.inference_mode():
        expected = [output.numpy() for output in network.eval()(torch.from_numpy(vectors))]
    got = create_session(graph).run({spec.name: prepare(crops, spec)})
    gap = max(float(np.abs(want - got[name]).max()) for name, want in zip(names, expected, strict=False))
    if not gap <= MAX_PARITY_GAP:
        raise ModelError(f"the merged graph differs from its parts by {gap:.2e}, more than {MAX_PARITY_GAP:.0e}")
    return gap


def stretch_vectors(
    spec: ModelSpec, outputs: Mapping[str, npt.NDArray[np.float32]], model: ModelSettings
) -> npt.NDArray[np.float32]:
    """(N, D) what a head sees of a bundle's outputs."""
    return np.concatenate([outputs[name] for name in _stretches(spec, model)], axis=1)


def _stretches(spec: ModelSpec, model: ModelSettings) -> list[str]:
    """Outputs of the bundle in the order of the head's vector."""
    if model.clip != "frames":
        raise ConfigError("a head over whole clips cannot stand behind a bundle, which sees single faces")
    if not spec.features:
        raise ConfigError(f"{spec.name} gives no features; choose a bundle with an embedding")
    parts = {"features": [spec.features], "scores": [task.output for task in spec.tasks]}
    return [name for stretch in model.vectors for name in parts[stretch.part]]


def _modern(graph: bytes) -> onnx.ModelProto:
    """The graph in the operator set that heads are exported with."""
    model = onnx.load_from_string(graph)
    own = next(each.version for each in model.opset_import if not each.domain)
    return model if own == OPSET else version_converter.convert_version(model, OPSET)
