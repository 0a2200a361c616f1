# SPDX-License-Identifier: Apache-2.0
"""`UtteranceSamples`: utterances with text, sequences of features and any subset of three kinds of labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.core import Bools, Float32
from mien.datasets.samples import Column, RowColumns, SplitCounts, check_length, freeze_columns


@dataclass(frozen=True, eq=False, kw_only=True)
class UtteranceSamples(RowColumns):
    """N utterances. An unknown label is NaN.

    Attributes:
        dataset: Name in `DATASETS`.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        names: N names, unique within the set.
        places: N places in the table, such as ``"utterances.csv, line 3"``, for messages.
        speakers: N names of persons; the utterance's own where the set names none.
        texts: N texts; empty where only features are known.
        files: N paths of feature files by modality, in the order of ``modalities``; None where one is missing.
        modalities: Names of the modalities of features.
        emotions: (N, E) float32 0 or 1.
        emotion_labels: E names; none where the set has no emotions.
        sentiment: (N,) float32 in [-1, 1].
        sarcasm: (N,) float32 0 or 1.
    """

    row_columns = ("names", "places", "speakers", "texts", "files", "emotions", "sentiment", "sarcasm")

    dataset: str
    split: str
    names: tuple[str, ...]
    places: tuple[str, ...]
    speakers: tuple[str, ...]
    texts: tuple[str, ...]
    files: tuple[tuple[Path | None, ...], ...]
    modalities: tuple[str, ...]
    emotions: Float32
    emotion_labels: tuple[str, ...]
    sentiment: Float32
    sarcasm: Float32

    def __post_init__(self) -> None:
        n = len(self.names)
        for name in ("places", "speakers", "texts", "files"):
            check_length(name, getattr(self, name), n)
        columns: dict[str, Column] = {
            "emotions": ((n, len(self.emotion_labels)), np.float32, np.nan),
            "sentiment": ((n,), np.float32, np.nan),
            "sarcasm": ((n,), np.float32, np.nan),
        }
        freeze_columns(self, columns)

    @property
    def known(self) -> Mapping[str, Bools]:
        """Task -> (N,) utterances with a label of it."""
        emotions: Bools = np.asarray(np.isfinite(self.emotions).any(axis=1))
        return {"emotion": emotions, "sentiment": np.isfinite(self.sentiment), "sarcasm": np.isfinite(self.sarcasm)}

    def counts(self) -> SplitCounts:
        """Counts of utterances, speakers, labels and emotions."""
        present = np.nan_to_num(self.emotions).sum(axis=0)
        return SplitCounts(
            n_rows=len(self),
            n_tracks=len(set(self.speakers)),
            n_media=None,
            valid={task: int(rows.sum()) for task, rows in self.known.items()},
            classes={label: int(n) for label, n in zip(self.emotion_labels, present, strict=True)},
        )

    def groups(self) -> frozenset[str]:
        """Names of the speakers."""
        return frozenset(self.speakers)

    def absent(self) -> tuple[Path, ...]:
        """No path: a feature file that the table does not call missing is an error of the reader."""
        return ()

    def notes(self) -> tuple[str, ...]:
        """A note on utterances without a modality."""
        notes = []
        for column, modality in enumerate(self.modalities):
            n = sum(files[column] is None for files in self.files)
            if n:
                notes.append(f"{self.split}: {n} utterances without {modality}")
        return tuple(notes)
