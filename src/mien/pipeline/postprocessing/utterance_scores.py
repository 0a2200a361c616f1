# SPDX-License-Identifier: Apache-2.0
"""Utterances from clips and to scores: feature files of shards, and predictions for a table of utterances."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
import pyarrow as pa

from mien.affect import UtteranceModel, pack_utterances
from mien.core import InputError, PathName
from mien.datasets import UtteranceTable, read_utterance_table
from mien.results import atomic_write, check_output, format_of, open_features, output_errors, save_table


def write_utterance_features(
    shards: PathName, folder: PathName, *, part: Literal["features", "scores"] = "features"
) -> tuple[str, ...]:
    """Write the vectors of each clip as a feature file of one modality, for a table of utterances.

    Args:
        shards: Folder that `mien features` wrote, of faces or, with ``--audio``, of sound.
        folder: Folder for ``<clip>.npy`` (T, n), such as ``DATA/features/vision``; it is created.
        part: ``"features"``, the embedding, or ``"scores"``, the outputs of the bundle; sound has features only.

    Returns:
        Names of the utterances: the clips' file names without endings. A clip without a vector has no file.

    Raises:
        InputError: There are no shards, two clips have one name, or the shards have no such part.
        OutputError: The folder cannot be written.
    """
    arrays = open_features(Path(shards)).load()
    names = [PurePosixPath(source.replace("\\", "/")).stem for source in arrays.sources]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{shards}: two clips are named {twice[0]!r}; an utterance needs a name of its own")
    vectors = arrays.features if part == "features" else arrays.scores
    if not vectors.shape[1]:
        raise InputError(f"{shards}: these vectors have no {part}")
    place, written = Path(folder), []
    with output_errors(place, "choose another folder for the feature files"):
        place.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(names):
            rows = arrays.source_index == number
            if rows.any():
                with atomic_write(place / f"{name}.npy") as file:
                    np.save(file, vectors[rows].astype(np.float32))
                written.append(name)
    return tuple(written)


@dataclass(frozen=True, eq=False, kw_only=True)
class UtteranceScores:
    """The outcome of `score_utterances`.

    Attributes:
        table: One row per utterance: ``id``, ``place`` (file and line), ``modalities`` that it has, the model's columns
            (``emotion_<label>``, ``sentiment``, ``sarcasm``; null where the row could not be read), ``problem``.
        n_scored: Number of rows with predictions.
        notes: Sentences on the whole table.
    """

    table: pa.Table
    n_scored: int
    notes: tuple[str, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """Sentence of each row that has no prediction; it names file and row."""
        return tuple(text for text in self.table["problem"].to_pylist() if text)


def score_utterances(table: PathName, model: UtteranceModel | PathName, out: PathName | None = None) -> UtteranceScores:
    """Emotion, sentiment and sarcasm of every utterance of a table.

    Args:
        table: CSV, TSV or Parquet, see `mien.datasets.read_utterance_table`.
        model: Folder of a bundle that `mien train` wrote from a recipe of utterances, or it loaded.
        out: Path for the table of predictions, whose ending chooses the format; None to write nothing. Nothing is
            written where no row could be read.

    Raises:
        ConfigError: The ending is unknown, or the output would replace the input.
        DatasetError: The table cannot be read, or lacks a column.
        ModelError: The bundle is missing, damaged or of another kind.
        OutputError: The output cannot be written.
    """
    path = None
    if out is not None:
        format_of(Path(out))
        path = check_output("--out", out, {"TABLE": table})
    loaded = model if isinstance(model, UtteranceModel) else UtteranceModel(Path(model))
    modalities = loaded.spec.modalities
    wanted = [modality.name for modality in modalities if modality.kind == "features"]
    reads_text = any(modality.kind == "text" for modality in modalities)
    rows = read_utterance_table(Path(table), wanted, reads_text=reads_text)
    problems = [known or _problem(loaded, rows, row) for row, known in enumerate(rows.problems)]
    good = [row for row, text in enumerate(problems) if not text]
    found = loaded.predict(
        [rows.texts[row] for row in good],
        {name: [values[row] for row in good] for name, values in rows.features.items()},
        [rows.places[row] for row in good],
    )
    columns: dict[str, pa.Array] = {
        "id": pa.array(rows.ids, pa.string()),
        "place": pa.array(rows.places, pa.string()),
        "modalities": pa.array([_modalities(rows, row, reads_text=reads_text) for row in range(len(rows))]),
    }
    is_blank = np.ones(len(rows), bool)
    is_blank[good] = False
    for name in loaded.columns:
        values = np.zeros(len(rows), np.float32)
        values[good] = found[name]
        columns[name] = pa.array(values, mask=is_blank)
    columns["problem"] = pa.array([text or None for text in problems], pa.string())
    notes = tuple(f"{Path(table).name} has no {name}: every utterance is read without it" for name in rows.absent)
    scores = UtteranceScores(table=pa.table(columns), n_scored=len(good), notes=notes)
    if path is not None and good:
        save_table(path, scores.table)
    return scores


def _problem(model: UtteranceModel, rows: UtteranceTable, row: int) -> str:
    """What keeps a row from being scored; empty for nothing."""
    features = {name: [values[row]] for name, values in rows.features.items()}
    try:
        pack_utterances([rows.texts[row]], features, model.spec.modalities, model.spec.steps, [rows.places[row]])
    except InputError as error:
        return str(error)
    return ""


def _modalities(rows: UtteranceTable, row: int, *, reads_text: bool) -> str:
    names = ["text"] if reads_text and rows.texts[row] else []
    return "|".join([*names, *(name for name, values in rows.features.items() if values[row] is not None)])
