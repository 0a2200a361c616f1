# SPDX-License-Identifier: Apache-2.0
"""Sessions of ONNX Runtime, imported with its telemetry off."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy.typing as npt

from mien.core import ModelError
from mien.inference.limits import LOAD_LIMIT_S, stopped_after
from mien.inference.runtime import Session, model_label, short_reason

_SWITCH = "ORT_DISABLE_TELEMETRY"


@contextmanager
def _telemetry_off() -> Iterator[None]:
    """Set the environment variable that disables telemetry, and restore it afterwards."""
    before = os.environ.get(_SWITCH)
    os.environ[_SWITCH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SWITCH]
        else:
            os.environ[_SWITCH] = before


# Since 1.32 the import alone leaves a device number and a store of events in the user's home, to be sent by native
# code, which no audit hook sees; functions that can be called after the import come too late.
with _telemetry_off():
    import onnxruntime  # type: ignore[import-untyped]  # ships no types
    from onnxruntime.capi import onnxruntime_pybind11_state  # type: ignore[import-untyped]  # ships no types

__all__ = ["onnxruntime", "onnxruntime_pybind11_state"]


# What goes wrong comes as an exception; ONNX Runtime would log it to stderr, too.
_SEVERITY_FATAL = 4

# ONNX Runtime's exceptions have no common base below Exception.
_ORT_ERRORS: tuple[type[Exception], ...] = tuple(
    getattr(onnxruntime_pybind11_state, name)
    for name in (
        "Fail",
        "InvalidArgument",
        "InvalidGraph",
        "InvalidProtobuf",
        "NoModel",
        "NoSuchFile",
        "NotImplemented",
        "RuntimeException",
    )
)
# ValueError is what the binding raises for a missing input.
_RUN_ERRORS: tuple[type[Exception], ...] = (*_ORT_ERRORS, ValueError)


class OnnxRuntimeSession:
    """A graph in ONNX Runtime's CPU provider; see `mien.inference.Session`."""

    def __init__(self, session: onnxruntime.InferenceSession, label: str) -> None:
        self._session = session
        self._label = label
        self.input_names = tuple(node.name for node in session.get_inputs())
        self.output_names = tuple(node.name for node in session.get_outputs())

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Every output of the graph by name; see `mien.inference.Session.run`."""
        return self._run(inputs, None)

    def run_within(self, inputs: Mapping[str, npt.NDArray[Any]], limit_s: float) -> dict[str, npt.NDArray[Any]]:
        """Like `run`, stopped between two operators after that time; see `mien.inference.LimitedSession.run_within`."""
        options = onnxruntime.RunOptions()
        options.log_severity_level = _SEVERITY_FATAL
        with stopped_after(limit_s, lambda: setattr(options, "terminate", True)) as stopped:
            try:
                return self._run(inputs, options)
            except ModelError as error:
                if stopped():
                    raise ModelError(f"{self._label}: a run takes more than {limit_s:g} s; it was stopped") from error
                raise

    def _run(
        self, inputs: Mapping[str, npt.NDArray[Any]], options: onnxruntime.RunOptions | None
    ) -> dict[str, npt.NDArray[Any]]:
        try:
            outputs = self._session.run(self.output_names, dict(inputs), options)
        except _RUN_ERRORS as error:
            raise ModelError(
                f"{self._label}: ONNX Runtime cannot run it on these inputs: {short_reason(error)}"
            ) from error
        return dict(zip(self.output_names, outputs, strict=True))


def load_session(model: Path | bytes, threads: int) -> Session:
    """A session on the CPU, without log output and telemetry.

    Args:
        model: Path of an ``.onnx`` file, or its content.
        threads: Number of intra-op threads.

    Raises:
        ModelError: The model is damaged, or uses an operator that this version of ONNX Runtime does not have.
    """
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _SEVERITY_FATAL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning workers would hold the cores that decoding and the other sessions need between two calls.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = model if isinstance(model, bytes) else str(model)
    try:
        with stopped_after(LOAD_LIMIT_S, lambda: options.set_load_cancellation_flag(True)):
            session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except _ORT_ERRORS as error:
        raise ModelError(
            f"{model_label(model)}: not a model that ONNX Runtime {onnxruntime.__version__} can load, "
            f"fetch or export it again: {short_reason(error)}"
        ) from error
    return OnnxRuntimeSession(session, model_label(model))
