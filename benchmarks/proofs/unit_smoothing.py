# SPDX-License-Identifier: Apache-2.0
"""Does smoothing action units help? Mean F1 by half-width, with correct filters and with a public notebook's slip.

    python -m benchmarks unit-smoothing --data DATA

The notebook of the 7th ABAW found that smoothing action units hurts (F1 0.491 without, 0.446 at d = 1, 0.361 at
d = 10), but its sums of action units were never divided by the weights. Here the same numbers go through three filters:
the box mean, the Gaussian kernel (sigma 1e5), and the kernel without the division.

Two kinds of tracks. *Simulated*: each unit is present for a time and absent for a time, both geometric; its logit is a
step of fixed height plus errors of which a part lasts for about 10 frames. *Clips*: real videos of DATA; what the
bundle predicts for a face in full quality, by its thresholds, counts as the truth, and its predictions for the same
face at 20 px with noise and jitter, new in every frame, are smoothed. Units that are present or absent in fewer than
20 frames are left out.

Units are present from 0.5 on, as the challenges score, and beside it from one threshold per unit that is tuned on the
same frames for every half-width, as publications do: a filter moves probabilities towards their mean, so at a fixed
threshold it also changes how many units are present.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks import create_parser
from benchmarks.page import table
from mien.affect import Analyzer, box_mean, gaussian_mean
from mien.evaluation import search_thresholds
from mien.inference import DEFAULT_BUNDLE
from mien.media import cut_box
from mien.metrics import LabelCounts

_NAME = "unit-smoothing"
HALF_WIDTHS = (0, 1, 2, 3, 5, 10, 25, 50)
_SIGMA = 1e5
_CLIPS = ("single_face.mp4", "cry_to_laugh.mp4", "webcam_talk.mp4")
_SMALL_PX, _NOISE = 20, 12.0
_LEAST_FRAMES = 20
_SEEDS = 3

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Track = tuple[Bools, Doubles]
"""(T, A) whether a unit is present, and (T, A) its predicted probability."""


def undivided_sums(values: Doubles, half_width: int) -> Doubles:
    """The Gaussian kernel without the division by the sum of its weights, as in the notebook's loop over units."""
    frames = np.arange(len(values))
    total = np.zeros(len(values))
    for offset in range(-half_width, half_width + 1):
        inside = (frames + offset >= 0) & (frames + offset < len(values))
        total += np.where(inside, np.exp(-(offset**2) / _SIGMA), 0.0)
    return gaussian_mean(values, frames, half_width, _SIGMA) * total[:, None]


FILTERS: Mapping[str, Callable[[Doubles, int], Doubles]] = {
    "box mean": box_mean,
    "gaussian kernel": lambda values, d: gaussian_mean(values, np.arange(len(values)), d, _SIGMA),
    "kernel without the division": undivided_sums,
}
"""Name -> filter of (T, A) probabilities by half-width."""


def simulate(seed: int, *, n_frames: int = 4000, n_units: int = 12, mean_frames: int = 60) -> Track:
    """One long track of units that come and go.

    Args:
        seed: Seed of everything random.
        n_frames: Number of frames T.
        n_units: Number of units A.
        mean_frames: Mean number of frames for which a unit is present; it is absent three times as long.
    """
    rng = np.random.default_rng(seed)
    present = np.zeros((n_frames, n_units), dtype=bool)
    lasting = np.zeros((n_frames, n_units))
    state = rng.random(n_units) < 0.25
    error = rng.normal(size=n_units)
    for frame in range(n_frames):
        leave = np.where(state, 1 / mean_frames, 1 / (3 * mean_frames))
        state = state ^ (rng.random(n_units) < leave)
        error = 0.9 * error + rng.normal(size=n_units) * (1 - 0.9**2) ** 0.5
        present[frame], lasting[frame] = state, error
    logits = np.where(present, 1.2, -1.2) + 1.0 * lasting + 1.2 * rng.normal(size=present.shape)
    return present, 1 / (1 + np.exp(-logits))


def degrade(face: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A face at 20 px with noise, slightly turned and shifted."""
    height, width = face.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), rng.normal(0, 3), 1 + rng.normal(0, 0.04))
    matrix[:, 2] += rng.normal(0, 0.03, 2) * (width, height)
    moved = cv2.warpAffine(face, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    small = cv2.resize(moved, (_SMALL_PX, _SMALL_PX), interpolation=cv2.INTER_AREA)
    noisy = np.clip(small + rng.normal(0, _NOISE, small.shape), 0, 255)
    return np.asarray(noisy, dtype=np.uint8)


def clip_track(analyzer: Analyzer, path: Path, seed: int) -> Track:
    """The main face of a clip in full quality, as truth, and its degraded predictions."""
    rng = np.random.default_rng(seed)
    limits = analyzer.spec.action_unit_thresholds
    clean, degraded = [], []
    for frame in analyzer.video(path, images=True):
        if not len(frame.faces) or frame.image is None:
            continue
        boxes = frame.faces.boxes
        largest = int(((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).argmax())
        face = cut_box(frame.image, boxes[largest])
        both = analyzer.crops([face, degrade(face, rng)]).action_units
        clean.append(both[0])
        degraded.append(both[1])
    truth = np.array(clean) >= np.array([limits.get(name, 0.5) for name in analyzer.action_unit_labels])
    return truth, np.array(degraded, dtype=np.float64)


def mean_f1(
    tracks: Sequence[Track], smooth: Callable[[Doubles, int], Doubles], half_width: int, *, tuned: bool = False
) -> float:
    """Mean F1 over the units of all tracks together, each track smoothed on its own.

    Args:
        tracks: Tracks of the same units.
        smooth: Filter of one track.
        half_width: Half-width of the filter.
        tuned: Whether units are present from thresholds tuned on these frames, else from 0.5 on.
    """
    truth = np.concatenate([present for present, _ in tracks])
    smoothed = np.concatenate([smooth(values, half_width) for _, values in tracks])
    enough = (truth.sum(axis=0) >= _LEAST_FRAMES) & ((~truth).sum(axis=0) >= _LEAST_FRAMES)
    if tuned:
        return search_thresholds(truth[:, enough], smoothed[:, enough]).mean_f1
    return float(LabelCounts.of_flags(truth[:, enough], smoothed[:, enough] >= 0.5).macro_f1)


def rows(tracks: Sequence[Track]) -> Iterator[list[str]]:
    """Cells of the table: the half-width, the mean F1 of each filter, and that of the box mean at tuned thresholds."""
    for half_width in HALF_WIDTHS:
        found = [mean_f1(tracks, smooth, half_width) for smooth in FILTERS.values()]
        found.append(mean_f1(tracks, box_mean, half_width, tuned=True))
        yield [str(half_width), *(f"{value:.4f}" for value in found)]


def main(arguments: Sequence[str]) -> int:
    """Print one table of the simulated tracks and one of the clips."""
    parser = create_parser(_NAME, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with video/, for the clips")
    parser.add_argument("--model", default=DEFAULT_BUNDLE, help="bundle of the clips (default: %(default)s)")
    options = parser.parse_args(arguments)
    heading = ("d", *FILTERS, "box mean, tuned thresholds")
    simulated = [simulate(seed) for seed in range(_SEEDS)]
    print(f"Simulated, {_SEEDS} tracks of {len(simulated[0][0])} frames, mean F1 of {simulated[0][0].shape[1]} units\n")
    print("\n".join(table(heading, rows(simulated))))
    analyzer = Analyzer(options.model)
    clips = [clip_track(analyzer, options.data / "video" / name, seed) for seed, name in enumerate(_CLIPS)]
    n_frames = sum(len(truth) for truth, _ in clips)
    print(f"\n{len(clips)} clips, {n_frames} frames with a face, {analyzer.spec.name}\n")
    print("\n".join(table(heading, rows(clips))))
    return 0
