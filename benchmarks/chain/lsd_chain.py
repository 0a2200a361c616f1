# SPDX-License-Identifier: Apache-2.0
"""The chain of the LSD challenge (synthetic faces, super-resolution, fine-tuning, blend); completes its page (hours).

    python -m benchmarks lsd-chain --data DATA --work WORK --page docs/research/lsd-chain.md

Images, checkpoints and logits are kept in WORK; an interrupted run resumes, and the page is written after every row.
Needs the extras train, synthesis and upscale, and the weights of docs/how-to/upscaling.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import create_training_parser
from benchmarks.chain.chain_rows import ROWS, Budget, pretrained_file, row_file
from benchmarks.chain.chain_scores import Estimate, Resamples, difference, estimate, load_logits, predictions
from benchmarks.machine import today
from benchmarks.page import measured_by, replace_between, table, write_page
from mien.core import EXPRESSION_ORDERS, ConfigError, Float64, Indices
from mien.inference import machine_name
from mien.results import atomic_write

_NAME = "lsd-chain"
_CLASSES = EXPRESSION_ORDERS["lsd_6"]
_MARKS = ("<!-- rows -->\n", "<!-- end of rows -->")
_BUDGET_FILE = "budget.json"
_STARTS = {"imagenet": "ImageNet", "mien-light": "mien-light", "mt-emotieffnet": "MT-EmotiEffNet, trained on FER+"}

# What a step is, row before, row after, and the published gain in macro F1.
_STEPS = (
    ("super-resolution of synthetic faces, from ImageNet", "synthetic", "synthetic-span", ""),
    ("the same against bicubic interpolation", "synthetic-bicubic", "synthetic-span", ""),
    ("super-resolution of real training faces", "real", "real-span", ""),
    ("fine-tuning of mien-light, without super-resolution", "pretrained-mien-light", "light", "+0.023"),
    ("super-resolution in the fine-tuning of mien-light", "light", "light-span", "+0.041"),
    ("the same with the published network", "light", "light-x4plus", "+0.041"),
    ("blend of mien-light's logits before and after", "light-span", "light-span, blend", "+0.009"),
    ("the whole chain with mien-light", "pretrained-mien-light", "light-span, blend", "+0.073"),
    ("fine-tuning of MT-EmotiEffNet, without super-resolution", "pretrained-mt-emotieffnet", "mt", "+0.023"),
    ("super-resolution in its fine-tuning", "mt", "mt-span", "+0.041"),
    ("blend of its logits before and after", "mt-span", "mt-span, blend", "+0.009"),
    ("the whole chain with MT-EmotiEffNet", "pretrained-mt-emotieffnet", "mt-span, blend", "+0.073"),
)


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of one line of the table.

    Attributes:
        f1: seed -> (1 + B,) macro F1, choices made on the other half of the faces.
        accuracy: seed -> (1 + B,) accuracy, likewise.
        published: seed -> macro F1 with choices made on all faces.
    """

    f1: Mapping[int, Float64]
    accuracy: Mapping[int, Float64]
    published: Mapping[int, float]


def score_lines(work: Path, seeds: Sequence[int]) -> dict[str, Scored]:
    """Name of a line -> its scores, of all rows with a result."""
    found: dict[str, Scored] = {}
    resamples: Resamples | None = None

    def scored(chosen: Mapping[int, tuple[Indices, Indices]]) -> Scored:
        assert resamples is not None
        return Scored(
            {seed: resamples.macro_f1(fitted) for seed, (fitted, _) in chosen.items()},
            {seed: resamples.accuracy(fitted) for seed, (fitted, _) in chosen.items()},
            {seed: float(resamples.macro_f1(optimistic)[0]) for seed, (_, optimistic) in chosen.items()},
        )

    for row in ROWS:
        paths = {seed: row_file(row.name, seed, work) for seed in seeds}
        logits = {seed: load_logits(path) for seed, path in paths.items() if path.is_file()}
        if not logits:
            continue
        resamples = resamples or Resamples(next(iter(logits.values())).truth)
        found[row.name] = scored(
            {seed: (predictions(own), predictions(own, cross_fitted=False)) for seed, own in logits.items()}
        )
        if row.start == "imagenet":
            continue
        before = load_logits(pretrained_file(row.start, work))
        alone = before.logits[0].argmax(axis=1)
        found[f"pretrained-{row.start}"] = scored({0: (alone, alone)})
        found[f"{row.name}, blend"] = scored(
            {
                seed: (predictions(own, before), predictions(own, before, cross_fitted=False))
                for seed, own in logits.items()
            }
        )
    return found


def page_lines(work: Path, seeds: Sequence[int], budget: Budget) -> Iterator[str]:
    """Lines of the generated part of the page."""
    found = score_lines(work, seeds)
    test_faces = _test_faces(work)
    yield from (
        f"{budget.faces} training faces of {budget.face_px} px in each row, networks at {budget.size_px} px, the seeds "
        f"{', '.join(map(str, seeds))}.",
        "",
    )
    yield from ([test_faces, ""] if test_faces else [])
    heading = ["row", "step", "trains on", "super-resolution", "starts from", "seeds", "macro F1", "SD over seeds"]
    yield from table([*heading, "accuracy", "macro F1, chosen on all faces"], _cells(found))
    yield ""
    rows = []
    for title, before, after, published in _STEPS:
        gain = difference(found[before].f1, found[after].f1) if {before, after} <= set(found) else None
        rows.append([title, _signed(gain[0]) if gain else "not run", f"{gain[1]}" if gain else "0", published or "-"])
    yield from table(["step", "gain in macro F1", "seeds", "published gain"], rows)
    yield ""
    yield measured_by(_NAME, machine=machine_name(), date=today())


def _test_faces(work: Path) -> str:
    """Sentence about the test faces and the scores without any network; empty before the first row is trained."""
    path = next(iter(sorted((work / "rows").glob("*/*/logits.npz"))), None)
    if path is None:
        return ""
    truth = load_logits(path).truth
    counts = np.bincount(truth, minlength=len(_CLASSES))
    resamples, constant = Resamples(truth), np.full(len(truth), counts.argmax())
    classes = ", ".join(f"{name} {n}" for name, n in zip(_CLASSES, counts, strict=True))
    return (
        f"{len(truth)} test faces: {classes}. To predict {_CLASSES[counts.argmax()]} for all of them has a macro F1 of "
        f"{resamples.macro_f1(constant)[0]:.3f} and an accuracy of {resamples.accuracy(constant)[0]:.3f}."
    )


def _cells(found: Mapping[str, Scored]) -> Iterator[list[str]]:
    for start in ("mien-light", "mt-emotieffnet"):
        name = f"pretrained-{start}"
        yield [name, "(0)", "-", "-", _STARTS[start], "-", *_numbers(found.get(name))]
    for row in ROWS:
        about = [row.images, row.network or "none", _STARTS[row.start]]
        own = found.get(row.name)
        yield [row.name, row.step, *about, f"{len(own.f1) if own else 0}", *_numbers(own)]
        if row.start != "imagenet":
            own = found.get(f"{row.name}, blend")
            yield [f"{row.name}, blend", "(d)", *about, f"{len(own.f1) if own else 0}", *_numbers(own)]


def _numbers(own: Scored | None) -> list[str]:
    if own is None:
        return ["not run", "-", "-", "-"]
    values = [float(each[0]) for each in own.f1.values()]
    spread = f"{statistics.stdev(values):.3f}" if len(values) > 1 else "-"
    optimistic = statistics.mean(own.published.values())
    return [str(estimate([*own.f1.values()])), spread, str(estimate([*own.accuracy.values()])), f"{optimistic:.3f}"]


def _signed(gain: Estimate) -> str:
    return f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"


def check_budget(budget: Budget, work: Path) -> None:
    """Keep the budget of a folder, or refuse another one.

    Raises:
        ConfigError: The folder holds rows of another budget.
    """
    path, text = work / _BUDGET_FILE, json.dumps(dataclasses.asdict(budget))
    if path.is_file() and path.read_text("utf-8") != text:
        raise ConfigError(
            f"{work} holds rows of the budget {path.read_text('utf-8')}; choose another folder with --work"
        )
    work.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write(text.encode())


def update_page(page: Path, work: Path, seeds: Sequence[int], budget: Budget) -> None:
    """Write the tables into the page between its marks."""
    inner = "\n".join(page_lines(work, seeds, budget)) + "\n"
    write_page(page, replace_between(page.read_text("utf-8"), {_MARKS: inner}).splitlines())


def _train(chosen: argparse.Namespace, budget: Budget) -> None:
    """Train the missing rows, seed by seed; write the page after each."""
    from benchmarks.chain.train_chain import train_row
    from mien.training import ComputeSettings

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for seed in chosen.seeds:
        for row in ROWS:
            if row.name in chosen.rows and not row_file(row.name, seed, chosen.work).is_file():
                logging.info("row %s, seed %d", row.name, seed)
                train_row(row, seed, budget, chosen.data, chosen.work, ComputeSettings(threads=chosen.threads))
                update_page(chosen.page, chosen.work, chosen.seeds, budget)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the missing rows and complete the page."""
    parser = create_training_parser(_NAME, __doc__, threads=None)
    names = [row.name for row in ROWS]
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="seeds (default: 1 2 3)")
    parser.add_argument("--rows", nargs="+", choices=names, default=names, help="rows to train (default: all)")
    parser.add_argument("--faces", type=int, default=Budget().faces, help="training faces (default: %(default)s)")
    parser.add_argument("--size", type=int, default=Budget().size_px, help="side of the input (default: %(default)s)")
    parser.add_argument("--no-training", action="store_true", help="write the page from the rows that are there")
    chosen = parser.parse_args(arguments)
    budget = Budget(faces=chosen.faces, size_px=chosen.size)
    check_budget(budget, chosen.work)
    if not chosen.no_training:
        _train(chosen, budget)
    update_page(chosen.page, chosen.work, chosen.seeds, budget)
    return 0
