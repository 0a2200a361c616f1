# SPDX-License-Identifier: Apache-2.0
"""Generated EMI and ERI trees with planted signals: do the recipes, heads and blends find what is known to be there?

EMI: the scores of the faces carry four emotions and the sound carries four, one of them both; each is drowned in noise.
ERI: the scores of a clip rise or fall in time with the emotion; mean, deviation, minimum and maximum are those of the
reversed clip.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.systems.gains import Gain, mean_pearson_of, paired_gain
from mien.affect import blend_per_column, search_blend_per_column
from mien.core import Float64, Floats
from mien.datasets import EMI_EMOTIONS, ERI_EMOTIONS, load_dataset
from mien.evaluation import PREDICTION_FORMATS, HeadsOnFeatures
from mien.metrics import pearson
from mien.results import FeatureInfo, FeatureWriter, FrameVectors, atomic_write
from mien.training import ComputeSettings, train

logger = logging.getLogger(__name__)

N_TRAIN, N_VALID = 3000, 2000

_FACE_EMOTIONS, _SOUND_EMOTIONS = (0, 1, 4, 5), (2, 3, 4, 5)
_N_SCORES, _N_SOUND, _N_REACTION = 10, 24, 22
_N_FRAMES, _EVERY_FACE, _EVERY_REACTION = 12, 5, 25


def run_clips(work: Path, seeds: tuple[int, ...], compute: ComputeSettings) -> None:
    """Generate the trees and train the heads that are missing."""
    for seed in seeds:
        for task, recipes in (("emi", ("emi-faces", "emi-audio")), ("eri", ("eri-sequence", "eri-statistics"))):
            folder = work / "clips" / task / f"{seed}"
            if all((folder / f"{recipe}.npz").is_file() for recipe in recipes):
                continue
            logger.info("planted %s, seed %d", task, seed)
            if task == "emi":
                write_emi(folder, seed)
            else:
                write_eri(folder, seed)
            for recipe in recipes:
                head = folder / recipe
                if not (head / "head.json").is_file():
                    train(recipe, folder, head, compute, seed=seed)
                _keep_predictions(task, folder, head)


def _keep_predictions(task: str, folder: Path, head: Path) -> None:
    shards = [place for place in (folder / "features", folder / "features-audio") if place.is_dir()]
    samples = load_dataset(task, folder, "valid")
    predicted = HeadsOnFeatures([head], shards).predict_clips(PREDICTION_FORMATS[task], samples)
    with atomic_write(folder / f"{head.name}.npz") as file:
        np.savez(file, truth=samples.intensities, predicted=predicted)


def write_emi(folder: Path, seed: int) -> None:
    """A tree of EMI with feature shards of faces and of sound."""
    rng = np.random.default_rng([seed, 0])
    n = N_TRAIN + N_VALID
    intensities = rng.random((n, len(EMI_EMOTIONS)))
    _write_emi_lists(folder, intensities)
    mixing = rng.normal(size=(len(EMI_EMOTIONS), _N_SCORES))
    mixing[np.setdiff1d(np.arange(len(EMI_EMOTIONS)), _FACE_EMOTIONS)] = 0
    faces = _drowned(intensities @ mixing, 1.2, rng)
    info = FeatureInfo(
        made_by="planted", digest="1" * 64, n_features=1, score_names=tuple(f"expression.{i}" for i in range(_N_SCORES))
    )
    _write_shards(folder / "features", info, faces, _EVERY_FACE)
    mixing = rng.normal(size=(len(EMI_EMOTIONS), _N_SOUND))
    mixing[np.setdiff1d(np.arange(len(EMI_EMOTIONS)), _SOUND_EMOTIONS)] = 0
    sound = _drowned(intensities @ mixing, 1.6, rng)
    _write_shards(
        folder / "features-audio", FeatureInfo(made_by="sound", digest="2" * 64, n_features=_N_SOUND), sound, 1
    )


def write_eri(folder: Path, seed: int) -> None:
    """A tree of ERI with feature shards whose only signal is an order in time."""
    rng = np.random.default_rng([seed, 1])
    n = N_TRAIN + N_VALID
    intensities = rng.random((n, len(ERI_EMOTIONS)))
    time = np.linspace(-1, 1, _N_FRAMES)
    values = rng.normal(size=(n, _N_FRAMES, _N_REACTION))
    for emotion in range(len(ERI_EMOTIONS)):
        for column in range(emotion, _N_REACTION, len(ERI_EMOTIONS)):
            # A clip that rises with probability p is, apart from its order, the clip that falls.
            rises = rng.random(n) < intensities[:, emotion]
            values[:, :, column] += np.where(rises, 1.0, -1.0)[:, None] * time * 1.5
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / "data_info.csv") as file:
        lines = [f"File_ID,Country,Split,{','.join(_spelled(name) for name in ERI_EMOTIONS)}\n"]
        for number, row in enumerate(intensities):
            split = "Train" if number < N_TRAIN else "Val"
            lines.append(f"[{number:05d}],Anywhere,{split},{','.join(f'{value:.6f}' for value in row)}\n")
        file.write("".join(lines).encode())
    names = tuple(f"expression.{i}" for i in range(_N_REACTION))
    info = FeatureInfo(made_by="planted", digest="3" * 64, n_features=1, score_names=names)
    _write_shards(folder / "features", info, values.astype(np.float32), _EVERY_REACTION)


def _spelled(name: str) -> str:
    """Name of an emotion in the file of the owners."""
    return "-".join(part.capitalize() for part in name.replace("-", " ").split())


def _drowned(signal: Float64, noise: float, rng: np.random.Generator) -> Floats:
    """(C, T, D) rows of each clip around its signal (C, D): noise of the clip, and of each row."""
    own = signal - signal.mean(axis=0)
    n_clips, width = own.shape
    clip = own + noise * rng.normal(size=own.shape)
    return (clip[:, None] + 0.5 * rng.normal(size=(n_clips, _N_FRAMES, width))).astype(np.float32)


def _write_emi_lists(folder: Path, intensities: Float64) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    heading = "Filename," + ",".join(name.title() for name in EMI_EMOTIONS)
    for split, rows in (("train", range(N_TRAIN)), ("valid", range(N_TRAIN, N_TRAIN + N_VALID))):
        lines = [heading, *(f"{row:05d},{','.join(f'{v:.6f}' for v in intensities[row])}" for row in rows)]
        with atomic_write(folder / f"{split}_split.csv") as file:
            file.write(("\n".join(lines) + "\n").encode())


def _write_shards(folder: Path, info: FeatureInfo, values: Floats, every: int) -> None:
    with FeatureWriter(folder, info) as writer:
        for clip, rows in enumerate(values):
            source = f"mp4/{clip:05d}.mp4"
            if writer.is_done(source):
                continue
            for vectors in _frames(source, info, rows, every):
                writer.append(vectors)
            writer.finish(source, n_frames=len(rows) * every)


def _frames(source: str, info: FeatureInfo, rows: Floats, every: int) -> Iterator[FrameVectors]:
    has_scores = bool(info.score_names)
    for step, row in enumerate(rows):
        yield FrameVectors(
            source=source,
            frame=step * every,
            time_s=step * every / 25,
            tracks=np.zeros(1, np.int64),
            features=np.zeros((1, 1), np.float32) if has_scores else row[None],
            scores=row[None] if has_scores else np.empty((1, 0), np.float32),
        )


def clip_gains(work: Path, seeds: tuple[int, ...]) -> dict[str, tuple[Gain, ...]]:
    """Gains of the conditions ``emi`` and ``eri``; those without results are left out."""
    found: dict[str, tuple[Gain, ...]] = {}
    emi = [pair for seed in seeds if (pair := _pair(work, "emi", seed, ("emi-faces", "emi-audio")))]
    if emi:
        blended = [_cross_fitted(truth, both) for truth, both in emi]
        after = [mean_pearson_of(truth, own) for (truth, _), own in zip(emi, blended, strict=True)]
        found["emi"] = tuple(
            paired_gain(
                f"blend over {name}",
                after,
                [mean_pearson_of(truth, both[number]) for truth, both in emi],
                len(emi[0][0]),
            )
            for number, name in enumerate(("faces", "sound"))
        )
    eri = [pair for seed in seeds if (pair := _pair(work, "eri", seed, ("eri-sequence", "eri-statistics")))]
    if eri:
        sides = [[mean_pearson_of(truth, both[number]) for truth, both in eri] for number in range(2)]
        found["eri"] = (paired_gain("sequence over statistics", *sides, len(eri[0][0])),)
    return found


def _pair(work: Path, task: str, seed: int, recipes: tuple[str, str]) -> tuple[Floats, list[Floats]] | None:
    paths = [work / "clips" / task / f"{seed}" / f"{recipe}.npz" for recipe in recipes]
    if not all(path.is_file() for path in paths):
        return None
    stored = [dict(np.load(path, allow_pickle=False)) for path in paths]
    return stored[0]["truth"], [each["predicted"] for each in stored]


def _cross_fitted(truth: Floats, models: list[Floats]) -> Float64:
    """Blend of two models whose weights, one for each emotion, are chosen on the other half of the clips."""
    blended = np.empty(truth.shape)
    second = np.arange(len(truth)) % 2 == 1
    for scored in (second, ~second):
        chosen = search_blend_per_column(
            [model[~scored] for model in models],
            lambda column, values, rows=~scored: pearson(values, truth[rows, column]),
        )
        weights = [search.weights for search in chosen]
        blended[scored] = blend_per_column([model[scored] for model in models], weights)
    return blended
