# SPDX-License-Identifier: Apache-2.0
"""Writes the files of bundles and heads, without torch, so that importing published weights does not need it."""

from __future__ import annotations

import json
from pathlib import Path

from mien.core import HeadSpec, ModelSpec, OutputError


def write_bundle(folder: Path, graph: bytes, spec: ModelSpec) -> None:
    """Write ``model.onnx`` and then ``model.json``, without which a folder is not a bundle.

    Args:
        folder: Folder of the bundle, which is created.
        graph: ONNX model with its weights.
        spec: Description of the model.

    Raises:
        OutputError: The folder cannot be created or written.
    """
    _write_graph(folder, "model", graph)
    write_spec(folder, spec)


def write_head(folder: Path, graph: bytes, spec: HeadSpec) -> None:
    """Write ``head.onnx`` and then ``head.json`` of a head over clips.

    Args:
        folder: Folder of the head, which is created.
        graph: ONNX model with its weights.
        spec: Description of the head.

    Raises:
        OutputError: The folder cannot be created or written.
    """
    _write_graph(folder, "head", graph)
    _write_json(folder / "head.json", spec)


def write_spec(folder: Path, spec: ModelSpec) -> None:
    """Write only ``model.json``, for example with new metrics.

    Raises:
        OutputError: The file cannot be written.
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
