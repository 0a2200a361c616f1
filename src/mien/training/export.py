# SPDX-License-Identifier: Apache-2.0
"""From a trained network to a bundle: calibration, ONNX with the weights inside, and a parity check."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

from mien.core import (
    DIMENSIONS,
    EXPRESSIONS,
    SPEC_VERSION,
    CropSpec,
    InputSpec,
    ModelError,
    ModelSpec,
    TaskSpec,
)
from mien.evaluation import search_thresholds
from mien.inference import create_session
from mien.training.bundle_files import write_bundle as write_bundle  # an export ends with these two
from mien.training.bundle_files import write_spec as write_spec
from mien.training.network import AffectNetwork

logger = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]

_INPUT, _OUTPUTS = "crops", ("expression_logits", "valence_arousal", "action_unit_logits", "features")
_MAX_PARITY_GAP = 1e-4
_OPSET = 18


class _Flat(nn.Module):
    """The network with a plain tuple of outputs, as exporters want it."""

    def __init__(self, network: AffectNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network(crops))


def export_onnx(network: AffectNetwork, size_px: int) -> bytes:
    """The graph with its weights inside: uint8 crops (N, S, S, 1) to the four outputs, any N."""
    example = torch.zeros((2, size_px, size_px, 1), dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            _Flat(network).eval(),
            (example,),
            path,
            input_names=[_INPUT],
            output_names=list(_OUTPUTS),
            dynamic_shapes={"crops": {0: torch.export.Dim("n_faces")}},
            opset_version=_OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        return _without_traces(onnx.load(path))


def _without_traces(model: onnx.ModelProto) -> bytes:
    """The model without what the exporter notes for debugging: source paths of the machine that trained it."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        del part.metadata_props[:]
        part.doc_string = ""
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
        tensor.doc_string = ""
    return bytes(model.SerializeToString())


def parity_gap(network: AffectNetwork, graph: bytes, crops: npt.NDArray[np.uint8]) -> float:
    """Largest absolute difference between torch and the runtime over all outputs of the same crops.

    Raises:
        ModelError: it exceeds 1e-4.
    """
    session = create_session(graph)
    with torch.inference_mode():
        expected = [output.numpy() for output in network.eval()(torch.from_numpy(crops))]
    got = session.run({_INPUT: crops})
    gap = max(float(np.abs(want - got[name]).max()) for want, name in zip(expected, _OUTPUTS, strict=True))
    if not gap <= _MAX_PARITY_GAP:
        raise ModelError(f"the exported graph differs from the network by {gap:.2e}, more than {_MAX_PARITY_GAP:.0e}")
    return gap


def fit_temperature(logits: npt.NDArray[np.floating], shares: npt.NDArray[np.floating]) -> float:
    """The temperature at which softmax(logits / T) has the least cross-entropy to vote shares (N, C).

    Source: Guo et al., ICML 2017.
    """
    logits = np.asarray(logits, dtype=np.float64)

    def cross_entropy(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        top = scaled.max(axis=1, keepdims=True)
        log_sum = top[:, 0] + np.log(np.exp(scaled - top).sum(axis=1))
        return float((log_sum - (shares * scaled).sum(axis=1)).mean())

    return float(np.exp(minimize_scalar(cross_entropy, bounds=(-2.0, 2.0), method="bounded").x))


def fit_thresholds(chances: Floats, targets: Floats) -> tuple[float, ...]:
    """Per action unit, the threshold with the best F1 on the faces whose target is known.

    Args:
        chances: (N, A) probabilities.
        targets: (N, A) chances in [0, 1]; present from .5 on, NaN where unknown.
    """
    thresholds: list[float] = []
    for column in range(chances.shape[1]):
        known = ~np.isnan(targets[:, column])
        truth = targets[known, column, None] >= 0.5
        thresholds += search_thresholds(truth, chances[known, column, None]).thresholds
    return tuple(thresholds)


def describe(
    name: str,
    version: str,
    graph: bytes,
    size_px: int,
    template: Sequence[Sequence[float]],
    action_unit_labels: tuple[str, ...],
) -> ModelSpec:
    """The spec of an exported `AffectNetwork`, before calibration and measurement."""
    expression, affect, units, features = _OUTPUTS
    return ModelSpec(
        spec_version=SPEC_VERSION,
        name=name,
        version=version,
        sha256=hashlib.sha256(graph).hexdigest(),
        input=InputSpec(name=_INPUT, size_px=size_px, colour="gray", layout="NHWC", dtype="uint8"),
        crop=CropSpec(template=tuple((float(x), float(y)) for x, y in template)),
        tasks=(
            TaskSpec(
                task="expression",
                output=expression,
                labels=EXPRESSIONS,
                activation="softmax",
                low=0.0,
                high=1.0,
                unit="share of raters who would choose this expression",
            ),
            TaskSpec(
                task="valence_arousal",
                output=affect,
                labels=DIMENSIONS,
                activation="identity",
                low=-1.0,
                high=1.0,
                unit="mean rating on a scale from -1 to 1",
            ),
            TaskSpec(
                task="action_units",
                output=units,
                labels=action_unit_labels,
                activation="sigmoid",
                low=0.0,
                high=1.0,
                unit="probability that the action is visible",
            ),
        ),
        features=features,
    )


def calibrate(
    spec: ModelSpec, outputs: dict[str, Floats], shares: Floats, chances: Floats, inferred: tuple[str, ...]
) -> ModelSpec:
    """The spec with a temperature for expressions and thresholds for action units.

    Args:
        spec: of the bundle.
        outputs: the graph's raw outputs for faces that it was not taught.
        shares: (N, 8) vote shares of those faces.
        chances: (N, A) action-unit targets of those faces.
        inferred: action units that were taught by inference from others.
    """
    expression, affect, units = spec.tasks
    temperature = fit_temperature(outputs[expression.output], shares)
    probabilities = (1 / (1 + np.exp(-outputs[units.output].astype(np.float64)))).astype(np.float32)
    thresholds = fit_thresholds(probabilities, chances)
    logger.info("temperature %.3f; thresholds %s", temperature, dict(zip(units.labels, thresholds, strict=True)))
    tasks = (
        dataclasses.replace(expression, temperature=round(temperature, 4)),
        affect,
        dataclasses.replace(units, thresholds=thresholds, inferred=inferred),
    )
    return dataclasses.replace(spec, tasks=tasks)
