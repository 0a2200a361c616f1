# SPDX-License-Identifier: Apache-2.0
"""The runtime port: sessions that run ONNX graphs, the table of runtimes, machine facts, and a fake for tests."""

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
from mien.inference.model_files import is_model_file

_THREADS_PER_CORE = 4
_MAX_THREADS_ANYWHERE = 16
_LONGEST_REASON = 300


@runtime_checkable
class Session(Protocol):
    """A loaded graph. Safe to call from several threads; each call returns new arrays."""

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the graph's inputs, in its order."""

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the graph's outputs, in its order."""

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Every output of the graph by name.

        Args:
            inputs: One array for each of ``input_names``, of the dtype and shape that the graph declares.

        Raises:
            ModelError: The graph refuses these inputs, or fails on them.
        """


@runtime_checkable
class LimitedSession(Session, Protocol):
    """A session that can stop a run that takes too long."""

    def run_within(self, inputs: Mapping[str, npt.NDArray[Any]], limit_s: float) -> dict[str, npt.NDArray[Any]]:
        """Like ``run``, stopped after some time.

        Args:
            inputs: As for ``run``.
            limit_s: Longest time in seconds.

        Raises:
            ModelError: The graph refuses these inputs, fails on them, or takes longer.
        """


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """One line of the table of runtimes.

    Attributes:
        name: Name that callers use.
        target: Factory as ``"module:function"``, a function of the model (path or bytes) and the number of threads.
        summary: One line for listings.
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
        model: Path of an ``.onnx`` file, or its content.
        runtime: Name in `RUNTIMES`.
        threads: Number of intra-op threads; None for all cores that this process may use.

    Raises:
        ConfigError: The runtime is unknown, ``threads`` is below 1 or far above the number of cores.
        MissingExtraError: The runtime is not installed.
        ModelError: The model is missing, damaged or beyond this runtime.

    Examples:
        >>> from mien.inference import find_bundle
        >>> session = create_session(find_bundle("mien-light") / "model.onnx", threads=1)
        >>> session.input_names
        ('crops',)
        >>> create_session(b"", runtime="onnxruntim")
        Traceback (most recent call last):
        mien.core.errors.ConfigError: no runtime is named 'onnxruntim'; did you mean 'onnxruntime'?
    """
    load, n_threads = RUNTIMES.load(runtime), checked_threads(threads)
    if isinstance(model, Path) and not is_model_file(model):
        raise ModelError(f"{model}: there is no such model file; check the path")
    session: Session = load(model, n_threads)
    return session


def checked_threads(threads: int | None) -> int:
    """A number of threads that this machine can have; all cores that this process may use for None.

    Raises:
        ConfigError: It is below 1 or far above the number of cores.
    """
    if threads is None:
        return usable_cores()
    if threads < 1:
        raise ConfigError(f"threads must be at least 1, got {threads}")
    if threads > max_threads():
        raise ConfigError(
            f"threads must be at most {max_threads()} on this machine with {usable_cores()} cores, got {threads}"
        )
    return threads


def usable_cores() -> int:
    """Number of cores that this process may use; fewer than the machine has in a container or under ``taskset``.

    Examples:
        >>> usable_cores() >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    # Windows and macOS: os.process_cpu_count exists from Python 3.13 on.
    count = getattr(os, "process_cpu_count", os.cpu_count)()
    return count or 1


def max_threads() -> int:
    """Largest number of threads per model: four for each usable core, and at least 16. More only take memory.

    Examples:
        >>> max_threads() >= 4 * usable_cores()
        True
    """
    return max(_THREADS_PER_CORE * usable_cores(), _MAX_THREADS_ANYWHERE)


def model_label(model: Path | bytes) -> str:
    """Name of the model in error messages."""
    return str(model) if isinstance(model, Path) else f"model of {len(model)} bytes"


def short_reason(error: Exception) -> str:
    """The message of a library's error as one line of at most 300 characters.

    Examples:
        >>> short_reason(ValueError("the graph    has no nodes"))
        'the graph has no nodes'
    """
    text = " ".join(str(error).split())
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}..."


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Resident memory of a process, shared libraries included.

    Attributes:
        resident_mb: Current size in 10^6 bytes.
        peak_mb: Largest size since the process began, in 10^6 bytes.
    """

    resident_mb: float
    peak_mb: float


def machine_name() -> str:
    """Processor, usable cores and system, for example ``"AMD EPYC 7B13, 2 cores usable, Linux x86_64"``.

    Examples:
        >>> f"{usable_cores()} cores usable" in machine_name()
        True
    """
    return f"{_processor()}, {usable_cores()} cores usable, {platform.system()} {platform.machine()}"


def process_memory(pid: int | None = None) -> Memory | None:
    """Memory of a process as Linux counts it.

    Args:
        pid: Number of the process; None for the current one.

    Returns:
        The memory; None where the process has ended or the system is not Linux.
    """
    kib = _status_kib(pid)
    if not {"VmRSS", "VmHWM"} <= kib.keys():  # a process that has ended, but is not yet collected, has no memory
        return None
    return Memory(resident_mb=kib["VmRSS"] * 1024 / 1e6, peak_mb=kib["VmHWM"] * 1024 / 1e6)


def process_data_bytes() -> int | None:
    """Size in bytes of this process's own data, as ``RLIMIT_DATA`` counts it; None where the system is not Linux."""
    kib = _status_kib(None)
    return kib["VmData"] * 1024 if "VmData" in kib else None


def _status_kib(pid: int | None) -> dict[str, int]:
    """Sizes that Linux keeps of a process, in KiB; empty elsewhere and where the process has ended."""
    try:
        status = Path(f"/proc/{'self' if pid is None else pid}/status").read_text("utf-8")
    except OSError:
        return {}
    return {name: int(value) for name, value in re.findall(r"^(Vm\w+):\s+(\d+) kB$", status, re.MULTILINE)}


def _processor() -> str:
    """Name of the processor, where the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown processor"
    )


Arrays = Mapping[str, npt.NDArray[Any]]


class FakeSession:
    """A `mien.inference.Session` for tests that computes its outputs with a function and records its inputs.

    Args:
        function: Function from the inputs by name to the outputs by name.
        input_names: Names of the inputs.
        output_names: Names of the outputs; ``function`` must return exactly these.

    Attributes:
        calls: Inputs of every run so far, oldest first.

    Examples:
        >>> import numpy as np
        >>> session = FakeSession(lambda inputs: {"y": inputs["x"] + 1}, input_names=("x",), output_names=("y",))
        >>> session.run({"x": np.arange(3)})["y"].tolist()
        [1, 2, 3]
        >>> len(session.calls)
        1
    """

    def __init__(
        self, function: Callable[[Arrays], Arrays], *, input_names: tuple[str, ...], output_names: tuple[str, ...]
    ) -> None:
        self._function = function
        self.input_names = input_names
        self.output_names = output_names
        self.calls: list[dict[str, npt.NDArray[Any]]] = []

    def run(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        """The outputs for these inputs.

        Raises:
            ValueError: The names of the inputs or outputs are not the declared ones.
        """
        if set(inputs) != set(self.input_names):
            raise ValueError(f"expected the inputs {self.input_names}, got {tuple(inputs)}")
        self.calls.append(dict(inputs))
        outputs = dict(self._function(inputs))
        if set(outputs) != set(self.output_names):
            raise ValueError(f"expected the outputs {self.output_names}, got {tuple(outputs)}")
        return outputs
