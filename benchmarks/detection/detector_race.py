# SPDX-License-Identifier: Apache-2.0
"""Face detectors side by side on held-out people and scenes (half an hour on one core).

    python -m benchmarks detectors --data DATA [--detector yunet=FILE.onnx] [--page docs/research/detection.md]

Every detector sees the same pictures in the same run and takes turns where time is measured. Each is run as
`mien analyze` runs it on photos: on a copy of at most 1280 px, and once more where nothing was found.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import ROOT, command_of, create_parser
from benchmarks.detection.detector_agreement import agreement
from benchmarks.detection.held_out_cases import Case, all_cases, fairface_cases
from benchmarks.detection.race_page import WHOLE_PHOTO, chart_name, charts, page_lines
from benchmarks.machine import today
from benchmarks.page import write_page
from mien.affect import Analyzer
from mien.core import Float32, Image, MetricValue
from mien.datasets import load_landmark_faces
from mien.faces import (
    FaceDetector,
    LandmarkModel,
    confirmed_search,
    create_detector,
    create_landmark_model,
    iou,
    parse_detector,
    search_photo,
)
from mien.inference import load_spec, machine_name
from mien.media import decode_image, encode_jpeg, load_image
from mien.training.export.bundle_files import write_spec

_NAME = "detectors"
STILL_SIDE_PX, _MOVING_SIDE_PX = 1280, 640
_SAME_IOU = 0.4
# A face of unknown place fills so much of its picture's width, and its middle is so near the picture's.
_FILLING, _NEAR_MIDDLE = 0.2, 0.3
_LEAST_GROUP, _RESAMPLES = 100, 2000
_SIZES = ((320, 180), (640, 360), (1280, 720))
_ROUNDS, _CALLS = 9, 5
_PHOTO_PX, _N_PHOTOS, _PHOTO_ROUNDS = 224, 100, 3
_N_AGREEMENT = 300

# Measures of one process in which a detector alone searches a large crowd.
_MEMORY = """
import sys
from mien.affect import Analyzer
from mien.inference import process_memory
found = len(Analyzer(threads=1, detector=sys.argv[2]).image(sys.argv[1]))
print(found, process_memory().peak_mb)
"""


@dataclass
class Tally:
    """Counts of one bin: faces, faces found, pictures, and boxes that are no face.

    Attributes:
        n_faces: Number of known faces.
        n_found: Number of these that were found.
        n_images: Number of pictures.
        extra: Confidence of each box that belongs to no face.
    """

    n_faces: int = 0
    n_found: int = 0
    n_images: int = 0
    extra: list[float] = field(default_factory=list)

    def add(self, case: Case, boxes: Float32, confidence: Float32) -> None:
        """Count one picture."""
        self.n_images += 1
        self.n_faces += len(case.boxes)
        if np.isnan(case.boxes).any():
            right = filling(boxes, case.image.shape)
            self.n_found += int(right.any())
            self.extra += confidence[~right].tolist()
            return
        overlaps = iou(case.boxes, boxes)
        self.n_found += int((overlaps.max(axis=1, initial=0) >= _SAME_IOU).sum())
        self.extra += confidence[overlaps.max(axis=0, initial=0) < _SAME_IOU].tolist()


def filling(boxes: Float32, shape: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(N,) boxes that may be the face of a photo of one person."""
    size = np.array(shape[1::-1], np.float32)
    away = np.abs((boxes[:, :2] + boxes[:, 2:]) / 2 / size - 0.5).max(axis=1, initial=0)
    return np.asarray((away < _NEAR_MIDDLE) & (boxes[:, 2] - boxes[:, 0] >= _FILLING * size[0]))


Tallies = dict[str, dict[str, dict[str, Tally]]]
"""Detector -> measure -> bin -> counts."""


def count(detectors: Mapping[str, Callable[[Image], tuple[Float32, Float32]]], cases: Iterator[Case]) -> Tallies:
    """Run every detector on every case."""
    tallies: Tallies = {name: {} for name in detectors}
    for case in cases:
        for name, detect in detectors.items():
            boxes, confidence = detect(case.image)
            for place in case.bins:
                tallies[name].setdefault(case.measure, {}).setdefault(place, Tally()).add(case, boxes, confidence)
    return tallies


def milliseconds(
    detectors: Mapping[str, Callable[[Image], object]], images: Mapping[str, Image]
) -> dict[str, dict[str, float]]:
    """Picture -> detector -> milliseconds a search: the least mean of a few calls, in turns."""
    found: dict[str, dict[str, list[float]]] = {place: {name: [] for name in detectors} for place in images}
    for _ in range(_ROUNDS):
        for place, image in images.items():
            for name, detector in detectors.items():
                start = time.perf_counter()
                for _ in range(_CALLS):
                    detector(image)
                found[place][name].append(1000 * (time.perf_counter() - start) / _CALLS)
    return {
        place: {name: min(times) for name, times in by_name.items()}
        | {f"{name}, median": statistics.median(times) for name, times in by_name.items()}
        for place, by_name in found.items()
    }


def photo_milliseconds(detectors: Mapping[str, FaceDetector], photos: Sequence[Image]) -> dict[str, float]:
    """Milliseconds of one thread for all of `mien.Analyzer.images` a photo, the least of a few rounds, in turns."""
    analyzers = {name: Analyzer(threads=1, detector=detector) for name, detector in detectors.items()}
    encoded = [encode_jpeg(photo) for photo in photos]
    found: dict[str, list[float]] = {name: [] for name in detectors}
    for _ in range(_PHOTO_ROUNDS):
        for name, analyzer in analyzers.items():
            start = time.process_time()
            analyzer.images(encoded)
            found[name].append(1000 * (time.process_time() - start) / len(photos))
    return {name: min(times) for name, times in found.items()}


def crowd(photo: Image, columns: int, rows: int) -> Image:
    """A picture of many copies of a photo."""
    return np.ascontiguousarray(np.tile(photo, (rows, columns, 1)))


def memory_mb(detector: str, picture: Path) -> tuple[int, float]:
    """Faces that `Analyzer.image` finds in a picture, and the peak memory of its process in MB."""
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY, str(picture), detector], capture_output=True, text=True, check=True
    )
    n_faces, megabytes = done.stdout.split()
    return int(n_faces), float(megabytes)


def card_metrics(tallies: Mapping[str, Mapping[str, Tally]], command: str) -> tuple[MetricValue, ...]:
    """Recall of a detector with 95 % bootstrap intervals, for the card of its bundle.

    Args:
        tallies: Measure -> bin -> counts of the detector.
        command: Command that computes them again.
    """
    chosen: list[tuple[str, str, Tally]] = []
    for measure, places in tallies.items():
        groups = {place: tally for place, tally in places.items() if tally.n_faces >= _LEAST_GROUP and place != "all"}
        if "all" in places and places["all"].n_faces:
            chosen.append((f"faces found: {measure}", measure, places["all"]))
        if measure == "FairFace val" and groups:
            worst = min(groups, key=lambda place: groups[place].n_found / groups[place].n_faces)
            chosen.append((f"faces found: lowest group, {worst}", measure, groups[worst]))
    rng = np.random.default_rng(1)
    metrics = []
    for name, measure, tally in chosen:
        share = tally.n_found / tally.n_faces
        low, high = np.percentile(rng.binomial(tally.n_faces, share, _RESAMPLES) / tally.n_faces, [2.5, 97.5])
        metrics.append(
            MetricValue(
                name=name,
                n=tally.n_faces,
                value=round(share, 4),
                low=round(float(low), 4),
                high=round(float(high), 4),
                data=measure,
                command=command,
            )
        )
    return tuple(metrics)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare the detectors, and write the page and the counts as JSON."""
    parser = create_parser(_NAME, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open sets")
    parser.add_argument(
        "--detector", action="append", help="a detector, NAME or NAME=FILE, again for more [mien-faces, mtcnn, yunet]"
    )
    parser.add_argument("--n", type=int, default=200, help="faces of each drawn bin [200]")
    parser.add_argument("--no-times", action="store_true", help="leave out time and memory")
    parser.add_argument(
        "--others",
        action="store_true",
        help="count only for the named detectors, and keep the page's counts of the others, its times and its memory",
    )
    parser.add_argument(
        "--card", type=Path, help="folder of the bundle whose card gets the recall of the first detector"
    )
    parser.add_argument("--page", type=Path, default=ROOT / "docs/research/detection.md", help="page to write")
    options = parser.parse_args(arguments)
    yunet = options.data / "models/yunet_n_dynamic.onnx"
    chosen = options.detector or ["mien-faces", "mtcnn", f"yunet={yunet}"]
    cv2.setNumThreads(1)
    landmark_model = create_landmark_model("mien-points")

    def searching(text: str) -> Callable[[Image], tuple[Float32, Float32]]:
        detector = _created(text, STILL_SIDE_PX)

        def search(image: Image) -> tuple[Float32, Float32]:
            found = search_photo(detector, image, landmark_model)
            return found.boxes, found.confidence

        return search

    tallies = count({parse_detector(text)[0]: searching(text) for text in chosen}, all_cases(options.data, options.n))
    times: dict[str, dict[str, float]] = {}
    memory: dict[str, tuple[int, float]] = {}
    agreed: dict[str, float] = {}
    if options.others:
        kept = json.loads(options.page.with_suffix(".json").read_text())
        if kept["facts"]["n"] != options.n:
            parser.error(f"the page has {kept['facts']['n']} faces of each bin, not {options.n}")
        times, memory, agreed = kept["times"], kept["memory"], kept["facts"].get("agreement", {})
        others = [name for name in kept["tallies"] if name not in tallies]
        tallies = {name: tallies.get(name) or _read(measures) for name, measures in kept["tallies"].items()}
    elif not options.no_times:
        times = _times(chosen, options.data, landmark_model)
        pair = [_created(name, STILL_SIDE_PX) for name in ("mtcnn", "mien-faces")]
        agreed = agreement(*pair, [case.image for case in fairface_cases(options.data, n=_N_AGREEMENT)])
        picture = options.page.with_suffix(".crowd.png")
        cv2.imwrite(str(picture), _crowd_of_200(options.data)[..., ::-1])
        memory = {parse_detector(text)[0]: memory_mb(text, picture) for text in chosen}
        picture.unlink()
    facts: dict[str, Any] = {"command": f"{command_of(_NAME)} --data DATA", "machine": machine_name(), "date": today()}
    facts |= {"n": options.n, "page": options.page.stem, "agreement": agreed}
    if options.others:
        facts["kept"] = f"The counts of {' and '.join(others)}, times and memory are those of an earlier run."
    for measure, chart in charts(tallies).items():
        options.page.with_name(chart_name(options.page.stem, measure)).write_text(chart)
    write_page(options.page, page_lines(tallies, times, memory, facts))
    options.page.with_suffix(".json").write_text(
        json.dumps({"facts": facts, "times": times, "memory": memory, "tallies": tallies}, default=vars, indent=1)
        + "\n"
    )
    print(f"wrote {options.page}")
    if options.card is not None:
        metrics = card_metrics(tallies[parse_detector(chosen[0])[0]], str(facts["command"]))
        write_spec(options.card, replace(load_spec(options.card), metrics=metrics))
        print(f"wrote the metrics of {options.card}")
    return 0


def _times(chosen: Sequence[str], data: Path, landmark_model: LandmarkModel | None) -> dict[str, dict[str, float]]:
    """Milliseconds of each detector alone, with the landmark model that confirms its faces, and of a whole photo."""
    moving = {parse_detector(text)[0]: _created(text, _MOVING_SIDE_PX) for text in chosen}
    images = _timed(data)
    times = milliseconds({name: detector.detect for name, detector in moving.items()}, images)
    confirmed = {name: confirmed_search(detector, landmark_model) for name, detector in moving.items()}
    times |= {f"{place}, confirmed": by_name for place, by_name in milliseconds(confirmed, images).items()}
    still = {parse_detector(text)[0]: _created(text, STILL_SIDE_PX) for text in chosen}
    faces = load_landmark_faces(data, "test")
    photos = [
        np.asarray(cv2.resize(decode_image(encoded), (_PHOTO_PX, _PHOTO_PX), interpolation=cv2.INTER_AREA), np.uint8)
        for encoded in faces.images[:_N_PHOTOS]
    ]
    return times | {WHOLE_PHOTO: photo_milliseconds(still, photos)}


def _read(measures: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, Tally]]:
    return {measure: {place: Tally(**counts) for place, counts in bins.items()} for measure, bins in measures.items()}


def _created(text: str, side_px: int) -> FaceDetector:
    name, model = parse_detector(text)
    return create_detector(name, max_side_px=side_px, **model, **({} if model else {"threads": 1}))


def _timed(data: Path) -> dict[str, Image]:
    """Pictures for times: one face at each size, and a photo with 15 faces."""
    group = load_image(data / "photos/group-1.jpg")
    images = {
        f"{width} x {height}": np.asarray(cv2.resize(group, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        for width, height in _SIZES
    }
    return images | {"crowd of 15, 1280 x 960": np.asarray(cv2.resize(group, (1280, 960)), np.uint8)}


def _crowd_of_200(data: Path) -> Image:
    """A picture of 3600 x 2300 px with 200 faces of one photo, 20 beside each other."""
    photo = load_image(data / "photos/group-2.jpg")
    face = create_detector("mtcnn").detect(photo).boxes[0].astype(int)
    side = int(1.2 * (face[3] - face[1]))
    x, y = int((face[0] + face[2] - side) / 2), int((face[1] + face[3] - side) / 2)
    part = photo[max(y, 0) : y + side, max(x, 0) : x + side]
    return crowd(np.asarray(cv2.resize(part, (180, 230), interpolation=cv2.INTER_AREA), np.uint8), 20, 10)
