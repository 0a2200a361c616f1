# SPDX-License-Identifier: Apache-2.0
"""Annotations of frames: one text file per face track, or lists of frame names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mien.core import Bools, Float64, Integers
from mien.datasets.crop_folders import CropFolders, match_crops, subfolders
from mien.datasets.frame_samples import FrameSamples
from mien.datasets.label_columns import read_action_units, read_ratings
from mien.datasets.samples import UNKNOWN
from mien.datasets.text_files import (
    AnnotationError,
    Document,
    Field,
    OnProblem,
    Table,
    load_document,
    read_rows,
    split_line,
    text_files_in,
)

_LIST_LEVELS = 2

NOT_RATED = -5.0
"""Value of valence and arousal for a frame that is not rated."""

Labels = tuple[str, ...]
Read = Callable[[Document, Labels], npt.NDArray[Any]]


@dataclass(frozen=True)
class TrackFormat:
    """Format of the files of one task.

    Attributes:
        headers: First line of a file in lower case -> canonical labels of the task.
        column: Field of `FrameSamples` that the rows fill.
        labels_field: Field of `FrameSamples` that holds the labels; empty for valence and arousal.
        read: Function of a document and its labels that returns the column, with a row per line.
    """

    headers: Mapping[tuple[str, ...], Labels]
    column: str
    labels_field: str
    read: Read


def read_track_files(
    files: Sequence[Path],
    form: TrackFormat,
    *,
    dataset: str,
    split: str,
    crops: CropFolders | None,
    on_problem: OnProblem,
) -> FrameSamples:
    """Read the tracks of a split; line i below the header is frame i, counted from 1.

    Args:
        files: Files of the tracks, named after them; at least one.
        form: Format of the files; all must have the labels of the first.
        dataset: Name of the data set.
        split: Split of the samples.
        crops: Folders of crops, or None.
        on_problem: Callback for files that are left out.

    Raises:
        AnnotationError: No file can be read, or what ``on_problem`` raises.
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
    r"""Format with two numbers per line, `NOT_RATED` in a frame that is not rated.

    Examples:
        >>> form = valence_arousal_format()
        >>> form.read(Document(Path("v.txt"), b"valence,arousal\n0.5,0.25\n-5,-5"), ("valence", "arousal")).tolist()
        [[0.5, 0.25], [nan, nan]]
    """
    dimensions = ("valence", "arousal")

    def read(document: Document, labels: Labels) -> npt.NDArray[Any]:
        return read_ratings(read_rows(document, [Field(label) for label in labels]), not_rated=NOT_RATED)

    return TrackFormat({dimensions: dimensions}, "valence_arousal", "", read)


def expression_format(headers: Mapping[tuple[str, ...], Labels]) -> TrackFormat:
    r"""Format with one class per line, counted from 0 in the order of the labels, or `UNKNOWN`.

    Examples:
        >>> form = expression_format({("neutral", "anger"): ("neutral", "anger")})
        >>> form.read(Document(Path("v.txt"), b"Neutral,Anger\n1\n-1"), ("neutral", "anger")).tolist()
        [1, -1]
    """

    def read(document: Document, labels: Labels) -> npt.NDArray[Any]:
        table = read_rows(document, [Field("expression")])
        return table.classes("expression", low=UNKNOWN, high=len(labels) - 1).astype(np.int8)

    return TrackFormat(headers, "expression", "expression_labels", read)


def action_unit_format(editions: Sequence[Labels]) -> TrackFormat:
    """Format with 0, 1 or `UNKNOWN` per action unit and line; the files write ``AU1`` for ``AU01``.

    Examples:
        >>> action_unit_format([("AU01", "AU12")]).headers
        {('au1', 'au12'): ('AU01', 'AU12')}
    """

    def read(document: Document, labels: Labels) -> npt.NDArray[Any]:
        return read_action_units(read_rows(document, [Field(label) for label in labels]), labels)

    headers = {tuple(f"au{int(label[2:])}" for label in labels): labels for labels in editions}
    return TrackFormat(headers, "action_units", "action_unit_labels", read)


def _labels_of(form: TrackFormat, document: Document, edition: Labels | None) -> Labels:
    """Labels that the header announces; all files of a split must announce the same."""
    header = document.header()
    labels = form.headers.get(tuple(name.lower() for name in header))
    if labels is None:
        known = " or ".join(repr(",".join(names)) for names in form.headers)
        reason = f"the header is {','.join(header)[:120]!r}, not {known} (upper or lower case)"
        raise AnnotationError(document.path, reason, line=1)
    if edition is not None and labels != edition:
        reason = f"announces {len(labels)} labels, but the files before it have {len(edition)}; keep editions apart"
        raise AnnotationError(document.path, reason, line=1)
    return labels


# A name below the folder of crops, also as "./video": "/video" and "../video" would be places elsewhere.
_LOCATION = r"^(?:\./)*(?P<track>[^/.].*)/(?P<frame>[0-9]+)\.jpg$"
_LIST_HEADERS = ("image", "image_location", "filename", "file_id")


def load_name_list(path: str | Path) -> Table:
    r"""Read an official list: a header, then a name per line; what follows the first comma of a line is ignored.

    The list of one edition has commas after the names, that of another sample values, the next bare names. Every
    command reads lists with this function.

    Args:
        path: Path of the list.

    Returns:
        One text column, ``image``.

    Raises:
        AnnotationError: The list is missing, has no header or no rows, or names a row twice.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "test.txt")
        ...     _ = path.write_text("image_location,valence,arousal\nvideo1/00001.jpg,,\nvideo1/00002.jpg,0.1,0.2")
        ...     load_name_list(path).texts("image").to_pylist()
        ['video1/00001.jpg', 'video1/00002.jpg']
    """
    document = load_document(Path(path))
    check_list_header(document)
    lines = document.content.decode().split("\n")[1:]
    if not lines:
        raise AnnotationError(document.path, "has a header and no rows", line=1)
    names = [split_line(line, delimiter=",", quoted=True)[0].strip() for line in lines]
    table = Table(document, 2, (Field("image", "text"),), {"image": pa.array(names, pa.string())})
    table.refuse(np.array([not name for name in names]), "image", "names no row")
    coded = table.texts("image").dictionary_encode().indices.to_numpy()
    table.refuse(_repeats(coded), "image", "is listed before")
    return table


def load_frame_list(path: str | Path, dataset: str, crops: CropFolders | None) -> FrameSamples:
    r"""Read a test list of frames, ``video/00001.jpg``; see `load_name_list`.

    Args:
        path: Path of the list.
        dataset: Name of the data set.
        crops: Folders of crops, or None.

    Raises:
        AnnotationError: The list is missing, a name is malformed or occurs twice, or the header is a row.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "test.txt")
        ...     _ = path.write_text("image_location\nvideo1/00001.jpg,\nvideo1/00003.jpg,")
        ...     samples = load_frame_list(path, "cexpr", None)
        >>> samples.tracks, samples.frame.tolist()
        (('video1',), [1, 3])
    """
    return FrameSamples(dataset=dataset, split="test", crops=crops, **frame_columns(load_name_list(path), crops))


def find_list(folder: Path, wanted: Callable[[Path], bool], title: str) -> Path:
    """Find the list of frames of a task in the folder or up to two levels below it.

    Files that are no list (names of videos, notes) are passed over.

    Args:
        folder: Folder of the data set.
        wanted: Function that says whether the name of a ``.txt`` file fits.
        title: What is looked for, for messages.

    Raises:
        AnnotationError: There is none, or several.
    """
    named = [path for path in _texts_below(folder) if wanted(path)]
    lists = [path for path in named if _is_list(path)]
    if len(lists) > 1:
        names = ", ".join(path.relative_to(folder).as_posix() for path in lists)
        raise AnnotationError(lists[1], f"is one of {len(lists)} lists ({title}) instead of the only one: {names}")
    if not lists:
        for path in named:
            if b"/" in load_document(path).content:
                check_list_header(load_document(path))
        names = ", ".join(path.relative_to(folder).as_posix() for path in named)
        other = f"; {names} names no frames (image_location, then video/00001.jpg in each line)" if named else ""
        raise AnnotationError(folder, f"holds 0 lists ({title}) instead of one{other}")
    return lists[0]


def has_words(path: Path, *words: str) -> bool:
    """Whether the name of a file holds one of these words, between underscores or spaces, in any case.

    Examples:
        >>> has_words(Path("CVPR_6th_ABAW_VA_test_set_sample.txt"), "va"), has_words(Path("vacation.txt"), "va")
        (True, False)
    """
    name = "_" + re.sub(r"[\s-]+", "_", path.stem.lower()) + "_"
    return any(f"_{word}_" in name for word in words)


def _texts_below(folder: Path) -> list[Path]:
    level, found = [folder], []
    for _ in range(_LIST_LEVELS + 1):
        found += [path for place in level for path in text_files_in(place)]
        level = [path for place in level for path in subfolders(place, without_crops=True)]
    return found


def _is_list(path: Path) -> bool:
    try:
        check_list_header(load_document(path))
    except AnnotationError:
        return False
    return True


def check_list_header(document: Document) -> None:
    """Refuse a list whose first line is a row, because every tool skips that line and would silently lose a frame.

    The rest of the header is not checked: the one of s-Aff-Wild2 has 5 names for 16 fields.

    Raises:
        AnnotationError: The first name is none that lists have.
    """
    first = document.header()[0].lower()
    if first not in _LIST_HEADERS:
        raise AnnotationError(document.path, f"the header begins with {first!r}, not 'image'", line=1, field=1)


def frame_columns(table: Table, crops: CropFolders | None) -> dict[str, Any]:
    """Tracks, frame numbers and crops of the column ``image``, as arguments of `FrameSamples`.

    This is the one place that reads frame names: of annotations, of official lists and of predictions.

    Raises:
        AnnotationError: A name is not of the form ``video/00001.jpg``, counts from 0, or occurs twice.
    """
    columns = locate_frames(table)
    table.refuse(
        _repeats(columns["track_index"].astype(np.int64) << 32 | columns["frame"]), "image", "is listed before"
    )
    has_image, n_crop_frames = match_crops(crops, columns["tracks"], columns["track_index"], columns["frame"])
    return {**columns, "has_image": has_image, "n_crop_frames": n_crop_frames}


def locate_frames(table: Table) -> dict[str, Any]:
    """Tracks and frame numbers of the column ``image``, repeated rows included.

    Raises:
        AnnotationError: A name is not of the form ``video/00001.jpg`` or counts from 0.
    """
    parts = pc.extract_regex(table.texts("image"), _LOCATION)
    table.refuse(np.asarray(parts.is_null()), "image", "is not of the form video/00001.jpg")
    number = _numbers(parts.field("frame"))
    table.refuse(number < 1, "image", "has the impossible frame number 0; frames are counted from 1")
    table.refuse(number > np.iinfo(np.int32).max, "image", "has an impossible frame number")
    coded = parts.field("track").dictionary_encode()
    return {
        "tracks": tuple(coded.dictionary.to_pylist()),
        "track_index": coded.indices.to_numpy().astype(np.int32),
        "frame": number.astype(np.int32),
    }


def _numbers(texts: pa.Array) -> Float64:
    return np.asarray(pc.cast(texts, pa.float64()).to_numpy())


def _repeats(keys: Integers) -> Bools:
    """(N,) whether the key of a row occurred in an earlier row."""
    first = np.unique(keys, return_index=True)[1]
    repeated = np.ones(len(keys), dtype=bool)
    repeated[first] = False
    return repeated
