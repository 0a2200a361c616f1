# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mien.core import InputError, JobError, OutputError
from mien.jobs import Done, Failed, Message
from mien.media import MediaInput
from mien.pipeline import FailuresListed, Note, Progress, TablesSkipped, TableWritten
from mien.pipeline.plan import TablePlan
from mien.pipeline.run_progress import RunProgress
from mien.results import InputFailure, InputRecord

PLANS = [
    TablePlan(
        Path(f"{name}.parquet"), (MediaInput(name=f"{name}.mp4", kind="video", path=Path(f"{name}.mp4"), camera=None),)
    )
    for name in "ab"
]


def record(path: str) -> InputRecord:
    return InputRecord(
        path=path,
        kind="video",
        sha256=None,
        size_bytes=None,
        n_frames_decoded=1,
        n_frames_lost=0,
        n_rows=1,
        n_faces=1,
    )


def frame(source: str) -> Progress:
    return Progress(source=source, number=0, n_inputs=2, n_frames=1, n_frames_expected=None, n_faces=1)


@pytest.fixture
def heard() -> list[Any]:
    return []


@pytest.fixture
def progress(heard: list[Any]) -> RunProgress:
    return RunProgress(n_inputs=2, on_progress=heard.append, on_event=heard.append)


def test_every_event_is_kept_in_its_place_and_passed_on(progress: RunProgress, heard: list[Any]) -> None:
    failure = InputFailure(path="b.mp4", reason="b.mp4: is damaged")
    events = [
        TablesSkipped((Path("old.parquet"),), 2),
        record("a.mp4"),
        failure,
        Note("three rows were rescued"),
        TableWritten(Path("a.parquet")),
        FailuresListed(Path("failures.csv")),
    ]
    for event in events:
        progress.add(event)
    assert heard == events
    assert progress.tables == [Path("old.parquet"), Path("a.parquet")]
    assert progress.skipped == [Path("old.parquet")]
    assert (progress.records, progress.failures) == ([record("a.mp4")], [failure])
    assert progress.notes == ["three rows were rescued"]
    assert progress.done == {"a.mp4", "b.mp4"}


def test_an_input_of_an_earlier_run_is_counted_silently(progress: RunProgress, heard: list[Any]) -> None:
    progress.record(record("a.mp4"))
    assert heard == []
    assert progress.done == {"a.mp4"}


def test_progress_of_a_worker_tells_how_many_inputs_are_done(progress: RunProgress, heard: list[Any]) -> None:
    progress.handle(PLANS, Message(0, record("a.mp4")))
    progress.handle(PLANS, Message(1, frame("b.mp4")))
    assert [each.n_inputs_done for each in heard if isinstance(each, Progress)] == [1]


def test_the_end_of_a_job_says_nothing(progress: RunProgress, heard: list[Any]) -> None:
    progress.handle(PLANS, Done(0, None))
    assert heard == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InputError("b.mp4: is damaged"), "b.mp4: is damaged"),
        (JobError("the process died"), "b.mp4: the process died"),
        (ZeroDivisionError("a bug"), "b.mp4: mien failed on this file, please report it: a bug"),
    ],
)
def test_an_error_about_one_input_is_its_failure(progress: RunProgress, error: Exception, reason: str) -> None:
    progress.handle(PLANS, Failed(1, error))
    assert progress.failures == [InputFailure(path="b.mp4", reason=reason, error=type(error).__name__)]


@pytest.mark.parametrize(
    ("plans", "error"), [(PLANS, OutputError("the disk is full")), (PLANS[:1], ZeroDivisionError())]
)
def test_other_errors_end_the_run(progress: RunProgress, plans: list[TablePlan], error: Exception) -> None:
    with pytest.raises(type(error)):
        progress.handle(plans, Failed(0, error))
