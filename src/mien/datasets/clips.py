# SPDX-License-Identifier: Apache-2.0
"""`ClipSamples`: whole videos with one row of intensities each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError
from mien.datasets.counts import SplitCounts

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class ClipSamples:
    """N annotated videos.

    Attributes:
        dataset: name in `DATASETS`.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        names: N names as the data set writes them (``"00001"`` keeps its zeros).
        intensities: (N, K) float32 in [0, 1]; a row without labels is NaN.
        labels: K names of emotions.
        countries: N countries; empty where the set does not say.
        videos: N paths; None where the folder holds no such video.
        videos_found: whether the folder holds any video at all.
    """

    dataset: str
    split: str
    names: tuple[str, ...]
    intensities: Floats
    labels: tuple[str, ...]
    videos: tuple[Path | None, ...]
    videos_found: bool
    countries: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.names)
        shapes = (self.intensities.shape, len(self.videos), len(self.countries) or n)
        if shapes != ((n, len(self.labels)), n, n):
            raise ConfigError(f"{n} videos with {len(self.labels)} labels, but columns of {shapes}")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def valid_intensities(self) -> Bools:
        """(N,) videos with a label for every emotion."""
        valid: Bools = ~np.isnan(self.intensities.sum(axis=1))
        return valid

    def counts(self) -> SplitCounts:
        """Rows, videos and the mask; intensities have no classes."""
        n_videos = sum(video is not None for video in self.videos)
        return SplitCounts(
            n_rows=len(self),
            n_tracks=len(self),
            n_media=n_videos if self.videos_found else None,
            valid={"intensities": int(self.valid_intensities.sum())},
        )

    def groups(self) -> frozenset[str]:
        """The videos; the sets do not name the people."""
        return frozenset(self.names)

    def absent(self) -> tuple[Path, ...]:
        """Listed videos that the folder lacks although it holds others."""
        if not self.videos_found:
            return ()
        lacking = (name for name, video in zip(self.names, self.videos, strict=True) if video is None)
        return tuple(Path(f"{name}.mp4") for name in lacking)

    def notes(self) -> tuple[str, ...]:
        """Whether videos were found at all."""
        return () if self.videos_found else (f"{self.split}: no videos in the folder, so none was looked for",)
