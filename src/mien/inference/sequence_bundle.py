# SPDX-License-Identifier: Apache-2.0
"""Sequence bundles: folders with the ONNX graph of a network over utterances and its JSON description."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.core import ModelError, SequenceSpec
from mien.inference.bundle import check_graph, checked_session
from mien.inference.model_files import read_description, read_verified_file
from mien.inference.runtime import Session


@dataclass(frozen=True, eq=False)
class SequenceBundle:
    """A verified sequence bundle that is ready to run.

    Attributes:
        spec: Description of inputs and outputs.
        session: Session that runs the graph.
        folder: Folder that the bundle was read from.
    """

    spec: SequenceSpec
    session: Session
    folder: Path


def load_sequence(folder: str | Path, *, runtime: str = "onnxruntime", threads: int | None = None) -> SequenceBundle:
    """Verify a sequence bundle and load it into a session.

    Args:
        folder: Folder with ``sequence.json`` and ``sequence.onnx``.
        runtime: Name of the library that runs the graph, see `mien.inference.RUNTIMES`.
        threads: Number of threads of that library; None for all cores that this process may use.

    Raises:
        ModelError: The bundle is missing, its checksum or version is wrong, or the graph does not fit its description.
        MissingExtraError: The runtime is not installed.

    Examples:
        >>> load_sequence("no/such")
        Traceback (most recent call last):
        mien.core.errors.ModelError: no/such/sequence.json: cannot be read (No such file or directory)
    """
    place = Path(folder)
    _, spec = read_description(place / "sequence.json", SequenceSpec.from_json)
    graph = read_verified_file(place / "sequence.onnx", spec.sha256, "sequence.json")
    return SequenceBundle(
        spec, checked_session(graph, runtime, threads, lambda session: _check(session, spec, place)), place
    )


def _check(session: Session, spec: SequenceSpec, place: Path) -> None:
    wanted = {task.output: len(task.labels) for task in spec.tasks}
    if spec.input not in session.input_names or not set(wanted) <= set(session.output_names):
        raise ModelError(
            f"{place}: the graph has inputs {session.input_names} and outputs {session.output_names}, "
            f"sequence.json names {spec.input!r} and {sorted(wanted)}"
        )
    probe = {spec.input: np.zeros((2, spec.n_inputs), np.float32)}
    try:
        check_graph(session, probe, dict(wanted))
    except ModelError as error:
        raise ModelError(f"{place}: the graph does not do what sequence.json says: {error}") from error
