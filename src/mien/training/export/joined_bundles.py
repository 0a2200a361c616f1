# SPDX-License-Identifier: Apache-2.0
"""Joins two bundles to one whose expression, valence and arousal are the mean of both networks, or of two views."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import compose, helper, numpy_helper

from mien.affect import Analyzer
from mien.core import BundleKind, ConfigError, ModelError, ModelSpec, TaskSpec, mirrored_names
from mien.datasets import load_held_out
from mien.evaluation import evaluate
from mien.inference import Bundle, load_bundle
from mien.media import decode_image
from mien.training.export.bundle_files import check_bundle_folder, write_bundle, write_spec
from mien.training.export.merged_graphs import checked_graph
from mien.training.export.onnx_export import fit_temperature
from mien.training.export.quantize import halve_weights, is_float32
from mien.training.export.variants import COMPARED

FIRST, SECOND, _VIEWS = "first/", "second/", "both/"
_SIZES = "joined/sizes"
_AVERAGED = ("expression", "valence_arousal")
_PROTOCOLS = ("ferplus", "lfw", "flip-rate", "au-ranks")

# FER+ training faces that recipes hold out, on which the temperature is fitted.
_N_HELD_OUT = 1500

_EQUAL = 0.5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class JoinSettings:
    """How two networks are averaged.

    Attributes:
        shares: Task (``"expression"``, ``"valence_arousal"``) -> share of the second network in [0, 1]; 0.5 for a task
            without one. Choose them on faces that trained nothing, and not on those that measure the result.
        mirrored: Whether both networks read the mirror image of each crop, too, and the mean of both views counts, for
            every output: twice the time.

    Raises:
        ConfigError: A task is not averaged, or a share is not within [0, 1].
    """

    shares: Mapping[str, float] = field(default_factory=dict)
    mirrored: bool = False

    def __post_init__(self) -> None:
        strange = sorted(set(self.shares) - set(_AVERAGED))
        if strange:
            raise ConfigError(f"shares are for {' and '.join(_AVERAGED)}, not for {strange}")
        wrong = {task: share for task, share in self.shares.items() if not 0 <= share <= 1}
        if wrong:
            raise ConfigError(f"the share of the second network must be within [0, 1], got {wrong}")

    def share(self, task: str) -> float:
        """Share of the second network in the predictions of a task."""
        return float(self.shares.get(task, _EQUAL))

    def __str__(self) -> str:
        parts = [f"{self.share(task):g} of the second in {task}" for task in _AVERAGED if self.share(task) != _EQUAL]
        views = ", each crop read with its mirror image" if self.mirrored else ""
        return (", ".join(parts) or "equal weights") + views


def join_bundles(
    first: str | Path,
    second: str | Path,
    out: str | Path,
    *,
    name: str,
    version: str = "1",
    halve: bool = True,
    settings: JoinSettings | None = None,
    data: str | Path | None = None,
) -> ModelSpec:
    """Write a bundle that runs two networks on one crop and averages what both predict.

    Expressions are the mean of the calibrated logits (logits over temperature), valence and arousal the mean of both,
    weighted by the settings.
    Everything else (action units, intensities, features) is the first bundle's. The second network gets the crop
    resized inside the graph, with antialiasing, where its size differs, as it was aligned by the same template. The
    result has no quality model: that of one network does not fit two.

    Args:
        first: Name or folder of the bundle whose input size and further tasks the result has.
        second: Name or folder of the other bundle; its crop template and colour are the same.
        out: Folder of the result.
        name: Name of the result.
        version: Version of the result.
        halve: Whether float32 weights of the second bundle are stored as float16.
        settings: Weights of the mean, and whether mirror images are read, too; None for equal weights.
        data: Folder of the open face sets (layout: docs/how-to/training.md): the temperature is fitted to the 1,500
            FER+ training faces that recipes hold out, and the protocols ferplus, lfw, flip-rate and au-ranks measure
            the result. Without it the temperature is 1 and the card has no metrics.

    Returns:
        The description of the result.

    Raises:
        ConfigError: The result would replace one of the two bundles, or a file that is no part of a bundle.
        DatasetError: The data are incomplete.
        ModelError: The bundles read different crops or predict different labels.
        OutputError: The result cannot be written.
    """
    out = Path(out)
    one, two = load_two(first, second, out, kind="affect")
    _check(one, two)
    settings = settings or JoinSettings()
    graph = _joined_graph(one, two, settings, halve=halve)
    if settings.mirrored:
        graph = mirrored_graph(graph, one.spec)
    tasks = tuple(replace(task, temperature=1.0) if task.task == "expression" else task for task in one.spec.tasks)
    origin = f"mean of {one.spec.name} {one.spec.version} and {two.spec.name} {two.spec.version}, {settings}"
    spec = replace(
        spec_of_two(one.spec, two.spec, graph, origin),
        name=name,
        version=version,
        tasks=tasks,
        uncertainty=None,  # it was fitted to the weights before
        limitations=tuple(dict.fromkeys((*_limitations(one.spec), *_limitations(two.spec)))),
        quality=None,
    )
    write_bundle(out, graph, spec)
    return spec if data is None else _measured(out, spec, Path(data))


def load_two(first: str | Path, second: str | Path, out: Path, *, kind: BundleKind) -> tuple[Bundle, Bundle]:
    """Load the two bundles of a joined one, and check its folder.

    Args:
        first: Name or folder of a bundle.
        second: Name or folder of the other bundle.
        out: Folder of the result.
        kind: Kind of all three, see `mien.inference.load_bundle`.

    Raises:
        ConfigError: The result would replace one of the two bundles, or a file that is no part of a bundle.
        ModelError: A bundle is missing, damaged or of another kind.
    """
    one, two = (load_bundle(bundle, kind=kind, threads=1) for bundle in (first, second))
    if out.resolve() in (one.folder.resolve(), two.folder.resolve()):
        raise ConfigError(f"{out} is one of the two bundles itself; choose another folder")
    check_bundle_folder(out)
    return one, two


def spec_of_two(one: ModelSpec, two: ModelSpec, graph: bytes, origin: str) -> ModelSpec:
    """The first description for a graph of both networks, with the origin of both and no metrics.

    Args:
        one: Description of the first bundle.
        two: Description of the second bundle.
        graph: ONNX model of both.
        origin: What the graph does with the two, for the provenance.
    """
    return replace(
        one,
        sha256=hashlib.sha256(graph).hexdigest(),
        recipe=" + ".join(filter(None, (one.recipe, two.recipe))),
        provenance=f"{origin}. First: {one.provenance}. Second: {two.provenance}",
        training_sources=tuple(dict.fromkeys((*one.training_sources, *two.training_sources))),
        limitations=tuple(dict.fromkeys((*one.limitations, *two.limitations))),
        metrics=(),
    )


def mirrored_graph(graph: bytes, spec: ModelSpec) -> bytes:
    """The ONNX model of a network that reads every crop and its mirror image and gives the mean of both views.

    What belongs to a side of the face changes sides in the mirror image.

    Args:
        graph: ONNX model of a bundle.
        spec: Its description.

    Raises:
        ModelError: The graph cannot be checked.
    """
    inner = prefixed(graph, _VIEWS)
    (crops,) = inner.graph.input
    crops.name = spec.input.name
    width = 2 if spec.input.layout == "NHWC" else 3
    nodes = [
        helper.make_node(
            "Slice", [crops.name, "views/first", "views/last", "views/axes", "views/step"], ["views/mirror"]
        ),
        helper.make_node("Concat", [crops.name, "views/mirror"], [_VIEWS + spec.input.name], axis=0),
        *inner.graph.node,
    ]
    starts = {"first": -1, "last": np.iinfo(np.int64).min, "axes": width, "step": -1}
    constants = {f"views/{name}": np.array([value], np.int64) for name, value in starts.items()}
    constants["views/half"] = np.array(_EQUAL, np.float32)
    columns = {task.output: np.array(mirrored_names(task.labels), np.int64) for task in spec.tasks}
    outputs = list(inner.graph.output)
    for output in outputs:
        name = output.name.removeprefix(_VIEWS)
        one, two = f"views/{name}/one", f"views/{name}/two"
        nodes.append(helper.make_node("Split", [output.name], [one, two], axis=0, num_outputs=2))
        order = columns.get(name)
        if order is not None and (order != np.arange(len(order))).any():
            constants[f"views/{name}/order"] = order
            nodes.append(helper.make_node("Gather", [two, f"views/{name}/order"], [f"{two}/sides"], axis=1))
            two = f"{two}/sides"
        nodes.append(helper.make_node("Add", [one, two], [f"views/{name}/sum"]))
        nodes.append(helper.make_node("Mul", [f"views/{name}/sum", "views/half"], [name]))
        output.name = name
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    whole = helper.make_graph(
        nodes, "two views", [crops], outputs, initializer=[*inner.graph.initializer, *initializers]
    )
    return checked_graph(whole, (inner,), f"{spec.name}: its graph cannot read mirror images")


def joined_parts(graph: bytes) -> list[bytes]:
    """The ONNX models of the networks of a joined bundle, with the names that they had before; of another, itself.

    Outputs that the joined bundle does not have are left out.

    Args:
        graph: ONNX model of a bundle.
    """
    model = onnx.load_from_string(graph)
    views = _VIEWS if any(node.name.startswith(_VIEWS) for node in model.graph.node) else ""
    parts = [_part(model, views, prefix) for prefix in (FIRST, SECOND)]
    found = [part.SerializeToString() for part in parts if part.graph.node]
    return [inner for part in found for inner in joined_parts(part)] or [graph]


def _part(model: onnx.ModelProto, views: str, prefix: str) -> onnx.ModelProto:
    """The nodes of one network under its own names."""
    is_second, sizes_name = prefix == SECOND, views + _SIZES
    prefix = views + prefix
    own = [onnx.NodeProto.FromString(node.SerializeToString()) for node in model.graph.node]
    own = [node for node in own if node.name.startswith(prefix)]
    taken = {name for node in own for name in node.input}
    made = {name for node in own for name in node.output}
    ends = [prefix + output.name for output in model.graph.output if prefix + output.name in made]
    weights = [tensor for tensor in model.graph.initializer if tensor.name in taken]
    (crops,) = model.graph.input
    shape = [dim.dim_param or dim.dim_value for dim in crops.type.tensor_type.shape.dim]
    sizes = [numpy_helper.to_array(tensor) for tensor in model.graph.initializer if tensor.name == sizes_name]
    if is_second and any(sizes_name in node.input for node in model.graph.node):
        first_side = 1 if shape[3] in (1, 3) else 2
        shape[first_side : first_side + 2] = sizes[0].tolist()
    part = helper.make_graph(
        own,
        prefix.rstrip("/"),
        [helper.make_tensor_value_info(prefix + crops.name, onnx.TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ends],
        initializer=weights,
    )
    for names in (*(node.input for node in part.node), *(node.output for node in part.node)):
        names[:] = [name.removeprefix(prefix) for name in names]
    for named in (*part.node, *part.initializer, *part.input, *part.output):
        named.name = named.name.removeprefix(prefix)
    return helper.make_model(part, opset_imports=list(model.opset_import), ir_version=model.ir_version)


def _measured(folder: Path, spec: ModelSpec, data: Path) -> ModelSpec:
    """The bundle with a fitted temperature and its metrics, which are written beside the graph, too."""
    samples = load_held_out(data, _N_HELD_OUT)
    samples = samples.take(np.isfinite(samples.expression).all(axis=1))
    images = [decode_image(image, name=name) for name, image in zip(samples.names, samples.images, strict=True)]
    faces = Analyzer(folder, threads=1).crops(images)
    logits = np.log(np.maximum(faces.expression, np.finfo(np.float32).tiny))
    temperature = round(fit_temperature(logits, samples.expression.argmax(axis=1)), 4)
    logger.info("temperature %.3f, fitted on %d faces", temperature, len(samples))
    tasks = [replace(task, temperature=temperature) if task.task == "expression" else task for task in spec.tasks]
    spec = replace(spec, tasks=tuple(tasks))
    write_spec(folder, spec)
    metrics = [metric for protocol in _PROTOCOLS for metric in evaluate(protocol, folder, data).card_metrics()]
    spec = replace(spec, metrics=tuple(metrics))
    write_spec(folder, spec)
    return spec


def _limitations(spec: ModelSpec) -> tuple[str, ...]:
    """Limitations but the comparison of a variant with its original, which says nothing about the mean."""
    return tuple(sentence for sentence in spec.limitations if not sentence.startswith(COMPARED))


def _check(one: Bundle, two: Bundle) -> None:
    """Refuse bundles that cannot share a crop.

    Raises:
        ModelError: The bundles read different crops or predict different labels.
    """
    pairs: list[tuple[str, object, object]] = [
        ("templates", one.spec.crop.template, two.spec.crop.template),
        ("inputs", replace(one.spec.input, size_px=1), replace(two.spec.input, size_px=1)),
    ]
    pairs += [(f"labels of {task}", _labels(one.spec.task(task)), _labels(two.spec.task(task))) for task in _AVERAGED]
    for what, own, other in pairs:
        if own != other:
            raise ModelError(f"{one.folder} and {two.folder} cannot be joined: their {what} differ")


def _labels(task: TaskSpec | None) -> tuple[str, ...]:
    return () if task is None else task.labels


def prefixed(graph: bytes, prefix: str) -> onnx.ModelProto:
    """The ONNX model with a prefix before every name; nodes without one are named after their first output."""
    model = onnx.load_from_string(graph)
    for node in model.graph.node:
        node.name = node.name or f"joined/{node.output[0]}"
    return compose.add_prefix(model, prefix, rename_functions=False)


def _joined_graph(one: Bundle, two: Bundle, settings: JoinSettings, *, halve: bool) -> bytes:
    bytes_of = [(bundle.folder / "model.onnx").read_bytes() for bundle in (one, two)]
    if halve and is_float32(bytes_of[1]):
        bytes_of[1] = halve_weights(bytes_of[1])
    first, second = (prefixed(data, prefix) for data, prefix in zip(bytes_of, (FIRST, SECOND), strict=True))
    (own_input,) = first.graph.input
    own_input.name = one.spec.input.name
    nodes = [
        helper.make_node("Identity", [own_input.name], [FIRST + one.spec.input.name]),
        *_resized(one.spec, own_input.name, two.spec.input.size_px, SECOND + two.spec.input.name),
        *first.graph.node,
        *second.graph.node,
    ]
    initializers = [*first.graph.initializer, *second.graph.initializer, *_constants(one.spec, two.spec, settings)]
    outputs = list(first.graph.output)
    for task in _AVERAGED:
        own, other = one.spec.task(task), two.spec.task(task)
        if own is None or other is None:
            continue
        parts = []
        for prefix, part in ((FIRST, own), (SECOND, other)):
            scaled = f"{prefix}{task}_share"
            nodes.append(helper.make_node("Mul", [prefix + part.output, f"{prefix}{task}_weight"], [scaled]))
            parts.append(scaled)
        nodes.append(helper.make_node("Add", parts, [own.output]))
    averaged = {task.output for task in one.spec.tasks if task.task in _AVERAGED}
    for output in outputs:
        plain = output.name.removeprefix(FIRST)
        if plain not in averaged:
            nodes.append(helper.make_node("Identity", [output.name], [plain]))
        output.name = plain
    graph = helper.make_graph(nodes, "two networks", [own_input], outputs, initializer=initializers)
    return checked_graph(graph, (second, first), f"{one.folder} and {two.folder} cannot be joined")


def _resized(spec: ModelSpec, crops: str, size_px: int, out: str) -> list[onnx.NodeProto]:
    """Nodes that give the crops the size of the other network."""
    if size_px == spec.input.size_px:
        return [helper.make_node("Identity", [crops], [out])]
    planes = [0, 3, 1, 2] if spec.input.layout == "NHWC" else [0, 1, 2, 3]
    back = [planes.index(axis) for axis in range(4)]
    resize = helper.make_node(
        "Resize",
        ["joined/planes", "", "", _SIZES],
        ["joined/small"],
        mode="linear",
        antialias=1,
        axes=[2, 3],
        coordinate_transformation_mode="half_pixel",
    )
    return [
        helper.make_node("Cast", [crops], ["joined/float"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Transpose", ["joined/float"], ["joined/planes"], perm=planes),
        resize,
        helper.make_node("Round", ["joined/small"], ["joined/rounded"]),
        helper.make_node("Clip", ["joined/rounded", "joined/low", "joined/high"], ["joined/clipped"]),
        helper.make_node("Transpose", ["joined/clipped"], ["joined/placed"], perm=back),
        helper.make_node("Cast", ["joined/placed"], [out], to=onnx.TensorProto.UINT8),
    ]


def _constants(one: ModelSpec, two: ModelSpec, settings: JoinSettings) -> list[onnx.TensorProto]:
    values = {
        _SIZES: np.array([two.input.size_px] * 2, np.int64),
        "joined/low": np.float32(0),
        "joined/high": np.float32(255),
    }
    for name in _AVERAGED:
        share = settings.share(name)
        for prefix, spec, weight in ((FIRST, one, 1 - share), (SECOND, two, share)):
            task = spec.task(name)
            if task is not None:
                values[f"{prefix}{name}_weight"] = np.float32(weight / task.temperature)
    return [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()]
