# SPDX-License-Identifier: Apache-2.0
"""Tracks of a table: listed, named as persons in a new table, and shown as strips of faces from the video."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from mien.core import (
    ConfigError,
    Float64,
    Image,
    InputError,
    Int64,
    OutputError,
    PathName,
    is_regular_file,
    printable,
    source_path,
)
from mien.media import find_inputs, load_image, open_video, save_image
from mien.pipeline.postprocessing.convert import file_names
from mien.results import (
    PossibleIdSwitch,
    TableStream,
    Track,
    TrackSurvey,
    check_output,
    column_numbers,
    format_of,
    named_parts,
    open_stream,
    parts_without,
    save_pieces,
    source_runs,
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
    return _track_list(TrackSurvey.of(open_stream(path).parts()))


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
    stream, survey = open_stream(path), TrackSurvey()

    def parts() -> Iterator[pa.Table]:
        for part in named_parts(stream, persons, source=source):
            survey.add(part)
            yield part

    save_pieces(out, stream.restored(parts()))
    return _track_list(survey)


def forget_in_file(
    path: PathName,
    tracks: Sequence[int] = (),
    persons: Sequence[str] = (),
    *,
    out: PathName | None = None,
    source: str | None = None,
) -> int:
    """Deletes the rows of tracks and persons from a table.

    A frame that loses all its faces keeps one row without a face. Nothing else is changed: overlays, reports, strips
    of faces, features and summaries that were made of the table before still hold what was forgotten, and a new run
    over the same recording reads it again.

    Args:
        path: Path of the table.
        tracks: Numbers of the tracks.
        persons: Names of the persons, see `name_persons_in_file`.
        out: Path of the new table; None replaces the table itself.
        source: Source of the tracks; needed where the table has several sources.

    Returns:
        Number of rows with a face that were deleted.

    Raises:
        ConfigError: Nothing is named, or a track, person or source is not in the table.
        InputError: The table cannot be read.
        OutputError: The table cannot be written.
    """
    if not tracks and not persons:
        raise ConfigError("name a track or a person to forget")
    path = Path(path)
    target = path if out is None else Path(out)
    format_of(target)
    if out is not None:
        check_output("--out", out, {"TABLE": path})
    stream = open_stream(path)
    before = _n_faces(stream.parts())
    # In place the old table is read to its end before the new one takes its name.
    kept = list(stream.restored(parts_without(stream, set(tracks), set(persons), source=source)))
    save_pieces(target, iter(kept))
    return before - _n_faces(open_stream(target).parts())


def _n_faces(parts: Iterable[pa.Table]) -> int:
    """Number of rows with a face."""
    return sum(int(np.asarray(part["success"].to_numpy(), np.bool_).sum()) for part in parts)


def _track_list(survey: TrackSurvey) -> TrackList:
    return TrackList(tracks=survey.tracks, id_switches=survey.id_switches)


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
    stream = open_stream(path)
    wanted = _wanted(stream)
    sources = list(wanted)
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
        for track_id, face in _faces(source_path(source) if video is None else Path(video), wanted[source]):
            strips[track_id].append(face)
        for track_id, faces in sorted(strips.items()):
            written.append(folder / f"{name}-track-{track_id}.jpg")
            save_image(written[-1], np.concatenate(faces, axis=1))
    return tuple(written)


_Wanted = dict[int, list[tuple[int, Float64]]]  # frame -> tracks and boxes to show


def _wanted(stream: TableStream) -> dict[str, _Wanted]:
    """The faces to show of every source with tracks: a few rows of each track, evenly over its time."""
    n_rows: Counter[tuple[str, int]] = Counter()
    for source, tracks, _, _ in _boxes(stream):
        for track, n in zip(*np.unique(tracks, return_counts=True), strict=True):
            n_rows[source, int(track)] += int(n)
    places = {key: _middles(n) for key, n in n_rows.items()}
    wanted: dict[str, _Wanted] = {
        name: defaultdict(list) for name, facts in stream.sources.items() if facts.last_row_of_track
    }
    n_before: Counter[tuple[str, int]] = Counter()
    for source, tracks, frames, boxes in _boxes(stream):
        for track in np.unique(tracks).tolist():
            own = np.flatnonzero(tracks == track)
            for place in places[source, track]:
                at = place - n_before[source, track]
                if 0 <= at < len(own):
                    wanted[source][int(frames[own[at]])].append((track, boxes[own[at]]))
            n_before[source, track] += len(own)
    return wanted


def _middles(n: int) -> list[int]:
    """Places in the middle of the parts of a track of n rows."""
    parts = (part for part in np.array_split(np.arange(n), _FACES_A_STRIP) if len(part))
    return [int(part[len(part) // 2]) for part in parts]


def _boxes(stream: TableStream) -> Iterator[tuple[str, Int64, Int64, Float64]]:
    """Source, tracks, frames and boxes of the rows that have a track and a box, part by part."""
    for part in stream.parts():
        for source, rows in source_runs([part]):
            tracks = track_numbers(rows)
            boxes = np.stack([column_numbers(rows[name]) for name in ("x0", "y0", "x1", "y1")], axis=1)
            usable = (tracks >= 0) & np.isfinite(boxes).all(axis=1)
            yield source, tracks[usable], rows["frame"].to_numpy()[usable], boxes[usable]


def _faces(video: Path, wanted: Mapping[int, Sequence[tuple[int, Float64]]]) -> Iterator[tuple[int, Image]]:
    """The wanted faces in the order of their frames."""
    if not is_regular_file(video):
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
