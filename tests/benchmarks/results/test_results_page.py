# SPDX-License-Identifier: Apache-2.0
"""The page has published figures, and marks rows of other budgets and missed parity."""

import dataclasses
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.results.plan import BUDGET, Budget, list_rows, trained_name
from benchmarks.results.records import Cost, Records, load_records, save_records
from benchmarks.results.results_page import is_shown, results_page
from benchmarks.results.train_row import own_run
from mien.training import list_recipes
from tests.helpers.results_rows import trained, trained_run


def page_of(records: Records) -> str:
    return "\n".join(results_page(list_rows(), records))


def test_published_figures_name_their_data() -> None:
    rows = list_rows()
    figures = [figure for name in rows for _, figure in rows[name].published]
    assert len(figures) >= 20
    assert all("FER+" not in figure.data and figure.data for figure in figures)
    page = page_of(Records())
    assert "`mt-emotieffnet`: accuracy 0.6193 (AffectNet validation, 8 classes)" in page
    points = {"mien-points", "points-windows", "joint-windows"}
    assert page.count("| not yet run |") == len(rows) - len(points) + 1  # and the majority
    assert all(f"`{name}`" in page for name in list_recipes())  # in the table, or with the reason why not
    assert all(f"`{name}`" in page for name in rows)


def test_a_network_that_costs_too_much_is_out_until_it_is_trained() -> None:
    rows = list_rows()
    cost = Cost(size_px=48, parameters=1, gflop=1.4, onnx_mb=1.0)
    records = Records().with_row("co-teaching", as_trained=cost)
    assert "- `co-teaching`, `noisyfer` (vgg_encoder): takes 1.4 GFLOP a face" in page_of(records)
    assert not is_shown(rows["co-teaching"], records)
    page = page_of(records.with_row("co-teaching", trained=trained(rows["co-teaching"])))
    assert "| `co-teaching`, `noisyfer` (vgg_encoder) | 48 | 28,000 | 1 |" in page
    assert "takes 1.4 GFLOP" not in page


def test_an_own_recipe_that_changed_since_is_not_shown() -> None:
    rows = list_rows()
    own = trained_run(own_run(rows["mtanet"], BUDGET))
    records = Records().with_row("mtanet", trained=trained(rows["mtanet"]), own=own)
    assert "| `mtanet` by its own recipe | 48 |" in page_of(records)
    changed = records.with_row("mtanet", own=dataclasses.replace(own, digest="0"))
    assert "| `mtanet` by its own recipe |" not in page_of(changed)


def test_rows_of_before_their_network_began_otherwise_are_marked(tmp_path: Path) -> None:
    rows = list_rows()
    kept = dataclasses.replace(trained(rows["ddamfn"]), recipe="")  # as records were before rows had names
    same = dataclasses.replace(trained(rows["mobilenet"]), recipe="")
    records = Records().with_row("ddamfn", trained=kept).with_row("mobilenet", trained=same)
    save_records(tmp_path / "results.json", records)
    page = page_of(load_records(tmp_path / "results.json"))
    assert page.count("*older*") == 2  # the row and what is said of it
    assert "| 48 | 28,000, *older* | 1 | - |" in page
    assert "--rows ddamfn --only train`" in page
    names = {trained_name(rows["ddamfn"], budget) for budget in (BUDGET, Budget(batch=64), Budget(size_px=112))}
    assert len(names) == 3  # each has a folder of its own: checkpoints of one are not those of another


def test_a_missed_parity_is_told() -> None:
    rows = list_rows()
    close = trained(rows["mobilenet"])
    far = dataclasses.replace(close, parity=1.2e-4)
    assert "misses" not in page_of(Records().with_row("mobilenet", trained=close))
    assert "agrees with torch to 1.2e-04, which misses 1e-04" in page_of(Records().with_row("mobilenet", trained=far))


def test_the_page_says_how_much_of_it_was_run() -> None:
    rows = list_rows()
    first = trained(rows["mobilenet"])
    further = tuple(dataclasses.replace(first, seed=seed) for seed in (2, 3))
    own = trained_run(own_run(rows["mobilenet"], BUDGET))
    records = Records().with_row("mobilenet", trained=first, further=further, own=own)
    records = records.with_row("mtanet", trained=trained(rows["mtanet"]))
    page = page_of(records)
    n_rows = sum(is_shown(row, records) and not row.compares_sizes for row in rows.values())
    assert f"2 of {n_rows} rows have been run, 1 of them with 3 seeds; 1 of " in page


def test_places_stay_within_the_noise() -> None:
    rows = list_rows()
    values = {"mobilenet": 0.5, "mtanet": 0.6, "ddamfn": 0.75}
    records = Records()
    for name, value in values.items():
        records = records.with_row(name, trained=trained(rows[name], value=value))
    page = page_of(records)
    # 0.4 to 0.6 and 0.5 to 0.7 overlap, and 0.65 to 0.85 with the second one.
    assert "| 28,000 | 1 | 2 to 3 | 0.500" in page
    assert "| 28,000 | 1 | 1 to 3 | 0.600" in page
    assert "| 28,000 | 1 | 1 to 2 | 0.750" in page
