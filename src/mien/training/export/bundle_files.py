# SPDX-License-Identifier: Apache-2.0
"""Writes the files of bundles and heads, without torch, so that importing published weights does not need it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from mien.core import (
    ConfigError,
    GeometrySpec,
    HeadSpec,
    ModelSpec,
    PathName,
    SequenceSpec,
    open_regular,
    path_exists,
    require_path,
)
from mien.results import OutputFile, atomic_write, check_folder, check_outputs, output_errors

_ADVICE = "check that the folder may be written to, or choose another one"
_KINDS = {"model": ".onnx", "head": ".onnx", "geometry": ".bin", "sequence": ".onnx"}
_VERSION_KEYS = (b'"spec_version"', b'"head_version"', b'"geometry_version"', b'"sequence_version"')
_HEAD_BYTES = 4096


def check_bundle_folder(folder: Path, inputs: Iterable[tuple[str, PathName]] = ()) -> None:
    """Refuse, before any work is done, a folder in which a bundle or head would replace an input or a user's file.

    A bundle or head of that folder may be replaced. Nothing is created yet.

    Args:
        folder: Folder of the new bundle or head.
        inputs: Pairs of a name for the message, such as ``"FILE"``, and the path of an input.

    Raises:
        ConfigError: A file of the bundle would replace an input, or a file that is no part of a bundle or head.
        OutputError: The folder can neither be written nor created.
    """
    require_path(folder, "--out")
    check_folder(folder, folder, _ADVICE)
    check_outputs(
        [OutputFile("--out", folder / f"{kind}{end}") for kind in _KINDS for end in (_KINDS[kind], ".json")], inputs
    )
    for kind, ending in _KINDS.items():
        found = [path for path in (folder / f"{kind}{ending}", folder / f"{kind}.json") if path_exists(path)]
        if found and not _is_description(folder / f"{kind}.json"):
            raise ConfigError(
                f"--out {folder}: {found[0].name} in it is no part of a bundle of mien and would be replaced; move it, "
                "or choose another folder"
            )


def _is_description(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            start = file.read(_HEAD_BYTES)
    except OSError:
        return False
    return any(key in start for key in _VERSION_KEYS)


def write_bundle(folder: Path, graph: bytes, spec: ModelSpec) -> None:
    """Write ``model.onnx`` and then ``model.json``, without which a folder is not a bundle.

    Args:
        folder: Folder of the bundle, which is created.
        graph: ONNX model with its weights.
        spec: Description of the model.

    Raises:
        OutputError: The folder cannot be created or written.
    """
    _write_weights(folder, "model", graph)
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
    _write_weights(folder, "head", graph)
    _write_json(folder / "head.json", spec)


def write_geometry(folder: Path, weights: bytes, spec: GeometrySpec) -> None:
    """Write ``geometry.bin`` and then ``geometry.json`` of a geometry bundle.

    Args:
        folder: Folder of the bundle, which is created.
        weights: Content of `mien.inference.GeometryWeights.to_bytes`.
        spec: Description of the bundle.

    Raises:
        OutputError: The folder cannot be created or written.
    """
    _write_weights(folder, "geometry", weights)
    _write_json(folder / "geometry.json", spec)


def write_sequence(folder: Path, graph: bytes, spec: SequenceSpec) -> None:
    """Write ``sequence.onnx`` and then ``sequence.json`` of a network over utterances.

    Args:
        folder: Folder of the bundle, which is created.
        graph: ONNX model with its weights.
        spec: Description of the network.

    Raises:
        OutputError: The folder cannot be created or written.
    """
    _write_weights(folder, "sequence", graph)
    _write_json(folder / "sequence.json", spec)


def write_spec(folder: Path, spec: ModelSpec) -> None:
    """Write only ``model.json``, for example with new metrics.

    Raises:
        OutputError: The file cannot be written.
    """
    _write_json(folder / "model.json", spec)


def _write_weights(folder: Path, name: str, content: bytes) -> None:
    with output_errors(folder, _ADVICE):
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / f"{name}{_KINDS[name]}") as file:
            file.write(content)
            # An older description does not fit the new weights.
            (folder / f"{name}.json").unlink(missing_ok=True)


def _write_json(path: Path, spec: ModelSpec | HeadSpec | GeometrySpec | SequenceSpec) -> None:
    text = json.dumps(spec.to_json(), indent=1, ensure_ascii=False) + "\n"
    with output_errors(path, _ADVICE), atomic_write(path) as file:
        file.write(text.encode())
