# SPDX-License-Identifier: Apache-2.0
"""A head over single frames on stored vectors (of crops, sound or OpenFace), as a model of `TablePredictor`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mien.affect import align_audio, fill_gaps
from mien.core import (
    INTENSITY_LABELS,
    Bools,
    ConfigError,
    Float64,
    Floats,
    HeadInput,
    HeadSpec,
    Indices,
    InputError,
    ModelError,
)
from mien.datasets import base_video
from mien.inference import Head, load_head
from mien.results import FeatureArrays, FeatureSet, open_features

_ROWS_A_BATCH = 8192


def sound_rows(sound: FeatureArrays, track: str, n_frames: int) -> Indices:
    """Stored row of the sound that belongs to each frame of a video; `X`, `X_left` and `X_right` share that of `X`.

    Args:
        sound: Vectors of an extraction of sound; a source is recognised by its file name without ending.
        track: Name of a track or a video.
        n_frames: Number of frames of the video, not of the track.

    Returns:
        (n_frames,) indices.

    Raises:
        InputError: There is no sound of that video, or sound of several videos of one name.
    """
    wanted = base_video(track)
    names = [name for name in sound.sources if _stem(name) == wanted]
    if len(names) != 1:
        raise InputError(f"{track}: {len(names)} sources are called {wanted}; there must be one with sound")
    rows = sound.rows_of(names[0])
    return rows[align_audio(len(rows), n_frames)]


def _stem(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]


class HeadOnFrames:
    """A model of `TablePredictor`: a head over frames and the shards of the vectors that it takes.

    Vectors of sound are aligned to the frames of the list, whose last one counts as the last of the video. Vectors of
    official crops are found by track and frame, and frames without a crop are interpolated. Frames in which OpenFace
    failed are unknown: a blend leaves them to the other models.

    Args:
        head: Folder of the head.
        features: Folders of shards; each input of the head takes those of the model that it was trained on.

    Raises:
        ConfigError: The head is one over clips.
        ModelError: The head is damaged, or no folder holds the vectors of one of its inputs.
        InputError: A folder holds no shards.
    """

    def __init__(self, head: str | Path, features: Sequence[str | Path]) -> None:
        self.folder = Path(head)
        self._head: Head = load_head(head)
        spec = self._head.spec
        if spec.task in INTENSITY_LABELS:
            raise ConfigError(f"{spec.name} is a head over clips and predicts {spec.task}, not single frames")
        opened = [open_features(folder) for folder in features]
        self._stored = [(wanted, _of_input(wanted, opened, spec.name)) for wanted in spec.inputs]
        self._arrays: list[FeatureArrays] | None = None

    @property
    def name(self) -> str:
        """Name of the head."""
        return self._head.spec.name

    @property
    def spec(self) -> HeadSpec:
        """Description of the head."""
        return self._head.spec

    @property
    def place(self) -> str:
        """The folder, for messages."""
        return str(self.folder)

    def missing(self, columns: Sequence[str], videos: object) -> tuple[str, ...]:  # noqa: ARG002 - as of tables
        """Columns that the head does not predict."""
        return tuple(name for name in columns if name not in self.columns)

    @property
    def task(self) -> str:
        """Task of the head as `TaskDecoder.task` has it."""
        return {"expression": "expr", "valence_arousal": "va", "action_units": "au"}[self._head.spec.task]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the table columns that the head predicts."""
        spec = self._head.spec
        prefix = "expression_" if spec.task == "expression" else ""
        return tuple(f"{prefix}{label}" for label in spec.labels)

    def digests(self) -> Iterator[str]:
        """SHA-256 of the head and of the models of its vectors."""
        yield self._head.spec.sha256
        yield from (wanted.digest for wanted in self._head.spec.inputs)

    def scores(self, columns: Sequence[str], track: str, n_frames: int) -> Float64:
        """(n_frames, C) probabilities or values of one track; NaN in frames that the head cannot know.

        Args:
            columns: Names of the wanted columns; those that the head lacks are NaN.
            track: Name of the track.
            n_frames: Number of frames.

        Raises:
            InputError: There is no sound of the video.
        """
        rows = self._rows(track, n_frames)
        known = np.flatnonzero((rows >= 0).all(axis=0))
        result = np.full((n_frames, len(columns)), np.nan)
        if not len(known):
            return result
        values = np.concatenate([self._run(rows[:, known[i : i + _ROWS_A_BATCH]]) for i in self._starts(len(known))])
        own = np.full((len(known), len(columns)), np.nan)
        for place, column in enumerate(columns):
            if column in self.columns:
                own[:, place] = values[:, self.columns.index(column)]
        if any(stored.info.settings.get("openface") for _, stored in self._stored):
            result[known] = own
            return result
        return fill_gaps(known, own, np.arange(n_frames))

    def knows(self, track: str, n_frames: int) -> Bools:
        """(n_frames,) frames for which every input has a vector.

        Raises:
            InputError: There is no sound of the video.
        """
        return np.asarray((self._rows(track, n_frames) >= 0).all(axis=0))

    def has_vectors(self, track: str) -> bool:
        """Whether every input has a vector of the track, or sound of its video, at all."""
        return all(
            bool(stored.info.settings.get("audio")) or len(arrays.rows_of(track)) > 0
            for arrays, (_, stored) in zip(self._opened(), self._stored, strict=True)
        )

    def _opened(self) -> list[FeatureArrays]:
        if self._arrays is None:
            self._arrays = [stored.mapped() for _, stored in self._stored]
        return self._arrays

    def _rows(self, track: str, n_frames: int) -> Indices:
        """(I, n_frames) stored row of each input, -1 without one."""
        return np.stack(
            [
                _rows_of_track(arrays, stored, track, n_frames)
                for arrays, (_, stored) in zip(self._opened(), self._stored, strict=True)
            ]
        )

    def _starts(self, n: int) -> range:
        return range(0, n, _ROWS_A_BATCH)

    def _run(self, rows: Indices) -> Float64:
        parts: list[Floats] = [
            np.asarray(getattr(arrays, wanted.part)[own], np.float32)
            for arrays, own, (wanted, _) in zip(self._opened(), rows, self._stored, strict=True)
        ]
        return _activated(self._head.spec.task, np.asarray(self._head.run(np.concatenate(parts, axis=1)), np.float64))


def _activated(task: str, raw: Float64) -> Float64:
    """Probabilities from the logits of a head; valence and arousal are clipped to their range."""
    if task == "expression":
        shares = np.exp(raw - raw.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))
    return np.clip(raw, -1, 1) if task == "valence_arousal" else np.asarray(1 / (1 + np.exp(-raw)))


def _of_input(wanted: HeadInput, opened: Sequence[FeatureSet], name: str) -> FeatureSet:
    for stored in opened:
        n = stored.info.n_features if wanted.part == "features" else len(stored.info.score_names)
        if (stored.info.digest, n) == (wanted.digest, wanted.n):
            return stored
    given = [f"{stored.info.made_by} {stored.info.digest[:12]}" for stored in opened] or "none"
    raise ModelError(
        f"{name} was trained on the {wanted.part} of {wanted.made_by} ({wanted.digest[:12]}, {wanted.n} numbers); the "
        f"folders of features have {given}"
    )


def _rows_of_track(arrays: FeatureArrays, stored: FeatureSet, track: str, n_frames: int) -> Indices:
    """(n_frames,) stored row of each frame from 1 on, -1 without one."""
    settings = stored.info.settings
    if settings.get("audio"):
        return sound_rows(arrays, track, n_frames)
    if not (settings.get("crops") or settings.get("openface")):
        raise InputError(
            f"{stored.folder}: the vectors are neither of official crops nor of sound nor of OpenFace; extract them"
            " with mien features --crops"
        )
    found = np.full(n_frames, -1, np.intp)
    rows = arrays.rows_of(track)
    rows = rows[(arrays.frame[rows] >= 1) & (arrays.frame[rows] <= n_frames)]
    found[arrays.frame[rows] - 1] = rows
    return found
