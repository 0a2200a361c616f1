# SPDX-License-Identifier: Apache-2.0
"""Annotations of frames: one text file per face track, or lists of frames by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mien.datasets.crop_folders import match_crops
from mien.datasets.frame_samples import FrameSamples
from mien.datasets.samples import UNKNOWN
from mien.datasets.text_files import (
    AnnotationError,
    Document,
    Field,
    OnProblem,
    Table,
    load_document,
    read_action_units,
    read_ratings,
    read_rows,
)

NOT_RATED = -5.0
"""Stands in valence-arousal files for a frame that nobody rated."""

Labels = tuple[str, ...]
Read = Callable[[Document, Labels], npt.NDArray[Any]]


@dataclass(frozen=True)
class TrackFormat:
    """How the files of one task look.

    Attributes:
        headers: first line of a file, lower case -> canonical labels of the task.
        column: field of a `FrameSamples` that the rows fill.
        labels_field: field of a `FrameSamples` that takes the labels; empty for valence and arousal.
        read: a document and its labels -> the column, a row per line.
    """

    headers: Mapping[tuple[str, ...], Labels]
    column: str
    labels_field: str
    read: Read


def read_track_files(
    files: Sequence[Path], form: TrackFormat, *, dataset: str, split: str, crops: Path | None, on_problem: OnProblem
) -> FrameSamples:
    """Read the tracks of a split; line i below the header is frame i, counted from 1.

    Args:
        files: at least one, named after their tracks.
        form: how they look. All must have the labels of the first.
        dataset: name that the samples carry.
        split: of the samples.
        crops: folder of crops, None where there is none.
        on_problem: hears of files that are left out.

    Raises:
        AnnotationError: no file can be read, or what ``on_problem`` raises.
    """
    tracks: list[str] = []
    parts: list[npt.NDArray[Any]] = []
    edition: Labels | None = None
    for path in files:
        try:
            document = load_document(path)
            labels = _labels_of(form, document, edition)
            parts.append(form.read(document, labels))
        except AnnotationError as problem:
            on_problem(problem)
            continue
        tracks.append(path.stem)
        edition = labels
    if edition is None:
        raise AnnotationError(files[0].parent, f"none of its {len(files)} annotation files can be read")
    lengths = [len(part) for part in parts]
    track_index = np.repeat(np.arange(len(tracks), dtype=np.int32), lengths)
    frame = np.concatenate([np.arange(1, n + 1, dtype=np.int32) for n in lengths])
    has_image, n_crop_frames = match_crops(crops, tracks, track_index, frame)
    columns: dict[str, Any] = {form.column: np.concatenate(parts)}
    if form.labels_field:
        columns[form.labels_field] = edition
    return FrameSamples(
        dataset=dataset,
        split=split,
        tracks=tuple(tracks),
        track_index=track_index,
        frame=frame,
        crops=crops,
        has_image=has_image,
        n_crop_frames=n_crop_frames,
        **columns,
    )


def valence_arousal_format() -> TrackFormat:
    """Two numbers per line, `NOT_RATED` where nobody rated."""
    dimensions = ("valence", "arousal")

    def read(document: Document, labels: Labels) -> npt.NDArray[Any]:
        return read_ratings(read_rows(document, [Field(label) for label in labels]), not_rated=NOT_RATED)

    return TrackFormat({dimensions: dimensions}, "valence_arousal", "", read)


def expression_format(headers: Mapping[tuple[str, ...], Labels]) -> TrackFormat:
    """One class per line, counted from 0 in the order of the labels, or `UNKNOWN`."""

    def read(document: Document, labels: Labels) -> npt.NDArray[Any]:
        table = read_rows(document, [Field("expression")])
        return table.classes("expression", low=UNKNOWN, high=len(labels) - 1).astype(np.int8)

    return TrackFormat(headers, "expression", "expression_labels", read)


def action_unit_format(editions: Sequence[Labels]) -> TrackFormat:
    """A zero, a one or `UNKNOWN` per action unit and line; the files write ``AU1`` for ``AU01``."""

    def read(document: Document, labels: Labels) -> npt.NDArray[Any]:
        return read_action_units(read_rows(document, [Field(label) for label in labels]), labels)

    headers = {tuple(f"au{int(label[2:])}" for label in labels): labels for labels in editions}
    return TrackFormat(headers, "action_units", "action_unit_labels", read)


def _labels_of(form: TrackFormat, document: Document, edition: Labels | None) -> Labels:
    """The labels that the header promises; all files of a split must promise the same."""
    header = document.header()
    labels = form.headers.get(tuple(name.lower() for name in header))
    if labels is None:
        known = " or ".join(repr(",".join(names)) for names in form.headers)
        reason = f"the header is {','.join(header)[:120]!r}, not {known} (upper or lower case)"
        raise AnnotationError(document.path, reason, line=1)
    if edition is not None and labels != edition:
        reason = f"promises {len(labels)} labels where the files before it have {len(edition)}; keep editions apart"
        raise AnnotationError(document.path, reason, line=1)
    return labels


_LOCATION = r"^(?P<track>.+)/(?P<frame>[0-9]+)\.jpg$"


def load_frame_list(path: str | Path, dataset: str, crops: Path | None) -> FrameSamples:
    """Read a test list: a header, then ``video/00001.jpg`` per line, with or without a comma behind it.

    Args:
        path: of the list.
        dataset: name that the samples carry.
        crops: folder of crops, None where there is none.

    Raises:
        AnnotationError: the list is missing, a name is malformed or there twice, or the header is a row.
    """
    path = Path(path)
    document = load_document(path)
    check_list_header(document)
    # The list of one edition ends every name with a comma; the next has bare names. Nothing may follow it.
    bare = Document(path, document.content.replace(b",\n", b"\n").removesuffix(b","))
    columns = frame_columns(read_rows(bare, [Field("image", "text")]), crops)
    return FrameSamples(dataset=dataset, split="test", crops=crops, **columns)


def check_list_header(document: Document) -> None:
    """Refuse a list whose first line is a row: every tool skips that line and would lose a frame without a word.

    The rest of the header is not trusted: that of s-Aff-Wild2 has 5 names for 16 fields.

    Raises:
        AnnotationError: the first name is neither ``image`` nor ``image_location``.
    """
    first = document.header()[0].lower()
    if first not in ("image", "image_location"):
        raise AnnotationError(document.path, f"the header begins with {first!r}, not 'image'", line=1, field=1)


def frame_columns(table: Table, crops: Path | None) -> dict[str, Any]:
    """Tracks, frame numbers and crops of the column ``image``, as arguments of a `FrameSamples`.

    Raises:
        AnnotationError: a name is not ``video/00001.jpg``, or is there twice.
    """
    names = table.texts("image")
    parts = pc.extract_regex(names, _LOCATION)
    bad = np.asarray(parts.is_null())
    table.refuse(bad, "image", "is not of the form video/00001.jpg")
    number = _numbers(parts.field("frame"))
    table.refuse((number < 1) | (number > np.iinfo(np.int32).max), "image", "has an impossible frame number")
    coded = parts.field("track").dictionary_encode()
    tracks = tuple(coded.dictionary.to_pylist())
    track_index = coded.indices.to_numpy().astype(np.int32)
    frame = number.astype(np.int32)
    table.refuse(_repeats(track_index, frame), "image", "is listed before")
    has_image, n_crop_frames = match_crops(crops, tracks, track_index, frame)
    return {
        "tracks": tracks,
        "track_index": track_index,
        "frame": frame,
        "has_image": has_image,
        "n_crop_frames": n_crop_frames,
    }


def _numbers(texts: pa.Array) -> npt.NDArray[np.float64]:
    return np.asarray(pc.cast(texts, pa.float64()).to_numpy())


def _repeats(track_index: npt.NDArray[np.int32], frame: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """(N,) rows whose track and frame occurred in an earlier row."""
    keys = track_index.astype(np.int64) << 32 | frame
    first = np.unique(keys, return_index=True)[1]
    repeated = np.ones(len(keys), dtype=bool)
    repeated[first] = False
    return repeated
