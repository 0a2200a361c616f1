# SPDX-License-Identifier: Apache-2.0
"""Defines the events of a run, and collects what a run has done so far."""

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
    """Progress of a run; sent after every frame.

    Attributes:
        source: Name of the input.
        number: Number of the input, from 0.
        n_inputs: Number of inputs of the run.
        n_frames: Number of frames of this input analysed so far.
        n_frames_expected: Number of frames to analyse, from the container and the options; None if unknown.
        n_faces: Number of faces found in this input so far.
        n_inputs_done: Number of inputs that are finished or have failed, those of earlier runs included.
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
    """A message for the user that belongs to no single input, such as that rows of a crashed run were saved.

    Attributes:
        message: One sentence.
    """

    message: str


@dataclass(frozen=True)
class TableWritten:
    """A table and its manifest are complete.

    Attributes:
        table: Path of the table.
        replaced: Whether it took the place of a table of an earlier run.
    """

    table: Path
    replaced: bool = False


@dataclass(frozen=True)
class TablesSkipped:
    """Tables that an earlier run has finished from the same files with the same settings; sent once, before the work.

    Attributes:
        tables: Paths of the tables.
        n_inputs: Number of inputs of the run.
    """

    tables: tuple[Path, ...]
    n_inputs: int


@dataclass(frozen=True)
class FailuresListed:
    """The list of failures of a folder is up to date and not empty.

    Attributes:
        path: Path of the list.
    """

    path: Path


Event = InputRecord | InputFailure | Note | TableWritten | TablesSkipped | FailuresListed
"""An input is done (possibly in part), could not be read (to its end), and so on; each sent when it happens."""


@dataclass(eq=False, kw_only=True)
class RunProgress:
    """Collects the events of a run and passes them on.

    Attributes:
        n_inputs: Number of inputs of the run, names without a file included.
        on_progress: Called after every frame.
        on_event: Called with every event.
        tables: Complete tables.
        skipped: Tables among them that an earlier run had finished.
        records: Records of the inputs that gave rows.
        failures: Failures of the inputs that could not be read, or not to their end.
        notes: Messages that belong to no single input.
        done: Names of the inputs that are finished or have failed, in this run or before.
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
        """Keep an event and pass it on."""
        match event:
            case InputRecord():
                self.record(event)
            case InputFailure():
                self.failures.append(event)
                self.done.add(event.path)
            case Note(message):
                self.notes.append(message)
            case TableWritten(table=table):
                self.tables.append(table)
            case TablesSkipped(tables):
                self.tables.extend(tables)
                self.skipped.extend(tables)
        self.on_event(event)

    def record(self, record: InputRecord) -> None:
        """Count an input as done without an event, since an earlier run may have done it."""
        self.records.append(record)
        self.done.add(record.path)

    def handle(self, plans: list[TablePlan], event: JobEvent) -> None:
        """Handle an event of a job that writes one of the tables.

        Args:
            plans: Tables of the jobs, in order.
            event: Event of one job.

        Raises:
            Exception: An error that is not about this input alone, or that leaves no other table to go on with.
        """
        match event:
            case Message(message=Progress() as progress):
                self.on_progress(replace(progress, n_inputs_done=len(self.done)))
            case Message(message=message):
                self.add(message)
            case Failed(number, error):
                # A shard has many photos; those that its table holds are done already.
                missing = [media.name for media in plans[number].inputs if media.name not in self.done]
                name = (missing or [plans[number].inputs[0].name])[0]
                about_it = isinstance(error, (InputError, JobError))
                if not about_it and (isinstance(error, MienError) or len(plans) == 1):
                    raise error
                reason = str(error) if about_it else f"mien failed on this file, please report it: {error}"
                for each in missing or [name]:
                    text = reason if reason.startswith(each) else f"{each}: {reason}"
                    self.add(InputFailure(path=each, reason=text, error=type(error).__name__))
