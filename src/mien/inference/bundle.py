# SPDX-License-Identifier: Apache-2.0
"""Bundles: folders with an ONNX graph and its JSON description, verified before they run."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.core import (
    DEFAULT_BUNDLE,
    N_CELL_VALUES,
    BundleKind,
    Float32,
    Image,
    InputSpec,
    ModelError,
    ModelSpec,
)
from mien.inference.limits import bounded_memory, first_run
from mien.inference.model_files import is_model_file, read_description, read_model_file
from mien.inference.runtime import RUNTIMES, Session, checked_threads, create_session

# Faces per call: larger batches are no faster on a CPU and only cost memory. Crops above some size go in smaller ones.
_MAX_BATCH = 16
_MAX_BATCH_PIXELS = _MAX_BATCH * 320 * 320

# A graph is run once when it is loaded, on two gray crops: one that takes single images only, or that ignores the
# batch, is then refused. This takes milliseconds with the installed bundles, and less than a second with large ones.
_PROBE_ROWS = 2
_PROBE_GRAY = 127
_STOPPABLE_RUNTIME = "onnxruntime"
_MAX_OUTPUT_VALUES = 65_536


@dataclass(frozen=True, eq=False)
class Bundle:
    """A verified model that is ready to run.

    Attributes:
        spec: Description of inputs and outputs.
        digest: SHA-256 of ``model.json``; because that file holds the SHA-256 of the graph, it identifies both.
        session: Session that runs the graph.
        folder: Folder that the bundle was read from.

    Examples:
        >>> bundle = load_bundle("mien-light", threads=1)
        >>> outputs = bundle.run(np.zeros((2, 80, 80), np.uint8))
        >>> outputs["expression_logits"].shape
        (2, 8)
    """

    spec: ModelSpec
    digest: str
    session: Session
    folder: Path

    def run_images(self, images: Image) -> Float32:
        """The cells of a face detector, see `mien.core.GridSpec`.

        Args:
            images: (N, H, W) gray or (N, H, W, 3) uint8 whose sides the grid divides.

        Returns:
            (N, 17, M).

        Raises:
            ModelError: The images do not fit the spec, or the graph gives another number of cells.
        """
        spec, grid = self.spec, self.spec.grid
        if grid is None or images.dtype != np.uint8 or any(side % grid.multiple_px for side in images.shape[1:3]):
            raise ModelError(f"{spec.name} takes no images of {images.dtype} {images.shape}")
        cells: Float32 = self.session.run({spec.input.name: prepare(images, spec.input)})[spec.tasks[0].output]
        wanted = (len(images), N_CELL_VALUES, grid.n_cells(images.shape[1], images.shape[2]))
        if cells.shape != wanted:
            raise ModelError(f"{spec.name} gives {cells.shape} for images of {images.shape}, not {wanted}")
        return cells

    def run(self, crops: Image) -> dict[str, Float32]:
        """Every output of the graph for N crops, before activations.

        Args:
            crops: (N, S, S) for gray or (N, S, S, 3) uint8 in the spec's channel order and size.

        Raises:
            ModelError: The crops do not fit the spec, or the graph lacks an output that the spec names.
        """
        spec = self.spec.input
        expected = (spec.size_px, spec.size_px) if spec.n_channels == 1 else (spec.size_px, spec.size_px, 3)
        if crops.shape[1:] != expected or crops.dtype != np.uint8:
            raise ModelError(f"{self.spec.name} takes uint8 crops (N, {expected}), got {crops.dtype} {crops.shape}")
        size = min(_MAX_BATCH, max(1, _MAX_BATCH_PIXELS // spec.size_px**2))
        parts = [
            self.session.run({spec.name: prepare(crops[start : start + size], spec)})
            for start in range(0, len(crops), size)
        ]
        if not parts:
            return {}
        return {name: np.concatenate([part[name] for part in parts]) for name in self.spec.output_names}


def prepare(crops: Image, spec: InputSpec) -> npt.NDArray[Any]:
    """Crops (N, S, S) or (N, S, S, 3) as the graph's input: channels, layout, dtype, normalisation.

    Examples:
        >>> spec = InputSpec(
        ...     name="x", size_px=4, colour="gray", layout="NCHW", dtype="float32", mean=(100.0,), std=(50.0,)
        ... )
        >>> batch = prepare(np.full((2, 4, 4), 200, np.uint8), spec)
        >>> batch.shape, batch.max().item()
        ((2, 1, 4, 4), 2.0)
    """
    batch: npt.NDArray[Any] = crops[..., None] if crops.ndim == 3 else crops
    if spec.dtype == "float32":
        batch = (batch.astype(np.float32) - np.array(spec.mean, np.float32)) / np.array(spec.std, np.float32)
    if spec.layout == "NCHW":
        batch = np.moveaxis(batch, -1, 1)
    return np.ascontiguousarray(batch)


def load_bundle(
    name_or_path: str | Path = DEFAULT_BUNDLE,
    *,
    kind: BundleKind | None = None,
    runtime: str = "onnxruntime",
    threads: int | None = None,
) -> Bundle:
    """Verify a bundle and load it into a session.

    Args:
        name_or_path: Name of a bundle that is installed with mien, or a folder.
        kind: Kind that the bundle must have; None for any.
        runtime: Name of the library that runs the graph, see `mien.inference.RUNTIMES`.
        threads: Number of threads of that library; None for all cores that this process may use.

    Raises:
        ModelError: The bundle is missing or of another kind, its checksum or version is wrong, or the graph does not
            fit its description: it is run once on gray crops, within 20 seconds.
        MissingExtraError: The runtime is not installed.

    Examples:
        >>> load_bundle("mien-points", kind="landmarks", threads=1).spec.task("head_pose").labels
        ('pitch', 'yaw', 'roll')
    """
    return _load(_read_files(name_or_path, kind, runtime), threads, is_checked=False)


@dataclass(frozen=True, eq=False)
class BundleFiles:
    """Verified files of a bundle, whose sessions are created when they are needed.

    Attributes:
        spec: Description of inputs and outputs.
        digest: `Bundle.digest`.
        folder: Folder of the files.
        runtime: Name of the library that runs the graph.
    """

    spec: ModelSpec
    digest: str
    folder: Path
    runtime: str
    _loaded: dict[int, Bundle] = field(default_factory=dict, init=False, repr=False)

    def load(self, threads: int | None) -> Bundle:
        """The bundle in a session with that number of threads, None for all cores; each is created once.

        Raises:
            ModelError: The graph was replaced since it was verified.
        """
        n_threads = checked_threads(threads)
        if n_threads not in self._loaded:
            self._loaded[n_threads] = _load(self, n_threads, is_checked=True)
        return self._loaded[n_threads]


def open_bundle(
    name_or_path: str | Path = DEFAULT_BUNDLE,
    *,
    kind: BundleKind | None = None,
    runtime: str = "onnxruntime",
    threads: int | None = None,
) -> BundleFiles:
    """Verify a bundle for sessions that are created later, as by `load_bundle`.

    A bundle that is installed with mien has passed the run on gray crops in the tests of mien; any other one is run
    now, in a session with that number of threads, which is kept.

    Args:
        name_or_path: As for `load_bundle`.
        kind: As for `load_bundle`.
        runtime: As for `load_bundle`.
        threads: As for `load_bundle`.

    Raises:
        ConfigError: The runtime is unknown, or there cannot be so many threads.
        ModelError: As for `load_bundle`.
        MissingExtraError: The runtime is not installed.

    Examples:
        >>> files = open_bundle("mien-light")
        >>> files.load(1) is files.load(1)
        True
    """
    RUNTIMES.load(runtime)
    n_threads = checked_threads(threads)
    files = _read_files(name_or_path, kind, runtime)
    if files.folder.parent == bundled_folder():
        _read_graph(files)
    else:
        files._loaded[n_threads] = _load(files, n_threads, is_checked=False)
    return files


def _read_files(name_or_path: str | Path, kind: BundleKind | None, runtime: str) -> BundleFiles:
    """A bundle whose description is verified."""
    folder = find_bundle(name_or_path, kind=kind)
    description, spec = _read_spec(folder, kind)
    if not spec.output_names:
        raise ModelError(f"{folder}: model.json names neither tasks nor features; there is nothing to predict")
    return BundleFiles(spec, _digest(description), folder, runtime)


def _read_graph(files: BundleFiles) -> bytes:
    """The graph, which must be the one of the description."""
    graph = read_model_file(files.folder / "model.onnx")
    found = hashlib.sha256(graph).hexdigest()
    if found != files.spec.sha256:
        raise ModelError(
            f"{files.folder}: model.onnx has SHA-256 {found[:12]}..., model.json says {files.spec.sha256[:12]}...; "
            "the bundle is damaged, copy it again"
        )
    return graph


def _load(files: BundleFiles, threads: int | None, *, is_checked: bool) -> Bundle:
    """The bundle in a new session; one that is not checked yet is run on gray crops first."""
    graph, spec, folder = _read_graph(files), files.spec, files.folder
    if is_checked:
        session = create_session(graph, runtime=files.runtime, threads=threads)
    else:
        session = checked_session(graph, files.runtime, threads, lambda one: _check_bundle_graph(one, spec, folder))
    return Bundle(spec, files.digest, session, folder)


def checked_session(graph: bytes, runtime: str, threads: int | None, check: Callable[[Session], None]) -> Session:
    """A session that has passed a check. Only ONNX Runtime can stop a run, so it is the first to run any graph."""
    with bounded_memory(len(graph)):
        if runtime != _STOPPABLE_RUNTIME:
            check(create_session(graph, runtime=_STOPPABLE_RUNTIME, threads=1))
        session = create_session(graph, runtime=runtime, threads=threads)
        check(session)
    return session


def _check_bundle_graph(session: Session, spec: ModelSpec, folder: Path) -> None:
    wanted = set(spec.output_names)
    if spec.input.name not in session.input_names or not wanted <= set(session.output_names):
        raise ModelError(
            f"{folder}: the graph has inputs {session.input_names} and outputs {session.output_names}, "
            f"model.json names {spec.input.name!r} and {sorted(wanted)}"
        )
    side = spec.input.size_px
    shape = (_PROBE_ROWS, side, side) if spec.input.n_channels == 1 else (_PROBE_ROWS, side, side, 3)
    probe = {spec.input.name: prepare(np.full(shape, _PROBE_GRAY, np.uint8), spec.input)}
    if spec.grid is not None:
        _check_detector_graph(session, probe, spec, folder)
        return
    widths: dict[str, int | None] = {task.output: len(task.labels) for task in spec.tasks}
    if spec.features:
        widths[spec.features] = _feature_length(spec)
    try:
        check_graph(session, probe, widths)
    except ModelError as error:
        raise ModelError(f"{folder}: the graph does not do what model.json says: {error}") from error


def _feature_length(spec: ModelSpec) -> int | None:
    """Length of the embedding that the probes of the bundle's calibration and its quality model need; None for any.

    Raises:
        ModelError: They differ in their length.
    """
    known, quality = spec.uncertainty, spec.quality
    units = (known and known.covered, known and known.unfamiliar, *(quality.hiding if quality else ()))
    lengths = {len(unit.weights) for unit in units if unit}
    if len(lengths) > 1:
        raise ModelError(
            f"{spec.name}: the probes of the uncertainty and of the quality have {sorted(lengths)} weights; the file "
            "is damaged"
        )
    return next(iter(lengths), None)


def _check_detector_graph(
    session: Session, probe: Mapping[str, npt.NDArray[Any]], spec: ModelSpec, folder: Path
) -> None:
    """Run the graph of a face detector once on gray images.

    Raises:
        ModelError: The graph fails or takes too long, or does not give finite numbers for each cell.
    """
    name, side = spec.tasks[0].output, spec.input.size_px
    wanted = (_PROBE_ROWS, N_CELL_VALUES, 0 if spec.grid is None else spec.grid.n_cells(side, side))
    try:
        values = first_run(session, probe)[name]
    except ModelError as error:
        raise ModelError(f"{folder}: the graph does not do what model.json says: {error}") from error
    if values.shape != wanted or not np.issubdtype(values.dtype, np.floating) or not np.isfinite(values).all():
        raise ModelError(
            f"{folder}: the graph does not do what model.json says: {name} must be finite numbers of the shape "
            f"{wanted}, got {values.dtype} {values.shape}"
        )


def check_graph(session: Session, inputs: Mapping[str, npt.NDArray[Any]], widths: Mapping[str, int | None]) -> None:
    """Run a graph once on constant inputs and check every output that is used.

    A graph that does not end is stopped between two of its operators.

    Args:
        session: Session of the graph.
        inputs: Inputs by name.
        widths: Output name -> its length for one face; None for any.

    Raises:
        ModelError: The graph fails or takes too long, or an output has another shape, is not finite, or is no float.
    """
    outputs = first_run(session, inputs)
    for name, width in widths.items():
        values = outputs[name]
        wanted = f"({_PROBE_ROWS}, {'D' if width is None else width})"
        if values.ndim != 2 or len(values) != _PROBE_ROWS or (width is not None and values.shape[1] != width):
            raise ModelError(
                f"the output {name} must have shape {wanted} for {_PROBE_ROWS} faces, with one value for each of its "
                f"labels; got {values.shape}"
            )
        if not 0 < values.shape[1] <= _MAX_OUTPUT_VALUES:
            raise ModelError(f"the output {name} has {values.shape[1]} values, not 1 to {_MAX_OUTPUT_VALUES}")
        if not np.issubdtype(values.dtype, np.floating):
            raise ModelError(f"the output {name} must hold floating-point numbers, got {values.dtype}")
        if not np.isfinite(values).all():
            raise ModelError(f"the output {name} is not finite on a gray image; the weights are damaged")


def load_spec(name_or_path: str | Path = DEFAULT_BUNDLE, *, kind: BundleKind | None = None) -> ModelSpec:
    """The description of a bundle, without its graph.

    Args:
        name_or_path: Name of a bundle that is installed with mien, or a folder.
        kind: Kind that the bundle must have; None for any.

    Raises:
        ModelError: The bundle is missing or of another kind, or its description is damaged or of another version.

    Examples:
        >>> load_spec("mien-light").input.size_px
        80
        >>> load_spec("mien-points", kind="affect")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mien.core.errors.ModelError: mien-points predicts landmarks, and a bundle that predicts affect is needed; ...
    """
    return _read_spec(find_bundle(name_or_path, kind=kind), kind)[1]


def bundle_digest(name_or_path: str | Path = DEFAULT_BUNDLE, *, kind: BundleKind | None = None) -> str:
    """`Bundle.digest` of a bundle, without loading its graph.

    Args:
        name_or_path: Name of a bundle that is installed with mien, or a folder.
        kind: Kind that the bundle must have; None for any.

    Raises:
        ModelError: The bundle is missing or of another kind, or its description is damaged or of another version.

    Examples:
        >>> bundle_digest("mien-light") == load_bundle("mien-light", threads=1).digest
        True
    """
    return _digest(_read_spec(find_bundle(name_or_path, kind=kind), kind)[0])


def list_bundles(kind: BundleKind | None = None) -> list[str]:
    """Names of the bundles that are installed with mien.

    Args:
        kind: Kind of the bundles; None for all of them.

    Examples:
        >>> list_bundles()
        ['mien-accurate', 'mien-faces', 'mien-light', 'mien-points']
        >>> list_bundles("landmarks")
        ['mien-points']
    """
    folder = bundled_folder()
    if not folder.is_dir():
        return []
    names = sorted(entry.name for entry in folder.iterdir() if (entry / "model.json").is_file())
    return [name for name in names if kind is None or _read_spec(folder / name)[1].kind == kind]


def find_bundle(name_or_path: str | Path, *, kind: BundleKind | None = None) -> Path:
    """The folder of a bundle.

    Args:
        name_or_path: Name of a bundle that is installed with mien, or a folder.
        kind: Kind of the names that the error message suggests; None for any.

    Raises:
        ModelError: There is none; the message suggests similar names.

    Examples:
        >>> find_bundle("mien-light").name
        'mien-light'
        >>> find_bundle("mien-lite")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mien.core.errors.ModelError: mien-lite: no bundle of that name ...; did you mean 'mien-light'?
    """
    if str(name_or_path) in list_bundles():
        return bundled_folder() / str(name_or_path)
    folder = Path(name_or_path)
    if is_model_file(folder / "model.json"):
        return folder
    if any(is_model_file(one / "geometry.json") for one in (folder, bundled_folder() / str(name_or_path))):
        raise ModelError(
            f"{name_or_path}: a geometry bundle reads landmarks and no pixels; name it beside an affect bundle with "
            "--va geometry, or --va geometry=DIR for one of your own"
        )
    names = list_bundles(kind)
    near = difflib.get_close_matches(str(name_or_path), names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"installed bundles: {', '.join(names)}"
    raise ModelError(f"{name_or_path}: no bundle of that name and no folder with model.json; {hint}")


def bundled_folder() -> Path:
    """The folder of the bundles inside the installed package; mien is never run from a zip."""
    with resources.as_file(resources.files("mien")) as package:
        return package / "bundles"


def _read_spec(folder: Path, kind: BundleKind | None = None) -> tuple[bytes, ModelSpec]:
    """The bytes of a description and its content, which must be of that kind."""
    description, spec = read_description(folder / "model.json", ModelSpec.from_json)
    if kind is not None and spec.kind != kind:
        raise ModelError(
            f"{spec.name} predicts {spec.kind}, and a bundle that predicts {kind} is needed; "
            f"name {' or '.join(list_bundles(kind))} or the folder of another one"
        )
    return description, spec


def _digest(description: bytes) -> str:
    return hashlib.sha256(description).hexdigest()
