# SPDX-License-Identifier: Apache-2.0
"""The contents of a report, gathered part by part into plain values for the page's JSON."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from mien.core import ACTION_UNITS, EXPRESSION_COLOURS, distinct_names
from mien.results.reports.face_series import POSE_RANGES, Coverage, FaceSeries, face_signals, series_columns
from mien.results.reports.moments import PHOTO_SIDE_PX, FrameStrip, ImagesOf, KeyMoments, Moment, Picture, whole_frame
from mien.results.reports.report_texts import coverage_text, face_table, mean_text, most_text, photo_faces
from mien.results.summaries.source_parts import Part
from mien.results.summaries.source_summary import SourceSummary
from mien.results.tables.recording import UNTRACKED, Subject
from mien.results.tables.schema import action_unit_columns, presence_thresholds
from mien.results.tables.table_columns import STREAM_OFFSET_COLUMN

PlaybackOf = Callable[[Path, str], str | None]
"""Function that gives what plays a source of a table: a data URI or a path from the page; None where nothing does."""

# A point takes about 60 bytes: 1.5 MB in all, and 30 minutes of one face at 30 fps still show a tenth of a second.
_MAX_POINTS = 24_000
_MAX_FACES = 40  # of one recording: a street scene has thousands of tracks
_MAX_STILLS = 60
_MAX_IMAGES = 240  # of faces and photos, about 6 kB each
_MAX_STRIP_IMAGES = 240
_STRIP_FRAMES = 40  # of one recording
_IMAGES_OF_LEADERS, _N_LEADERS = 6, 4
_COVERAGE_BINS = 800
# For labels that a bundle of its own adds to the canonical ones.
_SPARE_COLOURS = ("#7f4f24", "#4d4d4d", "#8e6bbf", "#2f6f4f")


class ReportContent:
    """Gathers the contents of a report, one table after the other.

    Args:
        n_rows: Number of rows of all tables together; it decides how many become one point.
        images: Function that gives images; None for a report without images of faces.
        playback: Function that gives what plays a recording; None for a report without.
    """

    def __init__(self, n_rows: int, images: ImagesOf | None, playback: PlaybackOf | None = None) -> None:
        self._n_rows = n_rows
        self._rows_per_point = max(1, -(-n_rows // _MAX_POINTS))
        self._images = images
        self._playback = playback
        self._sources: list[dict[str, Any]] = []
        self._expressions: list[str] = []
        self._units: list[str] = []
        self._n_images = 0
        self._n_strip_images = 0
        self._n_stills = 0
        self._n_sources = 0
        self._first = ""

    def add(self, table: Path, parts: Iterable[Part], thresholds: Mapping[str, float]) -> None:
        """Adds the recordings of a table, and its photos, which are recordings of a single frame.

        Args:
            table: Path of the table.
            parts: Its sources, part by part; one part is in memory at a time.
            thresholds: Thresholds of the bundle, for a table that keeps none.
        """
        running: dict[int, _MovingSource] = {}
        done: dict[int, dict[str, Any]] = {}
        for part in parts:
            self._add_labels(part)
            if not self._n_sources:
                self._first = part.recording.source
            if part.n_frames > 1:
                if part.number not in running:
                    self._n_sources += 1
                    n_strip = min(_STRIP_FRAMES, (_MAX_STRIP_IMAGES - self._n_strip_images) // 4)
                    running[part.number] = _MovingSource(part, thresholds, self._rows_per_point, n_strip)
                running[part.number].add(part)
                if part.is_last:
                    done[part.number] = self._moving(table, running.pop(part.number))
                continue
            self._n_sources += 1
            self._n_stills += 1
            if self._n_stills <= _MAX_STILLS:
                done[part.number] = self._still(table, part, thresholds)
        self._sources += [source for _, source in sorted(done.items())]

    def _add_labels(self, part: Part) -> None:
        labels = [name.removeprefix("expression_") for name in part.expressions]
        self._expressions += [label for label in labels if label not in self._expressions]
        self._units += [name for name in action_unit_columns(part.schema) if name not in self._units]

    @property
    def linked(self) -> list[str]:
        """Paths from the page of the files that it plays and does not contain."""
        videos = (source.get("video") for source in self._sources)
        return list(dict.fromkeys(video for video in videos if video and not video.startswith("data:")))

    @property
    def title(self) -> str:
        """The name of the recording or photo; of several the first one and how many more; empty without any."""
        more = f" and {self._n_sources - 1} more" if self._n_sources > 1 else ""
        return PurePath(self._first.replace("\\", "/")).name + more

    def values(self) -> dict[str, Any]:
        """All contents as plain values for JSON."""
        spare = iter(_SPARE_COLOURS * len(self._expressions))
        names = distinct_names([source["name"] for source in self._sources if source["still"]])
        return {
            "sources": [
                {**source, "name": names[source["name"]]} if source["still"] else source for source in self._sources
            ],
            "expressions": self._expressions,
            "colours": {label: EXPRESSION_COLOURS.get(label) or next(spare) for label in self._expressions},
            "units": self._units,
            "unit_names": {unit: ACTION_UNITS.full(unit) for unit in self._units},
            "pose_ranges": dict(POSE_RANGES),
            "n_stills_hidden": max(0, self._n_stills - _MAX_STILLS),
            "binning": self._binning(),
        }

    def _binning(self) -> str:
        if self._rows_per_point == 1:
            return f"Every one of the table's {self._n_rows:,} rows is in this page."
        return (
            f"The table's {self._n_rows:,} rows are too many for one page: {self._rows_per_point} successive rows of a "
            "face make one point. Lines and areas show their mean, bands their lowest and highest value, the strip of "
            "action units their highest."
        )

    def _moving(self, table: Path, source: _MovingSource) -> dict[str, Any]:
        summary = source.summary
        whole, *others = summary.windows()
        of_face = {Subject(row["track_id"], row["person"]): row for row in others}
        followed = [subject for subject in summary.subjects if subject != UNTRACKED]
        shown = followed[:_MAX_FACES]
        listed = others[:_MAX_FACES]
        places = {subject: place for place, subject in enumerate(shown)}
        portraits = {subject: source.faces[subject].moments.portrait() for subject in shown}
        key_moments = {
            subject: source.faces[subject].moments.chosen(_IMAGES_OF_LEADERS) for subject in shown[:_N_LEADERS]
        }
        wanted = [*filter(None, portraits.values()), *(moment for each in key_moments.values() for moment in each)]
        pictures = self._pictures(table, source.name, wanted, source.strip.moments)
        return {
            "name": source.name,
            "still": False,
            "start_s": whole["start_s"],
            "end_s": whole["end_s"],
            "n_frames": whole["n_frames"],
            "n_faces": whole["n_faces"],
            "unseen_s": whole["unseen_s"],
            "coverage_share": coverage_text(whole),
            "coverage": source.coverage.packed(),
            "thresholds": summary.thresholds,
            "strip": _shown(source.strip.moments, pictures),
            "strip_ratio": next((pictures[each].ratio for each in source.strip.moments if each in pictures), 1.0),
            "offset_s": source.offset_s,
            "video": self._playback(table, source.name) if self._playback is not None else None,
            "subjects": [
                {
                    **_face_texts(subject, of_face[subject]),
                    "portrait": next(iter(_shown(filter(None, [portraits[subject]]), pictures)), None),
                    "frames": _shown(key_moments.get(subject, ()), pictures),
                    **source.faces[subject].series.packed(),
                }
                for subject in shown
            ],
            "n_hidden": len(followed) - len(shown),
            "table": {
                **face_table([whole, *listed]),
                "subjects": [None, *(places.get(Subject(row["track_id"], row["person"])) for row in listed)],
            },
        }

    def _still(self, table: Path, part: Part, thresholds: Mapping[str, float]) -> dict[str, Any]:
        recording = part.recording
        whole = whole_frame(recording, 0, PHOTO_SIDE_PX)
        picture = self._pictures(table, recording.source, [whole]).get(whole)
        return {
            "name": recording.source,
            "still": True,
            "image": None if picture is None else _data_uri(picture),
            "size": None if picture is None else [picture.width, picture.height],
            **photo_faces(recording, presence_thresholds(part.schema, thresholds)),
        }

    def _pictures(
        self, table: Path, source: str, moments: Sequence[Moment], strip: Sequence[Moment] = ()
    ) -> Mapping[Moment, Picture]:
        """The pictures of a source, all at once, since every call reads the file from its beginning."""
        if self._images is None:
            return {}
        wanted = list(dict.fromkeys(moments))[: _MAX_IMAGES - self._n_images]
        if not wanted and not strip:
            return {}
        found = self._images(table, source, [*wanted, *strip])
        self._n_images += sum(moment in found for moment in wanted)
        self._n_strip_images += sum(moment in found for moment in strip)
        return found


def _face_texts(subject: Subject, row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "name": subject.name,
        "coverage": coverage_text(row),
        "most": most_text(row),
        "valence": mean_text(row, "valence"),
        "arousal": mean_text(row, "arousal"),
    }


def _shown(moments: Iterable[Moment], pictures: Mapping[Moment, Picture]) -> list[dict[str, Any]]:
    return [
        {"time_s": moment.time_s, "label": moment.label, "image": _data_uri(pictures[moment])}
        for moment in moments
        if moment in pictures
    ]


def _data_uri(picture: Picture) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture.jpeg).decode("ascii")


@dataclass(frozen=True, eq=False)
class _MovingFace:
    """What is gathered of one face."""

    series: FaceSeries
    moments: KeyMoments


class _MovingSource:
    """Gathers what the report shows of a recording of several frames."""

    def __init__(self, part: Part, thresholds: Mapping[str, float], rows_per_point: int, n_strip: int) -> None:
        self.name = part.recording.source
        self.summary = SourceSummary(self.name, part.schema, list(part.expressions), None, thresholds)
        self.coverage = Coverage(part, _COVERAGE_BINS)
        self.faces: dict[Subject, _MovingFace] = {}
        self.strip = FrameStrip(part, n_strip)
        # Players run on the file's own clock, on which the video may start later than its sound.
        offset_s = part.recording.numbers(STREAM_OFFSET_COLUMN.name)[0]
        self.offset_s = float(offset_s) if np.isfinite(offset_s) else 0.0
        self._expressions = part.expressions
        self._signals = face_signals(part.schema, part.expressions)
        self._rows_per_point = rows_per_point
        self._open: set[Subject] = set()  # faces whose last rows may not be packed yet

    def add(self, part: Part) -> None:
        """Adds the next frames."""
        recording = part.recording
        self.summary.add(recording)
        self.coverage.add(recording)
        self.strip.add(part)
        columns = series_columns(recording, self._signals)
        for subject in recording.followed():
            if subject not in self.faces:
                series = FaceSeries(self._signals, self._rows_per_point)
                self.faces[subject] = _MovingFace(series, KeyMoments(self._expressions))
            rows = recording.rows_of(subject)
            self.faces[subject].series.add(recording, rows, columns)
            self.faces[subject].moments.add(recording, rows, columns)
            self._open.add(subject)
        for subject in list(self._open):
            if self.faces[subject].series.close(float(recording.frame_time_s[-1]) - recording.gap_s):
                self._open.remove(subject)
