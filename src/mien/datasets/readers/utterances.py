# SPDX-License-Identifier: Apache-2.0
"""Reader of utterances: a table of texts and labels, and a folder of feature files for each further modality."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.core import Bools, Float64, load_array, open_regular
from mien.datasets.crop_folders import find_file
from mien.datasets.text_files import AnnotationError, Field, Table, load_document, read_named
from mien.datasets.utterance_samples import UtteranceSamples

_FILE = "utterances.csv"
_SPLITS = ("train", "valid", "test")
_MARK = "|"


def load_utterances(folder: str | Path, split: str) -> UtteranceSamples:
    """One split of a folder of utterances, in mien's own layout (docs/reference/datasets/utterances.md).

    Args:
        folder: Folder with ``utterances.csv`` and, for each further modality, ``features/<modality>/<id>.npy``.
        split: ``"train"``, ``"valid"`` or ``"test"``.

    Raises:
        AnnotationError: The table is missing or malformed, an utterance is empty or has no file of a modality that its
            row does not call missing, or a file has another shape than the others or a value that is not finite; the
            message names file and row.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("utterances", folder)
        ...     samples = load_utterances(folder, "train")
        >>> samples.modalities, samples.emotion_labels, samples.counts().valid
        (('audio', 'vision'), ('joy', 'sadness'), {'emotion': 3, 'sentiment': 3, 'sarcasm': 2})
    """
    folder = Path(folder)
    if split not in _SPLITS:
        raise AnnotationError(folder, f"utterances have the splits {', '.join(_SPLITS)}, not {split!r}")
    path = find_file(folder, _FILE) or folder / _FILE
    document = load_document(path)
    given = {name.casefold() for name in document.header()}
    optional = [name for name in ("emotion", "speaker", "missing") if name in given]
    numbers = [name for name in ("sentiment", "sarcasm") if name in given]
    fields = [Field(name, "text") for name in ("id", "split", "text", *optional)]
    table = read_named(document, [*fields, *(Field(name, "blank_or_number") for name in numbers)])
    whole = _read(table, folder, set(optional), set(numbers))
    splits = np.array([text.lower() for text in table.texts("split").to_pylist()])
    table.refuse(~np.isin(splits, _SPLITS), "split", f"is none of {', '.join(_SPLITS)}")
    rows = splits == split
    if not rows.any():
        raise AnnotationError(folder, f"{path.name} has no row of the split {split!r}")
    chosen = replace(whole.take(rows), split=split)
    _check_files(chosen, whole)
    return chosen


def read_feature_file(path: Path, place: str) -> npt.NDArray[np.floating]:
    """The sequence (T, n) of a feature file.

    Args:
        path: A ``.npy`` file.
        place: Table and row that name it, for messages.

    Raises:
        AnnotationError: It is missing, no such file, has no step or a value that is not finite.
    """
    try:
        with open_regular(path) as file:
            values = load_array(file)
    except FileNotFoundError:
        raise AnnotationError(path, f"no such file; {place} needs it, or names its modality under 'missing'") from None
    except (OSError, ValueError) as error:
        raise AnnotationError(path, f"is no NumPy file that can be read ({error}); {place} needs it") from error
    if values.ndim != 2 or not values.size:
        raise AnnotationError(
            path, f"must be a sequence (T, n) with at least one step, got {values.shape}; it is of {place}"
        )
    if not np.issubdtype(values.dtype, np.floating) and not np.issubdtype(values.dtype, np.integer):
        raise AnnotationError(path, f"must hold numbers, got {values.dtype}; it is of {place}")
    with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite
        vectors = values.astype(np.float32)
    bad = ~np.isfinite(vectors).all(axis=1)
    if bad.any():
        raise AnnotationError(path, f"has a value that is not finite in step {int(bad.argmax()) + 1}; it is of {place}")
    return vectors


def _read(table: Table, folder: Path, optional: set[str], numbers: set[str]) -> UtteranceSamples:
    names, texts = table.texts("id").to_pylist(), table.texts("text").to_pylist()
    table.refuse(np.array([not name or "/" in name or "\\" in name for name in names]), "id", "is no name of a file")
    first = {name: row for row, name in reversed(list(enumerate(names)))}
    table.refuse(np.array([first[name] < row for row, name in enumerate(names)]), "id", "is listed before")
    speakers = table.texts("speaker").to_pylist() if "speaker" in optional else names
    missing = table.texts("missing").to_pylist() if "missing" in optional else [""] * len(names)
    place = folder / "features"
    modalities = tuple(sorted(path.name for path in place.iterdir() if path.is_dir())) if place.is_dir() else ()
    gone = [_parts(text) for text in missing]
    strange = np.array([bool(set(one) - set(modalities)) for one in gone])
    if "missing" in optional:
        table.refuse(strange, "missing", f"names no folder of {place}")
    files = tuple(
        tuple(None if modality in one else place / modality / f"{name}.npy" for modality in modalities)
        for name, one in zip(names, gone, strict=True)
    )
    empty = [not text.strip() and not any(own) for text, own in zip(texts, files, strict=True)]
    table.refuse(np.array(empty), "text", "is an empty utterance: it has no word and no features")
    labels, emotions = _emotions(table) if "emotion" in optional else ((), np.empty((len(names), 0)))
    return UtteranceSamples(
        dataset="utterances",
        split="train",
        names=tuple(names),
        places=tuple(f"{table.document.path.name}, line {table.first_line + row}" for row in range(len(names))),
        speakers=tuple(speaker or name for speaker, name in zip(speakers, names, strict=True)),
        texts=tuple(texts),
        files=files,
        modalities=modalities,
        emotions=emotions.astype(np.float32),
        emotion_labels=labels,
        sentiment=_numbers(table, "sentiment", numbers, low=-1.0).astype(np.float32),
        sarcasm=_numbers(table, "sarcasm", numbers, low=0.0).astype(np.float32),
    )


def _emotions(table: Table) -> tuple[tuple[str, ...], Float64]:
    """Names of all emotions of the table, and (N, E) flags; NaN for a row whose emotions are blank."""
    rows = [_parts(text) for text in table.texts("emotion").to_pylist()]
    labels = tuple(sorted({label for row in rows for label in row}))
    flags = np.array([[float(label in row) for label in labels] if row else [np.nan] * len(labels) for row in rows])
    return labels, flags.reshape(len(rows), len(labels))


def _parts(text: str) -> list[str]:
    return [part.strip().lower() for part in text.split(_MARK) if part.strip()]


def _numbers(table: Table, name: str, numbers: set[str], *, low: float) -> Float64:
    """(N,) labels, NaN where blank."""
    if name not in numbers:
        return np.full(len(table), np.nan)
    values: Float64 = table.columns[name]
    outside: Bools = np.asarray((values < low) | (values > 1))
    table.refuse(outside, name, f"is not in [{low:g}, 1]")
    if name == "sarcasm":
        table.refuse(np.asarray(np.isfinite(values) & (values != np.round(values))), name, "is neither 0 nor 1")
    return values


def _check_files(samples: UtteranceSamples, whole: UtteranceSamples) -> None:
    """Refuse files that are missing, malformed, or of another width than the first of their modality in any split."""
    for column, modality in enumerate(samples.modalities):
        firsts = zip(whole.files, whole.places, strict=True)
        path, first = next(((files[column], place) for files, place in firsts if files[column]), (None, ""))
        width = 0 if path is None else read_feature_file(path, first).shape[1]
        for files, place in zip(samples.files, samples.places, strict=True):
            path = files[column]
            if path is None:
                continue
            n = read_feature_file(path, place).shape[1]
            if n != width:
                raise AnnotationError(path, f"has vectors of length {n}, {modality} of {first} has {width}; {place}")
