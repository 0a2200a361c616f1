# SPDX-License-Identifier: Apache-2.0
"""The page about speed: its targets, its tables, and the work that is counted from graphs."""

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from ..conftest import REPOSITORY  # noqa: TID252 - tests have no absolute name


@pytest.fixture(autouse=True)
def tools() -> Iterator[None]:
    """The scripts import each other by their bare names, as Python finds them beside the one that is run."""
    sys.path.insert(0, str(REPOSITORY / "tools"))
    yield
    sys.path.remove(str(REPOSITORY / "tools"))


def script(name: str) -> ModuleType:
    return importlib.import_module(name)


def pace(name: str, fps: float | None) -> dict[str, Any]:
    told = {"spread": 0.1, "cpu_ms": 5.0, "faces_per_frame": 1.0, "peak_mb": 200, "remark": "not measured: why"}
    return {"name": name, "n_frames": 100, "fps": fps} | told


ABOUT = {"machine": "a machine", "versions": "some versions", "bundles": "some bundles", "date": "2026-01-01"}


def parts(own: float = 300.0, peer: float | None = 80.0) -> dict[str, Any]:
    paces = [pace("decoding alone", 900), pace("mien", own), pace("MediaPipe face landmarker", peer)]
    starts = [
        {"name": "mien --version", "seconds": 0.1, "fastest": 0.1, "slowest": 0.2, "cpu_s": 0.1, "n_faces": 0},
        {"name": "photo.jpg", "seconds": 1.2, "fastest": 1.1, "slowest": 1.3, "cpu_s": 1.0, "n_faces": 1},
    ]
    curve = [200.0] * 12 + [215.0]
    run = {"minutes": 20, "n_frames": 30000, "seconds": 150, "at_minutes": list(range(13)), "resident_mb": curve}
    return {
        "speed": {"clip": "clip.mp4", "paces": paces, "about": ABOUT},
        "cold": {"starts": starts, "about": ABOUT},
        "memory": run | {"peak_mb": 216.0, "about": ABOUT},
    }


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    return {target.wish: target.verdict for target in script("perf_targets").targets(found)}


def test_targets_are_met_missed_or_unmeasured() -> None:
    found = verdicts(parts())
    assert found["one face at 640 x 360: 3.3 times as fast as MediaPipe's landmarker"] == "met"
    assert found["stretch: 50% of the rate of decoding"] == "**missed**"
    assert found["1920 x 1080: 60 frames/s"] == "not measured"
    assert found["`mien analyze photo.jpg` from a cold start: 1 s (1 face)"] == "**missed**"
    assert found["memory of a long run: under 400 MB"] == "met"
    assert found["and flat: the last quarter within 5% of the second"] == "**missed**"  # 215 of 200


def test_a_peer_that_is_not_there_leaves_its_target_open() -> None:
    wish = "one face at 640 x 360: 3.3 times as fast as MediaPipe's landmarker"
    assert verdicts(parts(peer=None))[wish] == "not measured"
    assert verdicts(parts(own=200.0))[wish] == "**missed**"


def test_the_page_says_what_was_not_measured() -> None:
    page = "\n".join(script("perf_page").page(parts(peer=None)))
    assert "not measured: why" in page
    assert "| mien | 300.0 (spread 10%) | 0.333 |" in page
    assert page.count("Not measured yet.") == 5


def test_only_the_table_of_the_readme_changes() -> None:
    write = script("perf_page")
    before = "a\n<!-- written by `make performance` -->\nstale\n<!-- end of what is written -->\nb\n"
    after = write.with_table(before, parts())
    assert after.startswith("a\n<!--")
    assert after.endswith("-->\nb\n")
    assert "stale" not in after
    assert "| One face, 640 x 360: mien | 300 frames/s |" in after
    assert write.with_table(after, parts()) == after
    with pytest.raises(ValueError, match="needs the lines"):
        write.with_table("no marks", parts())


def test_the_curve_shows_the_most_of_each_stretch() -> None:
    samples = [(0.0, 10.0), (1.0, 30.0), (6.5, 20.0), (13.0, 5.0)]
    assert script("perf_commands").stretches(samples, 13.0) == [10, 30, 30, 30, 30, 30, 20, 20, 20, 20, 20, 20, 5]


def test_work_is_counted_from_the_graph() -> None:
    onnx = pytest.importorskip("onnx", reason="the workshop is an extra: pip install 'mien[train]'")
    helper = onnx.helper
    kernel = onnx.numpy_helper.from_array(np.ones((4, 2, 3, 3), np.float32), "kernel")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "kernel"], ["y"], pads=[1, 1, 1, 1])],
        "one",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 2, 8, 8])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 4, 8, 8])],
        [kernel],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    work = script("perf_graphs").work_of(model.SerializeToString(), (1, 2, 8, 8))
    assert work.flop == 2 * 4 * 8 * 8 * 2 * 3 * 3
    assert work.weight_bytes == 4 * kernel.dims[0] * 2 * 9
    assert work.moved_bytes == work.weight_bytes + 4 * (2 + 4) * 64
