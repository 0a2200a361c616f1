# SPDX-License-Identifier: Apache-2.0
"""Measured results, as the JSON file beside the page: the page can be written again without any training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from benchmarks.results.plan import BUDGET, Budget
from benchmarks.runtime_speed import Speed
from mien.core import ConfigError, MetricValue, read_typed
from mien.results import atomic_write, output_errors

_LAYOUT = 1


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One training under a budget, with its metrics.

    Attributes:
        digest: hash of every setting that decides the training.
        recipe: `plan.trained_name` of the row; empty in records that are older than these names.
        seed: seed of the training.
        images: number of faces shown, repetitions counted.
        epochs: number of passes over the rows that were used.
        size_px: side of the crops.
        seconds: duration of the training, without reading, export and measurement.
        cpu_seconds: CPU time of the training over all threads, which other load does not lengthen; 0 where the training
            was interrupted.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        threads: number of threads of torch.
        provenance: date, and version of torch.
        parity: largest difference between torch and the runtime on the same faces.
        metrics: metrics on FER+ valid.
    """

    digest: str
    images: int
    epochs: int
    size_px: int
    seconds: float
    cpu_seconds: float
    device: str
    threads: int
    provenance: str = field(metadata={"formerly": ("made",)})
    parity: float
    metrics: tuple[MetricValue, ...] = field(metadata={"formerly": ("figures",)})
    recipe: str = ""
    seed: int = 1

    def metric(self, name: str) -> MetricValue | None:
        """The metric of this name; None where there is none."""
        return next((metric for metric in self.metrics if metric.name == name), None)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cost of one network at one size; its weights do not matter.

    Attributes:
        size_px: side of the crops.
        parameters: number of parameters of backbone and heads.
        gflop: 10^9 operations per face, two per multiply-add.
        onnx_mb: size of the graph in 10^6 bytes.
        speeds: speed under every runtime; empty until measured.
        threads: number of intra-op threads of the runtimes.
        machine: machine and date of the speeds.
        digest: hash of the settings that decide the cost, see `cost.cost_digest`; empty in records that are older.
    """

    size_px: int
    parameters: int
    gflop: float
    onnx_mb: float
    speeds: tuple[Speed, ...] = ()
    threads: int = 0
    machine: str = ""
    digest: str = ""


@dataclass(frozen=True, kw_only=True)
class Record:
    """Results of one row; None where it was not run yet.

    Attributes:
        trained: training under the budget with seed 1.
        further: trainings under the budget with other seeds.
        own: training by the row's own recipe, with as many images.
        as_published: cost of the network with the size and heads of its recipe.
        as_trained: cost of the network under the budget.
    """

    trained: Trained | None = None
    further: tuple[Trained, ...] = ()
    own: Trained | None = None
    as_published: Cost | None = None
    as_trained: Cost | None = None


@dataclass(frozen=True, kw_only=True)
class Records:
    """Content of the JSON file.

    Attributes:
        layout: version of the file's layout.
        budget: budget of the table; rows of another budget stay until they are trained again.
        rows: name -> record.
        majority: metrics of a constant prediction, the commonest training label of each task.
        n_rows: number of faces available for training, part of the digest of a row; 0 where no pass has counted them.
    """

    layout: int = _LAYOUT
    budget: Budget = BUDGET
    rows: Mapping[str, Record] = field(default_factory=dict)
    majority: tuple[MetricValue, ...] = ()
    n_rows: int = 0

    def __getitem__(self, name: str) -> Record:
        return self.rows.get(name, Record())

    def with_row(self, name: str, **parts: Trained | Cost | tuple[Trained, ...]) -> Records:
        """The records with some parts of one row replaced."""
        return replace(self, rows={**self.rows, name: replace(self[name], **parts)})  # type: ignore[arg-type]  # the keyword says the type


def load_records(path: Path) -> Records:
    """Read the file; without a file there are no records.

    Raises:
        ConfigError: the file is not of this kind, or has another layout.
    """
    if not path.is_file():
        return Records()
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as JSON ({error}); remove it to measure again") from error
    records = read_typed(Records, content, str(path))
    if records.layout != _LAYOUT:
        raise ConfigError(f"{path}: layout {records.layout} is not {_LAYOUT}; remove it to measure again")
    return records


def save_records(path: Path, records: Records) -> None:
    """Write the file atomically; an interruption leaves the earlier one.

    Raises:
        OutputError: the file cannot be written.
    """
    text = json.dumps(asdict(records), indent=1, sort_keys=True) + "\n"
    with output_errors(path, "choose another page with --page"), atomic_write(path) as file:
        file.write(text.encode())
