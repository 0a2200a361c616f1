# SPDX-License-Identifier: Apache-2.0
"""Smaller variants of a finished bundle, each with its measured loss against the original."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.affect import Analyzer, activate
from mien.core import ConfigError, MetricValue, ModelError, ModelSpec
from mien.datasets import load_held_out, load_landmark_faces
from mien.evaluation import Report, evaluate
from mien.faces import LandmarkNet, keypoints_of, load_landmark_net, resize_face, to_colour
from mien.inference import Bundle, load_bundle, prepare
from mien.media import decode_image
from mien.training.export.bundle_files import write_bundle, write_spec
from mien.training.export.quantize import halve_weights, quantize_int8

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class VariantBenchmark:
    """How variants of one kind of bundle are judged.

    Attributes:
        crops: n crops as the bundle takes them, of faces below a data folder.
        load: a bundle's folder to what the protocols measure.
        protocols: names in `mien.evaluation.PROTOCOLS`.
        acceptance_metrics: measures that the verdict rests on.
    """

    crops: Callable[[Bundle, Path, int], Image]
    load: Callable[[Path], Analyzer | LandmarkNet]
    protocols: tuple[str, ...]
    acceptance_metrics: tuple[str, ...]

    def measure(self, folder: Path, data: Path) -> list[Report]:
        """Every protocol of the bundle in a folder."""
        return [evaluate(name, self.load(folder), data) for name in self.protocols]


def benchmark_for(spec: ModelSpec) -> VariantBenchmark:
    """The benchmark of landmark nets for a bundle that gives points, else that of affect."""
    return POINTS if spec.task("landmarks") else AFFECT


def metric_sign(measure: str) -> float:
    """What one unit of a measure is metric_sign: 1, or -1 of an error; of one in degrees, what that is in radians."""
    if "degrees" in measure:
        return -np.pi / 180
    return -1.0 if "error" in measure else 1.0


def _held_out_crops(bundle: Bundle, data: Path, n: int) -> Image:
    """FER+ training faces that were set aside, as `Analyzer.crops` prepares them."""
    taken = bundle.spec.input
    samples = load_held_out(data, n)
    faces = [
        resize_face(decode_image(image, name=name), taken.size_px)
        for name, image in zip(samples.names, samples.images, strict=True)
    ]
    return to_colour(np.stack(faces), taken.colour)


def _about_points(bundle: Bundle, data: Path, n: int) -> Image:
    """Faces of the open training sets, each cut about the teacher's landmarks as `LandmarkNet` cuts them."""
    net = load_landmark_net(bundle.folder)
    faces = load_landmark_faces(data, "train")
    faces = faces.take(np.random.default_rng(0).permutation(len(faces))[:n])
    crops = []
    for name, encoded, points in zip(faces.names, faces.images, faces.landmarks, strict=True):
        picture = decode_image(encoded, name=name)
        places = points[None].astype(np.float64) * picture.shape[1::-1] - 0.5
        crops.append(net.crops(picture, keypoints_of(places).astype(np.float32)))
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

POINTS = VariantBenchmark(
    crops=_about_points,
    load=load_landmark_net,
    protocols=("landmarks",),
    acceptance_metrics=tuple(
        f"{measure}: {people}"
        for people in ("FairFace val", "LFW test people")
        for measure in (
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

# A variant is recommended where no acceptance figure is worse by this much: .3 points.
_MOST_LOSS = 0.003

# Faces that set the ranges of the activations, and others that say how far the answers move.
_N_CALIBRATION, _N_PARITY = 128, 256
_BATCH = 16

# Half-precision weights move probabilities by less than .01; more means that the graph is broken.
_MAX_HALF_GAP = 0.02

_REPEATS = 15


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One measure of a variant beside that of its origin.

    Attributes:
        metric: of the variant.
        origin: value of the float32 bundle, measured in the same run.
        accepted_on: whether the recommendation rests on it.
    """

    metric: MetricValue
    origin: float
    accepted_on: bool

    @property
    def loss(self) -> float:
        """How much worse the variant is, of angles in radians; below 0 where it is better."""
        return metric_sign(self.metric.name) * (self.origin - self.metric.value)


@dataclass(frozen=True, kw_only=True)
class VariantReport:
    """What `export_variant` made and measured.

    Attributes:
        spec: of the new bundle.
        size: bytes of the new graph over bytes of the old.
        cpu_time: CPU time a face over that of the origin, 16 faces a call, runs taking turns.
        largest_move: largest absolute difference of any answer, each in its own unit, on faces that calibrated
            nothing.
        same_expression: share of these faces with the same top expression; None where the bundle gives none.
        comparisons: empty where no data were given.
    """

    spec: ModelSpec
    size: float
    cpu_time: float
    largest_move: float
    same_expression: float | None
    comparisons: tuple[Comparison, ...]

    @property
    def recommended(self) -> bool:
        """Whether it was measured and no acceptance figure is worse by .3 points or more."""
        accepted_on = [c for c in self.comparisons if c.accepted_on]
        return bool(accepted_on) and all(c.loss < _MOST_LOSS for c in accepted_on)


def export_variant(model: str | Path, variant: str, out: Path, data: Path | None = None) -> VariantReport:
    """Write a smaller variant of a bundle, and measure what it lost.

    Args:
        model: name or folder of a float32 bundle.
        variant: one of `VARIANTS`.
        out: folder of the new bundle.
        data: folder of the open face sets (layout: docs/training.md); calibrates int8 and measures both. Without it
            only fp16 can be made, and carries no figures.

    Raises:
        ConfigError: the variant is unknown, int8 has no data, or ``out`` is the bundle's own folder.
        DatasetError: the data are incomplete.
        ModelError: the bundle cannot be read, is a variant itself, or the new graph's answers are off.
    """
    if variant not in VARIANTS:
        raise ConfigError(f"a variant is one of {VARIANTS}, got {variant!r}")
    if variant == "int8" and data is None:
        raise ConfigError("int8 is calibrated on real faces: say where they are with --data")
    origin = load_bundle(model, threads=1)
    if out.resolve() == origin.folder.resolve():
        raise ConfigError(f"{out} is the bundle itself; choose another folder")
    benchmark = benchmark_for(origin.spec)
    crops = _noise(origin.spec) if data is None else benchmark.crops(origin, data, _N_CALIBRATION + _N_PARITY)
    before = (origin.folder / "model.onnx").read_bytes()
    graph = _convert(variant, before, origin.spec, crops[:_N_CALIBRATION])
    spec = dataclasses.replace(
        origin.spec,
        name=f"{origin.spec.name}-{variant}",
        sha256=hashlib.sha256(graph).hexdigest(),
        metrics=(),
    )
    write_bundle(out, graph, spec)
    new = load_bundle(out, threads=1)
    move, same = _parity(origin, new, crops[_N_CALIBRATION:])
    if variant == "fp16" and not move <= _MAX_HALF_GAP:
        raise ModelError(f"{out}: half-precision weights moved an answer by {move:.3f}, more than {_MAX_HALF_GAP}")
    faces = "faces" if data else "pictures of noise"
    stated = f"{variant} variant: answers move by at most {move:.4f} on {_N_PARITY} {faces}"
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
    """In place of faces where there are no data."""
    n, size = _N_CALIBRATION + _N_PARITY, spec.input.size_px
    pictures = np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)
    return to_colour(pictures, spec.input.colour)


def _parity(origin: Bundle, new: Bundle, crops: Image) -> tuple[float, float | None]:
    """The largest move of any decoded answer, and the share of faces that keep their top expression."""
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
    """Median ratio of the CPU time of both, measured in turns, so that a busy machine slows both alike."""

    def seconds(run: Callable[[Image], object]) -> float:
        started = time.process_time()
        run(crops)
        return time.process_time() - started

    ratios = [seconds(new.run) / seconds(origin.run) for _ in range(_REPEATS)]
    return float(np.median(ratios))


def _compare(benchmark: VariantBenchmark, origin: Bundle, out: Path, data: Path) -> tuple[Comparison, ...]:
    """Every measure of both bundles by the same protocols in the same run."""
    logger.info("measuring %s", ", ".join(benchmark.protocols))
    comparisons = []
    for old, new in zip(benchmark.measure(origin.folder, data), benchmark.measure(out, data), strict=True):
        value = {m.name: m.value for m in old.metrics}
        comparisons += [
            Comparison(
                metric=metric, origin=value[metric.name], accepted_on=metric.name in benchmark.acceptance_metrics
            )
            for metric in new.card_metrics()
        ]
    return tuple(comparisons)


def _with_verdict(report: VariantReport, origin: str) -> ModelSpec:
    """The spec with its figures and a sentence that says whether to use the variant."""
    worst = max((c for c in report.comparisons if c.accepted_on), key=lambda c: c.loss)
    verdict = "recommended" if report.recommended else "not recommended"
    sentence = (
        f"Against {origin} the worst loss of a acceptance figure is {100 * worst.loss:.2f} points "
        f"({worst.metric.name}, {worst.metric.data}); {verdict} (less than .30 is asked for)."
    )
    limitations = (*report.spec.limitations, sentence)
    if report.spec.name.endswith("int8"):
        limitations += (
            "Measured where 8-bit sums have 32 bits (VNNI); on x86 without it they may saturate: measure there.",
        )
    return dataclasses.replace(
        report.spec, metrics=tuple(c.metric for c in report.comparisons), limitations=limitations
    )
