# SPDX-License-Identifier: Apache-2.0
"""Where a training runs: devices, processes and precision (Lightning Fabric), and memory kept between steps."""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import warnings
from typing import TYPE_CHECKING

from mien.core import ConfigError

if TYPE_CHECKING:
    from lightning.fabric import Fabric

_PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed"}


def create_fabric(*, devices: int = 1, accelerator: str = "cpu", precision: str = "fp32") -> Fabric:
    """Devices for a `Trainer`; no loggers, no telemetry.

    With several devices the process starts copies of itself, which run the same command line; each step's batch is
    that many times as large, and every process computes its losses on its own share of it.

    Args:
        devices: how many, one process each.
        accelerator: ``"cpu"``, ``"gpu"``, ``"mps"`` or ``"auto"``.
        precision: ``"fp32"``, or ``"bf16"`` for mixed precision where the hardware has it.

    Raises:
        ConfigError: the precision is unknown, or the machine has no such devices.
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


# Numbers of malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_TOP_PAD = 256 * 1024 * 1024

_OWN_WISHES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_")


def keep_freed_memory() -> bool:
    """Have the C library keep what tensors free, for the rest of the process.

    By default glibc maps each large block anew and gives it back as soon as it is free, so at every step the system
    clears the pages of all activations again. A training asks for the same blocks at every step: with them kept, a
    light network learns half as fast again on a CPU, for some more memory at the peak (docs/training.md has both).

    Returns:
        Whether it was done: with glibc, unless the environment says how its allocator shall do.
    """
    told = any(name in os.environ for name in _OWN_WISHES) or "malloc" in os.environ.get("GLIBC_TUNABLES", "")
    if told or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, -1) and mallopt(_M_TOP_PAD, _TOP_PAD))
