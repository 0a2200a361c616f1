# SPDX-License-Identifier: Apache-2.0
"""Minimum cost of a frame: the work of every network, counted from its graph, against the rates of the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.machine import user_environment
from benchmarks.performance.graph_work import GraphWork, ShapeRecorder, work_of
from mien.faces.mtcnn import MtcnnDetector, Nets, load_model
from mien.inference import create_session, find_bundle, load_spec
from mien.media import open_video

Image = npt.NDArray[np.uint8]

_MTCNN = {"propose": "pnet", "filter": "rnet", "refine": "onet"}
_N_SCANNED = 200
_STEP = 40


@dataclass(frozen=True, kw_only=True)
class NetWork:
    """Lower bounds of the work of a network.

    Attributes:
        name: label in the table.
        unit: what one unit of work is, ``"scan"`` of a frame or ``"face"``.
        mflop: millions of operations per unit, two per multiply-add.
        weights_mb: size of the parameters in 10^6 bytes.
        moved_mb: 10^6 bytes per unit that its nodes read and write if nothing is fused.
    """

    name: str
    unit: str
    mflop: float
    weights_mb: float
    moved_mb: float


@dataclass(frozen=True, kw_only=True)
class Roofline:
    """Work of the networks and rates of the machine.

    Attributes:
        nets: the networks of the default analyzer.
        gflops: 10^9 float32 operations per second in NumPy's matrix product, all cores.
        gb_per_s: 10^9 bytes per second that a copy reads and writes.
        frame_mb: 10^6 bytes of a decoded frame (4:2:0), of which the gray plane is two thirds.
    """

    nets: tuple[NetWork, ...]
    gflops: float
    gb_per_s: float
    frame_mb: float


def measure_roofline(clip: Path) -> Roofline:
    """Count the work of every network on a clip's frames, and measure the machine."""
    command = (sys.executable, Path(__file__).with_name("machine_peak.py"))
    peak = json.loads(subprocess.run(command, check=True, capture_output=True, env=user_environment()).stdout)
    with open_video(clip) as video:
        pixels = video.info.width * video.info.height
        images = [frame.image for frame in islice(video, 0, _N_SCANNED, _STEP)]
    return Roofline(
        nets=(
            _scan(images),
            _bundle("68 landmarks and pose", "mien-points"),
            _bundle("affect", "mien-light"),
        ),
        gflops=peak["gflops"],
        gb_per_s=peak["gb_per_s"],
        frame_mb=round(pixels * 1.5 / 1e6, 3),
    )


def _scan(images: list[Image]) -> NetWork:
    """Mean work of a search of a whole frame, which depends on the number of face candidates."""
    recorders = {net: ShapeRecorder(create_session(load_model(file))) for net, file in _MTCNN.items()}
    detector = MtcnnDetector(Nets(**recorders))
    for image in images:
        detector.detect(image)
    total = GraphWork()
    for net, file in _MTCNN.items():
        for shape in recorders[net].shapes:
            total += work_of(load_model(file), shape)
    weights = sum(
        work_of(load_model(file), shape).weight_bytes
        for net, file in _MTCNN.items()
        for shape in recorders[net].shapes[:1]
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
