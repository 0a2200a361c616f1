# SPDX-License-Identifier: Apache-2.0
"""Writing the two files of a bundle. Needs no torch, so that importing foreign weights does not either."""

from __future__ import annotations

import json
from pathlib import Path

from mien.core import HeadSpec, ModelSpec, OutputError


def write_bundle(folder: Path, graph: bytes, spec: ModelSpec) -> None:
    """Write ``model.onnx`` and ``model.json``; the description comes last, so that a half-written bundle is none.

    Raises:
        OutputError: the folder cannot be made or written to.
    """
    _write_graph(folder, "model", graph)
    write_spec(folder, spec)


def write_head(folder: Path, graph: bytes, spec: HeadSpec) -> None:
    """Write ``head.onnx`` and ``head.json`` of a head over clips, in the same order.

    Raises:
        OutputError: the folder cannot be made or written to.
    """
    _write_graph(folder, "head", graph)
    _write_json(folder / "head.json", spec)


def write_spec(folder: Path, spec: ModelSpec) -> None:
    """Write ``model.json`` alone, for example with new figures.

    Raises:
        OutputError: it cannot be written.
    """
    _write_json(folder / "model.json", spec)


def _write_graph(folder: Path, name: str, graph: bytes) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").unlink(missing_ok=True)
        (folder / f"{name}.onnx").write_bytes(graph)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written as the folder of a {name} ({error.strerror})") from error


def _write_json(path: Path, spec: ModelSpec | HeadSpec) -> None:
    text = json.dumps(spec.to_json(), indent=1, ensure_ascii=False) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
