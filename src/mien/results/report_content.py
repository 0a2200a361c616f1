# SPDX-License-Identifier: Apache-2.0
"""What a report shows, gathered recording by recording into plain values for the page's JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mien.core import ACTION_UNITS, EXPRESSION_COLOURS
from mien.results.recording import Recording, Subject
from mien.results.report_moments import Moment, Pictures, key_moments, whole_picture
from mien.results.report_series import pack_coverage, pack_face
from mien.results.report_texts import coverage_text, face_table, mean_text, most_text, still_lines
from mien.results.schema import action_unit_columns, expression_columns
from mien.results.summary_rows import SourceSummary

# A point takes about 60 bytes: 1.5 MB in all, and 30 minutes of one face at 30 fps still show a tenth of a second.
_MAX_POINTS = 24_000
_MAX_FACES = 40  # of one recording: a street scene has thousands of tracks
_MAX_STILLS = 60
_MAX_PICTURES = 120
_PICTURES_OF_LEADERS, _N_LEADERS = 6, 4
_COVERAGE_BINS = 800
# For labels that a bundle of its own adds to the canonical ones.
_SPARE_COLOURS = ("#7f4f24", "#4d4d4d", "#8e6bbf", "#2f6f4f")


class ReportContent:
    """Gathers recordings.

    Args:
        n_rows: rows of all recordings that will come; decides how many become one point.
        pictures: gives key frames; None for a report without faces.
    """

    def __init__(self, n_rows: int, pictures: Pictures | None) -> None:
        self._n_rows = n_rows
        self._rows_per_point = max(1, -(-n_rows // _MAX_POINTS))
        self._pictures = pictures
        self._sources: list[dict[str, Any]] = []
        self._expressions: list[str] = []
        self._units: list[str] = []
        self._n_pictures = 0
        self._n_stills = 0

    def add(self, recording: Recording, thresholds: Mapping[str, float]) -> None:
        """Take what the page shows of a recording, or of a photo, which is one of a single frame.

        Args:
            recording: one source.
            thresholds: of action units for which its table has none.
        """
        schema = recording.table.schema
        for name in expression_columns(schema):
            label = name.removeprefix("expression_")
            if label not in self._expressions and recording.table[name].null_count < len(recording.table):
                self._expressions.append(label)
        self._units += [name for name in action_unit_columns(schema) if name not in self._units]
        if len(recording.frame_time_s) > 1:
            self._sources.append(self._moving(recording, thresholds))
            return
        self._n_stills += 1
        if self._n_stills <= _MAX_STILLS:
            self._sources.append(self._still(recording))

    def values(self) -> dict[str, Any]:
        """Everything gathered, for JSON."""
        spare = iter(_SPARE_COLOURS * len(self._expressions))
        return {
            "sources": self._sources,
            "expressions": self._expressions,
            "colours": {label: EXPRESSION_COLOURS.get(label) or next(spare) for label in self._expressions},
            "units": self._units,
            "unit_names": {unit: ACTION_UNITS[unit] for unit in self._units if unit in ACTION_UNITS},
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

    def _moving(self, recording: Recording, thresholds: Mapping[str, float]) -> dict[str, Any]:
        whole, *others = SourceSummary(recording, None, thresholds).windows()
        of_face = {(row["track_id"], row["person"]): row for row in others}
        followed = list(recording.followed())
        shown = followed[:_MAX_FACES]
        return {
            "name": recording.source,
            "still": False,
            "start_s": whole["start_s"],
            "end_s": whole["end_s"],
            "n_frames": whole["n_frames"],
            "unseen_s": whole["unseen_s"],
            "coverage_share": coverage_text(whole),
            "coverage": pack_coverage(recording, _COVERAGE_BINS),
            "subjects": [
                self._face(recording, subject, of_face[subject.track_id, subject.person], number)
                for number, subject in enumerate(shown)
            ],
            "n_hidden": len(followed) - len(shown),
            "table": face_table([whole, *others[:_MAX_FACES]]),
        }

    def _face(self, recording: Recording, subject: Subject, row: Mapping[str, Any], number: int) -> dict[str, Any]:
        most = _PICTURES_OF_LEADERS if number < _N_LEADERS else 1
        return {
            "name": subject.name,
            "coverage": coverage_text(row),
            "most": most_text(row),
            "valence": mean_text(row, "valence"),
            "arousal": mean_text(row, "arousal"),
            "frames": self._shown(recording.source, key_moments(recording, subject, most)),
            **pack_face(recording, subject, self._rows_per_point),
        }

    def _still(self, recording: Recording) -> dict[str, Any]:
        shown = self._shown(recording.source, [whole_picture(recording)])
        return {
            "name": Path(recording.source).name,
            "still": True,
            "image": shown[0]["image"] if shown else None,
            "lines": still_lines(recording),
        }

    def _shown(self, source: str, moments: Sequence[Moment]) -> list[dict[str, Any]]:
        if self._pictures is None or not moments:
            return []
        found = self._pictures(source, moments[: _MAX_PICTURES - self._n_pictures])
        self._n_pictures += len(found)
        return [
            {
                "time_s": moment.time_s,
                "label": moment.label,
                "image": "data:image/jpeg;base64," + base64.b64encode(found[moment]).decode("ascii"),
            }
            for moment in moments
            if moment in found
        ]
