# SPDX-License-Identifier: Apache-2.0
"""Where a training runs: devices, processes and precision, by Lightning Fabric."""

from __future__ import annotations

import logging
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
