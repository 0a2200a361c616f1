# SPDX-License-Identifier: Apache-2.0
"""The contents of a report, gathered part by part into plain values for the page's JSON."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.core import ACTION_UNITS, EXPRESSION_COLOURS
from mien.results.reports.face_series import Coverage, FaceSeries, KeyMoments, Moment, series_columns
from mien.results.summaries.source_parts import Part
from mien.results.summaries.source_summary import SourceSummary
from mien.results.tables.manifest import RunManifest, manifest_path
from mien.results.tables.recording import UNTRACKED, Recording, Subject
from mien.results.tables.schema import action_unit_columns

_UNKNOWN = "\N{EN DASH}"
_TOP = 3
_LEAST_SHARE = 0.05
_MAX_STILL_LINES = 8
_MAX_FAILURES = 10


def coverage_text(row: Mapping[str, Any]) -> str:
    """The share of frames with the face, as text.

    Examples:
        >>> coverage_text({"coverage": 0.834})
        '83%'
    """
    return _percent(row["coverage"])


def mean_text(row: Mapping[str, Any], name: str) -> str:
    """Mean and standard deviation of valence or arousal, as text.

    Examples:
        >>> mean_text({"valence_mean": 0.081, "valence_sd": 0.524}, "valence")
        '+0.08 ± 0.52'
    """
    mean, sd = row.get(f"{name}_mean"), row.get(f"{name}_sd")
    if mean is None:
        return _UNKNOWN
    return _signed(mean) + ("" if sd is None else f" ± {sd:.2f}")


def most_text(row: Mapping[str, Any]) -> str:
    """The expression that was shown longest and its share of time, as text.

    Examples:
        >>> most_text({"expression_fear_share": 0.3, "expression_happiness_share": 0.52})
        'happiness 52%'
    """
    return next(iter(_largest(row, "_share")), _UNKNOWN)


def face_table(windows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The summary of one recording as a table of texts, a row per face.

    Args:
        windows: Rows of `mien.results.Summary.windows` of one source and one window.
    """
    header = ["face", "in view", "valence", "arousal", "expressions, share of time", "action units, base rate (events)"]
    rows = []
    for row in windows:
        units = []
        for text in _largest(row, "_rate"):
            n_events = row.get(f"{text.partition(' ')[0]}_events")
            units.append(text if n_events is None else f"{text} ({n_events})")
        texts = [_face(row), coverage_text(row), mean_text(row, "valence"), mean_text(row, "arousal")]
        rows.append([*texts, ", ".join(_largest(row, "_share")) or _UNKNOWN, ", ".join(units) or _UNKNOWN])
    return {"header": header, "rows": rows}


def still_lines(recording: Recording) -> list[str]:
    """The predictions for a photo, a line per face."""
    faces = recording.table.filter(recording.table["success"]).to_pylist()
    lines = []
    for face in faces[:_MAX_STILL_LINES]:
        top = face["expression"]
        probability = face.get(f"expression_{top}")
        text = "face" if top is None else top if probability is None else f"{top} {probability:.2f}"
        if face["valence"] is not None and face["arousal"] is not None:
            text += f" (V {_signed(face['valence'])}, A {_signed(face['arousal'])})"
        lines.append(text)
    hidden = len(faces) - len(lines)
    if hidden > 0:
        lines.append(f"and {hidden} more faces")
    return lines or ["no face"]


def manifest_facts(table: Path) -> list[tuple[str, str]]:
    """Names and values of the facts in a table's manifest; without a manifest, a note that there is none.

    Raises:
        InputError: The manifest is damaged.
    """
    facts = [("table", str(table))]
    if not manifest_path(table).exists():
        return [*facts, ("manifest", "none beside the table: how the table was made is not known")]
    manifest = RunManifest.load(table)
    facts += [
        ("made by", f"mien {manifest.mien_version}, {manifest.finished:%Y-%m-%d %H:%M} UTC"),
        ("model", f"{manifest.bundle_name} ({manifest.bundle_sha256[:12]})"),
        ("arguments", ", ".join(f"{name} {_argument(value)}" for name, value in manifest.arguments.items() if value)),
    ]
    for record in manifest.inputs[:_MAX_FAILURES]:
        lost = f", {record.n_frames_lost} lost" if record.n_frames_lost else ""
        digest = f", SHA-256 {record.sha256[:12]}" if record.sha256 else ""
        facts.append(
            ("input", f"{record.path}: {record.n_frames_decoded} frames{lost}, {record.n_faces} faces{digest}")
        )
        facts += [
            ("lost", f"{gap.from_s:.2f} to {gap.to_s:.2f} s: {gap.n_frames} frames, blank in the timelines")
            for gap in record.gaps[:_TOP]
        ]
        if len(record.gaps) > _TOP:
            facts.append(("lost", f"{len(record.gaps) - _TOP} more places, all in the manifest"))
        facts += [("remark", message) for message in list(dict.fromkeys(record.messages))[:_TOP]]
    if len(manifest.inputs) > _MAX_FAILURES:
        facts.append(("inputs", f"{len(manifest.inputs) - _MAX_FAILURES} more in the manifest"))
    facts += [("failed", failure.reason) for failure in manifest.failures[:_MAX_FAILURES]]
    return facts


def _argument(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _face(row: Mapping[str, Any]) -> str:
    if row["scope"] == "track":
        return f"track {row['track_id']}"
    return str({"source": "all faces", "person": row["person"]}.get(row["scope"], row["scope"]))


def _largest(row: Mapping[str, Any], ending: str) -> list[str]:
    found = [
        (value, name.removesuffix(ending).removeprefix("expression_"))
        for name, value in row.items()
        if name.endswith(ending) and value is not None and value >= _LEAST_SHARE
    ]
    return [f"{name} {_percent(value)}" for value, name in sorted(found, reverse=True)[:_TOP]]


def _percent(share: float | None) -> str:
    return _UNKNOWN if share is None else f"{share:.0%}"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


ImagesOf = Callable[[Path, str, Sequence[Moment]], Mapping[Moment, bytes]]
"""Function that gives the JPEG files of moments of a source of a table; moments without an image are left out."""


def whole_image(recording: Recording) -> Moment:
    """The first frame as a whole, for a photo."""
    frame = int(recording.table["frame"][0].as_py())
    return Moment(frame=frame, time_s=float(recording.frame_time_s[0]), box=None, label="photo")


# A point takes about 60 bytes: 1.5 MB in all, and 30 minutes of one face at 30 fps still show a tenth of a second.
_MAX_POINTS = 24_000
_MAX_FACES = 40  # of one recording: a street scene has thousands of tracks
_MAX_STILLS = 60
_MAX_IMAGES = 120
_IMAGES_OF_LEADERS, _N_LEADERS = 6, 4
_COVERAGE_BINS = 800
# For labels that a bundle of its own adds to the canonical ones.
_SPARE_COLOURS = ("#7f4f24", "#4d4d4d", "#8e6bbf", "#2f6f4f")


class ReportContent:
    """Gathers the contents of a report, one table after the other.

    Args:
        n_rows: Number of rows of all tables together; it decides how many become one point.
        images: Function that gives key frames; None for a report without images of faces.
    """

    def __init__(self, n_rows: int, images: ImagesOf | None) -> None:
        self._n_rows = n_rows
        self._rows_per_point = max(1, -(-n_rows // _MAX_POINTS))
        self._images = images
        self._sources: list[dict[str, Any]] = []
        self._expressions: list[str] = []
        self._units: list[str] = []
        self._n_images = 0
        self._n_stills = 0

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
            if part.n_frames > 1:
                if part.number not in running:
                    running[part.number] = _MovingSource(part, thresholds, self._rows_per_point)
                running[part.number].add(part)
                if part.is_last:
                    done[part.number] = self._moving(table, running.pop(part.number))
                continue
            self._n_stills += 1
            if self._n_stills <= _MAX_STILLS:
                done[part.number] = self._still(table, part.recording)
        self._sources += [source for _, source in sorted(done.items())]

    def _add_labels(self, part: Part) -> None:
        labels = [name.removeprefix("expression_") for name in part.expressions]
        self._expressions += [label for label in labels if label not in self._expressions]
        self._units += [name for name in action_unit_columns(part.schema) if name not in self._units]

    def values(self) -> dict[str, Any]:
        """All contents as plain values for JSON."""
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

    def _moving(self, table: Path, source: _MovingSource) -> dict[str, Any]:
        summary = source.summary
        whole, *others = summary.windows()
        of_face = {Subject(row["track_id"], row["person"]): row for row in others}
        followed = [subject for subject in summary.subjects if subject != UNTRACKED]
        shown = followed[:_MAX_FACES]
        return {
            "name": source.name,
            "still": False,
            "start_s": whole["start_s"],
            "end_s": whole["end_s"],
            "n_frames": whole["n_frames"],
            "unseen_s": whole["unseen_s"],
            "coverage_share": coverage_text(whole),
            "coverage": source.coverage.packed(),
            "thresholds": summary.thresholds,
            "subjects": [
                self._face(table, source, subject, of_face[subject], number) for number, subject in enumerate(shown)
            ],
            "n_hidden": len(followed) - len(shown),
            "table": face_table([whole, *others[:_MAX_FACES]]),
        }

    def _face(
        self, table: Path, source: _MovingSource, subject: Subject, row: Mapping[str, Any], number: int
    ) -> dict[str, Any]:
        most = _IMAGES_OF_LEADERS if number < _N_LEADERS else 1
        face = source.faces[subject]
        return {
            "name": subject.name,
            "coverage": coverage_text(row),
            "most": most_text(row),
            "valence": mean_text(row, "valence"),
            "arousal": mean_text(row, "arousal"),
            "frames": self._shown(table, source.name, face.moments.chosen(most)),
            **face.series.packed(),
        }

    def _still(self, table: Path, recording: Recording) -> dict[str, Any]:
        shown = self._shown(table, recording.source, [whole_image(recording)])
        return {
            "name": Path(recording.source).name,
            "still": True,
            "image": shown[0]["image"] if shown else None,
            "lines": still_lines(recording),
        }

    def _shown(self, table: Path, source: str, moments: Sequence[Moment]) -> list[dict[str, Any]]:
        if self._images is None or not moments:
            return []
        found = self._images(table, source, moments[: _MAX_IMAGES - self._n_images])
        self._n_images += len(found)
        return [
            {
                "time_s": moment.time_s,
                "label": moment.label,
                "image": "data:image/jpeg;base64," + base64.b64encode(found[moment]).decode("ascii"),
            }
            for moment in moments
            if moment in found
        ]


@dataclass(frozen=True, eq=False)
class _MovingFace:
    """What is gathered of one face."""

    series: FaceSeries
    moments: KeyMoments


class _MovingSource:
    """Gathers what the report shows of a recording of several frames."""

    def __init__(self, part: Part, thresholds: Mapping[str, float], rows_per_point: int) -> None:
        self.name = part.recording.source
        self.summary = SourceSummary(self.name, part.schema, list(part.expressions), None, thresholds)
        self.coverage = Coverage(part, _COVERAGE_BINS)
        self.faces: dict[Subject, _MovingFace] = {}
        self._expressions = part.expressions
        self._units = action_unit_columns(part.schema)
        self._rows_per_point = rows_per_point
        self._open: set[Subject] = set()  # faces whose last rows may not be packed yet

    def add(self, part: Part) -> None:
        """Adds the next frames."""
        recording = part.recording
        self.summary.add(recording)
        self.coverage.add(recording)
        columns = series_columns(recording, self._expressions)
        for subject in recording.followed():
            if subject not in self.faces:
                series = FaceSeries(self._expressions, self._units, self._rows_per_point)
                self.faces[subject] = _MovingFace(series, KeyMoments(self._expressions))
            rows = recording.rows_of(subject)
            self.faces[subject].series.add(recording, rows, columns)
            self.faces[subject].moments.add(recording, rows, columns)
            self._open.add(subject)
        for subject in list(self._open):
            if self.faces[subject].series.close(float(recording.frame_time_s[-1]) - recording.gap_s):
                self._open.remove(subject)
