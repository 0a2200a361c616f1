# SPDX-License-Identifier: Apache-2.0
"""The nets under every runtime, with one and two threads, in float32, with float16 weights and in int8."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mien.inference import find_bundle, load_spec
from mien.training.export.variants import VARIANTS, VariantReport, export_variant
from mien.training.reproduction.cost import BATCHES, measure_speeds

logger = logging.getLogger(__name__)

NETS = {"affect": "mien-light", "68 points and pose": "mien-points"}
_THREADS = (1, 2)


@dataclass(frozen=True, kw_only=True)
class NetSpeed:
    """One way to run a net.

    Attributes:
        net: a key of `NETS`.
        precision: ``"fp32"`` or a variant of `mien export`.
        runtime: see `mien.inference.RUNTIMES`.
        threads: of the runtime.
        batch: faces a call.
        ms: milliseconds a face, median.
        spread: (slowest - fastest) / median.
    """

    net: str
    precision: str
    runtime: str
    threads: int
    batch: int
    ms: float
    spread: float


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What a variant is worth.

    Attributes:
        net: a key of `NETS`.
        precision: the variant.
        size: bytes of its graph over those in float32.
        measure: the decisive measure that lost the most.
        data: that it was measured on.
        points: how much it lost, in points (hundredths, of angles in radians); below 0 where it gained.
        accepted: whether every decisive measure lost less than .3 points.
    """

    net: str
    precision: str
    size: float
    measure: str
    data: str
    points: float
    accepted: bool


@dataclass(frozen=True, kw_only=True)
class Nets:
    """Everything about the nets."""

    speeds: tuple[NetSpeed, ...]
    losses: tuple[Loss, ...]


def measure_nets(work: Path, data: Path) -> Nets:
    """Make and judge the variants, or take those of an earlier run over the same bundle; then time everything anew."""
    losses = tuple(_variant(*net, variant, work, data) for net in NETS.items() for variant in VARIANTS)
    return Nets(speeds=tuple(speed for net in NETS.items() for speed in _speeds(*net, work)), losses=losses)


def _folder(work: Path, bundle: str, variant: str) -> Path:
    return work / "variants" / f"{bundle}-{load_spec(bundle).sha256[:12]}-{variant}"


def _variant(name: str, bundle: str, variant: str, work: Path, data: Path) -> Loss:
    folder = _folder(work, bundle, variant)
    told = folder / "loss.json"
    if told.is_file():
        return Loss(**json.loads(told.read_text("utf-8")))
    logger.info("%s of %s", variant, bundle)
    shutil.rmtree(folder, ignore_errors=True)
    loss = _loss(name, variant, export_variant(bundle, variant, folder, data))
    told.write_text(json.dumps(asdict(loss)), "utf-8")
    return loss


def _loss(name: str, variant: str, report: VariantReport) -> Loss:
    worst = max((c for c in report.comparisons if c.decisive), key=lambda c: c.loss)
    return Loss(
        net=name,
        precision=variant,
        size=round(report.size, 2),
        measure=worst.figure.measure,
        data=worst.figure.data,
        points=round(100 * worst.loss, 2),
        accepted=report.recommended,
    )


def _speeds(name: str, bundle: str, work: Path) -> Iterator[NetSpeed]:
    folders = {"fp32": find_bundle(bundle)} | {variant: _folder(work, bundle, variant) for variant in VARIANTS}
    taken = load_spec(bundle).input
    shape = (max(BATCHES), taken.size_px, taken.size_px, taken.n_channels)
    crops = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for precision, folder in folders.items():
        for threads in _THREADS:
            for speed in measure_speeds(folder / "model.onnx", crops, threads):
                yield NetSpeed(net=name, precision=precision, threads=threads, **asdict(speed))
