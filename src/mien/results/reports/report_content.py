# SPDX-License-Identifier: Apache-2.0
"""The contents of a report, gathered recording by recording into plain values for the page's JSON."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.core import ACTION_UNITS, DIMENSIONS, EXPRESSION_COLOURS, Float64, Indices
from mien.results.summaries.source_summary import SourceSummary
from mien.results.tables.manifest import RunManifest, manifest_path
from mien.results.tables.recording import Recording, Subject
from mien.results.tables.schema import action_unit_columns, expression_columns

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


MISSING = 255
"""Byte for an unknown value; 0 to 250 stand for 0 to 1."""

_FULL = 250
_FRAMES_PER_BIN = 4  # or uneven steps would leave stretches without any


def pack_face(recording: Recording, subject: Subject, rows_per_point: int) -> dict[str, Any]:
    """The time series of one face for the page's JSON.

    Rows are merged within pieces only, never across a gap. A merged point keeps the lowest and highest valence and
    arousal and the highest probability of every action unit beside the means, so that short events stay visible.

    Args:
        recording: Recording of one source.
        subject: Face of the recording that is followed over time.
        rows_per_point: Number of rows that become one point, at least 1.

    Returns:
        ``begin_s``, ``end_s`` (little-endian float32), ``breaks`` (bytes, 1 where a piece begins) and ``values``
        (bytes, channel by channel), each as base64, with the names of the ``channels`` and ``n_points``.
    """
    rows, first, breaks = _points(recording.pieces(recording.rows_of(subject)), rows_per_point)
    channels = _channels(recording, rows, first, merged=rows_per_point > 1)
    last = np.append(first[1:], len(rows)) - 1
    begin_s = recording.row_time_s[rows[first]]
    end_s = recording.row_time_s[rows[last]] + recording.row_hold_s[rows[last]]
    return {
        "n_points": len(first),
        "begin_s": _text(begin_s.astype("<f4")),
        "end_s": _text(end_s.astype("<f4")),
        "breaks": _text(breaks),
        "channels": list(channels),
        "values": _text(np.concatenate([_codes(values) for values in channels.values()])),
    }


def pack_coverage(recording: Recording, n_bins: int) -> str:
    """Share of frames with a face in equal stretches of time, one byte each, as base64; `MISSING` for no frame."""
    n_bins = max(1, min(n_bins, len(recording.frame_time_s) // _FRAMES_PER_BIN))
    span = max(recording.end_s - recording.frame_time_s[0], 1e-9)
    bins = np.minimum(((recording.frame_time_s - recording.frame_time_s[0]) / span * n_bins).astype(int), n_bins - 1)
    seen = np.zeros(len(recording.frame_time_s))
    seen[recording.frame_of_row[recording.has_face]] = 1
    n_frames = np.bincount(bins, minlength=n_bins)
    shares = np.full(n_bins, np.nan)
    np.divide(np.bincount(bins, weights=seen, minlength=n_bins), n_frames, out=shares, where=n_frames > 0)
    return _text(_codes(shares))


def _points(pieces: Sequence[Indices], rows_per_point: int) -> tuple[Indices, Indices, npt.NDArray[np.uint8]]:
    """All rows, the position of each point's first row among them, and whether a piece begins there."""
    starts, breaks, n_before = [], [], 0
    for piece in pieces:
        begins = np.arange(0, len(piece), rows_per_point)
        starts.append(begins + n_before)
        breaks.append((begins == 0).astype(np.uint8))
        n_before += len(piece)
    return np.concatenate(pieces), np.concatenate(starts), np.concatenate(breaks)


def _channels(recording: Recording, rows: Indices, first: Indices, *, merged: bool) -> dict[str, Float64]:
    schema = recording.table.schema
    channels: dict[str, Float64] = {}
    for name in DIMENSIONS:
        values = (recording.numbers(name)[rows] + 1) / 2
        channels[name] = _mean(values, first)
        if merged:
            channels[f"{name}_low"] = np.fmin.reduceat(values, first)
            channels[f"{name}_high"] = np.fmax.reduceat(values, first)
    for name in expression_columns(schema):
        if recording.table[name].null_count == len(recording.table):
            continue  # a class that the bundle does not have
        channels[name.removeprefix("expression_")] = _mean(recording.numbers(name)[rows], first)
    for name in action_unit_columns(schema):
        channels[f"{name}_high" if merged else name] = np.fmax.reduceat(recording.numbers(name)[rows], first)
    return channels


def _mean(values: Float64, first: Indices) -> Float64:
    known = np.isfinite(values)
    n_known = np.add.reduceat(known.astype(np.float64), first)
    sums = np.add.reduceat(np.where(known, values, 0.0), first)
    means: Float64 = np.full(len(first), np.nan)
    np.divide(sums, n_known, out=means, where=n_known > 0)
    return means


def _codes(shares: Float64) -> npt.NDArray[np.uint8]:
    known = np.isfinite(shares)
    return np.where(known, np.rint(np.clip(np.where(known, shares, 0), 0, 1) * _FULL), MISSING).astype(np.uint8)


def _text(values: npt.NDArray[Any]) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")


_MIN_PROBABILITY = 0.5
_BOX = ("x0", "y0", "x1", "y1")


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A frame of which the report shows an image.

    Attributes:
        frame: Number of the frame in the stream.
        time_s: Time of the frame in seconds.
        box: Box xyxy in pixels of the face to show; None for the whole image.
        label: Caption, such as the expression and its probability.
    """

    frame: int
    time_s: float
    box: tuple[float, float, float, float] | None
    label: str


ImagesOf = Callable[[Path, str, Sequence[Moment]], Mapping[Moment, bytes]]
"""Function that gives the JPEG files of moments of a source of a table; moments without an image are left out."""


def key_moments(recording: Recording, subject: Subject, most: int) -> list[Moment]:
    """The moments with the highest probability of each expression of a face, in order of time.

    Args:
        recording: Recording of one source.
        subject: Face of the recording.
        most: Highest number of moments. A face whose expressions never reach a probability of 0.5 gets the moment with
            the highest detector confidence.
    """
    rows = recording.rows_of(subject)
    box = np.stack([recording.numbers(name)[rows] for name in _BOX], axis=1)
    rows = rows[np.isfinite(box).all(axis=1)]
    if not len(rows):
        return []
    peaks: list[tuple[float, int, str]] = []
    for name in expression_columns(recording.table.schema):
        probabilities = np.nan_to_num(recording.numbers(name)[rows])
        peak = int(probabilities.argmax())
        if probabilities[peak] >= _MIN_PROBABILITY:
            label = f"{name.removeprefix('expression_')} {probabilities[peak]:.2f}"
            peaks.append((float(probabilities[peak]), int(rows[peak]), label))
    if not peaks:
        peaks = [(0.0, int(rows[np.nan_to_num(recording.numbers("confidence")[rows]).argmax()]), "in view")]
    chosen = sorted(sorted(peaks, reverse=True)[:most], key=lambda peak: peak[1])
    return [_moment(recording, row, label) for _, row, label in chosen]


def whole_image(recording: Recording) -> Moment:
    """The first frame as a whole, for a photo."""
    frame = int(recording.table["frame"][0].as_py())
    return Moment(frame=frame, time_s=float(recording.frame_time_s[0]), box=None, label="photo")


def _moment(recording: Recording, row: int, label: str) -> Moment:
    x0, y0, x1, y1 = (float(recording.numbers(name)[row]) for name in _BOX)
    return Moment(
        frame=int(recording.table["frame"][row].as_py()),
        time_s=float(recording.row_time_s[row]),
        box=(x0, y0, x1, y1),
        label=label,
    )


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
    """Gathers the contents of a report, one recording after the other.

    Args:
        n_rows: Number of rows of all recordings together; it decides how many become one point.
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

    def add(self, table: Path, recording: Recording, thresholds: Mapping[str, float]) -> None:
        """Adds a recording, or a photo, which is a recording of a single frame.

        Args:
            table: Path of the table that the recording is from.
            recording: Recording of one source.
            thresholds: Thresholds of the bundle, for a table that keeps none.
        """
        schema = recording.table.schema
        for name in expression_columns(schema):
            label = name.removeprefix("expression_")
            if label not in self._expressions and recording.table[name].null_count < len(recording.table):
                self._expressions.append(label)
        self._units += [name for name in action_unit_columns(schema) if name not in self._units]
        if len(recording.frame_time_s) > 1:
            self._sources.append(self._moving(table, recording, thresholds))
            return
        self._n_stills += 1
        if self._n_stills <= _MAX_STILLS:
            self._sources.append(self._still(table, recording))

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

    def _moving(self, table: Path, recording: Recording, thresholds: Mapping[str, float]) -> dict[str, Any]:
        summary = SourceSummary.of(recording, None, thresholds)
        whole, *others = summary.windows()
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
            "thresholds": summary.thresholds,
            "subjects": [
                self._face(table, recording, subject, of_face[subject.track_id, subject.person], number)
                for number, subject in enumerate(shown)
            ],
            "n_hidden": len(followed) - len(shown),
            "table": face_table([whole, *others[:_MAX_FACES]]),
        }

    def _face(
        self, table: Path, recording: Recording, subject: Subject, row: Mapping[str, Any], number: int
    ) -> dict[str, Any]:
        most = _IMAGES_OF_LEADERS if number < _N_LEADERS else 1
        return {
            "name": subject.name,
            "coverage": coverage_text(row),
            "most": most_text(row),
            "valence": mean_text(row, "valence"),
            "arousal": mean_text(row, "arousal"),
            "frames": self._shown(table, recording.source, key_moments(recording, subject, most)),
            **pack_face(recording, subject, self._rows_per_point),
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
