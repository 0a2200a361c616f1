# SPDX-License-Identifier: Apache-2.0
"""`FakeSession`: a session for tests that need no model and no runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[Any]]


class FakeSession:
    """A `mien.inference.Session` that answers with a function and remembers what it was asked.

    Args:
        answer: from the inputs by name to the outputs by name.
        input_names: what the graph would take.
        output_names: what the graph would give; ``answer`` must return exactly these.

    Attributes:
        calls: the inputs of every run so far, oldest first.
    """

    def __init__(
        self, answer: Callable[[Arrays], Arrays], *, input_names: tuple[str, ...], output_names: tuple[str, ...]
    ) -> None:
        self._answer = answer
        self.input_names = input_names
        self.output_names = output_names
        self.calls: list[dict[str, npt.NDArray[Any]]] = []

    def run(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        """The answer to these inputs.

        Raises:
            ValueError: the caller's input names, or the answer's output names, are not the declared ones.
        """
        if set(inputs) != set(self.input_names):
            raise ValueError(f"expected the inputs {self.input_names}, got {tuple(inputs)}")
        self.calls.append(dict(inputs))
        outputs = dict(self._answer(inputs))
        if set(outputs) != set(self.output_names):
            raise ValueError(f"expected the outputs {self.output_names}, got {tuple(outputs)}")
        return outputs
