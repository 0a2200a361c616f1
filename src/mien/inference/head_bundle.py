# SPDX-License-Identifier: Apache-2.0
"""Clip heads: folders with the ONNX graph of a small network over stored vectors and its JSON description."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.core import Float32, HeadSpec, ModelError
from mien.inference.bundle import check_graph, checked_session
from mien.inference.model_files import read_description, read_verified_file
from mien.inference.runtime import Session


@dataclass(frozen=True, eq=False)
class Head:
    """A verified clip head that is ready to run.

    Attributes:
        spec: Description of inputs and outputs.
        session: Session that runs the graph.
    """

    spec: HeadSpec
    session: Session

    def run(self, vectors: npt.ArrayLike) -> Float32:
        """(N, labels) outputs for (N, D) vectors.

        Raises:
            ModelError: The vectors do not fit the spec.
        """
        fed = np.asarray(vectors, np.float32)
        if fed.ndim != 2 or fed.shape[1] != self.spec.n_inputs:
            raise ModelError(f"{self.spec.name} takes vectors (N, {self.spec.n_inputs}), got {fed.shape}")
        values: Float32 = self.session.run({self.spec.input: fed})[self.spec.output]
        if values.shape != (len(fed), len(self.spec.labels)):
            raise ModelError(f"{self.spec.name} gives {values.shape} for its {len(self.spec.labels)} labels")
        return values


def load_head(folder: str | Path, *, runtime: str = "onnxruntime", threads: int | None = None) -> Head:
    """Verify a clip head and load it into a session.

    Args:
        folder: Folder with ``head.json`` and ``head.onnx``.
        runtime: Name of the library that runs the graph, see `mien.inference.RUNTIMES`.
        threads: Number of threads of that library; None for all cores that this process may use.

    Raises:
        ModelError: The head is missing, its checksum or version is wrong, or the graph does not fit its description.
        MissingExtraError: The runtime is not installed.

    Examples:
        >>> load_head("no/such/head")
        Traceback (most recent call last):
        mien.core.errors.ModelError: no/such/head/head.json: cannot be read (No such file or directory)
    """
    place = Path(folder)
    _, spec = read_description(place / "head.json", HeadSpec.from_json)
    graph = read_verified_file(place / "head.onnx", spec.sha256, "head.json")
    session = checked_session(graph, runtime, threads, lambda one: _check_head_graph(one, spec, place))
    return Head(spec, session)


def _check_head_graph(session: Session, spec: HeadSpec, place: Path) -> None:
    if session.input_names != (spec.input,) or spec.output not in session.output_names:
        raise ModelError(
            f"{place}: the graph has inputs {session.input_names} and outputs {session.output_names}, "
            f"head.json names {spec.input!r} and {spec.output!r}"
        )
    probe = {spec.input: np.zeros((2, spec.n_inputs), np.float32)}
    try:
        check_graph(session, probe, {spec.output: len(spec.labels)})
    except ModelError as error:
        raise ModelError(f"{place}: the graph does not do what head.json says: {error}") from error
