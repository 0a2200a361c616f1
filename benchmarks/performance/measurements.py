# SPDX-License-Identifier: Apache-2.0
"""Speed of mien beside its peers, its memory and precisions; writes docs/research/performance.md and README's table.

    python -m benchmarks performance --data DATA --work WORK

Each finished part is written at once, to docs/research/performance.json too; a run that was stopped resumes with the
other parts, and ``--only`` repeats single parts. Peers need environments of their own: ``--mediapipe-python`` and
``--fer-python`` name their interpreters; without them the page says that they were not measured. The run takes a
quarter of an hour on a quiet machine.
"""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnxruntime

from benchmarks import ROOT, create_parser
from benchmarks.machine import today
from benchmarks.performance.analyze_runs import measure_long_run, measure_starts
from benchmarks.performance.performance_page import CURVE, NAME, PAGE, write_performance_page
from benchmarks.performance.race import Contestant, foreign_command, own_command, race
from benchmarks.performance.roofline import measure_roofline
from benchmarks.performance.synthetic_clips import make_crowd, make_full_hd, make_long
from mien import __version__
from mien.core import MissingExtraError
from mien.inference import RUNTIMES, create_session, find_bundle, load_spec, machine_name
from mien.media import save_image
from mien.pipeline import bench

logger = logging.getLogger(__name__)

_ROUNDS, _ROUNDS_OF_OTHERS = 9, 3
_MINUTES, _HOUR = 20.0, 60.0
# Frames per pass of slow contestants: enough for a rate, and the run stays short.
_N_NAIVE, _N_FER = 72, 12


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Files, folders and interpreters of a run.

    Attributes:
        data: folder of real clips and photos (layout: docs/how-to/training.md).
        work: folder of clips, variants and graphs, kept between runs.
        clip: a clip of 640 x 360 with one face.
        mediapipe: interpreter of an environment with MediaPipe; None without.
        landmarker: MediaPipe's model file.
        fer: interpreter of an environment with fer; None without.
        minutes: length of the long video.
    """

    data: Path
    work: Path
    clip: Path
    mediapipe: Path | None
    landmarker: Path
    fer: Path | None
    minutes: float


def measure_speed(inputs: Inputs) -> dict[str, Any]:
    """Measure every contestant on a clip with one face."""
    contestants = [*_own(), _mediapipe(inputs, n_faces=1), _naive(inputs), _fer(inputs)]
    return {"clip": inputs.clip.name, "paces": [asdict(pace) for pace in race(contestants, inputs.clip, _ROUNDS)]}


def measure_crowd(inputs: Inputs) -> dict[str, Any]:
    """Measure mien and MediaPipe on a clip with twenty faces."""
    clip = make_crowd(inputs.work / "crowd.mp4", inputs.data)
    contestants = [*_own(), _mediapipe(inputs, n_faces=20)]
    return {"paces": [asdict(pace) for pace in race(contestants, clip, _ROUNDS_OF_OTHERS)]}


def measure_full_hd(inputs: Inputs) -> dict[str, Any]:
    """Measure mien and MediaPipe on a clip of 1920 x 1080."""
    clip = make_full_hd(inputs.work / "full-hd.mp4", inputs.clip)
    contestants = [*_own(), _mediapipe(inputs, n_faces=1)]
    return {"paces": [asdict(pace) for pace in race(contestants, clip, _ROUNDS_OF_OTHERS)]}


def measure_stages(inputs: Inputs) -> dict[str, Any]:
    """Measure the stages with `mien bench`."""
    return bench(inputs.clip).to_json()


def measure_cold(inputs: Inputs) -> dict[str, Any]:
    """Time `mien analyze` on single photos from a cold start."""
    from skimage import data

    portrait = inputs.work / "portrait.jpg"
    save_image(portrait, data.astronaut())
    group = inputs.data / "photos" / "2008_004176.jpg"
    starts = measure_starts({"photo.jpg, 512 x 512": portrait, "group.jpg, 480 x 438": group})
    return {"starts": [asdict(start) for start in starts]}


def measure_minimum(inputs: Inputs) -> dict[str, Any]:
    """Count operations and bytes of the networks, and measure the machine."""
    return asdict(measure_roofline(inputs.clip))


def measure_precisions(inputs: Inputs) -> dict[str, Any]:
    """Measure runtimes, thread counts and precisions."""
    from benchmarks.performance.networks import measure_nets  # imports torch

    return asdict(measure_nets(inputs.work, inputs.data))


def measure_memory(inputs: Inputs) -> dict[str, Any]:
    """Measure memory over a long video."""
    name = f"long-{inputs.minutes:g}.mp4"
    return asdict(measure_long_run(make_long(inputs.work / name, inputs.clip, inputs.minutes)))


PARTS: Mapping[str, Callable[[Inputs], dict[str, Any]]] = {
    "speed": measure_speed,
    "crowd": measure_crowd,
    "full-hd": measure_full_hd,
    "stages": measure_stages,
    "cold": measure_cold,
    "roofline": measure_minimum,
    "nets": measure_precisions,
    "memory": measure_memory,
}
"""Name -> function that measures the part, in the order of the run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the missing parts, and write the page after each."""
    inputs, only = _parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    inputs.work.mkdir(parents=True, exist_ok=True)
    done = inputs.work / "done.json"  # parts of a stopped run
    finished: list[str] = json.loads(done.read_text("utf-8")) if done.is_file() and not only else []
    store = ROOT / "docs/research/performance.json"
    kept: dict[str, Any] = json.loads(store.read_text("utf-8")) if store.is_file() else {}
    # A part counts as finished with the versions, weights and day of now alone.
    open_parts = [name for name in PARTS if name not in finished or kept.get(name, {}).get("about") != _about()]
    for name in only or open_parts:
        logger.info(name)
        kept[name] = PARTS[name](inputs) | {"about": _about()}
        store.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        write_performance_page(kept, ROOT)
        if not only:
            finished.append(name)
            done.write_text(json.dumps(finished), "utf-8")
    if not only:
        done.unlink(missing_ok=True)
    logger.info("%s, %s and %s are written", store, ROOT / PAGE, ROOT / CURVE)
    return 0


def _parse(arguments: Sequence[str] | None) -> tuple[Inputs, list[str]]:
    """The inputs of a run, and the parts to repeat."""
    parser = create_parser(NAME, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of real clips, photos and open face sets")
    parser.add_argument("--work", type=Path, required=True, help="folder of clips and variants, kept between runs")
    parser.add_argument(
        "--clip", type=Path, help="clip of 640 x 360 with one face (default: DATA/video/cry_to_laugh.mp4)"
    )
    parser.add_argument("--only", nargs="+", choices=list(PARTS), help="measure these parts again and keep the others")
    parser.add_argument("--mediapipe-python", type=Path, help="Python interpreter of an environment with mediapipe")
    parser.add_argument("--landmarker", type=Path, help="MediaPipe's model (default: DATA/models/face_landmarker.task)")
    parser.add_argument("--fer-python", type=Path, help="Python interpreter of an environment with fer")
    parser.add_argument(
        "--hour", action="store_true", help="measure memory over an hour of video (default: twenty minutes)"
    )
    given = parser.parse_args(arguments)
    inputs = Inputs(
        data=given.data,
        work=given.work,
        clip=given.clip or given.data / "video" / "cry_to_laugh.mp4",
        mediapipe=given.mediapipe_python,
        landmarker=given.landmarker or given.data / "models" / "face_landmarker.task",
        fer=given.fer_python,
        minutes=_HOUR if given.hour else _MINUTES,
    )
    return inputs, given.only or []


def _about() -> dict[str, str]:
    """Date, machine, versions and bundles of a measured part."""
    return {
        "date": today(),
        "machine": machine_name(),
        "versions": f"mien {__version__}, Python {platform.python_version()}, ONNX Runtime {onnxruntime.__version__}",
        "bundles": ", ".join(f"{name} {load_spec(name).sha256[:12]}" for name in ("mien-light", "mien-points")),
    }


def _own() -> list[Contestant]:
    """Decoding alone, and mien with each runtime."""
    found = [Contestant("decoding alone", own_command("mien_contestant.py", "decode"))]
    for runtime in RUNTIMES:
        name = "mien" if runtime == "onnxruntime" else f"mien, {runtime}"
        try:
            create_session(find_bundle("mien-points") / "model.onnx", runtime=runtime)
        except MissingExtraError as error:
            found.append(Contestant(name, absent=f"not measured: {error}"))
        else:
            found.append(Contestant(name, own_command("mien_contestant.py", "analyze", runtime)))
    return found


def _mediapipe(inputs: Inputs, *, n_faces: int) -> Contestant:
    name = "MediaPipe face landmarker with blendshapes"
    if inputs.mediapipe is None or not inputs.landmarker.is_file():
        return Contestant(name, absent="not measured: no --mediapipe-python, or no model")
    return Contestant(name, foreign_command(inputs.mediapipe, "mediapipe_contestant.py", inputs.landmarker, n_faces))


def _naive(inputs: Inputs) -> Contestant:
    name = "MTCNN on each frame + EfficientNet-B0 at 224 px"
    try:
        from benchmarks.performance.networks import COMMON_SIZE_PX, export_common_network
    except ModuleNotFoundError as error:
        return Contestant(name, absent=f"not measured: {error.name} is not installed")
    graph = export_common_network(inputs.work / "efficientnet-b0.onnx")
    return Contestant(name, own_command("mien_contestant.py", "naive", graph, COMMON_SIZE_PX), n_frames=_N_NAIVE)


def _fer(inputs: Inputs) -> Contestant:
    if inputs.fer is None:
        return Contestant("fer, with MTCNN", absent="not measured: no --fer-python")
    return Contestant("fer, with MTCNN", foreign_command(inputs.fer, "fer_contestant.py"), n_frames=_N_FER)
