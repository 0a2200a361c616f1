# SPDX-License-Identifier: Apache-2.0
"""The runtime port: sessions that execute ONNX graphs, the table of runtimes, machine facts, and a fake for tests."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Mapping
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


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Memory of a process that lies in RAM, shared libraries included.

    Attributes:
        resident_mb: now, in 10^6 bytes.
        peak_mb: the most since the process began, in 10^6 bytes.
    """

    resident_mb: float
    peak_mb: float


def machine_name() -> str:
    """For example ``"AMD EPYC 7B13, 2 cores usable, Linux x86_64"``."""
    return f"{_processor()}, {usable_cores()} cores usable, {platform.system()} {platform.machine()}"


def process_memory(pid: int | None = None) -> Memory | None:
    """Memory of a process as Linux counts it.

    Args:
        pid: of the process; None for this one.

    Returns:
        None where the process is over, or the system does not tell.
    """
    try:
        status = Path(f"/proc/{'self' if pid is None else pid}/status").read_text("utf-8")
    except OSError:
        return None
    kib = {name: int(value) for name, value in re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB$", status, re.MULTILINE)}
    if len(kib) < 2:  # a process that is over, but not yet collected, has no memory
        return None
    return Memory(resident_mb=kib["VmRSS"] * 1024 / 1e6, peak_mb=kib["VmHWM"] * 1024 / 1e6)


def _processor() -> str:
    """The processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown processor"
    )


Arrays = Mapping[str, npt.NDArray[Any]]


class FakeSession:
    """A `mien.inference.Session` that answers with a function and remembers what it was asked.

    Args:
        answer: from the inputs by name to the outputs by name.
        input_names: what the graph would take.
        output_names: what the graph would give; ``answer`` must return exactly these.

    Attributes:
        calls: the inputs of every run so far, oldest first.
    """

    def __init__(
        self, answer: Callable[[Arrays], Arrays], *, input_names: tuple[str, ...], output_names: tuple[str, ...]
    ) -> None:
        self._answer = answer
        self.input_names = input_names
        self.output_names = output_names
        self.calls: list[dict[str, npt.NDArray[Any]]] = []

    def run(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        """The answer to these inputs.

        Raises:
            ValueError: the caller's input names, or the answer's output names, are not the declared ones.
        """
        if set(inputs) != set(self.input_names):
            raise ValueError(f"expected the inputs {self.input_names}, got {tuple(inputs)}")
        self.calls.append(dict(inputs))
        outputs = dict(self._answer(inputs))
        if set(outputs) != set(self.output_names):
            raise ValueError(f"expected the outputs {self.output_names}, got {tuple(outputs)}")
        return outputs
