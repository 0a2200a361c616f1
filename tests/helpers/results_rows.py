# SPDX-License-Identifier: Apache-2.0
"""Made-up results of rows of the table of networks (extra: train)."""

from benchmarks.results.plan import BUDGET, Budget, Row, trained_name, under_budget
from benchmarks.results.records import Trained
from benchmarks.results.train_row import MEASURES, digest
from mien.core import MetricValue

N_ROWS = 28_000


def trained(row: Row, budget: Budget = BUDGET, n_rows: int = N_ROWS) -> Trained:
    """The training of a row whose every metric is 0.5."""
    metrics = tuple(
        MetricValue(name=name, data="FER+ valid", n=3555, value=0.5, low=0.4, high=0.6, command="") for name in MEASURES
    )
    return Trained(
        digest=digest(under_budget(row, budget, n_rows), n_rows),
        images=budget.images,
        epochs=1,
        size_px=budget.size_px,
        seconds=60.0,
        cpu_seconds=90.0,
        device="cpu",
        threads=2,
        provenance="some day",
        parity=1e-6,
        metrics=metrics,
        recipe=trained_name(row, budget),
    )
