# SPDX-License-Identifier: Apache-2.0
"""Whole clips: statistics, fixed-length sequences, and intensities of emotional mimicry (EMI) and reaction (ERI)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.core import (
    INTENSITY_LABELS,
    ConfigError,
    Float32,
    Float64,
    Floats,
    HeadInput,
    Indices,
    Integers,
    ModelError,
)
from mien.inference import Head, load_head

STATISTICS = ("mean", "std", "min", "max")
"""Statistics of a clip, in the order of the columns of `clip_statistics`."""


def clip_statistics(
    clips: npt.ArrayLike, frames: npt.ArrayLike, values: npt.ArrayLike, *, n_clips: int, every: int = 1
) -> Float64:
    """Mean, standard deviation, minimum and maximum of each column over each clip.

    Ten scores become 40 numbers, 768 numbers of an audio model 3072. The standard deviation is that of the
    population. Savchenko's entry to the 6th ABAW uses every 5th frame of the video.

    Args:
        clips: (N,) number of each row's clip, from 0.
        frames: (N,) number of each row's frame.
        values: (N, D); half precision is converted to double first.
        n_clips: Number C of clips.
        every: Stride: only rows whose frame is a multiple are used.

    Returns:
        (C, 4 D): all means, then all standard deviations, minima, maxima. NaN where a clip has no such row.

    Raises:
        ConfigError: Shapes do not fit, a clip is out of range, or ``every`` is below 1.

    Examples:
        >>> clip_statistics([0, 0, 1], [0, 1, 0], [[1.0], [3.0], [5.0]], n_clips=2).tolist()
        [[2.0, 1.0, 1.0, 3.0], [5.0, 0.0, 5.0, 5.0]]
    """
    rows = np.asarray(values)
    result = np.full((n_clips, 4, rows.shape[-1]), np.nan)
    for clip, own in rows_of_clips(clips, frames, rows, n_clips=n_clips, every=every):
        part = np.asarray(rows[own], np.float64)
        result[clip] = part.mean(axis=0), part.std(axis=0), part.min(axis=0), part.max(axis=0)
    return result.reshape(n_clips, -1)


def rows_of_clips(
    clips: npt.ArrayLike, frames: npt.ArrayLike, values: Floats, *, n_clips: int, every: int
) -> Iterator[tuple[int, Indices]]:
    """Each clip with rows whose frame is a multiple of ``every``, and these rows in order.

    Iteration by clip keeps a memory-mapped array of millions of rows out of memory.

    Raises:
        ConfigError: As for `clip_statistics`.
    """
    number, frame = np.asarray(clips), np.asarray(frames)
    if values.ndim != 2 or number.shape != values.shape[:1] or frame.shape != number.shape:
        raise ConfigError(
            f"(N,) clips, (N,) frames, (N, D) values needed; got {number.shape, frame.shape, values.shape}"
        )
    if every < 1 or (number.size and not (number.min() >= 0 and number.max() < n_clips)):
        raise ConfigError(f"every must be at least 1 and clips in 0..{n_clips - 1}")
    chosen = np.flatnonzero(frame % every == 0)
    order = chosen[np.argsort(number[chosen], kind="stable")]
    present, starts = np.unique(number[order], return_index=True)
    for clip, own in zip(present, np.split(order, starts)[1:], strict=True):
        yield int(clip), own


def clip_sequences(
    clips: npt.ArrayLike, frames: npt.ArrayLike, values: npt.ArrayLike, *, n_clips: int, n_steps: int, every: int = 1
) -> Float64:
    """The middle rows of each clip, in the order of their frames, one after the other.

    A longer clip is trimmed equally at both ends (the odd row at the end), a shorter one repeats its last row, as in
    the entry of Oh et al. to the 5th ABAW (arXiv 2303.09240). Choose ``every`` so that the rows span the clip.

    Args:
        clips: (N,) number of each row's clip, from 0.
        frames: (N,) number of each row's frame; of several rows of one frame the first is used.
        values: (N, D); half precision is converted to double first.
        n_clips: Number C of clips.
        n_steps: Number T of rows of a sequence.
        every: Stride: only rows whose frame is a multiple are used.

    Returns:
        (C, T D): step after step. NaN where a clip has no such row.

    Raises:
        ConfigError: Shapes do not fit, a clip is out of range, or ``n_steps`` or ``every`` is below 1.

    Examples:
        >>> clips, frames, values = [0] * 4 + [1], [0, 1, 2, 3, 0], [[1.0], [2.0], [3.0], [4.0], [9.0]]
        >>> clip_sequences(clips, frames, values, n_clips=2, n_steps=2).tolist()
        [[2.0, 3.0], [9.0, 9.0]]
    """
    if n_steps < 1:
        raise ConfigError(f"n_steps must be at least 1, got {n_steps}")
    frame, rows = np.asarray(frames), np.asarray(values)
    result = np.full((n_clips, n_steps, rows.shape[-1]), np.nan)
    for clip, own in rows_of_clips(clips, frame, rows, n_clips=n_clips, every=every):
        _, first = np.unique(frame[own], return_index=True)
        start = max(0, (len(first) - n_steps) // 2)
        chosen = own[first[start : start + n_steps]]
        steps = np.minimum(np.arange(n_steps), len(chosen) - 1)
        result[clip] = np.asarray(rows[chosen], np.float64)[steps]
    return result.reshape(n_clips, -1)


@dataclass(frozen=True, eq=False, kw_only=True)
class ClipVectors:
    """The vectors of one kind for C clips.

    Attributes:
        digest: SHA-256 of the bundle or audio encoder that gave them, as stored in the shards of `mien features`.
        part: Part of the shards, ``"features"`` or ``"scores"``.
        clips: (N,) number of each row's clip, from 0.
        frames: (N,) number of each row's frame or step.
        values: (N, D).
    """

    digest: str
    part: str
    clips: Integers
    frames: Integers
    values: Floats


class IntensityPredictor:
    """Predicts the intensities of clips.

    Args:
        task: ``"emi"`` or ``"eri"``.
        head: Folder of a head that was trained for the task, or a loaded one.

    Raises:
        ConfigError: The task is unknown.
        ModelError: No head was given (mien has no weights of its own), or it is damaged or of another task.
    """

    def __init__(self, task: str, head: str | Path | Head | None = None) -> None:
        if task not in INTENSITY_LABELS:
            raise ConfigError(f"task must be one of {tuple(INTENSITY_LABELS)}, got {task!r}")
        if head is None:
            raise ModelError(
                f"no trained weights for {task} come with mien, and without them every prediction would be noise; "
                "train a head on the data set and give its folder as head"
            )
        self._head = head if isinstance(head, Head) else load_head(head)
        if self._head.spec.task != task:
            raise ModelError(f"the head {self._head.spec.name} was trained for {self._head.spec.task}, not for {task}")
        self.labels = self._head.spec.labels

    def __call__(self, vectors: Sequence[ClipVectors], *, n_clips: int) -> Float32:
        """Intensities of C clips.

        Args:
            vectors: Vectors for each input of the head, in any order.
            n_clips: Number C of clips.

        Returns:
            (C, labels) in [0, 1]; NaN for a clip of which an input has no row.

        Raises:
            ModelError: An input is missing or comes from another model than the head was trained on.
            ConfigError: The arrays do not fit each other.
        """
        parts = []
        for wanted in self._head.spec.inputs:
            own = _find(wanted, vectors)
            parts.append(_section(wanted, own, n_clips))
        fed = np.concatenate(parts, axis=1)
        usable = ~np.isnan(fed).any(axis=1)
        intensities = np.full((n_clips, len(self.labels)), np.nan, np.float32)
        if usable.any():
            intensities[usable] = np.clip(self._head.run(fed[usable]), 0, 1)
        return intensities


def _section(wanted: HeadInput, own: ClipVectors, n_clips: int) -> Float64:
    columns = own.clips, own.frames, own.values
    if wanted.steps:
        return clip_sequences(*columns, n_clips=n_clips, n_steps=wanted.steps, every=wanted.every)
    return clip_statistics(*columns, n_clips=n_clips, every=wanted.every)


def _find(wanted: HeadInput, vectors: Sequence[ClipVectors]) -> ClipVectors:
    for each in vectors:
        if (each.digest, each.part) == (wanted.digest, wanted.part) and each.values.shape[1:] == (wanted.n,):
            return each
    raise ModelError(
        f"the head was trained on the {wanted.part} of {wanted.made_by} ({wanted.digest[:12]}, {wanted.n} numbers); "
        f"given are {[(each.part, each.digest[:12], each.values.shape[1]) for each in vectors]}"
    )
