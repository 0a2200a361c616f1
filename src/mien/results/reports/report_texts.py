# SPDX-License-Identifier: Apache-2.0
"""The texts of a report: numbers of a summary, the facts of a manifest, and the faces of a photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mien.core import ACTION_UNITS, DOUBTFUL_QUALITY, counted
from mien.results.reports.face_series import BOX_COLUMNS
from mien.results.tables.manifest import RunManifest, manifest_path
from mien.results.tables.recording import Recording

_UNKNOWN = "\N{EN DASH}"
_TOP = 3
_LEAST_SHARE = 0.05
_MAX_PHOTO_FACES = 60
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
            unit, _, share = text.partition(" ")
            n_events = row.get(f"{unit}_events")
            units.append(f"{ACTION_UNITS.full(unit)} {share}" + ("" if n_events is None else f" ({n_events})"))
        texts = [_face(row), coverage_text(row), mean_text(row, "valence"), mean_text(row, "arousal")]
        rows.append([*texts, ", ".join(_largest(row, "_share")) or _UNKNOWN, ", ".join(units) or _UNKNOWN])
    return {"header": header, "rows": rows}


def photo_faces(recording: Recording, thresholds: Mapping[str, float]) -> dict[str, Any]:
    """The faces of a photo by their numbers, with their boxes and predictions as texts.

    Args:
        recording: The photo's rows.
        thresholds: Action unit -> probability from which it counts as present.

    Returns:
        ``faces``, each with ``number``, ``box`` (xyxy in pixels, None if unknown), ``text``, ``affect``, ``units``,
        ``quality`` and ``doubtful``; and ``n_hidden``, the number of further faces.
    """
    found = recording.table.filter(recording.table["success"]).to_pylist()
    left = [face["x0"] if face["x0"] is not None else np.inf for face in found]
    numbers = {int(row): number for number, row in enumerate(np.argsort(left, kind="stable"), start=1)}
    faces: list[dict[str, Any]] = []
    for row, face in enumerate(found):
        box = [face[name] for name in BOX_COLUMNS]
        top = face["expression"]
        probability = face.get(f"expression_{top}")
        known = face["valence"] is not None and face["arousal"] is not None
        faces.append(
            {
                "number": face.get("face") or numbers[row],
                "box": None if None in box else [round(side, 1) for side in box],
                "text": _UNKNOWN if top is None else top if probability is None else f"{top} {probability:.2f}",
                "affect": f"V {_signed(face['valence'])}, A {_signed(face['arousal'])}" if known else _UNKNOWN,
                "units": [
                    f"{ACTION_UNITS.full(unit)} {face[unit]:.2f}"
                    for unit, threshold in thresholds.items()
                    if face.get(unit) is not None and face[unit] >= threshold
                ],
                "quality": _UNKNOWN if face["quality"] is None else f"{face['quality']:.2f}",
                "doubtful": top is None or (face["quality"] is not None and face["quality"] < DOUBTFUL_QUALITY),
            }
        )
    faces.sort(key=lambda face: face["number"])
    return {"faces": faces[:_MAX_PHOTO_FACES], "n_hidden": max(0, len(faces) - _MAX_PHOTO_FACES)}


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
        frames, faces = counted(record.n_frames_decoded, "frame"), counted(record.n_faces, "face")
        facts.append(("input", f"{record.path}: {frames}{lost}, {faces}{digest}"))
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
