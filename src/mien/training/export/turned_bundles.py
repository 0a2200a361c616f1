# SPDX-License-Identifier: Apache-2.0
"""Joins two landmark nets to one bundle: the first reads every face, the second one heads that are turned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from mien.core import ConfigError, ModelError, ModelSpec, TaskSpec
from mien.evaluation import evaluate
from mien.inference import Bundle
from mien.training.export.bundle_files import write_bundle, write_spec
from mien.training.export.joined_bundles import FIRST, SECOND, load_two, prefixed, spec_of_two
from mien.training.export.merged_graphs import checked_graph
from mien.training.export.quantize import halve_weights, is_float32

_TAKEN = ("landmarks", "head_pose")
_YAW = 1


@dataclass(frozen=True, kw_only=True)
class TurnSettings:
    """Which heads the second network reads; angles are absolute yaws in degrees.

    Attributes:
        read_deg: Yaw by the first network from which the second one reads a face. The second network runs on those
            faces of a batch alone, and not at all where there are none.
        from_deg: Yaw by the second network up to which the first one counts alone.
        full_deg: Yaw by the second network from which it counts alone; between both, their mean weighted by the yaw.

    Raises:
        ConfigError: The angles are not in [0, 90], or the last two do not ascend.
    """

    read_deg: float = 20.0
    from_deg: float = 35.0
    full_deg: float = 50.0

    def __post_init__(self) -> None:
        angles = (self.read_deg, self.from_deg, self.full_deg)
        if not all(0 <= angle <= 90 for angle in angles) or self.from_deg >= self.full_deg:
            raise ConfigError(f"angles must be in [0, 90] degrees and from_deg below full_deg, got {angles}")


def join_turned(
    first: str | Path,
    second: str | Path,
    out: str | Path,
    *,
    name: str,
    version: str = "1",
    settings: TurnSettings | None = None,
    data: str | Path | None = None,
) -> ModelSpec:
    """Write a landmark bundle whose landmarks and head pose of turned heads are those of a second network.

    Everything else (openness of the eyes, confidence) is the first one's. Each face is treated as if it were alone,
    whatever else is in the batch.

    Args:
        first: Name or folder of the landmark bundle that reads every face.
        second: Name or folder of that for turned heads; it reads the same crops.
        out: Folder of the result.
        name: Name of the result.
        version: Version of the result.
        settings: From which yaw the second network counts; None for the defaults.
        data: Folder of the open face sets: the protocol landmarks measures the result. Without it the card has no
            metrics.

    Returns:
        The description of the result.

    Raises:
        ConfigError: The result would replace one of the two bundles, or a file that is no part of a bundle.
        DatasetError: The data are incomplete.
        ModelError: The bundles read different crops or give different landmarks.
        OutputError: The result cannot be written.
    """
    out = Path(out)
    one, two = load_two(first, second, out, kind="landmarks")
    _check(one, two)
    settings = settings or TurnSettings()
    graph = _graph(one, two, settings)
    origin = (
        f"{one.spec.name} {one.spec.version}; heads turned by more than {settings.from_deg:g} to "
        f"{settings.full_deg:g} degrees by {two.spec.name} {two.spec.version}"
    )
    spec = replace(spec_of_two(one.spec, two.spec, graph, origin), name=name, version=version)
    write_bundle(out, graph, spec)
    if data is not None:
        spec = replace(spec, metrics=tuple(evaluate("landmarks", out, Path(data)).card_metrics()))
        write_spec(out, spec)
    return spec


def _check(one: Bundle, two: Bundle) -> None:
    pairs: list[tuple[str, object, object]] = [
        ("crops", (one.spec.crop, one.spec.input), (two.spec.crop, two.spec.input)),
        *((f"labels of {task}", _task(one, task).labels, _task(two, task).labels) for task in _TAKEN),
    ]
    for what, own, other in pairs:
        if own != other:
            raise ModelError(f"{one.folder} and {two.folder} cannot be joined: their {what} differ")


def _task(bundle: Bundle, name: str) -> TaskSpec:
    task = bundle.spec.task(name)
    if task is None:
        raise ModelError(f"{bundle.folder} has no task {name}, which a landmark net for turned heads needs")
    return task


def _graph(one: Bundle, two: Bundle, settings: TurnSettings) -> bytes:
    """The first network, and a branch with the second one for the turned heads of a batch."""
    graphs = [(bundle.folder / "model.onnx").read_bytes() for bundle in (one, two)]
    if is_float32(graphs[1]):
        graphs[1] = halve_weights(graphs[1])
    first, second = (prefixed(data, prefix) for data, prefix in zip(graphs, (FIRST, SECOND), strict=True))
    (crops,) = first.graph.input
    crops.name = one.spec.input.name
    outputs = {task: _task(one, task).output for task in _TAKEN}
    of_second = {task: SECOND + _task(two, task).output for task in _TAKEN}
    shapes = {
        output.name.removeprefix(FIRST): output for output in first.graph.output
    }  # with the batch as the graph has it
    step = [
        helper.make_node("Gather", [FIRST + outputs["head_pose"], "turn/yaw"], ["turn/first"], axis=1),
        helper.make_node("Abs", ["turn/first"], ["turn/first_size"]),
        helper.make_node("GreaterOrEqual", ["turn/first_size", "turn/read"], ["turn/is_read"]),
        helper.make_node("Cast", ["turn/is_read"], ["turn/read_mask"], to=onnx.TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["turn/read_mask"], ["turn/n_read"], keepdims=0),  # 0 for an empty batch
        helper.make_node("Cast", ["turn/n_read"], ["turn/any"], to=onnx.TensorProto.BOOL),
        helper.make_node(
            "If",
            ["turn/any"],
            [outputs[task] for task in _TAKEN],
            then_branch=_turned_branch(crops.name, second, outputs, of_second, shapes, two.spec.input.name),
            else_branch=_front_branch(outputs, shapes),
        ),
    ]
    constants = {
        "turn/yaw": np.array([_YAW], np.int64),
        "turn/read": np.float32(np.radians(settings.read_deg)),
        "turn/from": np.float32(np.radians(settings.from_deg)),
        "turn/range": np.float32(np.radians(settings.full_deg - settings.from_deg)),
        "turn/none": np.float32(0),
        "turn/all": np.float32(1),
        "turn/rows_of_places": np.int64(0),
        "turn/last_axis": np.array([1], np.int64),
    }
    nodes = [helper.make_node("Identity", [crops.name], [FIRST + one.spec.input.name]), *first.graph.node, *step]
    for name, output in shapes.items():
        if name not in outputs.values():
            nodes.append(helper.make_node("Identity", [FIRST + name], [name]))
        output.name = name
    initializers = [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()]
    graph = helper.make_graph(
        nodes,
        "two landmark nets",
        [crops],
        list(shapes.values()),
        initializer=[*first.graph.initializer, *initializers],
    )
    return checked_graph(graph, (second, first), f"{one.folder} and {two.folder} cannot be joined")


def _turned_branch(
    crops: str,
    second: onnx.ModelProto,
    outputs: dict[str, str],
    of_second: dict[str, str],
    shapes: dict[str, onnx.ValueInfoProto],
    second_input: str,
) -> onnx.GraphProto:
    """The second network on the faces that the first one sees turned, and its share in them."""
    nodes = [
        helper.make_node("NonZero", ["turn/read_mask"], ["turn/places"]),  # (2, n): rows, then columns, which are 0
        helper.make_node("Gather", ["turn/places", "turn/rows_of_places"], ["turn/rows"], axis=0),
        helper.make_node("Unsqueeze", ["turn/rows", "turn/last_axis"], ["turn/targets"]),
        helper.make_node("Gather", [crops, "turn/rows"], [SECOND + second_input], axis=0),
        *second.graph.node,
        helper.make_node("Gather", [of_second["head_pose"], "turn/yaw"], ["turn/second"], axis=1),
        helper.make_node("Abs", ["turn/second"], ["turn/second_size"]),
        helper.make_node("Sub", ["turn/second_size", "turn/from"], ["turn/beyond"]),
        helper.make_node("Div", ["turn/beyond", "turn/range"], ["turn/weight"]),
        helper.make_node("Clip", ["turn/weight", "turn/none", "turn/all"], ["turn/share"]),
    ]
    ends = []
    for task in _TAKEN:
        turned, gap, part, mixed, merged = (
            f"turn/{task}/{step}" for step in ("turned", "gap", "part", "mixed", "merged")
        )
        nodes += [
            helper.make_node("Gather", [FIRST + outputs[task], "turn/rows"], [turned], axis=0),
            helper.make_node("Sub", [of_second[task], turned], [gap]),
            helper.make_node("Mul", [gap, "turn/share"], [part]),
            helper.make_node("Add", [turned, part], [mixed]),
            helper.make_node("ScatterND", [FIRST + outputs[task], "turn/targets", mixed], [merged]),
        ]
        ends.append(_renamed(shapes[outputs[task]], merged))
    return helper.make_graph(nodes, "turned heads", [], ends, initializer=list(second.graph.initializer))


def _front_branch(outputs: dict[str, str], shapes: dict[str, onnx.ValueInfoProto]) -> onnx.GraphProto:
    """The predictions of the first network unchanged."""
    nodes = [helper.make_node("Identity", [FIRST + outputs[task]], [f"turn/{task}/unchanged"]) for task in _TAKEN]
    ends = [_renamed(shapes[outputs[task]], f"turn/{task}/unchanged") for task in _TAKEN]
    return helper.make_graph(nodes, "no turned heads", [], ends)


def _renamed(info: onnx.ValueInfoProto, name: str) -> onnx.ValueInfoProto:
    copy = onnx.ValueInfoProto()
    copy.CopyFrom(info)
    copy.name = name
    return copy
