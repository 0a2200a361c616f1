# SPDX-License-Identifier: Apache-2.0
"""Speed of the networks under every runtime, with one and two threads, in float32 and as variants of `mien export`.

Imports torch, with timm's EfficientNet-B0 as the network of a common script.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import timm
import torch

from benchmarks.runtime_speed import measure_speeds, random_crops
from mien.inference import find_bundle, load_spec
from mien.training.export.quantize import is_float32
from mien.training.export.variants import VARIANTS, VariantReport, export_variant

logger = logging.getLogger(__name__)

COMMON_SIZE_PX = 224
"""Input side of the network that `export_common_network` writes."""

NETS = {"affect": "mien-light", "68 landmarks and pose": "mien-points"}
_THREADS = (1, 2)
_N_CLASSES = 8


@dataclass(frozen=True, kw_only=True)
class NetSpeed:
    """Speed of one way to run a network.

    Attributes:
        net: a key of `NETS`.
        precision: ``"fp32"`` or a variant of `mien export`.
        runtime: see `mien.inference.RUNTIMES`.
        threads: number of intra-op threads of the runtime.
        batch: number of faces per call.
        ms: milliseconds per face, median.
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
    """Accuracy loss of a variant.

    Attributes:
        net: a key of `NETS`.
        precision: the variant.
        size: bytes of its graph over those in float32.
        measure: the acceptance metric that lost the most.
        data: data that it was measured on.
        points: how much it lost, in points (hundredths; of angles in radians); below 0 where it gained.
        accepted: whether every acceptance metric lost less than 0.3 points.
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
    """Speeds and losses of all networks."""

    speeds: tuple[NetSpeed, ...]
    losses: tuple[Loss, ...]


def measure_nets(work: Path, data: Path) -> Nets:
    """Export and measure the variants, or load those of an earlier run over the same bundle; then time all of them.

    Args:
        work: folder of the variants.
        data: folder of the open face sets.
    """
    losses = tuple(_variant(*net, variant, work, data) for net in NETS.items() for variant in _variants(net[1]))
    return Nets(speeds=tuple(speed for net in NETS.items() for speed in _speeds(*net, work)), losses=losses)


def export_common_network(path: Path) -> Path:
    """Write timm's EfficientNet-B0 with random weights as an ONNX file, unless the file exists."""
    if not path.is_file():
        draft = path.with_suffix(".partial.onnx")
        network = timm.create_model("efficientnet_b0", num_classes=_N_CLASSES).eval()
        inputs = (torch.zeros(1, 3, COMMON_SIZE_PX, COMMON_SIZE_PX),)
        torch.onnx.export(network, inputs, str(draft), dynamo=True, external_data=False)
        draft.replace(path)
    return path


def _folder(work: Path, bundle: str, variant: str) -> Path:
    return work / "variants" / f"{bundle}-{load_spec(bundle).sha256[:12]}-{variant}"


def _variants(bundle: str) -> tuple[str, ...]:
    """Variants of a bundle; a bundle of 8 bits has none."""
    return VARIANTS if is_float32((find_bundle(bundle) / "model.onnx").read_bytes()) else ()


def _variant(name: str, bundle: str, variant: str, work: Path, data: Path) -> Loss:
    folder = _folder(work, bundle, variant)
    stored = folder / "loss.json"
    if stored.is_file():
        return Loss(**json.loads(stored.read_text("utf-8")))
    logger.info("%s of %s", variant, bundle)
    shutil.rmtree(folder, ignore_errors=True)
    loss = _loss(name, variant, export_variant(bundle, variant, folder, data))
    stored.write_text(json.dumps(asdict(loss)), "utf-8")
    return loss


def _loss(name: str, variant: str, report: VariantReport) -> Loss:
    worst = max((c for c in report.comparisons if c.accepted_on), key=lambda c: c.loss)
    return Loss(
        net=name,
        precision=variant,
        size=round(report.size, 2),
        measure=worst.metric.name,
        data=worst.metric.data,
        points=round(100 * worst.loss, 2),
        accepted=report.recommended,
    )


def _speeds(name: str, bundle: str, work: Path) -> Iterator[NetSpeed]:
    variants = _variants(bundle)
    precision = "fp32" if variants else "int8"
    folders = {precision: find_bundle(bundle)} | {variant: _folder(work, bundle, variant) for variant in variants}
    expected = load_spec(bundle).input
    crops = random_crops(expected.size_px, expected.n_channels)
    for precision, folder in folders.items():
        for threads in _THREADS:
            for speed in measure_speeds(folder / "model.onnx", crops, threads):
                yield NetSpeed(net=name, precision=precision, threads=threads, **asdict(speed))
