# SPDX-License-Identifier: Apache-2.0
"""Ports of `extract_features`: an extractor of vectors, its inputs, and the form of vectors in shards."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mien.core import ModelSpec
from mien.inference import Bundle
from mien.results import FeatureInfo, FrameVectors, InputFailure

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FeatureSource:
    """One input of an extraction.

    Attributes:
        name: Name of the input in the shards.
        path: Path of the file, or of the folder of crops.
    """

    name: str
    path: Path


class VectorRun(Protocol):
    """Vectors of one opened input."""

    @property
    def n_expected(self) -> int | None:
        """Number of frames to expect; None if unknown."""

    @property
    def n_frames(self) -> int:
        """Number of frames processed so far, those of earlier runs included."""

    @property
    def messages(self) -> tuple[str, ...]:
        """Losses so far other than single frames, one sentence each."""

    def vectors(self) -> Generator[FrameVectors, None, None]:
        """The frames in ascending order, also those without a face.

        Raises:
            InputError: The input cannot be read, or not to its end.
        """


class Extractor(Protocol):
    """Turns inputs into vectors."""

    @property
    def info(self) -> FeatureInfo:
        """Description of the vectors."""

    def find(self, inputs: Sequence[str]) -> tuple[list[FeatureSource], list[InputFailure]]:
        """The inputs that names stand for, in order, and a failure for every name without a file."""

    def open(self, source: FeatureSource, after: int) -> VectorRun:
        """Open an input.

        Args:
            source: One of the inputs of `find`.
            after: Number of the last frame that an earlier run has stored; -1 for none.
        """


@dataclass(frozen=True)
class FaceVectors:
    """Converts the outputs of a bundle into vectors of shards.

    Attributes:
        spec: Description of the bundle.
        n_features: Length of its embedding.
    """

    spec: ModelSpec
    n_features: int

    @classmethod
    def of(cls, bundle: Bundle) -> FaceVectors:
        """The converter of a bundle, which is run once for the length of its embedding."""
        spec = bundle.spec
        if not spec.features:
            return cls(spec, 0)
        size = spec.input.size_px
        blank = np.zeros((1, size, size) if spec.input.n_channels == 1 else (1, size, size, 3), np.uint8)
        return cls(spec, bundle.run(blank)[spec.features].shape[1])

    def info(self, digest: str, *, float16: bool, settings: Mapping[str, Any]) -> FeatureInfo:
        """Description of the vectors in the shards.

        Raises:
            ConfigError: The bundle gives no embedding.
        """
        return FeatureInfo(
            made_by=self.spec.name,
            digest=digest,
            n_features=self.n_features,
            score_names=tuple(f"{task.task}.{label}" for task in self.spec.tasks for label in task.labels),
            dtype="float16" if float16 else "float32",
            settings=settings,
        )

    def frame(
        self, outputs: Mapping[str, Floats], *, source: str, frame: int, time_s: float, tracks: npt.NDArray[np.int64]
    ) -> FrameVectors:
        """Vectors of one frame; ``outputs`` is empty where the frame has no face."""
        n_scores = sum(len(task.labels) for task in self.spec.tasks)
        features, scores = np.empty((0, self.n_features), np.float32), np.empty((0, n_scores), np.float32)
        if outputs:
            features = outputs[self.spec.features]
            scores = np.concatenate([outputs[task.output] for task in self.spec.tasks], axis=1)
        return FrameVectors(source=source, frame=frame, time_s=time_s, tracks=tracks, features=features, scores=scores)

    def failed(self, source: str, frame: int, reason: str) -> FrameVectors:
        """Record of a frame that could not be read."""
        n_scores = sum(len(task.labels) for task in self.spec.tasks)
        return FrameVectors(
            source=source,
            frame=frame,
            time_s=float("nan"),
            tracks=np.empty(0, np.int64),
            features=np.empty((0, self.n_features), np.float32),
            scores=np.empty((0, n_scores), np.float32),
            failure=reason,
        )
