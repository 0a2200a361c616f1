# SPDX-License-Identifier: Apache-2.0
"""Bundles and clip heads: folders with an ONNX graph and a JSON file, checked before they run."""

from __future__ import annotations

import difflib
import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.core import DEFAULT_BUNDLE, ConfigError, HeadSpec, InputSpec, ModelError, ModelSpec
from mien.inference.runtime import Session, create_session

# Faces a call: larger batches are no faster on a CPU and only cost memory.
_MAX_BATCH = 16


@dataclass(frozen=True, eq=False)
class Bundle:
    """A verified model that is ready to run.

    Attributes:
        spec: what goes in and what comes out.
        digest: SHA-256 of ``model.json``; because that file holds the SHA-256 of the graph, it stands for both.
        session: runs the graph.
        folder: where it was read from.
    """

    spec: ModelSpec
    digest: str
    session: Session
    folder: Path

    def run(self, crops: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.float32]]:
        """Every output of the graph for N crops, before activations.

        Args:
            crops: (N, S, S) for gray or (N, S, S, 3) uint8 in the spec's channel order and size.

        Raises:
            ModelError: the crops do not fit the spec, or the graph lacks an output that the spec names.
        """
        spec = self.spec.input
        expected = (spec.size_px, spec.size_px) if spec.n_channels == 1 else (spec.size_px, spec.size_px, 3)
        if crops.shape[1:] != expected or crops.dtype != np.uint8:
            raise ModelError(f"{self.spec.name} takes uint8 crops (N, {expected}), got {crops.dtype} {crops.shape}")
        names = [task.output for task in self.spec.tasks] + ([self.spec.features] if self.spec.features else [])
        parts = [
            self.session.run({spec.name: prepare(crops[start : start + _MAX_BATCH], spec)})
            for start in range(0, len(crops), _MAX_BATCH)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in names} if parts else {}


def prepare(crops: npt.NDArray[np.uint8], spec: InputSpec) -> npt.NDArray[Any]:
    """Crops (N, S, S) or (N, S, S, 3) as the graph wants them: channels, layout, dtype, normalisation."""
    batch: npt.NDArray[Any] = crops[..., None] if crops.ndim == 3 else crops
    if spec.dtype == "float32":
        batch = (batch.astype(np.float32) - np.array(spec.mean, np.float32)) / np.array(spec.std, np.float32)
    if spec.layout == "NCHW":
        batch = np.moveaxis(batch, -1, 1)
    return np.ascontiguousarray(batch)


def load_bundle(
    name_or_path: str | Path = DEFAULT_BUNDLE, *, runtime: str = "onnxruntime", threads: int | None = None
) -> Bundle:
    """Verify a bundle and make it ready.

    Args:
        name_or_path: the name of a bundle that comes with mien, or a folder.
        runtime: which library runs the graph, see `mien.inference.RUNTIMES`.
        threads: of that library; None lets it use the cores this process may use.

    Raises:
        ModelError: the bundle is missing, its checksum or version is wrong, or the graph does not fit its spec.
        MissingExtraError: the runtime is not installed.
    """
    folder = find_bundle(name_or_path)
    description, spec = _read_spec(folder)
    graph = read_bytes(folder / "model.onnx")
    found = hashlib.sha256(graph).hexdigest()
    if found != spec.sha256:
        raise ModelError(
            f"{folder}: model.onnx has SHA-256 {found[:12]}..., model.json says {spec.sha256[:12]}...; "
            "the bundle is damaged, copy it again"
        )
    session = create_session(graph, runtime=runtime, threads=threads)
    wanted = {task.output for task in spec.tasks} | ({spec.features} if spec.features else set())
    if spec.input.name not in session.input_names or not wanted <= set(session.output_names):
        raise ModelError(
            f"{folder}: the graph has inputs {session.input_names} and outputs {session.output_names}, "
            f"model.json names {spec.input.name!r} and {sorted(wanted)}"
        )
    return Bundle(spec, _digest(description), session, folder)


def load_spec(name_or_path: str | Path = DEFAULT_BUNDLE) -> ModelSpec:
    """Read what a bundle says of itself, without its graph.

    Raises:
        ModelError: the bundle is missing or its description is damaged or of another version.
    """
    return _read_spec(find_bundle(name_or_path))[1]


def bundle_digest(name_or_path: str | Path = DEFAULT_BUNDLE) -> str:
    """`Bundle.digest` of a bundle, without loading its graph.

    Raises:
        ModelError: the bundle is missing or its description is damaged or of another version.
    """
    return _digest(_read_spec(find_bundle(name_or_path))[0])


def list_bundles() -> list[str]:
    """Names of the bundles that come with mien."""
    folder = _bundled()
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in folder.iterdir() if (entry / "model.json").is_file())


def find_bundle(name_or_path: str | Path) -> Path:
    """The folder of a bundle.

    Raises:
        ModelError: there is none; the message lists near names.
    """
    names = list_bundles()
    if str(name_or_path) in names:
        return _bundled() / str(name_or_path)
    folder = Path(name_or_path)
    if (folder / "model.json").is_file():
        return folder
    near = difflib.get_close_matches(str(name_or_path), names)
    hint = f"did you mean {near[0]!r}?" if near else f"bundles here: {names}"
    raise ModelError(f"{name_or_path}: no bundle of that name and no folder with model.json; {hint}")


def _bundled() -> Path:
    """The folder inside the installed package; mien is never run from a zip."""
    with resources.as_file(resources.files("mien")) as package:
        return package / "bundles"


def _read_spec(folder: Path) -> tuple[bytes, ModelSpec]:
    description = read_bytes(folder / "model.json")
    try:
        return description, ModelSpec.from_json(json.loads(description))
    except ValueError as error:
        raise ModelError(f"{folder / 'model.json'}: not JSON ({error})") from error
    except (ModelError, ConfigError) as error:
        raise ModelError(f"{folder}: {error}") from error


def _digest(description: bytes) -> str:
    return hashlib.sha256(description).hexdigest()


def read_bytes(path: Path) -> bytes:
    """The content of a model's file.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error


@dataclass(frozen=True, eq=False)
class Head:
    """A verified head that is ready to run.

    Attributes:
        spec: what goes in and what comes out.
        session: runs the graph.
    """

    spec: HeadSpec
    session: Session

    def run(self, vectors: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """(N, labels) outputs for (N, D) vectors.

        Raises:
            ModelError: the vectors do not fit the spec.
        """
        fed = np.asarray(vectors, np.float32)
        if fed.ndim != 2 or fed.shape[1] != self.spec.n_inputs:
            raise ModelError(f"{self.spec.name} takes vectors (N, {self.spec.n_inputs}), got {fed.shape}")
        answer: npt.NDArray[np.float32] = self.session.run({self.spec.input: fed})[self.spec.output]
        if answer.shape != (len(fed), len(self.spec.labels)):
            raise ModelError(f"{self.spec.name} gives {answer.shape} for its {len(self.spec.labels)} labels")
        return answer


def load_head(folder: str | Path, *, runtime: str = "onnxruntime", threads: int | None = None) -> Head:
    """Verify a head and make it ready.

    Raises:
        ModelError: it is missing, its checksum or version is wrong, or the graph does not fit its spec.
        MissingExtraError: the runtime is not installed.
    """
    place = Path(folder)
    try:
        spec = HeadSpec.from_json(json.loads(read_bytes(place / "head.json")))
    except ValueError as error:
        raise ModelError(f"{place / 'head.json'}: not JSON ({error})") from error
    except ModelError as error:
        raise ModelError(f"{place}: {error}") from error
    graph = read_bytes(place / "head.onnx")
    if hashlib.sha256(graph).hexdigest() != spec.sha256:
        raise ModelError(f"{place}: head.onnx does not have the SHA-256 of head.json; it is damaged, copy it again")
    session = create_session(graph, runtime=runtime, threads=threads)
    if session.input_names != (spec.input,) or spec.output not in session.output_names:
        raise ModelError(
            f"{place}: the graph has inputs {session.input_names} and outputs {session.output_names}, "
            f"head.json names {spec.input!r} and {spec.output!r}"
        )
    return Head(spec, session)
