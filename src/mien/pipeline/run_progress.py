# SPDX-License-Identifier: Apache-2.0
"""Events of a run as frozen records, and the record of what a run has done so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from mien.core import InputError, JobError, MienError
from mien.jobs import Event as JobEvent
from mien.jobs import Failed, Message
from mien.pipeline.plan import TablePlan
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


@dataclass(eq=False, kw_only=True)
class RunProgress:
    """Remembers every event and passes it on.

    Attributes:
        n_inputs: of the run, names without an answer included.
        on_progress: called after every frame.
        on_event: called with everything that is added here.
        tables: complete tables.
        skipped: those of them that an earlier run had finished.
        records: of the inputs that gave rows.
        failures: of the inputs that could not be read, or not to their end.
        notes: anything else.
        done: names of the inputs that are through, well or badly, in this run or before.
    """

    n_inputs: int
    on_progress: Callable[[Progress], None]
    on_event: Callable[[Event], None]
    tables: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    records: list[InputRecord] = field(default_factory=list)
    failures: list[InputFailure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    done: set[str] = field(default_factory=set)

    def add(self, event: Event) -> None:
        """Remember an event and pass it on."""
        match event:
            case InputRecord():
                self.record(event)
            case InputFailure():
                self.failures.append(event)
                self.done.add(event.path)
            case Note(message):
                self.notes.append(message)
            case TableWritten(table):
                self.tables.append(table)
            case TablesSkipped(tables):
                self.tables.extend(tables)
                self.skipped.extend(tables)
        self.on_event(event)

    def record(self, record: InputRecord) -> None:
        """Count an input as done, without a word: it may have been done by an earlier run."""
        self.records.append(record)
        self.done.add(record.path)

    def handle(self, plans: list[TablePlan], event: JobEvent) -> None:
        """Take what a worker says about one of the tables.

        Raises:
            Exception: an error that is not about this input alone, or that there is no other table to go on with.
        """
        match event:
            case Message(message=Progress() as progress):
                self.on_progress(replace(progress, n_inputs_done=len(self.done)))
            case Message(message=message):
                self.add(message)
            case Failed(number, error):
                name = plans[number].inputs[0].name
                about_it = isinstance(error, (InputError, JobError))
                if not about_it and (isinstance(error, MienError) or len(plans) == 1):
                    raise error
                reason = str(error) if about_it else f"mien failed on this file, please report it: {error}"
                if not reason.startswith(name):
                    reason = f"{name}: {reason}"
                self.add(InputFailure(path=name, reason=reason, error=type(error).__name__))
