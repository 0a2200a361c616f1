# SPDX-License-Identifier: Apache-2.0
"""The runtime port: one small interface to whatever executes an ONNX graph, and the table of those who can."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy.typing as npt

from mien.core import ConfigError, ModelError, Registry


@runtime_checkable
class Session(Protocol):
    """A loaded graph. Safe to call from several threads; results are the caller's own arrays."""

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the graph's inputs, in its order."""

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the graph's outputs, in its order."""

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Every output of the graph by name.

        Args:
            inputs: one array for each of ``input_names``, of the dtype and shape that the graph declares.

        Raises:
            ModelError: the graph refuses these inputs, or fails on them.
        """


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """One line of the table of runtimes.

    Attributes:
        name: what callers write.
        target: ``"module:function"``, a function of the model (path or bytes) and the number of threads.
        summary: one line for listings.
    """

    name: str
    target: str
    summary: str


RUNTIMES = Registry(
    "runtime",
    (
        Runtime(
            name="onnxruntime",
            target="mien.inference.onnx_runtime:load_session",
            summary="ONNX Runtime on the CPU; always installed",
        ),
        Runtime(
            name="openvino",
            target="mien.inference.openvino_runtime:load_session",
            summary="OpenVINO on the CPU; the extra mien[openvino]; faster on most Intel processors",
        ),
    ),
)
"""Name -> `Runtime`."""


def create_session(model: Path | bytes, *, runtime: str = "onnxruntime", threads: int | None = None) -> Session:
    """A session that runs an ONNX model on the CPU.

    Args:
        model: path of an ``.onnx`` file, or its content.
        runtime: a name in `RUNTIMES`.
        threads: threads that one operator may use; by default as many as this process may run on.

    Raises:
        ConfigError: the runtime is unknown, or ``threads`` is below 1.
        MissingExtraError: the runtime is not installed.
        ModelError: the model is missing, damaged or beyond this runtime.
    """
    load = RUNTIMES.load(runtime)
    if threads is not None and threads < 1:
        raise ConfigError(f"threads must be at least 1, got {threads}")
    if isinstance(model, Path) and not model.is_file():
        raise ModelError(f"{model}: there is no such model file; check the path")
    session: Session = load(model, usable_cores() if threads is None else threads)
    return session


def usable_cores() -> int:
    """Cores that this process may run on; fewer than the machine has inside a container or under ``taskset``."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    # Windows and macOS: os.process_cpu_count exists from Python 3.13 on.
    count = getattr(os, "process_cpu_count", os.cpu_count)()
    return count or 1


def model_label(model: Path | bytes) -> str:
    """What to call the model in an error message."""
    return str(model) if isinstance(model, Path) else f"model of {len(model)} bytes"
