# SPDX-License-Identifier: Apache-2.0
"""Pictures with what a landmark teacher saw in them, and the batches of loose crops that an epoch shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mien.datasets import LandmarkFaces
from mien.training.cache import cache_pictures
from mien.training.landmarks.crops import LooseCrops
from mien.training.landmarks.losses import Targets
from mien.training.landmarks.recipe import PointsRecipe
from mien.training.pictures import PictureReader, Pictures

Doubles = npt.NDArray[np.float64]

# The largest pictures of the open sets; crops are far smaller.
_MAX_SIDE_PX = 224

_SMALL_SOURCE = "ferplus"  # pictures of 48 px
_BATCHES_AHEAD = 8


@dataclass(frozen=True, eq=False, kw_only=True)
class Lessons:
    """N gray pictures of one face each.

    Attributes:
        pictures: (H, W) uint8.
        points: (N, 68, 2) fractions of the pictures' width and height.
        pose_rad: (N, 3).
        eyes_open: (N, 2).
        source: (N,) name of the set of each.
    """

    pictures: PictureReader
    points: npt.NDArray[np.float32]
    pose_rad: npt.NDArray[np.float32]
    eyes_open: npt.NDArray[np.float32]
    source: npt.NDArray[np.str_]

    @classmethod
    def of(cls, faces: LandmarkFaces, cache: Path) -> Lessons:
        """The faces with their pictures decoded in a cache; those that cannot be decoded are left out.

        Raises:
            OutputError: the cache cannot be written.
            DatasetError: no picture at all can be decoded.
        """
        decoded = cache_pictures(Pictures.of(faces.names, faces.images, "gray"), cache, _MAX_SIDE_PX)
        rows = np.flatnonzero(decoded.readable)
        names = tuple(decoded.names[row] for row in rows)
        pictures = type(decoded)(names, decoded.pixels, decoded.index[rows])
        kept = faces.take(rows)
        return cls(
            pictures=pictures,
            points=kept.points,
            pose_rad=kept.pose_rad,
            eyes_open=kept.eyes_open,
            source=kept.source,
        )

    def __len__(self) -> int:
        return len(self.points)

    def points_px(self, row: int) -> Doubles:
        """(68, 2) pixels in the picture, the first pixel's centre at 0."""
        return np.asarray(self.points[row] * np.array(self.pictures[row].shape[1::-1], np.float64) - 0.5)

    def batch(self, recipe: PointsRecipe, epoch: int, step: int) -> tuple[Tensor, Targets]:
        """Crops (B, S, S, 1) uint8 and their targets; the same step is the same batch, whatever came before."""
        rng = np.random.default_rng([recipe.seed, epoch, step])
        draw = LooseCrops(recipe.input_px, rng, recipe.no_face)
        rows = self._order(recipe, epoch)[step * recipe.batch : (step + 1) * recipe.batch]
        samples = [
            draw(
                np.asarray(self.pictures[row]),
                self.points_px(row),
                self.pose_rad[row].astype(np.float64),
                self.eyes_open[row].astype(np.float64),
            )
            for row in rows.tolist()
        ]
        crops = torch.from_numpy(np.stack([sample.crop for sample in samples])[..., None])
        columns = (
            [sample.points.ravel() for sample in samples],
            [sample.pose_rad for sample in samples],
            [sample.eyes_open for sample in samples],
            [np.asarray(sample.face) for sample in samples],
        )
        return crops, Targets(*(torch.from_numpy(np.stack(column).astype(np.float32)) for column in columns))

    def batches(self, recipe: PointsRecipe, epoch: int, workers: int = 0) -> Iterator[tuple[Tensor, Targets]]:
        """The batches of an epoch and of all that follow, drawn by processes of their own where there are workers."""
        n_steps = self.n_steps(recipe)
        steps = [(number, step) for number in range(epoch, recipe.epochs) for step in range(n_steps)]
        loader = DataLoader(
            _Batches(self, recipe, steps),
            batch_size=None,
            num_workers=workers,
            multiprocessing_context="spawn" if workers else None,  # OpenCV's threads do not survive a fork
            prefetch_factor=_BATCHES_AHEAD if workers else None,
            worker_init_fn=_one_thread,
        )
        return iter(loader)

    def n_steps(self, recipe: PointsRecipe) -> int:
        """Full batches of an epoch."""
        return len(self._order(recipe, 0)) // recipe.batch

    def _order(self, recipe: PointsRecipe, epoch: int) -> npt.NDArray[np.intp]:
        """The rows that an epoch shows, in its order."""
        rng = np.random.default_rng([recipe.seed, epoch])
        small = np.flatnonzero(self.source == _SMALL_SOURCE)
        left_out = rng.permutation(small)[round(len(small) * recipe.small_share) :]
        return rng.permutation(np.delete(np.arange(len(self)), left_out))


class _Batches(Dataset[tuple[Tensor, Targets]]):
    """The batches of (epoch, step) pairs."""

    def __init__(self, lessons: Lessons, recipe: PointsRecipe, steps: Sequence[tuple[int, int]]) -> None:
        self._lessons, self._recipe, self._steps = lessons, recipe, steps

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, number: int) -> tuple[Tensor, Targets]:
        return self._lessons.batch(self._recipe, *self._steps[number])


def _one_thread(_: int) -> None:
    cv2.setNumThreads(1)  # the cores belong to the training
