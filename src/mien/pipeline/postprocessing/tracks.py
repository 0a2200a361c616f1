# SPDX-License-Identifier: Apache-2.0
"""Tracks of a table: listed, named as persons in a new table, and shown as strips of faces from the video."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from mien.core import ConfigError, Float64, Image, InputError, OutputError, PathName, printable, source_path
from mien.media import find_inputs, load_image, open_video, save_image
from mien.pipeline.postprocessing.convert import file_names
from mien.results import (
    PossibleIdSwitch,
    Track,
    check_output,
    column_numbers,
    format_of,
    list_possible_id_switches,
    list_tracks,
    name_persons,
    read_table,
    save_table,
    track_numbers,
)

_SIDE_PX = 128
_FACES_A_STRIP = 4
_MARGIN = 0.25  # share of the box on each side


@dataclass(frozen=True, kw_only=True)
class TrackList:
    """The tracks of a table.

    Attributes:
        tracks: All tracks, by source and number.
        id_switches: Pairs of tracks that change sides, and may be one another's.
    """

    tracks: tuple[Track, ...]
    id_switches: tuple[PossibleIdSwitch, ...]


def tracks_of_file(path: PathName) -> TrackList:
    """The tracks of a table.

    Args:
        path: Path of the table.

    Raises:
        ConfigError: The ending is unknown.
        InputError: The table cannot be read.
    """
    table = read_table(path)
    return TrackList(tracks=list_tracks(table), id_switches=list_possible_id_switches(table))


def name_persons_in_file(
    path: PathName, out: PathName, persons: Mapping[str, Sequence[int]], *, source: str | None = None
) -> TrackList:
    """Writes a new table with the column ``person``.

    Args:
        path: Path of the table.
        out: Path of the new table; its ending chooses the format.
        persons: Name -> numbers of the tracks of that person.
        source: Source of the tracks; needed where the table has several sources.

    Returns:
        The tracks of the new table.

    Raises:
        ConfigError: The names do not fit the tracks, see `mien.results.name_persons`, or the new table would replace
            the old one.
        InputError: The table cannot be read.
        OutputError: The new table cannot be written.
    """
    path, out = Path(path), Path(out)
    format_of(out)
    check_output("--out", out, {"TABLE": path})
    table = name_persons(read_table(path), persons, source=source)
    save_table(out, table)
    return TrackList(tracks=list_tracks(table), id_switches=list_possible_id_switches(table))


def write_thumbnails(path: PathName, folder: PathName, *, video: PathName | None = None) -> tuple[Path, ...]:
    """Writes a strip of faces, from its beginning to its end, for every track.

    Args:
        path: Path of the table.
        folder: Folder for ``<source>-track-<ID>.jpg``; created if it does not exist.
        video: Path of the analysed file, for tables of one source; None for the path that the table names.

    Returns:
        Paths of the strips, one for each track that is shown.

    Raises:
        ConfigError: ``video`` is given and the table has several sources.
        InputError: The table or the video cannot be read.
        OutputError: The folder cannot be written.
    """
    folder = Path(folder)
    table = read_table(path)
    tracks = list_tracks(table)
    sources = list(dict.fromkeys(track.source for track in tracks))
    if video is not None and len(sources) > 1:
        raise ConfigError(
            f"{path} has {len(sources)} sources; leave out the video; each source is read from its own path"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); choose another place") from error
    written = []
    for source, name in zip(sources, file_names(sources), strict=True):
        strips: dict[int, list[Image]] = defaultdict(list)
        for track_id, face in _faces(source_path(source) if video is None else Path(video), _wanted(table, source)):
            strips[track_id].append(face)
        for track_id, faces in sorted(strips.items()):
            written.append(folder / f"{name}-track-{track_id}.jpg")
            save_image(written[-1], np.concatenate(faces, axis=1))
    return tuple(written)


def _wanted(table: pa.Table, source: str) -> dict[int, list[tuple[int, Float64]]]:
    """Frame -> tracks and boxes to show: a few rows of each track, evenly over its time."""
    here = np.flatnonzero(np.array(table["source"].to_pylist(), dtype=object) == source)
    tracks, frames = track_numbers(table)[here], table["frame"].to_numpy()[here]
    boxes = np.stack([column_numbers(table[name]) for name in ("x0", "y0", "x1", "y1")], axis=1)[here]
    wanted: dict[int, list[tuple[int, Float64]]] = defaultdict(list)
    for track_id in np.unique(tracks[tracks >= 0]).tolist():
        rows = np.flatnonzero((tracks == track_id) & np.isfinite(boxes).all(axis=1))
        parts = (part for part in np.array_split(rows, _FACES_A_STRIP) if len(part))
        for row in (part[len(part) // 2] for part in parts):
            wanted[int(frames[row])].append((track_id, boxes[row]))
    return wanted


def _faces(video: Path, wanted: Mapping[int, Sequence[tuple[int, Float64]]]) -> Iterator[tuple[int, Image]]:
    """The wanted faces in the order of their frames."""
    if not os.path.isfile(video):  # noqa: PTH113 - never raises
        raise InputError(f"{printable(str(video), limit=200)}: the file is not there; name it with --video")
    (media,) = find_inputs([video])
    if media.kind == "image":
        images = iter([(0, load_image(video))])
    elif media.path is None:
        raise InputError(f"{video}: images of a camera are not kept; there is nothing to show")
    else:
        images = _images(video, max(wanted, default=-1))
    for index, image in images:
        for track_id, box in wanted.get(index, ()):
            yield track_id, _thumbnail(image, box)


def _images(video: Path, last: int) -> Iterator[tuple[int, Image]]:
    with open_video(video) as frames:
        for frame in frames:
            yield frame.index, frame.image
            if frame.index >= last:
                return


def _thumbnail(image: Image, box: Float64) -> Image:
    """The square around a box, black where it leaves the image."""
    x0, y0, x1, y1 = box
    half = max(x1 - x0, y1 - y0) * (0.5 + _MARGIN)
    centre_x, centre_y = (x0 + x1) / 2, (y0 + y1) / 2
    steps = (np.arange(_SIDE_PX) + 0.5) / _SIDE_PX * 2 - 1
    columns, rows = (np.floor(centre + half * steps).astype(int) for centre in (centre_x, centre_y))
    height, width = image.shape[:2]
    face = image[np.clip(rows, 0, height - 1)[:, None], np.clip(columns, 0, width - 1)[None]]
    outside = ((rows < 0) | (rows >= height))[:, None] | ((columns < 0) | (columns >= width))[None]
    face[outside] = 0
    return np.ascontiguousarray(face)
