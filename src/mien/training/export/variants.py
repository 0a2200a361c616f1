# SPDX-License-Identifier: Apache-2.0
"""Exports smaller variants of a bundle and compares their metrics with the original."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.affect import Analyzer, activate, fit_crop
from mien.core import ConfigError, Image, MetricValue, ModelError, ModelSpec
from mien.datasets import load_held_out, load_landmark_faces
from mien.evaluation import Report, evaluate
from mien.faces import LandmarkNet, keypoints_of, load_landmark_net, points_in_pixels, to_colour
from mien.inference import Bundle, load_bundle, prepare
from mien.media import decode_image
from mien.training.export.bundle_files import check_bundle_folder, write_bundle, write_spec
from mien.training.export.quantize import halve_weights, quantize_int8


@dataclass(frozen=True, kw_only=True)
class VariantBenchmark:
    """Data, protocols and metrics by which variants of one kind of bundle are evaluated.

    Attributes:
        crops: Function of a bundle, a data folder and n that returns n crops as inputs of the bundle.
        load: Function that loads the subject of the protocols from the folder of a bundle.
        protocols: Names in `mien.evaluation.PROTOCOLS`.
        acceptance_metrics: Names of the metrics that decide whether a variant is recommended.
    """

    crops: Callable[[Bundle, Path, int], Image]
    load: Callable[[Path], Analyzer | LandmarkNet]
    protocols: tuple[str, ...]
    acceptance_metrics: tuple[str, ...]

    def evaluate(self, folder: Path, data: Path) -> list[Report]:
        """Evaluate the bundle in a folder by every protocol."""
        return [evaluate(name, self.load(folder), data) for name in self.protocols]


def benchmark_for(spec: ModelSpec) -> VariantBenchmark:
    """The benchmark of landmark models for a bundle with landmarks, otherwise that of affect models."""
    return LANDMARKS if spec.task("landmarks") else AFFECT


def metric_sign(name: str) -> float:
    """Factor that turns a metric into a gain: 1, or -1 for an error; degrees are converted to radians."""
    if "degrees" in name:
        return -np.pi / 180
    return -1.0 if "error" in name else 1.0


def _held_out_crops(bundle: Bundle, data: Path, n: int) -> Image:
    """Held-out FER+ training faces, prepared as by `Analyzer.crops`."""
    samples, spec = load_held_out(data, n), bundle.spec
    net = load_landmark_net() if spec.crop.given == "aligned" else None
    images = (decode_image(image, name=name) for name, image in zip(samples.names, samples.images, strict=True))
    return np.stack([fit_crop(image, spec, net) for image in images])


def _landmark_crops(bundle: Bundle, data: Path, n: int) -> Image:
    """Faces of the open training sets, cropped around the teacher's landmarks as by `LandmarkNet`."""
    net = load_landmark_net(bundle.folder)
    faces = load_landmark_faces(data, "train")
    faces = faces.take(np.random.default_rng(0).permutation(len(faces))[:n])
    crops = []
    for name, encoded, landmarks in zip(faces.names, faces.images, faces.landmarks, strict=True):
        image = decode_image(encoded, name=name)
        landmarks_px = points_in_pixels(landmarks[None], image)
        crops.append(net.crops(image, keypoints_of(landmarks_px).astype(np.float32)))
    return np.concatenate(crops)


AFFECT = VariantBenchmark(
    crops=_held_out_crops,
    load=Analyzer,
    protocols=("ferplus", "lfw"),
    acceptance_metrics=(
        "accuracy, plurality",
        "macro F1, plurality",
        "accuracy, official majority",
        "macro F1, official majority",
        "CCC valence",
        "CCC arousal",
        "recall of happiness",
        "recall of neutral",
        "AUC of AU12, happiness against neutral",
        "mean AU F1 against the teacher",
    ),
)

LANDMARKS = VariantBenchmark(
    crops=_landmark_crops,
    load=load_landmark_net,
    protocols=("landmarks",),
    acceptance_metrics=tuple(
        f"{metric}: {people}"
        for people in ("FairFace val", "LFW test people")
        for metric in (
            "landmark error, first pass",
            "landmark error, followed",
            "rotation error in degrees, followed",
            "eye openness error, followed",
            "faces accepted, first pass",
            "places without a face rejected",
        )
    ),
)


logger = logging.getLogger(__name__)


VARIANTS = ("fp16", "int8")

# Begin of the limitation that compares a variant with its original.
COMPARED = "Compared with"

# What the card of an 8-bit variant says: its speed without VNNI is unknown.
_EIGHT_BITS = (
    "Weights and activations have 8 bits, weights of dense convolutions seven of them, so sums cannot saturate. Speed "
    "and metrics were measured on x86 with VNNI; on x86 without it the speed was not measured."
)

# A variant is recommended if no acceptance metric is worse by this much (0.3 percentage points).
_MAX_LOSS = 0.003

# Number of faces for calibration, and of other faces for the comparison of predictions.
_N_CALIBRATION, _N_PARITY = 128, 256
_BATCH = 16

# Half-precision weights change probabilities by less than 0.01; a larger change means that the graph is broken.
_MAX_HALF_GAP = 0.02

_REPEATS = 15


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One metric of a variant and of its original.

    Attributes:
        metric: Metric of the variant.
        origin: Value for the float32 bundle, from the same run.
        accepted_on: Whether the recommendation depends on this metric.
    """

    metric: MetricValue
    origin: float
    accepted_on: bool

    @property
    def loss(self) -> float:
        """How much worse the variant is, angles in radians; negative if it is better."""
        return metric_sign(self.metric.name) * (self.origin - self.metric.value)


@dataclass(frozen=True, kw_only=True)
class VariantReport:
    """Result of `export_variant`.

    Attributes:
        spec: Spec of the new bundle.
        size: File size of the new graph relative to the original.
        cpu_time: CPU time per face relative to the original, with 16 faces per call in alternating runs.
        largest_move: Largest absolute difference of any prediction, in its own unit, on faces that are not used for
            calibration.
        same_expression: Share of these faces with the same top expression; None if the bundle has no expressions.
        comparisons: Metrics of the variant and of its original; empty without data.
    """

    spec: ModelSpec
    size: float
    cpu_time: float
    largest_move: float
    same_expression: float | None
    comparisons: tuple[Comparison, ...]

    @property
    def recommended(self) -> bool:
        """Whether acceptance metrics exist and none is worse by 0.3 percentage points or more."""
        accepted_on = [c for c in self.comparisons if c.accepted_on]
        return bool(accepted_on) and all(c.loss < _MAX_LOSS for c in accepted_on)


def export_variant(model: str | Path, variant: str, out: Path, data: Path | None = None) -> VariantReport:
    """Write a smaller variant of a bundle and compare its metrics with the original.

    Args:
        model: Name or folder of a float32 bundle.
        variant: One of `VARIANTS`.
        out: Folder of the new bundle.
        data: Folder of the open face sets (layout: docs/how-to/training.md), for the calibration of int8 and the
            metrics of both bundles. Without it only fp16 is possible, without metrics.

    Raises:
        ConfigError: The variant is unknown, int8 has no data, or ``out`` is the folder of the bundle itself.
        DatasetError: The data are incomplete.
        ModelError: The bundle cannot be read or is a variant itself, or the predictions of the new graph differ too
            much.
    """
    if variant not in VARIANTS:
        raise ConfigError(f"a variant is one of {VARIANTS}, got {variant!r}")
    if variant == "int8" and data is None:
        raise ConfigError("int8 is calibrated on real faces: name their folder with --data")
    origin = load_bundle(model, threads=1)
    if out.resolve() == origin.folder.resolve():
        raise ConfigError(f"{out} is the bundle itself; choose another folder")
    check_bundle_folder(out, [("--model", origin.folder / name) for name in ("model.onnx", "model.json")])
    benchmark = benchmark_for(origin.spec)
    crops = _noise(origin.spec) if data is None else benchmark.crops(origin, data, _N_CALIBRATION + _N_PARITY)
    before = (origin.folder / "model.onnx").read_bytes()
    graph = _convert(variant, before, origin.spec, crops[:_N_CALIBRATION])
    spec = dataclasses.replace(
        origin.spec,
        name=f"{origin.spec.name}-{variant}",
        sha256=hashlib.sha256(graph).hexdigest(),
        uncertainty=None,  # it was fitted to the weights before
        metrics=(),
        limitations=(*origin.spec.limitations, *((_EIGHT_BITS,) if variant == "int8" else ())),
    )
    write_bundle(out, graph, spec)
    new = load_bundle(out, threads=1)
    move, same = _parity(origin, new, crops[_N_CALIBRATION:])
    if variant == "fp16" and not move <= _MAX_HALF_GAP:
        raise ModelError(f"{out}: half-precision weights changed a prediction by {move:.3f}, more than {_MAX_HALF_GAP}")
    faces = "faces" if data else "random images"
    stated = f"{variant} variant: predictions change by at most {move:.4f} on {_N_PARITY} {faces}"
    if same is not None:
        stated += f", {same:.1%} keep their top expression"
    spec = dataclasses.replace(spec, provenance="; ".join(part for part in (origin.spec.provenance, stated) if part))
    write_spec(out, spec)
    cpu_time = _cpu_time_ratio(origin, new, crops[:_BATCH])
    comparisons = _compare(benchmark, origin, out, data) if data is not None else ()
    report = VariantReport(
        spec=spec,
        size=len(graph) / len(before),
        cpu_time=cpu_time,
        largest_move=move,
        same_expression=same,
        comparisons=comparisons,
    )
    if data is not None:
        spec = _with_verdict(report, origin.spec.name)
        write_spec(out, spec)
    return dataclasses.replace(report, spec=spec)


def _convert(variant: str, graph: bytes, spec: ModelSpec, crops: Image) -> bytes:
    if variant == "fp16":
        return halve_weights(graph)
    batches = [prepare(crops[start : start + _BATCH], spec.input) for start in range(0, len(crops), _BATCH)]
    logger.info("calibrating on %d faces", len(crops))
    return quantize_int8(graph, spec.input.name, batches, [task.output for task in spec.tasks])


def _noise(spec: ModelSpec) -> Image:
    """Random images, used without data."""
    n, size = _N_CALIBRATION + _N_PARITY, spec.input.size_px
    images = np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)
    return to_colour(images, spec.input.colour)


def _parity(origin: Bundle, new: Bundle, crops: Image) -> tuple[float, float | None]:
    """Largest change of any decoded prediction, and the share of faces that keep their top expression."""
    before, after = origin.run(crops), new.run(crops)
    moves: list[float] = []
    same = None
    for task in origin.spec.tasks:
        one, other = activate(before[task.output], task), activate(after[task.output], task)
        moves.append(float(np.abs(one - other).max()))
        if task.task == "expression":
            same = float((one.argmax(axis=1) == other.argmax(axis=1)).mean())
    return max(moves), same


def _cpu_time_ratio(origin: Bundle, new: Bundle, crops: Image) -> float:
    """Median ratio of the CPU times of alternating runs, so that other load affects both bundles equally."""

    def seconds(run: Callable[[Image], object]) -> float:
        started = time.process_time()
        run(crops)
        return time.process_time() - started

    ratios = [seconds(new.run) / seconds(origin.run) for _ in range(_REPEATS)]
    return float(np.median(ratios))


def _compare(benchmark: VariantBenchmark, origin: Bundle, out: Path, data: Path) -> tuple[Comparison, ...]:
    """Every metric of both bundles by the same protocols in the same run."""
    logger.info("evaluating %s", ", ".join(benchmark.protocols))
    comparisons = []
    for old, new in zip(benchmark.evaluate(origin.folder, data), benchmark.evaluate(out, data), strict=True):
        value = {m.name: m.value for m in old.metrics}
        comparisons += [
            Comparison(
                metric=metric, origin=value[metric.name], accepted_on=metric.name in benchmark.acceptance_metrics
            )
            for metric in new.card_metrics()
        ]
    return tuple(comparisons)


def _with_verdict(report: VariantReport, origin: str) -> ModelSpec:
    """The spec with its metrics and a sentence that recommends the variant or not."""
    worst = max((c for c in report.comparisons if c.accepted_on), key=lambda c: c.loss)
    verdict = "recommended" if report.recommended else "not recommended"
    sentence = (
        f"{COMPARED} {origin}, the worst loss of an acceptance metric is {100 * worst.loss:.2f} points "
        f"({worst.metric.name}, {worst.metric.data}); {verdict} (less than 0.30 is required)."
    )
    limitations = (*report.spec.limitations, sentence)
    return dataclasses.replace(
        report.spec, metrics=tuple(c.metric for c in report.comparisons), limitations=limitations
    )
