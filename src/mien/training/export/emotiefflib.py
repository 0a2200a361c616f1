# SPDX-License-Identifier: Apache-2.0
"""Converts the ONNX files of EmotiEffLib (HSEmotion) to bundles; needs onnx but not torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper

from mien._version import __version__
from mien.core import (
    DIMENSIONS,
    EXPRESSION_ORDERS,
    SPEC_VERSION,
    ConfigError,
    CropSpec,
    InputSpec,
    ModelError,
    ModelSpec,
    TaskSpec,
    TrainingSource,
)
from mien.inference import create_session, read_model_file
from mien.training.export.bundle_files import check_bundle_folder, write_bundle

# First opset whose Slice has its bounds as inputs.
_OPSET = 10


@dataclass(frozen=True, eq=False)
class ClassifierGraph:
    """Graph from crops (N, C, H, W) to scores (N, K) whose last operation is a matrix over D features.

    Attributes:
        model: ONNX model as read.
        label: Name of the file in messages.
        input_name: Name of the input.
        input_shape: Shape (C, H, W) of a crop; 0 for a dynamic side.
        scores_name: Name of the output.
        features_name: Name of the tensor before the last matrix.
        n_features: Number of features D.
        n_scores: Number of scores K.
    """

    model: onnx.ModelProto
    label: str
    input_name: str
    input_shape: tuple[int, ...]
    scores_name: str
    features_name: str
    n_features: int
    n_scores: int

    def cut(self, columns: Mapping[str, tuple[int, int]], features: str) -> bytes:
        """Create a graph with a dynamic batch size and one output per task.

        Args:
            columns: Columns (start, stop) of the scores for each new output.
            features: Name of the new output of features (N, D).

        Raises:
            ModelError: The new graph is invalid, for example because a new name exists already.
        """
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        graph = model.graph
        del graph.output[:]
        del graph.value_info[:]  # shapes for another batch size
        _free_batch(next(value for value in graph.input if value.name == self.input_name))
        for name, (start, stop) in columns.items():
            bounds = []
            for role, value in (("start", start), ("stop", stop), ("axis", 1)):
                bounds.append(f"{name}/{role}")
                graph.initializer.append(helper.make_tensor(bounds[-1], TensorProto.INT64, (1,), (value,)))
            graph.node.append(helper.make_node("Slice", [self.scores_name, *bounds], [name]))
            graph.output.append(_table(name, stop - start))
        graph.node.append(helper.make_node("Identity", [self.features_name], [features]))
        graph.output.append(_table(features, self.n_features))
        try:
            onnx.checker.check_model(model)
        except onnx.checker.ValidationError as error:
            raise ModelError(f"{self.label}: the graph cannot be split into tasks: {error}") from error
        return bytes(model.SerializeToString())


def read_classifier(path: Path) -> ClassifierGraph:
    """Read an ONNX file of a classifier with its weights.

    Raises:
        ModelError: The file cannot be read, is not ONNX, has external weights, or is another kind of graph.
    """
    content = read_model_file(path)
    try:
        model = onnx.ModelProto.FromString(content)
    except DecodeError as error:
        raise ModelError(f"{path}: not an ONNX file, or a truncated one ({error}); download it again") from error
    if not model.graph.node:  # an empty file is a valid message without content
        raise ModelError(f"{path}: an ONNX file without a graph; download it again")
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise ModelError(f"{path}: its weights are in another file; save it as one file")
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if opset < _OPSET:
        raise ModelError(f"{path}: opset {opset} is older than {_OPSET}; export it again")
    return _classifier(model, str(path))


def _classifier(model: onnx.ModelProto, label: str) -> ClassifierGraph:
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise ModelError(f"{label}: expected one input and one output, got {len(inputs)} and {len(graph.output)}")
    crops, scores = inputs[0], graph.output[0].name
    tensor = crops.type.tensor_type
    sides = [side.dim_value for side in tensor.shape.dim]
    if tensor.elem_type != TensorProto.FLOAT or len(sides) != 4:
        raise ModelError(f"{label}: expected float32 crops (N, C, H, W), got shape {tuple(sides)} (0: dynamic)")
    last = next((node for node in graph.node if scores in node.output), None)
    if last is None or last.op_type != "Gemm" or len(last.input) < 2 or last.input[1] not in weights:
        kind = "nothing" if last is None else last.op_type
        raise ModelError(
            f"{label}: expected a matrix (Gemm) at the end, got {kind}: this is not a published classifier"
        )
    matrix = tuple(weights[last.input[1]].dims)
    transposed = any(attribute.name == "transB" and attribute.i for attribute in last.attribute)
    n_scores, n_features = matrix if transposed else matrix[::-1]
    return ClassifierGraph(
        model=model,
        label=label,
        input_name=crops.name,
        input_shape=tuple(sides[1:]),
        scores_name=scores,
        features_name=last.input[0],
        n_features=n_features,
        n_scores=n_scores,
    )


def _table(name: str, width: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n_faces", width])


def _free_batch(crops: onnx.ValueInfoProto) -> None:
    crops.type.tensor_type.shape.dim[0].dim_param = "n_faces"


_EXPRESSION, _AFFECT, _FEATURES = "expression_logits", "valence_arousal", "features"
_MAX_PARITY_GAP = 1e-4

# Scale 0 to 1, RGB.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

# [choice] The networks were trained on square face boxes without alignment. These are the median positions of the five
# keypoints in the boxes of mien's own detector (79 faces), symmetrized, in the box extended to a square.
_TEMPLATE = ((0.327, 0.395), (0.673, 0.395), (0.5, 0.595), (0.344, 0.747), (0.656, 0.747))

_AFFECTNET_FACES = 287_651


@dataclass(frozen=True, kw_only=True)
class PublishedNet:
    """Facts about one published file.

    Attributes:
        size_px: Side of the crops in pixels.
        normalisation: Mean and standard deviation per channel on the scale 0 to 1.
        classes: Name of the class order.
        affect: Whether two linear columns, valence and arousal, follow the classes.
        n_features: Length of the penultimate vector; several alternatives if the publication does not state it.
        chosen_on: Data set on which this checkpoint was selected; empty for the validation split of AffectNet.
    """

    size_px: int = 224
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] = _IMAGENET
    classes: str = "hse_8"
    affect: bool = False
    n_features: tuple[int, ...] = (1280,)
    chosen_on: str = ""

    @property
    def n_classes(self) -> int:
        """Number of classes, 8 or 7 (without contempt)."""
        return len(EXPRESSION_ORDERS[self.classes])

    @property
    def n_scores(self) -> int:
        """Number of columns of the published output."""
        return self.n_classes + (len(DIMENSIONS) if self.affect else 0)


EMOTIEFFLIB: MappingProxyType[str, PublishedNet] = MappingProxyType(
    {
        "enet_b0_8_best_afew": PublishedNet(chosen_on="AFEW"),
        "enet_b0_8_best_vgaf": PublishedNet(chosen_on="VGAF"),
        "enet_b0_8_va_mtl": PublishedNet(affect=True),
        # The second checkpoint, partner of MT-DDAMFN in the blend of the 7th ABAW.
        "enet_b0_8_va_mtl_1": PublishedNet(affect=True),
        "enet_b2_7": PublishedNet(size_px=260, classes="hse_7", n_features=(1408,)),
        "enet_b2_8": PublishedNet(size_px=260, n_features=(1408,)),
        "mbf_va_mtl": PublishedNet(size_px=112, normalisation=_HALVES, affect=True, n_features=(512,)),
        # Size xxs, xs or s, which the file determines.
        "mobilevit_va_mtl": PublishedNet(affect=True, n_features=(320, 384, 640)),
    }
)
"""`PublishedNet` by published name. Source: Savchenko, ECCVW 2022 and CVPRW 2024, and the library's public code."""


def import_emotiefflib(file: Path, name: str, out: Path) -> ModelSpec:
    """Create a bundle from a published file of EmotiEffLib.

    The graph is only split: its eight (or seven) logits, valence and arousal, and the penultimate vector become
    separate outputs. The result is compared with the file on random crops before it is written.

    Args:
        file: Published ``.onnx`` file.
        name: Published name, one of `EMOTIEFFLIB`.
        out: Folder of the new bundle.

    Raises:
        ConfigError: The name is unknown, or the bundle would replace the file or another one.
        ModelError: The file is not the network of that name.
        OutputError: The bundle cannot be written.
    """
    if name not in EMOTIEFFLIB:
        raise ConfigError(f"EmotiEffLib publishes no ONNX file named {name!r}; choose from {', '.join(EMOTIEFFLIB)}")
    check_bundle_folder(out, [("FILE", file)])
    net, classifier = EMOTIEFFLIB[name], read_classifier(file)
    _check(classifier, net, name)
    columns = {_EXPRESSION: (0, net.n_classes)} | ({_AFFECT: (net.n_classes, net.n_scores)} if net.affect else {})
    graph = classifier.cut(columns, _FEATURES)
    gap = _parity_gap(file, classifier, graph, tuple(columns), net.size_px)
    spec = _describe(name, net, classifier, graph, file, gap)
    write_bundle(out, graph, spec)
    return spec


def _check(classifier: ClassifierGraph, net: PublishedNet, name: str) -> None:
    expected = (3, net.size_px, net.size_px)
    if any(got not in (0, want) for got, want in zip(classifier.input_shape, expected, strict=True)):
        raise ModelError(
            f"{classifier.label}: {name} takes crops {expected}, this graph takes {classifier.input_shape}"
        )
    if classifier.n_scores != net.n_scores or classifier.n_features not in net.n_features:
        raise ModelError(
            f"{classifier.label}: {name} has {net.n_scores} scores over {' or '.join(map(str, net.n_features))} "
            f"features, this graph {classifier.n_scores} over {classifier.n_features}; is it the file of another name?"
        )


def _parity_gap(file: Path, classifier: ClassifierGraph, graph: bytes, names: tuple[str, ...], size_px: int) -> float:
    """Largest difference between the scores of the file, crop by crop, and of the split graph, in one batch.

    Raises:
        ModelError: The difference exceeds 1e-4, or one of the graphs does not run.
    """
    crops = np.random.default_rng(0).standard_normal((3, 3, size_px, size_px)).astype(np.float32)
    published = create_session(file)
    one_by_one = [published.run({classifier.input_name: crop[None]})[classifier.scores_name] for crop in crops]
    batched = create_session(graph).run({classifier.input_name: crops})
    scores = np.concatenate([batched[name] for name in names], axis=1)
    gap = float(np.abs(scores - np.concatenate(one_by_one)).max())
    if not gap <= _MAX_PARITY_GAP:
        raise ModelError(f"{file}: split into tasks it differs by {gap:.2e}, more than {_MAX_PARITY_GAP:.0e}")
    return gap


def _describe(
    name: str, net: PublishedNet, classifier: ClassifierGraph, graph: bytes, file: Path, gap: float
) -> ModelSpec:
    mean, std = (tuple(round(255 * value, 3) for value in values) for values in net.normalisation)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return ModelSpec(
        spec_version=SPEC_VERSION,
        name=name,
        version=digest[:12],
        sha256=hashlib.sha256(graph).hexdigest(),
        input=InputSpec(
            name=classifier.input_name,
            size_px=net.size_px,
            colour="rgb",
            layout="NCHW",
            dtype="float32",
            mean=mean,
            std=std,
        ),
        crop=CropSpec(template=_TEMPLATE, shrink="bilinear"),
        tasks=_tasks(net),
        features=_FEATURES,
        weights_notice=(
            "The weights are those of EmotiEffLib (HSEmotion, A. Savchenko; code under Apache-2.0), trained on "
            "AffectNet, which its owners give out for research only: check its terms before commercial use."
        ),
        training_sources=_sources(net),
        provenance=(
            f"by its authors; split into tasks by mien {__version__} from {file.name} (SHA-256 {digest}); "
            f"parity with that file {gap:.1e}"
        ),
        limitations=_limitations(net),
    )


def _tasks(net: PublishedNet) -> tuple[TaskSpec, ...]:
    expression = TaskSpec(
        task="expression",
        output=_EXPRESSION,
        labels=EXPRESSION_ORDERS[net.classes],
        activation="softmax",
        low=0.0,
        high=1.0,
        unit="probability that an AffectNet annotator chose this expression, not calibrated",
    )
    if not net.affect:
        return (expression,)
    affect = TaskSpec(
        task="valence_arousal",
        output=_AFFECT,
        labels=DIMENSIONS,
        activation="identity",
        low=-1.0,
        high=1.0,
        unit="AffectNet's scale from -1 to 1; a linear output that is clipped at both ends",
    )
    return expression, affect


def _sources(net: PublishedNet) -> tuple[TrainingSource, ...]:
    role = "expression" + (", valence and arousal" if net.affect else "")
    chosen = f"; this checkpoint was selected on {net.chosen_on}" if net.chosen_on else ""
    return (
        TrainingSource(name="VGGFace2", role="start weights: identity", n=0, licence="research; see its owners' terms"),
        TrainingSource(
            name="AffectNet train", role=role + chosen, n=_AFFECTNET_FACES, licence="research only, by agreement"
        ),
    )


def _limitations(net: PublishedNet) -> tuple[str, ...]:
    limits = [
        "It predicts how an annotator would label facial movements; it does not measure feelings.",
        "Not for decisions about people: hiring, policing, schooling, insurance, diagnosis.",
        "The crop is mien's choice: the authors stretched the boxes of a detector to a square, mien aligns by five "
        "keypoints without stretching.",
        "Its probabilities are not calibrated, and mien has not evaluated it: run mien evaluate on your data.",
    ]
    if net.affect:
        limits.append(
            "The graph's valence and arousal are linear and not bounded; mien clips them at -1 and 1. Heads that "
            "are trained on scores use the raw ten columns (Bundle.run), as the published ones do."
        )
    if net.classes == "hse_7":
        limits.append("It has no class contempt; that column stays empty.")
    return tuple(limits)
