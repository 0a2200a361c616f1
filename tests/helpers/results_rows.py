# SPDX-License-Identifier: Apache-2.0
"""Made-up results of rows of the table of networks (extra: train)."""

import dataclasses

from benchmarks.results.plan import BUDGET, Budget, Row, trained_name
from benchmarks.results.records import Trained
from benchmarks.results.train_row import MEASURES, Run, budget_run
from mien.core import MetricValue

N_ROWS = 28_000


def trained_run(run: Run, value: float = 0.5) -> Trained:
    """What a training of this run could have left, with this value of every metric."""
    return dataclasses.replace(
        _trained(run.recipe.name, run.n_faces * sum(s.epochs for s in run.recipe.stages), run.digest, value),
        size_px=run.recipe.model.input_px,
        seed=run.recipe.seed,
    )


def trained(row: Row, budget: Budget = BUDGET, n_rows: int = N_ROWS, value: float = 0.5) -> Trained:
    """The training of a row whose every metric has this value."""
    found = _trained(trained_name(row, budget), budget.images, budget_run(row, budget, n_rows).digest, value)
    return dataclasses.replace(found, size_px=budget.size_px)


def _trained(recipe: str, images: int, digest: str, value: float) -> Trained:
    metrics = tuple(
        MetricValue(name=name, data="FER+ valid", n=3555, value=value, low=value - 0.1, high=value + 0.1)
        for name in MEASURES
    )
    return Trained(
        digest=digest,
        images=images,
        epochs=1,
        size_px=BUDGET.size_px,
        seconds=60.0,
        cpu_seconds=90.0,
        device="cpu",
        threads=2,
        provenance="some day",
        parity=1e-6,
        metrics=metrics,
        recipe=recipe,
    )
