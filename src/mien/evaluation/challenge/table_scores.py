# SPDX-License-Identifier: Apache-2.0
"""Scores of affect tables by video, with frames numbered from 1 as in the challenges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mien.core import Bools, Float64, InputError, Int64
from mien.datasets import base_video
from mien.evaluation.challenge.image_names import ImageNames
from mien.results import FAILURES_NAME, TABLE_ENDINGS, read_table

_MAX_FRAMES = 5_000_000  # 46 hours at 30 frames a second: scores are interpolated over every frame
_MAX_DIGITS = 7  # a longer number is a name
_PICTURES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True, eq=False, kw_only=True)
class VideoScores:
    """Scores of the faces in one video, or in one folder of crops.

    Attributes:
        frames: (N,) frame numbers, from 1.
        columns: Name of a table column -> (N,) values; NaN where unknown.
        tracks: (N,) track numbers of the table, -1 without tracking.
        centre_x: (N,) horizontal centre of the box, in pixels.
        area: (N,) area of the box, in square pixels.
        main: (N,) whether the row is the main face of its frame: the face of the track with most rows in the video,
            else of the track with next most; the largest among equals.

    Examples:
        Of two faces in frame 1, the one whose track has more rows is the main face:

        >>> scores = VideoScores.of(
        ...     frames=np.array([1, 1, 2]), columns={"valence": np.array([0.1, 0.9, 0.2])}, tracks=np.array([4, 7, 4]),
        ...     centre_x=np.array([10.0, 80.0, 11.0]), area=np.array([50.0, 90.0, 50.0]),
        ... )
        >>> scores.main.tolist()
        [True, False, True]
        >>> frames, values = scores.known_rows(["valence"], main_only=True)
        >>> frames.tolist(), values[:, 0].tolist()
        ([1, 2], [0.1, 0.2])
    """

    frames: Int64
    columns: dict[str, Float64]
    tracks: Int64
    centre_x: Float64
    area: Float64
    main: Bools

    @classmethod
    def of(
        cls,
        frames: Int64,
        columns: dict[str, Float64],
        tracks: Int64,
        centre_x: Float64,
        area: Float64,
    ) -> VideoScores:
        """Scores with the main face of each frame chosen."""
        main = _main_faces(frames, tracks, area)
        return cls(frames=frames, columns=columns, tracks=tracks, centre_x=centre_x, area=area, main=main)

    @classmethod
    def empty(cls) -> VideoScores:
        """No face."""
        none, number = np.empty(0, np.int64), np.empty(0)
        return cls(frames=none, columns={}, tracks=none, centre_x=number, area=number, main=np.empty(0, np.bool_))

    def with_zeros(self, names: Sequence[str]) -> VideoScores:
        """The same rows with 0 in these columns."""
        return replace(self, columns=self.columns | {name: np.zeros(len(self.frames)) for name in names})

    def side(self, *, left: bool) -> VideoScores:
        """The faces on one side of the image, with a main face of their own.

        The border is the median, over the frames with several faces, of the midpoint between the two largest. A video
        that never shows two faces at once has no border, and all its faces stay.
        """
        order = np.lexsort((-np.nan_to_num(self.area), self.frames))
        frames = self.frames[order]
        first = np.flatnonzero(np.r_[True, frames[1:] != frames[:-1]] & np.r_[frames[1:] == frames[:-1], False])
        if not len(first):
            return self
        border = np.median((self.centre_x[order[first]] + self.centre_x[order[first + 1]]) / 2)
        rows = self.centre_x < border if left else self.centre_x >= border
        columns = {name: column[rows] for name, column in self.columns.items()}
        return VideoScores.of(self.frames[rows], columns, self.tracks[rows], self.centre_x[rows], self.area[rows])

    def known_rows(self, names: Sequence[str], *, main_only: bool) -> tuple[Int64, Float64]:
        """Frames (M,) and values (M, len(names)) of the rows in which all these columns are known."""
        values = np.stack([self.columns[name] for name in names], axis=1)
        rows = np.isfinite(values).all(axis=1) & (self.main if main_only else True)
        order = np.argsort(self.frames[rows], kind="stable")
        return self.frames[rows][order], values[rows][order]


class ImageScores(Mapping[str, VideoScores]):
    """Scores of single images, by the path relative to the folder of the data set; see `ImageNames`.

    Args:
        by_source: Source of a table -> its scores.
        place: Folder of the tables.
        folder: Folder of the images of the data set; None where it is unknown.
    """

    def __init__(self, by_source: Mapping[str, VideoScores], place: Path, folder: Path | None) -> None:
        self._by_source = by_source
        self._names = ImageNames(by_source, place, folder)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._names.find(name) is not None

    def __getitem__(self, name: str) -> VideoScores:
        source = self._names.find(name)
        if source is None:
            raise KeyError(name)
        return self._by_source[source]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_source)

    def __len__(self) -> int:
        return len(self._by_source)


def load_video_scores(folder: Path, columns: Sequence[str], *, per_frame: bool) -> dict[str, VideoScores]:
    """Scores of every video in the tables of a folder.

    A table's source ``.../video7.mp4`` is the video ``video7``, and its frame i is frame i + 1 of the challenge. A
    source ``.../video7_left/00012.jpg``, an official crop, is frame 12 of ``video7_left``.

    Args:
        folder: Folder of tables that mien wrote, smoothed or not.
        columns: Names of the columns to keep; columns that a table lacks are NaN.
        per_frame: False for lists of single images: each is a "video" of one frame, named by its whole source.

    Raises:
        InputError: There is no table, a table cannot be read, a video is in two tables, or crops are counted from 0.
    """
    videos: dict[str, VideoScores] = {}
    for path in table_files(folder):
        for video, scores in _read(path, columns, per_frame=per_frame).items():
            if video in videos:
                raise InputError(f"{path}: the video {video} is in another table of {folder} too; keep one of them")
            videos[video] = scores
    return videos


def table_files(folder: Path) -> list[Path]:
    """The tables in a folder, sorted by name.

    Raises:
        InputError: There is none.
    """
    found = (path for path in folder.glob("*") if path.suffix.lower() in TABLE_ENDINGS)
    paths = sorted(path for path in found if path.name != FAILURES_NAME)
    if not paths:
        raise InputError(f"{folder} holds no tables ({', '.join(TABLE_ENDINGS)}); make some with mien analyze")
    return paths


def track_faces(track: str, videos: Mapping[str, VideoScores], other_tracks: Sequence[str]) -> VideoScores | None:
    """Scores of a track of Aff-Wild2; None if its video was not analysed.

    Tables of official crops name the track itself. In a raw video ``X`` that shows two annotated people, ``X_left``
    and ``X_right`` are the faces on that side of the image, and ``X`` is the other person if only one of the two is in
    the list; without either, ``X`` is the main face.

    Args:
        track: Name of the track.
        videos: Name of a video -> its scores.
        other_tracks: Names of all tracks of the list.
    """
    video = base_video(track)
    if track != video:
        if track in videos or video not in videos:
            return videos.get(track)
        return videos[video].side(left=track.endswith("_left"))
    others = [
        side for side in ("left", "right") if f"{video}_{side}" in other_tracks and f"{video}_{side}" not in videos
    ]
    if video not in videos or len(others) != 1:
        return videos.get(video)
    return videos[video].side(left=others == ["right"])


def _read(path: Path, columns: Sequence[str], *, per_frame: bool) -> dict[str, VideoScores]:
    table = read_table(path)
    if len(table) and int(pc.max(table["frame"]).as_py()) >= _MAX_FRAMES:
        row = int(np.argmax(table["frame"].to_numpy()))
        raise InputError(
            f"{path} cannot be used: row {row + 1}, column frame: {table['frame'][row]} is beyond any video of a"
            f" challenge; numbers up to {_MAX_FRAMES - 1} are read"
        )
    sources = table["source"].combine_chunks().dictionary_encode()
    places = [_place(source, per_frame=per_frame) for source in sources.dictionary.to_pylist()]
    names = sorted({video for video, _ in places})
    number = {video: index for index, video in enumerate(names)}
    source_video = np.array([number[video] for video, _ in places], dtype=np.int64)
    source_frame = np.array([-1 if frame is None else frame for _, frame in places], dtype=np.int64)
    if (source_frame == 0).any():
        first = sources.dictionary[int((source_frame == 0).argmax())]
        raise InputError(f"{path}: the source {first} is crop 0; frames are counted from 1, so name the crops from 1")
    source = sources.indices.to_numpy()
    own_frame = source_frame[source]
    frames = np.where(own_frame >= 0, own_frame, table["frame"].to_numpy() + 1)
    values = {name: _numbers(table, name) for name in columns}
    area = (_numbers(table, "x1") - _numbers(table, "x0")) * (_numbers(table, "y1") - _numbers(table, "y0"))
    centre_x = (_numbers(table, "x0") + _numbers(table, "x1")) / 2
    track = table["track_id"].fill_null(-1).to_numpy()
    success = table["success"].to_numpy()
    order = np.argsort(source_video[source], kind="stable")
    bounds = np.searchsorted(source_video[source][order], np.arange(len(names) + 1))
    videos = {}
    for video, start, stop in zip(names, bounds[:-1], bounds[1:], strict=True):
        rows = order[start:stop]
        rows = rows[success[rows]]
        own = {name: column[rows] for name, column in values.items()}
        videos[video] = VideoScores.of(frames[rows], own, track[rows], centre_x[rows], area[rows])
    return videos


def _place(source: str, *, per_frame: bool) -> tuple[str, int | None]:
    """The video of a source, and the frame (from 1) if the source names one."""
    path = PurePath(source.replace("\\", "/"))
    if not per_frame:
        return path.as_posix(), 1
    if path.stem.isdecimal() and len(path.stem) < _MAX_DIGITS and path.suffix.lower() in _PICTURES and path.parent.name:
        return path.parent.name, int(path.stem)
    return path.stem, None


def _main_faces(frames: Int64, tracks: Int64, areas: Float64) -> Bools:
    """(N,) whether a row is the main face of its frame: one row per frame."""
    _, index, counts = np.unique(tracks, return_inverse=True, return_counts=True)
    length = np.where(tracks >= 0, counts[index] if len(tracks) else 0, 0)
    order = np.lexsort((-np.nan_to_num(areas), -length, frames))
    main = np.zeros(len(frames), dtype=bool)
    main[order[np.unique(frames[order], return_index=True)[1]]] = True
    return main


def _numbers(table: pa.Table, name: str) -> Float64:
    if name not in table.schema.names:
        return np.full(len(table), np.nan)
    return np.asarray(table[name].cast(pa.float64()).to_numpy(), dtype=np.float64)
