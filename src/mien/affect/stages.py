# SPDX-License-Identifier: Apache-2.0
"""What passes from one stage of `mien.affect.Analyzer` to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mien.faces import Detections

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False, kw_only=True)
class RawFrame:
    """What the net says of the N >= 0 faces of one frame, before any activation.

    Attributes:
        index: as `mien.core.Frame.index`.
        time_s: as `mien.core.Frame.time_s`.
        track_ids: (N,) int64.
        outputs: output name -> (N, ...) float32; empty where there is no face.
    """

    index: int
    time_s: float
    track_ids: npt.NDArray[np.int64]
    outputs: Mapping[str, npt.NDArray[np.float32]]


class FoundFaces(NamedTuple):
    """The faces of one image on their way through the stages.

    Attributes:
        detections: N >= 0 faces.
        track_ids: (N,), -1 where nothing is tracked.
        crops: (N, S, S) or (N, S, S, 3) uint8, as the bundle wants them.
        quality: (N,) in [0, 1].
    """

    detections: Detections
    track_ids: npt.NDArray[np.int64]
    crops: Image
    quality: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SeenFrame:
    """A frame whose faces are found; its pixels only where somebody wants them."""

    index: int
    time_s: float
    found: FoundFaces
    image: Image | None


def rows_of(batch: Sequence[FoundFaces]) -> list[slice]:
    """Where the faces of each image stand among those of all."""
    stops = np.cumsum([len(found.detections) for found in batch]).tolist()
    return [slice(start, stop) for start, stop in zip([0, *stops[:-1]], stops, strict=True)]
