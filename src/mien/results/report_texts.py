# SPDX-License-Identifier: Apache-2.0
"""Numbers as people read them in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mien.results.manifest import RunManifest, manifest_path
from mien.results.recording import Recording

_UNKNOWN = "\N{EN DASH}"
_TOP = 3
_LEAST_SHARE = 0.05
_MAX_STILL_LINES = 8
_MAX_FAILURES = 10


def coverage_text(row: Mapping[str, Any]) -> str:
    """``83 % of frames``."""
    return _percent(row["coverage"])


def mean_text(row: Mapping[str, Any], name: str) -> str:
    """``+0.08 ± 0.52``: mean and standard deviation of valence or arousal."""
    mean, sd = row.get(f"{name}_mean"), row.get(f"{name}_sd")
    if mean is None:
        return _UNKNOWN
    return _signed(mean) + ("" if sd is None else f" ± {sd:.2f}")


def most_text(row: Mapping[str, Any]) -> str:
    """``happiness 52 %``: the expression that was shown longest."""
    return next(iter(_largest(row, "_share")), _UNKNOWN)


def face_table(windows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The summary of one recording as a table of texts, a row per face.

    Args:
        windows: rows of `mien.results.Summary.windows` of one source and one window.
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
    """What is to be read in a photo, a line per face."""
    faces = recording.table.filter(recording.table["success"]).to_pylist()
    lines = []
    for face in faces[:_MAX_STILL_LINES]:
        top = face["expression"]
        chance = face.get(f"expression_{top}")
        text = "face" if top is None else top if chance is None else f"{top} {chance:.2f}"
        if face["valence"] is not None and face["arousal"] is not None:
            text += f" (V {_signed(face['valence'])}, A {_signed(face['arousal'])})"
        lines.append(text)
    hidden = len(faces) - len(lines)
    if hidden > 0:
        lines.append(f"and {hidden} more faces")
    return lines or ["no face"]


def manifest_facts(table: Path) -> list[tuple[str, str]]:
    """What a table's manifest says of its making; without a manifest, that there is none.

    Raises:
        InputError: the manifest is damaged.
    """
    facts = [("table", str(table))]
    if not manifest_path(table).exists():
        return [*facts, ("manifest", "none beside the table: how it was made is not known")]
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
