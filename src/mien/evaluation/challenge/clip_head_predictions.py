# SPDX-License-Identifier: Apache-2.0
"""`HeadsOnFeatures`: heads over clips on stored vectors, blended for each emotion."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from mien.affect import ClipVectors, IntensityPredictor
from mien.core import INTENSITY_LABELS, Bools, ConfigError, Float64, Floats, InputError
from mien.datasets import ClipSamples, FrameSamples, ImageSamples
from mien.evaluation.challenge.blending import Weights, complete_weights
from mien.evaluation.challenge.submission_formats import SubmissionFormat
from mien.inference import Head, load_head
from mien.results import open_features


class HeadsOnFeatures:
    """A predictor from heads over clips, on the feature shards that `mien features` wrote.

    Args:
        heads: Folders of the heads.
        features: Folders of the shards; each head takes those of the net that it was trained on.
        weights: Emotion, or the name of the task for all other emotions -> one weight per head, or that of the first
            of two; ``"bundle"`` for those that one of two heads names; None for equal ones. If a head has no vector of
            a clip, as no face was found, its weight goes to the others.

    Raises:
        ConfigError: There is no head, or the weights do not fit.
        ModelError: A head is damaged.
        InputError: A folder holds no shards.
    """

    def __init__(
        self,
        heads: Sequence[str | Path],
        features: Sequence[str | Path],
        *,
        weights: Weights | Literal["bundle"] | None = None,
    ) -> None:
        if not heads or not features:
            raise ConfigError("at least one head and one folder of features are needed")
        self._heads: tuple[Head, ...] = tuple(load_head(folder) for folder in heads)
        self._features = tuple(open_features(folder) for folder in features)
        complete = complete_weights(weights or {}, len(self._heads), [head.spec.blend for head in self._heads])
        self._weights = {name: np.asarray(values, np.float64) for name, values in complete.items()}

    @property
    def name(self) -> str:
        """Names of the heads."""
        return " + ".join(head.spec.name for head in self._heads)

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of the heads."""
        return hashlib.sha256("".join(head.spec.sha256 for head in self._heads).encode()).hexdigest()

    def predict_frames(self, task_format: SubmissionFormat, samples: FrameSamples) -> Float64:
        """Refused: a head over clips predicts no frames and no images.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"{self.name} predicts whole clips, not {task_format.name} of {samples.dataset}")

    def predict_images(self, task_format: SubmissionFormat, samples: ImageSamples) -> Float64:
        """Refused: a head over clips predicts no frames and no images.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"{self.name} predicts whole clips, not {task_format.name} of {samples.dataset}")

    def predict_clips(self, task_format: SubmissionFormat, samples: ClipSamples) -> Float64:
        """(N, F) intensities of the clips of a data set; see `predict_names`."""
        return self.predict_names(task_format, samples.names)

    def predict_names(self, task_format: SubmissionFormat, names: Sequence[str]) -> Float64:
        """(N, F) intensities of clips by name: the file name of a source in the shards, without its suffix.

        Raises:
            ConfigError: The format is not of clips, or a weight is for none of its emotions.
            ModelError: A head is for another task, or there are no vectors of the net that it was trained on.
            InputError: A clip has no vector for any head.
        """
        labels = INTENSITY_LABELS.get(task_format.name)
        if labels is None:
            raise ConfigError(f"heads over clips predict {', '.join(INTENSITY_LABELS)}, not {task_format.name}")
        unknown = sorted(set(self._weights) - {task_format.name, *labels})
        if unknown:
            raise ConfigError(f"weights for {unknown} fit no emotion of {task_format.name}: {', '.join(labels)}")
        vectors = self._vectors(names)
        intensities = np.stack(
            [IntensityPredictor(task_format.name, head)(vectors, n_clips=len(names)) for head in self._heads]
        )
        known: Bools = np.asarray(np.isfinite(intensities).all(axis=2))
        if not known.any(axis=0).all():
            row = int((~known.any(axis=0)).argmax())
            raise InputError(f"{int((~known.any(axis=0)).sum())} clips have no vector, the first is {names[row]}")
        columns = [self._blend(intensities[:, :, k], known, label, task_format.name) for k, label in enumerate(labels)]
        return np.stack(columns, axis=1)

    def _blend(self, intensities: Floats, known: Bools, label: str, task: str) -> Float64:
        equal = np.full(len(self._heads), 1 / len(self._heads))
        weights = self._weights.get(label, self._weights.get(task, equal))
        weight = weights[:, None] * known
        # If no head with a weight above 0 has a vector, all heads that have one count alike.
        weight = np.where(weight.sum(axis=0) > 0, weight, known)
        return np.asarray((weight * np.nan_to_num(intensities)).sum(axis=0) / weight.sum(axis=0), dtype=np.float64)

    def _vectors(self, names: Sequence[str]) -> list[ClipVectors]:
        number = {name: index for index, name in enumerate(names)}
        found: list[ClipVectors] = []
        for stored in self._features:
            rows = stored.mapped()
            clip = np.array([number.get(Path(source).stem, -1) for source in rows.sources], np.int64)[rows.source_index]
            own = np.flatnonzero(clip >= 0)
            for part in ("features", "scores"):
                values = getattr(rows, part)[own]
                found.append(
                    ClipVectors(
                        digest=stored.info.digest, part=part, clips=clip[own], frames=rows.frame[own], values=values
                    )
                )
        return found
