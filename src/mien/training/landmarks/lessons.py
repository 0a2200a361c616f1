# SPDX-License-Identifier: Apache-2.0
"""Pictures with what a landmark teacher saw in them, and the batches of loose crops that an epoch shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mien.datasets import LandmarkFaces
from mien.training.cache import cache_pictures
from mien.training.landmarks.crops import LooseCrops, loose_matrix
from mien.training.landmarks.losses import Targets
from mien.training.landmarks.recipe import PointsRecipe
from mien.training.pictures import PictureReader, Pictures

Doubles = npt.NDArray[np.float64]

# The largest pictures of the open sets; crops are far smaller.
_MAX_SIDE_PX = 224

_EVERY = 20  # faces that the mean place of the points is taken from


@dataclass(frozen=True, eq=False, kw_only=True)
class Lessons:
    """N gray pictures of one face each.

    Attributes:
        pictures: (H, W) uint8.
        points: (N, 68, 2) fractions of the pictures' width and height.
        pose_rad: (N, 3).
        eyes_open: (N, 2).
    """

    pictures: PictureReader
    points: npt.NDArray[np.float32]
    pose_rad: npt.NDArray[np.float32]
    eyes_open: npt.NDArray[np.float32]

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
        return cls(pictures=pictures, points=kept.points, pose_rad=kept.pose_rad, eyes_open=kept.eyes_open)

    def __len__(self) -> int:
        return len(self.points)

    def points_px(self, row: int) -> Doubles:
        """(68, 2) pixels in the picture, the first pixel's centre at 0."""
        return np.asarray(self.points[row] * np.array(self.pictures[row].shape[1::-1], np.float64) - 0.5)

    def mean_points(self, size_px: int) -> Tensor:
        """(136,) where the points lie on average in a loose crop, fractions of its side."""
        placed = []
        for row in range(0, len(self), _EVERY):
            points = self.points_px(row)
            matrix = loose_matrix(points, size_px)
            placed.append((points @ matrix[:, :2].T + matrix[:, 2] + 0.5) / size_px)
        return torch.tensor(np.mean(placed, axis=0).ravel(), dtype=torch.float32)

    def batches(self, recipe: PointsRecipe, epoch: int) -> Iterator[tuple[Tensor, Targets]]:
        """Crops (B, S, S, 1) uint8 and their targets; the same epoch is the same batches, whatever came before."""
        rng = np.random.default_rng([recipe.seed, epoch])
        draw = LooseCrops(recipe.input_px, rng, recipe.no_face)
        order = rng.permutation(len(self))
        for step in range(self.n_steps(recipe)):
            rows = order[step * recipe.batch : (step + 1) * recipe.batch]
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
            yield crops, Targets(*(torch.from_numpy(np.stack(column).astype(np.float32)) for column in columns))

    def n_steps(self, recipe: PointsRecipe) -> int:
        """Full batches of an epoch."""
        return len(self) // recipe.batch
