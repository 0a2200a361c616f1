# SPDX-License-Identifier: Apache-2.0
"""Joins two bundles to one whose expression, valence and arousal are the mean of both networks."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import compose, helper, numpy_helper

from mien.core import ModelError, ModelSpec, TaskSpec
from mien.inference import Bundle, load_bundle
from mien.training.export.bundle_files import write_bundle
from mien.training.export.onnx_export import checked_graph
from mien.training.export.quantize import halve_weights

_FIRST, _SECOND = "first/", "second/"
_AVERAGED = ("expression", "valence_arousal")


def join_bundles(
    first: str | Path, second: str | Path, out: str | Path, *, name: str, version: str = "1", halve: bool = True
) -> ModelSpec:
    """Write a bundle that runs two networks on one crop and averages what both predict.

    Expressions are the mean of the calibrated logits (logits over temperature), so the joined temperature is 1; valence
    and arousal are the mean of both. Everything else (action units, intensities, features, quality) is the first
    bundle's. The second network gets the crop resized inside the graph, with antialiasing, as it was aligned by the
    same template. Quality, metrics and calibration of the result must be measured again.

    Args:
        first: Name or folder of the bundle whose input size and further tasks the result has.
        second: Name or folder of the other bundle; its crop template and colour are the same.
        out: Folder of the result.
        name: Name of the result.
        version: Version of the result.
        halve: Whether float32 weights of the second bundle are stored as float16.

    Raises:
        ModelError: The bundles read different crops or predict different labels.
    """
    one, two = load_bundle(first, kind="affect"), load_bundle(second, kind="affect")
    _check(one, two)
    graph = _joined_graph(one, two, halve=halve)
    tasks = tuple(replace(task, temperature=1.0) if task.task == "expression" else task for task in one.spec.tasks)
    origin = f"mean of {one.spec.name} {one.spec.version} and {two.spec.name} {two.spec.version}, equal weights"
    sources = dict.fromkeys((*one.spec.training_sources, *two.spec.training_sources))
    spec = replace(
        one.spec,
        name=name,
        version=version,
        tasks=tasks,
        sha256=hashlib.sha256(graph).hexdigest(),
        uncertainty=None,  # it was fitted to the weights before
        recipe="",
        provenance=f"{origin}. First: {one.spec.provenance} Second: {two.spec.provenance}",
        training_sources=tuple(sources),
        limitations=tuple(dict.fromkeys((*one.spec.limitations, *two.spec.limitations))),
        metrics=(),
    )
    write_bundle(Path(out), graph, spec)
    return spec


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


def _joined_graph(one: Bundle, two: Bundle, *, halve: bool) -> bytes:
    bytes_of = [(bundle.folder / "model.onnx").read_bytes() for bundle in (one, two)]
    if halve:
        bytes_of[1] = halve_weights(bytes_of[1])
    first, second = (
        compose.add_prefix(onnx.load_from_string(data), prefix, rename_functions=False)
        for data, prefix in zip(bytes_of, (_FIRST, _SECOND), strict=True)
    )
    (own_input,) = first.graph.input
    own_input.name = one.spec.input.name
    nodes = [
        helper.make_node("Identity", [own_input.name], [_FIRST + one.spec.input.name]),
        *_resized(one.spec, own_input.name, two.spec.input.size_px, _SECOND + two.spec.input.name),
        *first.graph.node,
        *second.graph.node,
    ]
    initializers = [*first.graph.initializer, *second.graph.initializer, *_constants(one.spec, two.spec)]
    outputs = list(first.graph.output)
    for task in _AVERAGED:
        own, other = one.spec.task(task), two.spec.task(task)
        if own is None or other is None:
            continue
        parts = []
        for prefix, part in ((_FIRST, own), (_SECOND, other)):
            scaled = f"{prefix}{task}_share"
            nodes.append(helper.make_node("Mul", [prefix + part.output, f"{prefix}{task}_weight"], [scaled]))
            parts.append(scaled)
        nodes.append(helper.make_node("Add", parts, [own.output]))
    averaged = {task.output for task in one.spec.tasks if task.task in _AVERAGED}
    for output in outputs:
        plain = output.name.removeprefix(_FIRST)
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
        ["joined/planes", "", "", "joined/sizes"],
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


def _constants(one: ModelSpec, two: ModelSpec) -> list[onnx.TensorProto]:
    values = {
        "joined/sizes": np.array([two.input.size_px] * 2, np.int64),
        "joined/low": np.float32(0),
        "joined/high": np.float32(255),
    }
    for prefix, spec in ((_FIRST, one), (_SECOND, two)):
        for name in _AVERAGED:
            task = spec.task(name)
            if task is not None:
                values[f"{prefix}{name}_weight"] = np.float32(0.5 / task.temperature)
    return [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()]
