# SPDX-License-Identifier: Apache-2.0
"""Do action units stay when only the image changes, and how far can the landmarks' geometry judge them?

    python -m benchmarks unit-consistency --data DATA --rendered FOLDER --page docs/research/unit-consistency.md

On rendered persons that no recipe trains on: the protocol ``mien evaluate au-rendered`` against what was aimed at.
On faces: units and geometry of FER+ validation faces against those of the same faces mirrored, and shifted, turned and
scaled a little. The geometry is that of `mien.faces.unit_geometry`, the reference of ``mien evaluate au-ranks``. On
rendered faces: how the exact intensities rank with the geometry of the exact landmarks, which no network can be asked
to exceed. On clips: noise from frame to frame within a track, and the rank correlation with the geometry of the
landmark model. Clips are for looking, never for choosing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks import create_parser
from benchmarks.page import measured_by, notice, table, write_page
from mien.affect import Analyzer
from mien.core import EXPRESSIONS, MIRRORED_LANDMARKS, Faces, MetricValue
from mien.datasets import load_pictures, load_rendered_faces, load_teacher, load_votes, picture_file, teacher_file
from mien.evaluation.face_crops import decode_pictures
from mien.evaluation.protocols.action_units.rendered_units import evaluate_au_rendered
from mien.faces import LandmarkNet, keypoints_of, load_landmark_net, unit_geometry
from mien.inference import load_spec, machine_name
from mien.metrics import rank_correlation

Doubles = npt.NDArray[np.float64]
Units = Mapping[str, Doubles]
"""Action unit -> (N,) scores or measures."""

UNITS = ("AU01", "AU02", "AU04", "AU12", "AU15", "AU25", "AU26")

_NAME = "unit-consistency"
_MIN_SHARE = 0.5
_LEAST_FRAMES = 50
_AIM_AUC, _AIM_ERROR = 0.90, 0.7
_FRONTAL_RAD = float(np.radians(20))
_N_RESAMPLES = 200
_PAIRS = (
    ("teacher", "net", "teacher, landmark net"),
    ("net", "net mirrored", "net, mirrored"),
    ("net", "net moved", "net, moved"),
    ("scores", "scores mirrored", "AU, mirrored"),
    ("scores", "scores moved", "AU, moved"),
    ("scores", "teacher", "AU, teacher"),
    ("scores", "net", "AU, net"),
)


def moved_crop(image: npt.NDArray[np.uint8], rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], Doubles]:
    """An image shifted by up to 0.7 px, turned by some 4 degrees and scaled by some 5 %, and the matrix (2, 3)."""
    height, width = image.shape[:2]
    angle, zoom = np.radians(rng.normal(0, 4)), np.exp(rng.normal(0, 0.05))
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array([width - 1, height - 1]) / 2
    matrix = np.column_stack([turn, centre - turn @ centre + rng.uniform(-0.7, 0.7, 2)])
    moved = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8), matrix


def read_landmarks(net: LandmarkNet, images: Sequence[npt.NDArray[np.uint8]], keypoints: Doubles) -> Doubles:
    """(N, 68, 2) landmarks of a net, read a second time at its own keypoints; NaN where keypoints are unknown."""
    found = np.full((len(images), 68, 2), np.nan)
    for row, (image, five) in enumerate(zip(images, keypoints, strict=True)):
        if np.isfinite(five).all():
            first = net.read(image, five[None].astype(np.float32))
            found[row] = net.read(image, first.keypoints).landmarks[0]
    return found


def frame_noise(values: Doubles) -> float:
    """Standard deviation of what differs from frame to frame at random, from second differences.

    Those of white noise have six times its variance; a straight course has none.

    Examples:
        >>> frame_noise(np.arange(9.0))
        0.0
    """
    return float(np.sqrt(np.mean(np.diff(values, n=2) ** 2) / 6))


def ranks(first: Doubles, second: Doubles, groups: npt.NDArray[np.intp], seed: int = 0) -> tuple[float, float, float]:
    """Spearman's correlation within groups (-1: left out) with its 95 % bootstrap interval."""
    rows = np.flatnonzero(np.isfinite(first) & np.isfinite(second) & (groups >= 0))
    rng = np.random.default_rng(seed)

    def of(chosen: npt.NDArray[np.intp]) -> float:
        return rank_correlation(first[chosen], second[chosen], groups[chosen])

    drawn = [of(rng.choice(rows, len(rows))) for _ in range(_N_RESAMPLES)]
    return of(rows), float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))


def scores_of(faces: Faces) -> Units:
    """Probabilities of `UNITS`."""
    return {unit: faces.action_units[:, faces.action_unit_labels.index(unit)].astype(np.float64) for unit in UNITS}


def read_faces(data: Path, analyzer: Analyzer, every: int) -> tuple[dict[str, Units], npt.NDArray[np.intp]]:
    """Source -> its scores or measures of FER+ validation faces, and (N,) the expression that raters saw, -1 for none.

    Args:
        data: folder of the open face sets.
        analyzer: bundle to judge.
        every: interval of the faces that are read.
    """
    path = picture_file(data, "ferplus", "valid")
    votes, pictures = load_votes(path)[::every], load_pictures(path)
    images = decode_pictures(pictures)[::every]
    teacher = load_teacher(teacher_file(data, "ferplus", "valid"), pictures.names).landmarks[::every]
    side = images[0].shape[0]
    exact = teacher.astype(np.float64) * side - 0.5
    five = np.asarray(keypoints_of(exact), np.float64)
    mirrored = [np.ascontiguousarray(image[:, ::-1]) for image in images]
    mirrored_five = (five * (-1, 1) + (side - 1, 0))[:, [1, 0, 2, 4, 3]]
    rng = np.random.default_rng(0)
    moved, matrices = zip(*(moved_crop(image, rng) for image in images), strict=True)
    moved_five = np.stack(
        [place @ matrix[:, :2].T + matrix[:, 2] for place, matrix in zip(five, matrices, strict=True)]
    )
    net = load_landmark_net()
    back = read_landmarks(net, mirrored, mirrored_five)[:, list(MIRRORED_LANDMARKS)]
    found: dict[str, Units] = {
        "teacher": unit_geometry(exact),
        "net": unit_geometry(read_landmarks(net, images, five)),
        "net mirrored": unit_geometry(back * (-1, 1) + (side - 1, 0)),
        "net moved": unit_geometry(read_landmarks(net, moved, moved_five)),
        "scores": scores_of(analyzer.crops(images)),
        "scores mirrored": scores_of(analyzer.crops(mirrored)),
        "scores moved": scores_of(analyzer.crops(list(moved))),
    }
    shares = votes[:, : len(EXPRESSIONS)] / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    return found, np.where(shares.max(axis=1) >= _MIN_SHARE, shares.argmax(axis=1), -1)


def exact_ranks(folder: Path, split: str = "train") -> list[str]:
    """The lines of the table on rendered faces: rank correlations of exact intensities with exact landmarks."""
    faces = load_rendered_faces(folder, split)
    geometry = unit_geometry(faces.landmarks.astype(np.float64))
    frontal = np.abs(faces.pose_rad[:, 1]) < _FRONTAL_RAD
    named = np.isfinite(faces.expression).all(axis=1)
    expression = np.where(named, faces.expression.argmax(axis=1), -1)
    independent = np.where(named, -1, 0)
    rows = []
    for title, groups in (("within one expression", expression), ("units beside each other", independent)):
        groups = np.where(frontal, groups, -1)
        cells = []
        for unit in UNITS:
            exact = faces.intensity[:, faces.action_unit_labels.index(unit)].astype(np.float64)
            value, low, high = ranks(exact, geometry[unit], groups)
            cells.append(f"{value:.2f} [{low:.2f}, {high:.2f}]")
        rows.append([title, str(int((groups >= 0).sum())), *cells])
    return table(["", "n", *UNITS], rows)


def rendered_table(metrics: Sequence[MetricValue]) -> list[str]:
    """The lines of the table on rendered persons, a row for each unit and one for the mean, beside what was aimed at.

    Args:
        metrics: metrics of the protocol ``au-rendered``.
    """
    columns: dict[str, dict[str, MetricValue]] = {"AUC": {}, "intensity AUC": {}, "intensity error": {}, "side AUC": {}}
    for metric in metrics:
        name = metric.name.removeprefix("mean ")
        kind = next(kind for kind in columns if name.startswith((f"{kind} ", f"{kind},")))
        columns[kind]["mean" if name != metric.name else name.removeprefix(f"{kind} ")] = metric
    units = [unit for unit in columns["AUC"] if unit != "mean"]
    shown = {kind: own for kind, own in columns.items() if own}
    rows = [[unit, *(_estimate(own.get(unit)) for own in shown.values())] for unit in (*units, "mean")]
    auc, error = columns["AUC"]["mean"].value, columns["intensity error"].get("mean")
    aims = f"Aimed at: a mean AUC of {_AIM_AUC:.2f} ({'met' if auc >= _AIM_AUC else 'missed'})"
    if error is not None:
        aims += f", a mean error of {_AIM_ERROR:.1f} ({'met' if error.value <= _AIM_ERROR else 'missed'})"
    return [*table(["", *shown], rows), "", f"{aims}."]


def _estimate(metric: MetricValue | None) -> str:
    return "-" if metric is None else f"{metric.value:.3f} [{metric.low:.3f}, {metric.high:.3f}]"


def read_tracks(path: Path, analyzer: Analyzer, stop_s: float) -> list[tuple[Units, Units]]:
    """Scores and geometry of each track of a clip with at least 50 frames, in the order of the frames."""
    frames: dict[int, list[Faces]] = {}
    for frame in analyzer.video(path, stop_s=stop_s):
        for row, number in enumerate(frame.faces.track_ids.tolist()):
            if number >= 0:
                frames.setdefault(number, []).append(frame.faces[row : row + 1])
    tracks: list[tuple[Units, Units]] = []
    for one in frames.values():
        if len(one) >= _LEAST_FRAMES:
            landmarks = np.concatenate([faces.landmarks for faces in one])
            scores = [scores_of(faces) for faces in one]
            tracks.append(
                ({unit: np.concatenate([score[unit] for score in scores]) for unit in UNITS}, unit_geometry(landmarks))
            )
    return tracks


def faces_table(found: Mapping[str, Units], shown: npt.NDArray[np.intp]) -> list[str]:
    """The lines of the table on faces."""
    rows = []
    for unit in UNITS:
        cells = []
        for first, second, _ in _PAIRS:
            value, low, high = ranks(found[first][unit], found[second][unit], shown)
            cells.append(f"{value:.2f} [{low:.2f}, {high:.2f}]")
        rows.append([unit, *cells])
    return table(["", *(title for *_, title in _PAIRS)], rows)


def tracks_table(clips: Mapping[str, list[tuple[Units, Units]]]) -> list[str]:
    """The lines of the table on clips."""
    rows = []
    for name, tracks in clips.items():
        for unit in UNITS:
            noise = [frame_noise(scores[unit]) for scores, _ in tracks]
            spread = [float(scores[unit].std()) for scores, _ in tracks]
            values, measures = (np.concatenate([track[part][unit] for track in tracks]) for part in (0, 1))
            number = np.repeat(np.arange(len(tracks)), [len(scores[unit]) for scores, _ in tracks])
            usable = np.isfinite(values) & np.isfinite(measures)
            rank = rank_correlation(values[usable], measures[usable], number[usable]) if usable.sum() > 1 else np.nan
            cells = [f"{np.mean(noise):.3f}", f"{np.mean(spread):.3f}", "-" if np.isnan(rank) else f"{rank:.2f}"]
            rows.append([name, str(len(tracks)), str(len(values)), unit, *cells])
    return table(["clip", "tracks", "faces", "", "noise", "spread", "rank correlation with the geometry"], rows)


def consistency_page(
    faces: list[str],
    n_faces: int,
    exact: list[str],
    rendered: list[str],
    clips: list[str],
    bundle: str,
    machine: str,
) -> list[str]:
    """The lines of the page."""
    return [
        "# Consistency of action units",
        "",
        notice(_NAME, edit="benchmarks/landmarks/unit_consistency.py"),
        "",
        "## Faces",
        "",
        "Spearman's rank correlation within one expression (at least half of the votes), "
        f"{n_faces} FER+ validation faces of 48 px,",
        f"{bundle}, 95 % bootstrap intervals. The first three columns are about the geometry alone: that of the",
        "landmark teacher beside that of the landmark net, and the net's on the same face mirrored, or moved by a",
        "fraction of a pixel, some 4 degrees and some 5 %. The next two are about the bundle's units; the last two",
        "compare both, as `mien evaluate au-ranks` does.",
        "",
        *faces,
        "",
        "## What exact intensities reach",
        "",
        "Geometry that repeats itself need not measure the action: brows and mouths differ between persons, and a",
        "smile raises the corners that AU15 lowers. On rendered faces (yaw below 20 degrees) the intensities are",
        "exact, and so are the landmarks: their rank correlation is what a perfect network would reach, apart from",
        "differences between rendered and real faces. The first row has the prototypes of expressions, most of which",
        "lack a unit altogether; the second has units drawn one by one, compounds and mouths in speech.",
        "",
        *exact,
        "",
        "## Rendered persons",
        "",
        "Rendered faces of persons that no recipe trains on, aligned by their exact keypoints, as",
        "`mien evaluate au-rendered` measures them: a unit is present from an intensity of 2 of 5; the error is the",
        "mean absolute one on this scale; sides are compared on faces whose sides differ by 1 or more. Intervals",
        "draw whole persons.",
        "",
        *rendered,
        "",
        "## Clips",
        "",
        "Noise: standard deviation of what differs from frame to frame at random (from second differences); spread:",
        "standard deviation over the track; both of the probability, without smoothing, means over the tracks. The",
        "geometry is that of the landmark model in the same frames.",
        "",
        *clips,
        "",
        measured_by(_NAME, machine=machine),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the page."""
    parser = create_parser(_NAME, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets, with clips in video")
    parser.add_argument("--rendered", type=Path, required=True, help="folder that mien synthesize wrote")
    parser.add_argument("--page", type=Path, required=True, help="Markdown file of the tables")
    parser.add_argument("--model", default="mien-light", help="bundle to judge (default: %(default)s)")
    parser.add_argument("--every", type=int, default=1, help="interval of the faces that are read (default: 1)")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each clip that is read (default: 10)")
    chosen = parser.parse_args(arguments)
    analyzer = Analyzer(chosen.model, threads=1)
    found, shown = read_faces(chosen.data, analyzer, chosen.every)
    clips = {}
    for path in sorted((chosen.data / "video").glob("*.mp4")):
        tracks = read_tracks(path, analyzer, chosen.seconds)
        if tracks:
            clips[path.name] = tracks
    known = int((np.isfinite(found["teacher"]["AU15"]) & (shown >= 0)).sum())
    persons = rendered_table(evaluate_au_rendered(analyzer, chosen.rendered).metrics)
    tables = (faces_table(found, shown), known, exact_ranks(chosen.rendered), persons, tracks_table(clips))
    spec = load_spec(chosen.model)
    write_page(chosen.page, consistency_page(*tables, f"`{spec.name}` version {spec.version}", machine_name()))
    return 0
