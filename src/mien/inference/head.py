# SPDX-License-Identifier: Apache-2.0
"""Heads: a folder with ``head.onnx`` and ``head.json``, checked before it is run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.core import HeadSpec, ModelError
from mien.inference.bundle import read_bytes
from mien.inference.runtime import Session, create_session


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
