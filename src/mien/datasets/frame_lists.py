# SPDX-License-Identifier: Apache-2.0
"""Lists of frames by name: the multi-task set s-Aff-Wild2 (``video/00001.jpg`` and 15 labels), and test lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mien.datasets.crops import match_crops
from mien.datasets.documents import Document, load_document
from mien.datasets.frames import FrameSamples
from mien.datasets.problems import AnnotationError
from mien.datasets.tables import Field, Table, read_rows

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
