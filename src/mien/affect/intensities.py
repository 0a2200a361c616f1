# SPDX-License-Identifier: Apache-2.0
"""Intensities of whole clips: emotional mimicry (EMI) and emotional reaction (ERI), by a head that a user trains.

EMI is how strongly a person shows admiration, amusement, determination, empathic pain, excitement and joy while
imitating a clip (Hume-Vidmimic2); ERI how strongly one says to have reacted with adoration, amusement, anxiety,
disgust, empathic pain, fear and surprise (Hume-Reaction). Both are shares in [0, 1] of the largest rating given.
No weights for either come with mien: the data sets are given out on request only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.affect.sequences import clip_sequences
from mien.affect.statistics import clip_statistics
from mien.core import INTENSITY_LABELS, ConfigError, HeadInput, ModelError
from mien.inference import Head, load_head

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class ClipVectors:
    """The vectors of one kind for C clips.

    Attributes:
        digest: of the bundle or audio encoder that gave them, as the shards of `mien features` tell it.
        part: ``"features"`` or ``"scores"``.
        clips: (N,) number of each row's clip, from 0.
        frames: (N,) number of each row's frame or step.
        values: (N, D).
    """

    digest: str
    part: str
    clips: npt.NDArray[np.integer]
    frames: npt.NDArray[np.integer]
    values: npt.NDArray[np.floating]


class IntensityReader:
    """Reads the intensities of clips.

    Args:
        task: ``"emi"`` or ``"eri"``.
        head: folder of a head trained for it, or a loaded one.

    Raises:
        ConfigError: the task is unknown.
        ModelError: no head was given (mien has no weights of its own), or it is damaged or of another task.
    """

    def __init__(self, task: str, head: str | Path | Head | None = None) -> None:
        if task not in INTENSITY_LABELS:
            raise ConfigError(f"task must be one of {tuple(INTENSITY_LABELS)}, got {task!r}")
        if head is None:
            raise ModelError(
                f"no trained weights for {task} come with mien, and without them every answer would be noise; "
                "train a head on the data set and give its folder as head"
            )
        self._head = head if isinstance(head, Head) else load_head(head)
        if self._head.spec.task != task:
            raise ModelError(f"the head {self._head.spec.name} was trained for {self._head.spec.task}, not for {task}")
        self.labels = self._head.spec.labels

    def __call__(self, vectors: Sequence[ClipVectors], *, n_clips: int) -> Floats:
        """Intensities of C clips.

        Args:
            vectors: one for each input of the head, in any order.
            n_clips: C.

        Returns:
            (C, labels) in [0, 1]; NaN for a clip of which an input has no row.

        Raises:
            ModelError: an input is missing or comes from another model than the head was trained on.
            ConfigError: the arrays do not fit each other.
        """
        parts = []
        for wanted in self._head.spec.inputs:
            own = _find(wanted, vectors)
            parts.append(_stretch(wanted, own, n_clips))
        fed = np.concatenate(parts, axis=1)
        usable = ~np.isnan(fed).any(axis=1)
        answer = np.full((n_clips, len(self.labels)), np.nan, np.float32)
        if usable.any():
            answer[usable] = np.clip(self._head.run(fed[usable]), 0, 1)
        return answer


def _stretch(wanted: HeadInput, own: ClipVectors, n_clips: int) -> npt.NDArray[np.float64]:
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
