# SPDX-License-Identifier: Apache-2.0
"""How fast mien is, beside its peers and in one run; writes docs/performance.md and the table in README.md.

    python tools/performance.py --data DATA --work WORK     (or: make performance)

Each finished part is written at once, to docs/performance.json too; a run that was stopped goes on with the others, and
``--only`` measures one part anew. Peers need environments of their own: ``--mediapipe-python`` and ``--fer-python``
name their interpreters; without them they are said to be unmeasured. ``--hour`` has memory watched over an hour.
"""

from __future__ import annotations

import argparse
import datetime
import json
import logging
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnxruntime
from perf_clips import make_crowd, make_full_hd, make_long
from perf_commands import measure_long_run, measure_starts
from perf_page import CURVE, PAGE, write_page
from perf_roofline import measure_roofline
from perf_speed import Contestant, foreign, own, race

from mien import __version__
from mien.core import MissingExtraError
from mien.inference import RUNTIMES, create_session, find_bundle, load_spec, machine_name
from mien.media import save_image
from mien.pipeline.bench import bench

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parent.parent
_ROUNDS, _ROUNDS_OF_OTHERS = 9, 3
_MINUTES, _HOUR = 20.0, 60.0
# Of slow contestants: enough for a rate, and the run stays short.
_N_NAIVE, _N_FER = 72, 12


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where things lie.

    Attributes:
        data: real clips and photos; their layout is in docs/training.md.
        work: what is made on the way and may be kept: clips, variants, a graph.
        clip: 640 x 360 with one face.
        mediapipe: a Python with MediaPipe; None without.
        landmarker: MediaPipe's model.
        fer: a Python with fer; None without.
        minutes: of the long run.
    """

    data: Path
    work: Path
    clip: Path
    mediapipe: Path | None
    landmarker: Path
    fer: Path | None
    minutes: float


def measure_speed(places: Places) -> dict[str, Any]:
    """Everybody on the clip of one face."""
    contestants = [*_own(), _mediapipe(places, n_faces=1), _naive(places), _fer(places)]
    return {"clip": places.clip.name, "paces": [asdict(pace) for pace in race(contestants, places.clip, _ROUNDS)]}


def measure_crowd(places: Places) -> dict[str, Any]:
    """Twenty faces in view."""
    clip = make_crowd(places.work / "crowd.mp4", places.data)
    contestants = [*_own(), _mediapipe(places, n_faces=20)]
    return {"paces": [asdict(pace) for pace in race(contestants, clip, _ROUNDS_OF_OTHERS)]}


def measure_full_hd(places: Places) -> dict[str, Any]:
    """The clip of one face at 1920 x 1080."""
    clip = make_full_hd(places.work / "full-hd.mp4", places.clip)
    contestants = [*_own(), _mediapipe(places, n_faces=1)]
    return {"paces": [asdict(pace) for pace in race(contestants, clip, _ROUNDS_OF_OTHERS)]}


def measure_stages(places: Places) -> dict[str, Any]:
    """`mien bench` on the clip of one face."""
    return bench(places.clip).to_json()


def measure_cold(places: Places) -> dict[str, Any]:
    """A photo from a cold start."""
    from skimage import data

    portrait = places.work / "portrait.jpg"
    save_image(portrait, data.astronaut())
    group = places.data / "photos" / "2008_004176.jpg"
    starts = measure_starts({"photo.jpg, 512 x 512": portrait, "group.jpg, 480 x 438": group})
    return {"starts": [asdict(start) for start in starts]}


def count_work(places: Places) -> dict[str, Any]:
    """Operations and bytes."""
    return asdict(measure_roofline(places.clip))


def measure_precisions(places: Places) -> dict[str, Any]:
    """Runtimes, threads and precisions."""
    from perf_nets import measure_nets  # needs the workshop

    return asdict(measure_nets(places.work, places.data))


def measure_memory(places: Places) -> dict[str, Any]:
    """A long video."""
    name = f"long-{places.minutes:g}.mp4"
    return asdict(measure_long_run(make_long(places.work / name, places.clip, places.minutes)))


PARTS: Mapping[str, Callable[[Places], dict[str, Any]]] = {
    "speed": measure_speed,
    "crowd": measure_crowd,
    "full-hd": measure_full_hd,
    "stages": measure_stages,
    "cold": measure_cold,
    "roofline": count_work,
    "nets": measure_precisions,
    "memory": measure_memory,
}
"""Name -> what measures it, in the order of the run."""


def main() -> None:
    """MetricValue, keep, write."""
    places, only = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    places.work.mkdir(parents=True, exist_ok=True)
    done = places.work / "done.json"  # parts of a run that was stopped
    finished: list[str] = json.loads(done.read_text("utf-8")) if done.is_file() and not only else []
    store = _ROOT / "docs/performance.json"
    kept: dict[str, Any] = json.loads(store.read_text("utf-8")) if store.is_file() else {}
    for name in only or [name for name in PARTS if name not in finished]:
        logger.info(name)
        kept[name] = PARTS[name](places) | {"about": _about()}
        store.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        write_page(kept, _ROOT)
        if not only:
            finished.append(name)
            done.write_text(json.dumps(finished), "utf-8")
    if not only:
        done.unlink(missing_ok=True)
    logger.info("%s, %s and %s are written", store, _ROOT / PAGE, _ROOT / CURVE)


def _arguments() -> tuple[Places, list[str]]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="A folder for clips and variants, kept between runs.")
    parser.add_argument("--clip", type=Path, help="640 x 360 with one face. [default: DATA/video/cry_to_laugh.mp4]")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), help="Measure these parts anew and keep the others.")
    parser.add_argument("--mediapipe-python", type=Path, help="Python of an environment with mediapipe.")
    parser.add_argument("--landmarker", type=Path, help="[default: DATA/models/face_landmarker.task]")
    parser.add_argument("--fer-python", type=Path, help="Python of an environment with fer.")
    parser.add_argument("--hour", action="store_true", help="Memory over an hour of video, not twenty minutes.")
    given = parser.parse_args()
    places = Places(
        data=given.data,
        work=given.work,
        clip=given.clip or given.data / "video" / "cry_to_laugh.mp4",
        mediapipe=given.mediapipe_python,
        landmarker=given.landmarker or given.data / "models" / "face_landmarker.task",
        fer=given.fer_python,
        minutes=_HOUR if given.hour else _MINUTES,
    )
    return places, given.only or []


def _about() -> dict[str, str]:
    """What a figure must name."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine_name(),
        "versions": f"mien {__version__}, Python {platform.python_version()}, ONNX Runtime {onnxruntime.__version__}",
        "bundles": ", ".join(f"{name} {load_spec(name).sha256[:12]}" for name in ("mien-light", "mien-points")),
    }


def _own() -> list[Contestant]:
    """Decoding alone, and mien by each runtime."""
    found = [Contestant("decoding alone", own("perf_mien.py", "decode"))]
    for runtime in RUNTIMES:
        name = "mien" if runtime == "onnxruntime" else f"mien, {runtime}"
        try:
            create_session(find_bundle("mien-points") / "model.onnx", runtime=runtime)
        except MissingExtraError as error:
            found.append(Contestant(name, absent=f"not measured: {error}"))
        else:
            found.append(Contestant(name, own("perf_mien.py", runtime)))
    return found


def _mediapipe(places: Places, *, n_faces: int) -> Contestant:
    name = "MediaPipe face landmarker with blendshapes"
    if places.mediapipe is None or not places.landmarker.is_file():
        return Contestant(name, absent="not measured: no --mediapipe-python, or no model")
    return Contestant(name, foreign(places.mediapipe, "perf_mediapipe.py", places.landmarker, n_faces))


def _naive(places: Places) -> Contestant:
    name = "MTCNN on each frame + EfficientNet-B0 at 224 px"
    try:
        from perf_export import export_b0
    except ModuleNotFoundError as error:
        return Contestant(name, absent=f"not measured: {error.name} is not installed")
    graph = export_b0(places.work / "efficientnet-b0.onnx")
    return Contestant(name, own("perf_naive.py", graph), n_frames=_N_NAIVE)


def _fer(places: Places) -> Contestant:
    if places.fer is None:
        return Contestant("fer, with MTCNN", absent="not measured: no --fer-python")
    return Contestant("fer, with MTCNN", foreign(places.fer, "perf_fer.py"), n_frames=_N_FER)


if __name__ == "__main__":
    main()
