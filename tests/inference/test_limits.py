# SPDX-License-Identifier: Apache-2.0
"""Limits of time and memory, tried with graphs that would not end and with one that wants too much."""

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from mien.core import ModelError
from mien.inference import FakeSession, first_run, limits, load_bundle
from mien.inference.limits import bounded_memory, stopped_after

onnx = pytest.importorskip("onnx", reason="needs onnx to make graphs")
graphs = pytest.importorskip("tests.helpers.broken_graphs")


def test_the_limit_calls_stop_and_says_so() -> None:
    stopped = threading.Event()
    with stopped_after(0.0, stopped.set) as reached:
        assert stopped.wait(60)
        assert reached()


def test_a_session_that_cannot_stop_runs_as_it_is() -> None:
    session = FakeSession(lambda inputs: {"y": inputs["x"]}, input_names=("x",), output_names=("y",))
    assert first_run(session, {"x": np.ones(2)})["y"].tolist() == [1, 1]


def test_a_graph_that_does_not_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FIRST_RUN_LIMIT_S", 0.2)
    folder = graphs.write_bundle_of(tmp_path / "endless", *graphs.endless_loop())
    with pytest.raises(ModelError, match=r"endless: .*a run takes more than 0\.2 s; it was stopped"):
        load_bundle(folder, threads=1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the data of a process")
def test_a_graph_that_takes_all_memory_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    monkeypatch.setattr(limits, "_EXTRA_BYTES", 100_000_000)
    before = resource.getrlimit(resource.RLIMIT_DATA)
    folder = graphs.write_bundle_of(tmp_path / "growing", *graphs.endless_loop(growing=True))
    with pytest.raises(ModelError, match=r"growing: .*cannot run it on these inputs"):
        load_bundle(folder, threads=1)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the data of a process")
def test_the_bound_holds_in_the_block_only() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    with bounded_memory(1):
        assert resource.getrlimit(resource.RLIMIT_DATA)[0] != before[0]
        with pytest.raises(MemoryError):
            np.ones(6_000_000_000, np.uint8)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
