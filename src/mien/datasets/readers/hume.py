# SPDX-License-Identifier: Apache-2.0
"""Readers of Hume's sets of whole videos: Vidmimic2 (mimicry intensity) and Reaction (reaction intensity)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mien.core import EMI_EMOTIONS, ERI_EMOTIONS
from mien.datasets.crop_folders import find_file, find_videos
from mien.datasets.samples import ClipSamples
from mien.datasets.text_files import AnnotationError, Field, Table, first_rows, load_document, read_named

_EMI_COLUMNS = ("Admiration", "Amusement", "Determination", "Empathic Pain", "Excitement", "Joy")
_EMI_FILES = {
    "train": ("train_split.csv", "train.csv", "training_split.csv"),
    "valid": ("valid_split.csv", "val_split.csv", "validation_split.csv", "valid.csv", "val.csv"),
    "test": ("test_split.csv", "test.csv"),
}
_ERI_COLUMNS = ("Adoration", "Amusement", "Anxiety", "Disgust", "Empathic-Pain", "Fear", "Surprise")
_ERI_SPLITS = {
    "train": ("train", "training"),
    "valid": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
_N_DIGITS = 5


def load_emi(folder: str | Path, split: str) -> ClipSamples:
    """Hume-Vidmimic2: ``train_split.csv``, ``valid_split.csv`` and, without labels, ``test_split.csv``.

    Names are text: ``00001`` keeps its zeros.

    Args:
        folder: Folder that holds the CSV files and, where at hand, the videos.
        split: ``"train"``, ``"valid"`` or ``"test"``.

    Raises:
        AnnotationError: The file is missing or malformed, an intensity is not in [0, 1], or a name occurs twice.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("emi", folder)
        ...     samples = load_emi(folder, "train")
        >>> samples.names, samples.intensities.shape
        (('00000', '00001'), (2, 6))
    """
    folder = Path(folder)
    if split not in _EMI_FILES:
        raise AnnotationError(folder, f"EMI has the splits {', '.join(_EMI_FILES)}, not {split!r}")
    names_of_file = _EMI_FILES[split]
    document = load_document(find_file(folder, *names_of_file) or folder / names_of_file[0])
    labelled = split != "test" or len(document.header()) > 1
    kind: Literal["number", "blank_or_number"] = "blank_or_number" if split == "test" else "number"
    targets = [Field(name, kind) for name in _EMI_COLUMNS] if labelled else []
    table, repeated = first_rows(read_named(document, [Field("Filename", "text"), *targets]))
    names = _unique(table, "Filename", table.texts("Filename"))
    intensities = np.full((len(names), len(EMI_EMOTIONS)), np.nan)
    if labelled:
        intensities = table.numbers(_EMI_COLUMNS)
        _check_range(table, _EMI_COLUMNS)
    return ClipSamples(
        dataset="emi",
        split=split,
        names=names,
        intensities=intensities.astype(np.float32),
        labels=EMI_EMOTIONS,
        remarks=_remarks(repeated, names),
        **_videos(folder, names),
    )


def load_eri(folder: str | Path, split: str) -> ClipSamples:
    """Hume-Reaction: ``data_info.csv`` with all splits; test rows have blank targets.

    Args:
        folder: Folder that holds the CSV file and, where at hand, the videos.
        split: ``"train"``, ``"valid"`` or ``"test"``.

    Raises:
        AnnotationError: The file is missing or malformed, a labelled row has a blank or a value outside [0, 1], or a
            name occurs twice.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("eri", folder)
        ...     samples = load_eri(folder, "train")
        >>> samples.names, samples.countries, samples.valid_intensities.tolist()
        (('00001',), ('South Africa',), [True])
    """
    folder = Path(folder)
    if split not in _ERI_SPLITS:
        raise AnnotationError(folder, f"ERI has the splits {', '.join(_ERI_SPLITS)}, not {split!r}")
    targets = [Field(name, "blank_or_number") for name in _ERI_COLUMNS]
    texts = [Field(name, "text") for name in ("File_ID", "Country", "Split")]
    path = find_file(folder, "data_info.csv") or folder / "data_info.csv"
    table, repeated = first_rows(read_named(load_document(path), [*texts, *targets]))
    names = np.array(_unique(table, "File_ID", _unwrapped(table.texts("File_ID"))), dtype=object)
    known = {spelling: name for name, spellings in _ERI_SPLITS.items() for spelling in spellings}
    splits = np.array([known.get(text.lower(), "") for text in table.texts("Split").to_pylist()])
    table.refuse(splits == "", "Split", "is none of Train, Val, Test")
    for name in _ERI_COLUMNS:
        blank = np.isnan(table.columns[name]) & (splits != "test")
        table.refuse(blank, name, "is blank in a row that is not of the test split")
    _check_range(table, _ERI_COLUMNS)
    rows = np.flatnonzero(splits == split)
    if not len(rows):
        raise AnnotationError(folder, f"data_info.csv has no row of the split {split!r}")
    countries = table.texts("Country").to_pylist()
    chosen = tuple(names[rows])
    return ClipSamples(
        dataset="eri",
        split=split,
        names=chosen,
        intensities=table.numbers(_ERI_COLUMNS)[rows].astype(np.float32),
        labels=ERI_EMOTIONS,
        remarks=_remarks(repeated, chosen),
        countries=tuple(countries[row] for row in rows),
        **_videos(folder, chosen),
    )


def _unwrapped(names: pa.Array) -> pa.Array:
    """Names without the brackets and quotes around them; other names are unchanged."""
    bare = pc.replace_substring_regex(names, r"^\[(.*)\]$", r"\1")
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(bare, r"""^(?:'(.*)'|"(.*)")$""", r"\1\2"))


def _remarks(repeated: str, names: tuple[str, ...]) -> tuple[str, ...]:
    short = [name for name in names if name.isdecimal() and len(name) < _N_DIGITS]
    lost = (
        f"names such as {short[0]} have lost their leading zeros; the owners write {_N_DIGITS} digits" if short else ""
    )
    return tuple(remark for remark in (repeated, lost) if remark)


def _unique(table: Table, field: str, names: pa.Array) -> tuple[str, ...]:
    texts: list[str] = names.to_pylist()
    table.refuse(np.array([not text for text in texts]), field, "is blank")
    seen: set[str] = set()
    repeated = np.zeros(len(texts), dtype=bool)
    for row, text in enumerate(texts):
        repeated[row] = text in seen
        seen.add(text)
    table.refuse(repeated, field, "is listed before")
    return tuple(texts)


def _check_range(table: Table, columns: Iterable[str]) -> None:
    for name in columns:
        values = table.columns[name]
        table.refuse((values < 0) | (values > 1), name, "is not in [0, 1]; divide intensities from 0 to 100 by 100")


def _videos(folder: Path, names: tuple[str, ...]) -> dict[str, Any]:
    found = find_videos(folder)
    return {"videos": tuple(found.get(name) for name in names), "videos_found": bool(found)}
