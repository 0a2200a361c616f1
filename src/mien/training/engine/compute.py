# SPDX-License-Identifier: Apache-2.0
"""Where a training runs: threads, devices, processes, precision, seeds, and memory that is kept between steps."""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mien.core import MAX_THREADS, MAX_WORKERS, ConfigError, check_number

if TYPE_CHECKING:
    from lightning.fabric import Fabric

_PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed"}


@dataclass(frozen=True, kw_only=True)
class ComputeSettings:
    """Where and how fast a training runs; it changes the result by rounding only.

    Attributes:
        threads: Number of torch's threads; None for torch's default.
        cache: Folder of decoded pictures; None for `default_cache_folder`.
        devices: Number of devices, with one process each.
        accelerator: ``"cpu"``, ``"gpu"``, ``"mps"`` or ``"auto"``.
        precision: ``"fp32"``, or ``"bf16"`` for mixed precision where the hardware has it.

    Examples:
        >>> ComputeSettings(threads=2).precision
        'fp32'
    """

    threads: int | None = None
    cache: Path | None = None
    devices: int = 1
    accelerator: str = "cpu"
    precision: str = "fp32"

    def __post_init__(self) -> None:
        if self.threads is not None:
            check_number("threads", self.threads, 1, MAX_THREADS)
        check_number("devices", self.devices, 1, MAX_WORKERS)

    def prepare(self) -> Fabric:
        """Set torch's threads, have the process keep freed memory, and open the devices for a trainer.

        Raises:
            ConfigError: The precision is unknown, or the machine has no such devices.
        """
        if self.threads is not None:
            import torch

            torch.set_num_threads(self.threads)
        keep_freed_memory()
        return create_fabric(devices=self.devices, accelerator=self.accelerator, precision=self.precision)


def create_fabric(*, devices: int = 1, accelerator: str = "cpu", precision: str = "fp32") -> Fabric:
    """Devices for a `Trainer`; no loggers, no telemetry.

    With several devices the process starts copies of itself, which run the same command line; each step's batch is
    that many times as large, and every process computes its losses on its own share of it.

    Args:
        devices: Number of devices, with one process each.
        accelerator: ``"cpu"``, ``"gpu"``, ``"mps"`` or ``"auto"``.
        precision: ``"fp32"``, or ``"bf16"`` for mixed precision where the hardware has it.

    Raises:
        ConfigError: The precision is unknown, or the machine has no such devices.
    """
    from lightning.fabric import Fabric

    if precision not in _PRECISIONS:
        raise ConfigError(f"precision must be one of {sorted(_PRECISIONS)}, got {precision!r}")
    for name in ("lightning.fabric", "lightning.pytorch"):  # the second one speaks for the first
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # Lightning advises on hardware that the caller has decided not to use.
            warnings.filterwarnings("ignore", module=r"lightning\.fabric.*")
            fabric = Fabric(
                accelerator=accelerator,
                devices=devices,
                strategy="ddp" if devices > 1 else "auto",
                precision=_PRECISIONS[precision],  # type: ignore[arg-type]  # one of its literals
                loggers=[],
            )
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"{devices} x {accelerator} cannot be used: {error}") from error
    fabric.launch()
    return fabric


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's random numbers on the CPU within the block; afterwards their earlier state is back."""
    import torch

    state = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(state)


# Numbers of malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_TOP_PAD = 256 * 1024 * 1024

_ALLOCATOR_VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_")


def keep_freed_memory() -> bool:
    """Have the C library keep what tensors free, for the rest of the process.

    By default glibc maps each large block again and gives it back as soon as it is free, so the system clears the
    pages of all activations at every step. A training needs the same blocks at every step: with them kept, a light
    network trains half as fast again on a CPU, for some more memory at the peak (docs/how-to/training.md has both).

    Returns:
        Whether it was done: with glibc, unless the environment configures its allocator.
    """
    configured = any(name in os.environ for name in _ALLOCATOR_VARIABLES) or "malloc" in os.environ.get(
        "GLIBC_TUNABLES", ""
    )
    if configured or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, -1) and mallopt(_M_TOP_PAD, _TOP_PAD))
