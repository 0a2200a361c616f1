# SPDX-License-Identifier: Apache-2.0
"""What was measured, as the JSON file beside the page: the page can be written again without any training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from mien.core import ConfigError, MetricValue, read_typed
from mien.results import atomic_write, output_errors
from mien.training.reproduction.plan import BUDGET, Budget

_LAYOUT = 1


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One training under a budget, and its figures.

    Attributes:
        digest: of every setting that decides the training.
        recipe: `plan.trained_name` of the row; empty in records of before there were such names.
        images: faces shown, repetitions counted.
        epochs: passes over the rows that were used.
        size_px: side of the crops.
        seconds: of training, without reading, export and measurement.
        cpu_seconds: the same in CPU time over all threads, which other work on the machine does not lengthen; 0 where
            the training was interrupted.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        threads: of torch.
        provenance: date, and version of torch.
        parity: largest difference between torch and the runtime on the same faces.
        figures: on FER+ valid.
    """

    digest: str
    images: int
    epochs: int
    size_px: int
    seconds: float
    cpu_seconds: float
    device: str
    threads: int
    provenance: str
    parity: float
    metrics: tuple[MetricValue, ...]
    recipe: str = ""

    def metric(self, measure: str) -> MetricValue | None:
        """The figure of that name, None where there is none."""
        return next((metric for metric in self.metrics if metric.name == measure), None)


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How long one face takes.

    Attributes:
        runtime: name in `mien.inference.RUNTIMES`.
        batch: faces a call.
        ms: per face, the median of the repetitions.
        spread: (slowest - fastest) / median of the repetitions.
    """

    runtime: str
    batch: int
    ms: float
    spread: float


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one network of one size costs; its weights do not matter.

    Attributes:
        size_px: side of the crops.
        parameters: of backbone and heads.
        gflop: for one face, two operations a multiply-add.
        onnx_mb: size of the graph in 10^6 bytes.
        speeds: empty until they are measured.
        threads: of the runtimes.
        machine: where the speeds were measured, and when.
    """

    size_px: int
    parameters: int
    gflop: float
    onnx_mb: float
    speeds: tuple[Speed, ...] = ()
    threads: int = 0
    machine: str = ""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is known of one row; None where it was not run yet.

    Attributes:
        trained: under the budget.
        as_published: cost of the network with the size and heads of its recipe.
        as_trained: cost of the network under the budget.
    """

    trained: Trained | None = None
    as_published: Cost | None = None
    as_trained: Cost | None = None


@dataclass(frozen=True, kw_only=True)
class Records:
    """The content of the JSON file.

    Attributes:
        layout: of the file.
        budget: of the table; rows of another one stand in it until they are trained anew.
        rows: name -> record.
    """

    layout: int = _LAYOUT
    budget: Budget = BUDGET
    rows: Mapping[str, Record] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Record:
        return self.rows.get(name, Record())

    def with_row(self, name: str, **parts: Trained | Cost) -> Records:
        """The same with some parts of one row replaced."""
        return replace(self, rows={**self.rows, name: replace(self[name], **parts)})  # type: ignore[arg-type]  # parts are named by their kind


def load_records(path: Path) -> Records:
    """Read the file; nothing is known where there is none.

    Raises:
        ConfigError: it is not such a file, or of another version.
    """
    if not path.is_file():
        return Records()
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as JSON ({error}); remove it to measure anew") from error
    records = read_typed(Records, content, str(path))
    if records.layout != _LAYOUT:
        raise ConfigError(f"{path}: layout {records.layout} is not {_LAYOUT}; remove it to measure anew")
    return records


def save_records(path: Path, records: Records) -> None:
    """Write the file as a whole; an interruption leaves the older one.

    Raises:
        OutputError: it cannot be written.
    """
    text = json.dumps(asdict(records), indent=1, sort_keys=True) + "\n"
    with output_errors(path, "choose another page with --page"), atomic_write(path) as file:
        file.write(text.encode())
