# SPDX-License-Identifier: Apache-2.0
"""Writes the table beside other tools into README.md, between its marks: ``python docs/reference/comparison.py``.

mien's accuracy comes from the description of the default bundle, speeds from ``docs/research/performance.json``: all
on the same clip, in turns. What no command here measured is "not measured". Features, sizes and licences of other
tools are those that they publish.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from mien.inference import load_spec

ROOT = Path(__file__).resolve().parents[2]
MARKS = ("<!-- written by `make docs` -->\n", "<!-- end of the comparison -->\n")
ACCURACY = "accuracy, plurality"
NOT_MEASURED = "not measured"
_TOOLS = ("**mien**", "py-feat 2.1", "OpenFace 2.2", "EmotiEffLib", "MediaPipe")


def table(spec: Any, performance: dict[str, Any]) -> str:
    """The table in Markdown.

    Args:
        spec: Description of the default bundle.
        performance: What ``python -m benchmarks performance`` stored.
    """
    labels = {task.task: len(task.labels) for task in spec.tasks}
    accuracy = next(metric for metric in spec.metrics if metric.name == ACCURACY and "ferplus" in metric.command)
    pace = {entry["name"].partition(" ")[0]: entry["fps"] for entry in reversed(performance["speed"]["paces"])}
    mien_fps = next(entry["fps"] for entry in performance["speed"]["paces"] if entry["name"] == "mien")
    rows = (
        (
            "predicts",
            f"{labels['expression']} expressions, valence, arousal, {labels['action_units']} action units, landmarks, "
            "pose, quality",
            "7 expressions, valence, arousal, 20 action units, gaze, pose, mesh",
            "17 action units with intensity, 18 with presence, gaze, pose, landmarks",
            "8 expressions; valence and arousal with some networks",
            "478 points, 52 blendshapes; no expressions",
        ),
        (
            "from video to table",
            "tracks, true times, resumes, overlay, report, OpenFace's columns",
            "Python only; results grow in memory",
            "CSV; time from the frame number",
            "crops only: no detector, no video",
            "points per frame; the table is yours to write",
        ),
        (
            f"accuracy on FER+ valid, n = {accuracy.n}",
            f"{accuracy.value:.3f} [{accuracy.low:.3f}, {accuracy.high:.3f}]",
            NOT_MEASURED,
            "no expressions",
            NOT_MEASURED,
            "no expressions",
        ),
        (
            "speed, one face, two cores",
            f"{mien_fps:.0f} frames/s",
            NOT_MEASURED,
            NOT_MEASURED,
            NOT_MEASURED,
            f"{pace['MediaPipe']:.0f} frames/s (points alone)",
        ),
        (
            "size",
            "at most 20 packages, models inside, verified",
            "78 packages, models downloaded",
            "C++ build, models downloaded",
            "11 packages (ONNX), weights without checksum",
            "brings another OpenCV; newer wheels send usage metrics",
        ),
        (
            "licence",
            "Apache-2.0; weights trained on research images",
            "MIT; weights non-commercial",
            "non-commercial",
            "Apache-2.0; weights trained on AffectNet (research)",
            "Apache-2.0",
        ),
    )
    lines = ["|  | " + " | ".join(_TOOLS) + " |", "|" + "---|" * (len(_TOOLS) + 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def with_table(readme: str, written: str) -> str:
    """The text of README.md with the table between its marks."""
    before, opening, rest = readme.partition(MARKS[0])
    _, closing, after = rest.partition(MARKS[1])
    if not opening or not closing:
        raise SystemExit(f"README.md needs the lines {MARKS[0]!r} and {MARKS[1]!r}")
    return before + opening + written + closing + after


def main() -> None:
    """Write the table, or with ``--print`` print the whole README."""
    path = ROOT / "README.md"
    performance = json.loads((ROOT / "docs/research/performance.json").read_text("utf-8"))
    text = with_table(path.read_text("utf-8"), table(load_spec(), performance))
    if sys.argv[1:] == ["--print"]:
        sys.stdout.write(text)
    else:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
