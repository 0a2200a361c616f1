# SPDX-License-Identifier: Apache-2.0
"""Heads over whole clips as answers: one or several on stored vectors, blended emotion by emotion."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.affect import ClipVectors, IntensityReader
from mien.core import INTENSITY_LABELS, ConfigError, InputError
from mien.datasets import ClipSamples, FrameSamples, ImageSamples
from mien.evaluation.challenge.submission_formats import SubmissionFormat
from mien.inference import Head, load_head
from mien.results import open_features

Floats = npt.NDArray[np.float64]


class HeadsOnFeatures:
    """A predictor: heads that `mien train` wrote for whole clips, on the shards that `mien features` wrote.

    Args:
        heads: folders.
        features: folders of the shards; each head finds its own by what made them.
        weights: emotion -> one share per head, or the task's name for all emotions that are not named; equal ones
            without. A head that has no vector of a clip, as no face was found, leaves its share to the others.

    Raises:
        ConfigError: there is no head, or the weights do not fit.
        ModelError: a head is damaged.
        InputError: a folder holds no shards.
    """

    def __init__(
        self,
        heads: Sequence[str | Path],
        features: Sequence[str | Path],
        *,
        weights: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        if not heads or not features:
            raise ConfigError("at least one head and one folder of features are needed")
        self._heads: tuple[Head, ...] = tuple(load_head(folder) for folder in heads)
        self._features = tuple(open_features(folder) for folder in features)
        self._weights = {name: np.asarray(shares, np.float64) for name, shares in (weights or {}).items()}
        for name, shares in self._weights.items():
            if shares.shape != (len(self._heads),) or (shares < 0).any() or abs(shares.sum() - 1) > 1e-9:
                raise ConfigError(f"{name}: {len(self._heads)} heads need as many shares >= 0 that sum to 1")

    @property
    def name(self) -> str:
        """Names of the heads."""
        return " + ".join(head.spec.name for head in self._heads)

    @property
    def digest(self) -> str:
        """SHA-256 over those of the heads."""
        return hashlib.sha256("".join(head.spec.sha256 for head in self._heads).encode()).hexdigest()

    def of_frames(self, form: SubmissionFormat, samples: FrameSamples) -> Floats:
        """Refused: a clip has one answer.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"{self.name} answers whole clips, not {form.name} of {samples.dataset}")

    def of_images(self, form: SubmissionFormat, samples: ImageSamples) -> Floats:
        """Refused: a clip has one answer.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"{self.name} answers whole clips, not {form.name} of {samples.dataset}")

    def of_clips(self, form: SubmissionFormat, samples: ClipSamples) -> Floats:
        """Predictions to the clips of a data set; see `of_names`."""
        return self.of_names(form, samples.names)

    def of_names(self, form: SubmissionFormat, names: Sequence[str]) -> Floats:
        """(N, entries) intensities of clips by their names, which are the file names of the shards without ending.

        Raises:
            ConfigError: the form is not of clips, or a weight is of no emotion of it.
            ModelError: a head is of another task, or there are no vectors of what it was trained on.
            InputError: a clip has no vector for any head.
        """
        labels = INTENSITY_LABELS.get(form.name)
        if labels is None:
            raise ConfigError(f"heads over clips answer {', '.join(INTENSITY_LABELS)}, not {form.name}")
        strange = sorted(set(self._weights) - {form.name, *labels})
        if strange:
            raise ConfigError(f"weights of {strange} are of no emotion of {form.name}: {', '.join(labels)}")
        vectors = self._vectors(names)
        answers = np.stack([IntensityReader(form.name, head)(vectors, n_clips=len(names)) for head in self._heads])
        known: npt.NDArray[np.bool_] = np.asarray(np.isfinite(answers).all(axis=2))
        if not known.any(axis=0).all():
            row = int((~known.any(axis=0)).argmax())
            raise InputError(f"{int((~known.any(axis=0)).sum())} clips have no vector, the first is {names[row]}")
        columns = [self._blend(answers[:, :, k], known, label, form.name) for k, label in enumerate(labels)]
        return np.stack(columns, axis=1)

    def _blend(self, answers: npt.NDArray[np.floating], known: npt.NDArray[np.bool_], label: str, task: str) -> Floats:
        equal = np.full(len(self._heads), 1 / len(self._heads))
        shares = self._weights.get(label, self._weights.get(task, equal))
        weight = shares[:, None] * known
        # Where the heads that have a say are all without a vector, those that have one decide.
        weight = np.where(weight.sum(axis=0) > 0, weight, known)
        return np.asarray((weight * np.nan_to_num(answers)).sum(axis=0) / weight.sum(axis=0), dtype=np.float64)

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
