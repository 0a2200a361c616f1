# SPDX-License-Identifier: Apache-2.0
"""`analyze`: files to tables. What the command line calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.affect import Analyzer
from mien.core import ConfigError, FaceChoice
from mien.inference import DEFAULT_BUNDLE
from mien.pipeline.events import Event, Progress
from mien.pipeline.overlay import Drawing
from mien.pipeline.plan import make_plan
from mien.pipeline.run import Run, Tally
from mien.pipeline.sources import Selection
from mien.results import InputFailure, InputRecord

_N_LANDMARKS = 5


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What became of a run.

    Attributes:
        tables: written tables, in order.
        inputs: one record per input that gave rows, in order.
        failures: one per input that could not be read, or not to its end.
        messages: anything else that the user should know.
    """

    tables: tuple[Path, ...]
    inputs: tuple[InputRecord, ...]
    failures: tuple[InputFailure, ...]
    messages: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every input was read to its end without loss."""
        return not self.failures and not any(record.n_frames_lost for record in self.inputs)

    @property
    def exit_code(self) -> int:
        """Of the command line: 0 all done, 1 some inputs failed or were decoded in part, 3 none could be read."""
        if not self.inputs:
            return 3
        return 0 if self.complete else 1


def analyze(
    inputs: Sequence[str | os.PathLike[str]] | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    model: str | Path = DEFAULT_BUNDLE,
    detector: str = "mtcnn",
    runtime: str = "onnxruntime",
    threads: int | None = None,
    faces: str = "all",
    every: int = 1,
    start_s: float | None = None,
    stop_s: float | None = None,
    landmarks: bool = False,
    overlay: str | os.PathLike[str] | None = None,
    anonymous: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> RunResult:
    """Analyse files, folders, globs or a camera into tables.

    Rows are safe on the disk within seconds and become one file at the end; after a kill, the next run over the same
    table saves them beside it. An input that cannot be read becomes a failure and the others go on. After Ctrl-C and
    after an error of the output, the table holds every frame that was done.

    Args:
        inputs: files, folders, glob patterns, or a camera number.
        out: a table (.parquet, .csv, .jsonl, .ndjson) for everything, or a folder (any existing one, a name without
            ending, or one that ends with ``/``) with one Parquet table per input.
        model: name or folder of a bundle.
        detector: ``"mtcnn"``, or ``"yunet=FILE.onnx"`` with a model of your own.
        runtime: ``"onnxruntime"`` or ``"openvino"``.
        threads: of each model; None for every core.
        faces: ``"all"``, ``"largest"`` (of each frame, whoever that is), or ``"track=ID"`` for one track of videos.
        every: analyse each n-th frame of videos.
        start_s: leave out what videos show before.
        stop_s: leave out what videos show from here on; for a camera, when to end.
        landmarks: whether the table has the five points of each face.
        overlay: a video (or, for an image, a picture) with everything drawn on it; for a single input.
        anonymous: whether faces are made unrecognisable in the overlay.
        on_progress: called after every frame.
        on_event: called when an input is done or has failed, when a table is complete, and for notes: everything that
            the result will hold, as it happens. Callbacks may raise; what was read is then kept as after Ctrl-C.

    Raises:
        ConfigError: the arguments make no sense together; nothing was read.
        OutputError: a table or the overlay cannot be written.
        ModelError: a model is missing, damaged or of an unknown version.
        MissingExtraError: the runtime is not installed.
    """
    names = [os.fspath(name) for name in ([inputs] if isinstance(inputs, (str, os.PathLike)) else inputs)]
    arguments: dict[str, Any] = {
        "inputs": names,
        "out": os.fspath(out),
        "model": str(model),
        "detector": detector,
        "runtime": runtime,
        "threads": threads,
        "faces": faces,
        "every": every,
        "start_s": start_s,
        "stop_s": stop_s,
        "landmarks": landmarks,
        "overlay": None if overlay is None else os.fspath(overlay),
        "anonymous": anonymous,
    }
    selection = Selection(every=every, start_s=start_s, stop_s=stop_s)
    if anonymous and overlay is None:
        raise ConfigError("anonymous changes the overlay; name a file for it")
    choice = FaceChoice.of_pixels(faces)
    drawing = None if overlay is None else Drawing(path=Path(overlay), anonymous=anonymous, choice=choice)
    plan = make_plan(names, out)
    if drawing is not None:
        if plan.n_named != 1:
            raise ConfigError(f"an overlay needs a single input, got {plan.n_named}; analyse them one by one")
        for media in plan.inputs:
            drawing.check(media)
    tally = Tally(
        n_inputs=plan.n_named,
        on_progress=on_progress or (lambda _: None),
        on_event=on_event or (lambda _: None),
    )
    for failure in plan.failures:
        tally.add(failure)
    if plan.tables:
        run = Run(
            # Whoever is not chosen must be found all the same to be hidden.
            analyzer=Analyzer(
                model, detector=detector, runtime=runtime, threads=threads, faces="all" if anonymous else faces
            ),
            choice=choice,
            selection=selection,
            drawing=drawing,
            arguments=arguments,
            tally=tally,
            n_landmarks=_N_LANDMARKS if landmarks else 0,
        )
        for table in plan.tables:
            run.write(table)
    return RunResult(
        tables=tuple(tally.tables),
        inputs=tuple(tally.records),
        failures=tuple(tally.failures),
        messages=tuple(tally.notes),
    )
