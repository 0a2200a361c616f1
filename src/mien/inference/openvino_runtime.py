# SPDX-License-Identifier: Apache-2.0
"""Sessions of OpenVINO, an optional runtime, imported with its telemetry off."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.core import MissingExtraError, ModelError
from mien.inference.runtime import Session, model_label, short_reason

_TELEMETRY = "openvino_telemetry"


class OpenVinoSession:
    """A graph in OpenVINO's CPU plug-in; see `mien.inference.Session`."""

    def __init__(self, compiled: Any, label: str) -> None:
        self._compiled = compiled
        self._label = label
        self._per_thread = threading.local()
        self.input_names = tuple(port.get_any_name() for port in compiled.inputs)
        self.output_names = tuple(port.get_any_name() for port in compiled.outputs)

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Every output of the graph by name; see `mien.inference.Session.run`."""
        # OpenVINO would take a missing input as zeros, or as the values of the last call.
        if set(inputs) != set(self.input_names):
            raise ModelError(f"{self._label}: takes the inputs {list(self.input_names)}, got {list(inputs)}")
        try:
            outputs = self._request().infer(dict(inputs), share_inputs=False)
        except (RuntimeError, TypeError) as error:
            raise ModelError(f"{self._label}: OpenVINO cannot run it on these inputs: {short_reason(error)}") from error
        return {name: np.asarray(outputs[index]) for index, name in enumerate(self.output_names)}

    def _request(self) -> Any:
        """The request of the calling thread: requests keep state, and a compiled model has only one."""
        request = getattr(self._per_thread, "request", None)
        if request is None:
            request = self._per_thread.request = self._compiled.create_infer_request()
        return request


def load_session(model: Path | bytes, threads: int) -> Session:
    """A session on the CPU, in float32 and without telemetry.

    Args:
        model: Path of an ``.onnx`` file, or its content.
        threads: Number of inference threads.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        ModelError: The model is damaged, or uses an operator that this version of OpenVINO does not have.
    """
    try:
        with _without_telemetry():
            import openvino
    except ImportError as error:
        raise MissingExtraError("openvino", "openvino") from error
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        # Newer processors would otherwise compute in bfloat16, and results would depend on the machine.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    core = _core(openvino)
    try:
        compiled = core.compile_model(core.read_model(model), "CPU", settings)
    except RuntimeError as error:
        raise ModelError(
            f"{model_label(model)}: not a model that OpenVINO {openvino.__version__} can load, "
            f"fetch or export it again: {short_reason(error)}"
        ) from error
    return OpenVinoSession(compiled, model_label(model))


@cache
def _core(openvino: Any) -> Any:
    """The single core object of this process.

    Each core gives the thread that creates it another signal stack and restores the previous one when it is
    destroyed. Two cores that are destroyed in the order of their creation leave a freed stack behind: the next
    signal, such as Ctrl-C, is then a segmentation fault.
    """
    return openvino.Core()


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Hide OpenVINO's telemetry package while OpenVINO is imported: the import itself would send an event.

    OpenVINO then uses its stub for machines without that package.
    """
    absent = object()
    before = sys.modules.get(_TELEMETRY, absent)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # None is Python's documented way to refuse an import
    try:
        yield
    finally:
        if before is absent:
            del sys.modules[_TELEMETRY]
        else:
            sys.modules[_TELEMETRY] = before  # type: ignore[assignment]  # the module that stood there
