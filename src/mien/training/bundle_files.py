# SPDX-License-Identifier: Apache-2.0
"""Writing the two files of a bundle. Needs no torch, so that importing foreign weights does not either."""

from __future__ import annotations

import json
from pathlib import Path

from mien.core import ModelSpec, OutputError


def write_bundle(folder: Path, graph: bytes, spec: ModelSpec) -> None:
    """Write ``model.onnx`` and ``model.json``; the description comes last, so that a half-written bundle is none.

    Raises:
        OutputError: the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.json").unlink(missing_ok=True)
        (folder / "model.onnx").write_bytes(graph)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written as the folder of a bundle ({error.strerror})") from error
    write_spec(folder, spec)


def write_spec(folder: Path, spec: ModelSpec) -> None:
    """Write ``model.json`` alone, for example with new figures.

    Raises:
        OutputError: it cannot be written.
    """
    text = json.dumps(spec.to_json(), indent=1, ensure_ascii=False) + "\n"
    try:
        (folder / "model.json").write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{folder / 'model.json'}: cannot be written ({error.strerror})") from error
