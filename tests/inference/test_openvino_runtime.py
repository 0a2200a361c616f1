# SPDX-License-Identifier: Apache-2.0
"""OpenVINO: what differs from other runtimes; what all runtimes share is tested in test_runtime.py."""

import sys
import threading
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from mien.core import MissingExtraError, ModelError
from mien.inference import create_session, find_bundle, load_spec
from mien.inference.openvino_runtime import OpenVinoSession, _without_telemetry

MODEL = find_bundle("mien-light") / "model.onnx"


def test_absent_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"\[openvino\]"):
        create_session(MODEL, runtime="openvino")


@pytest.mark.parametrize("imported_before", [False, True])
def test_the_telemetry_package_is_hidden_only_during_the_import(
    monkeypatch: pytest.MonkeyPatch, imported_before: bool
) -> None:
    before = ModuleType("openvino_telemetry")
    monkeypatch.delitem(sys.modules, "openvino_telemetry", raising=False)
    if imported_before:
        monkeypatch.setitem(sys.modules, "openvino_telemetry", before)
    with _without_telemetry(), pytest.raises(ImportError):
        import openvino_telemetry  # noqa: F401  # the import is the test
    assert sys.modules.get("openvino_telemetry") is (before if imported_before else None)


class Port:
    def __init__(self, name: str) -> None:
        self._name = name

    def get_any_name(self) -> str:
        return self._name


class Request:
    """Doubles its input; keeps state, so two threads must not share it."""

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def infer(self, inputs: dict[str, np.ndarray], *, share_inputs: bool) -> dict[int, np.ndarray]:
        assert not share_inputs
        self.threads.add(threading.get_ident())
        if inputs["x"].ndim != 1:
            raise RuntimeError("unexpected shape")
        return {0: 2 * inputs["x"]}


class Compiled:
    inputs = (Port("x"),)
    outputs = (Port("y"),)

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def create_infer_request(self) -> Request:
        self.requests.append(Request())
        return self.requests[-1]


def test_each_thread_has_a_request_of_its_own() -> None:
    compiled = Compiled()
    session = OpenVinoSession(compiled, "toy")
    both_run = threading.Barrier(2)  # without it the second thread could get the number of the first

    def work() -> None:
        for _ in range(2):
            assert session.run({"x": np.arange(2)})["y"].tolist() == [0, 2]
            both_run.wait(5)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(compiled.requests) == 2
    assert [len(request.threads) for request in compiled.requests] == [1, 1]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, r"toy: takes the inputs \['x'\], got \[\]"),
        ({"x": np.zeros(2), "z": np.zeros(2)}, r"got \['x', 'z'\]"),
        ({"x": np.zeros((2, 2))}, "toy: OpenVINO cannot run it on these inputs: unexpected shape"),
    ],
)
def test_inputs_that_do_not_fit(inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        OpenVinoSession(Compiled(), "toy").run(inputs)


@pytest.mark.parametrize(("name", "gap"), [("mien-points", 1e-3), ("mien-light", 0.1)])
def test_it_agrees_with_onnx_runtime(name: str, gap: float) -> None:
    """Runtimes round 8-bit activations differently, which moves the logits of the default bundle by hundredths."""
    pytest.importorskip("openvino", reason="needs the extra openvino")
    spec, model = load_spec(name), find_bundle(name) / "model.onnx"
    side_px = spec.input.size_px
    crops = np.random.default_rng(0).integers(0, 256, (2, side_px, side_px, 1), dtype=np.uint8)
    expected = create_session(model, threads=1).run({spec.input.name: crops})
    found = create_session(model, runtime="openvino", threads=1).run({spec.input.name: crops})
    for task in spec.tasks:
        np.testing.assert_allclose(found[task.output], expected[task.output], atol=gap, err_msg=task.task)
