# SPDX-License-Identifier: Apache-2.0
"""What a frame costs at least: the work of every net, counted from its graph, against what the machine can do."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from perf_graphs import ShapeNotes, Work, work_of
from perf_speed import environment, own

from mien.faces.mtcnn import MtcnnDetector, Nets, load_model
from mien.inference import create_session, find_bundle, load_spec
from mien.media import open_video

Image = npt.NDArray[np.uint8]

_MTCNN = {"propose": "pnet", "filter": "rnet", "refine": "onet"}
_N_SCANNED = 200
_STEP = 40


@dataclass(frozen=True, kw_only=True)
class NetWork:
    """What a net has to do at least.

    Attributes:
        name: for the table.
        unit: what one pass is for.
        mflop: millions of operations a unit, two a multiply-add.
        weights_mb: parameters, 10^6 bytes.
        moved_mb: 10^6 bytes that its nodes read and write a unit if nothing is fused.
    """

    name: str
    unit: str
    mflop: float
    weights_mb: float
    moved_mb: float


@dataclass(frozen=True, kw_only=True)
class Roofline:
    """The nets and the machine.

    Attributes:
        nets: of the default analyzer.
        gflops: billions of float32 operations a second in NumPy's matrix product, all cores.
        gb_per_s: 10^9 bytes a second that a copy reads and writes.
        frame_mb: 10^6 bytes of a decoded frame (4:2:0), of which the gray picture is two thirds.
    """

    nets: tuple[NetWork, ...]
    gflops: float
    gb_per_s: float
    frame_mb: float


def measure_roofline(clip: Path) -> Roofline:
    """Count the work of every net on a clip's frames, and measure the machine."""
    answer = subprocess.run(own("perf_peak.py"), check=True, capture_output=True, env=environment()).stdout
    peak = json.loads(answer)
    with open_video(clip) as video:
        pixels = video.info.width * video.info.height
        images = [frame.image for frame in islice(video, 0, _N_SCANNED, _STEP)]
    return Roofline(
        nets=(
            _scan(images),
            _bundle("68 points and pose", "mien-points"),
            _bundle("affect", "mien-light"),
        ),
        gflops=peak["gflops"],
        gb_per_s=peak["gb_per_s"],
        frame_mb=round(pixels * 1.5 / 1e6, 3),
    )


def _scan(images: list[Image]) -> NetWork:
    """The mean work of a search of a whole frame: it depends on how many places look like a face."""
    notes = {net: ShapeNotes(create_session(load_model(file))) for net, file in _MTCNN.items()}
    detector = MtcnnDetector(Nets(**notes))
    for image in images:
        detector.detect(image)
    total = Work()
    for net, file in _MTCNN.items():
        for shape in notes[net].shapes:
            total += work_of(load_model(file), shape)
    weights = sum(
        work_of(load_model(file), shape).weight_bytes for net, file in _MTCNN.items() for shape in notes[net].shapes[:1]
    )
    return NetWork(
        name="MTCNN, whole frame",
        unit="scan",
        mflop=round(total.flop / len(images) / 1e6, 1),
        weights_mb=round(weights / 1e6, 2),
        moved_mb=round(total.moved_bytes / len(images) / 1e6, 1),
    )


def _bundle(name: str, bundle: str) -> NetWork:
    taken = load_spec(bundle).input
    graph = (find_bundle(bundle) / "model.onnx").read_bytes()
    work = work_of(graph, (1, taken.size_px, taken.size_px, taken.n_channels))
    return NetWork(
        name=name,
        unit="face",
        mflop=round(work.flop / 1e6, 1),
        weights_mb=round(work.weight_bytes / 1e6, 2),
        moved_mb=round(work.moved_bytes / 1e6, 1),
    )
