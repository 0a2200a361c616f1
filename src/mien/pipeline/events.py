# SPDX-License-Identifier: Apache-2.0
"""What a run tells while it goes on, as frozen records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mien.results import InputFailure, InputRecord


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run has come; sent after every frame.

    Attributes:
        source: name of the input.
        number: of the input, from 0.
        n_inputs: of the run.
        n_frames: frames of this input analysed so far.
        n_frames_expected: as its container promises for the options of the run, None if unknown.
        n_faces: faces found in this input so far.
        n_inputs_done: inputs of the run that are through, well or badly, those of earlier runs included.
    """

    source: str
    number: int
    n_inputs: int
    n_frames: int
    n_frames_expected: int | None
    n_faces: int
    n_inputs_done: int = 0


@dataclass(frozen=True)
class Note:
    """Something that the user should know and that belongs to no single input, such as rows that were rescued."""

    message: str


@dataclass(frozen=True)
class TableWritten:
    """A table and its manifest are complete."""

    table: Path


@dataclass(frozen=True)
class TablesSkipped:
    """Tables that an earlier run has finished from the same files with the same settings; sent once, before the work.

    Attributes:
        tables: their paths.
        n_inputs: inputs in the run, for comparison.
    """

    tables: tuple[Path, ...]
    n_inputs: int


@dataclass(frozen=True)
class FailuresListed:
    """The list of failures of a folder is up to date, and there are some."""

    path: Path


Event = InputRecord | InputFailure | Note | TableWritten | TablesSkipped | FailuresListed
"""An input is done (possibly in part), could not be read (to its end), and so on; each sent when it happens."""
