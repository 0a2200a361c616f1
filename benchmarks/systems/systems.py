# SPDX-License-Identifier: Apache-2.0
"""Do the published systems work here? The orderings of their papers, each passed, failed or undecided (hours).

    python -m benchmarks systems --data DATA --work WORK --page docs/research/systems.md

FER+ takes the place of the challenge sets. What is trained already is kept, and an interrupted training resumes; a row
of the page without results says that it was not run. The conditions are in benchmarks/systems/conditions.py.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from benchmarks import create_parser
from benchmarks.page import write_page
from benchmarks.systems.causes import run_curve
from benchmarks.systems.head_systems import train_heads
from benchmarks.systems.nets import NETS, train_net
from benchmarks.systems.other_systems import run_folds, run_mtanet
from benchmarks.systems.planted_clips import run_clips
from benchmarks.systems.same_function import run_parity
from benchmarks.systems.stand_in import Budget
from benchmarks.systems.sweeps.time_sweep import run_time
from benchmarks.systems.systems_page import NAME, collect, systems_page
from mien.results import output_errors
from mien.training import ComputeSettings

SEEDS = (1, 2, 3)
PARTS = ("nets", "heads", "time", "clips", "mtanet", "folds", "causes", "parity")
"""Parts that can run alone; heads need the nets, time and causes need the heads, parity needs the authors' code. The
page is written in any case."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the missing parts and write the page."""
    parser = create_parser(NAME, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument("--work", type=Path, required=True, help="folder of bundles and results, outside the checkout")
    parser.add_argument("--page", type=Path, required=True, help="Markdown file of the page")
    parser.add_argument("--only", choices=PARTS, nargs="*", default=PARTS, help="parts to run (default: all)")
    names = [net.name for net in NETS]
    parser.add_argument("--nets", choices=names, nargs="*", default=names, help="networks to train (default: all)")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="seeds to train (default: 1 2 3)")
    parser.add_argument("--threads", type=int, default=1, help="number of threads of torch (default: %(default)s)")
    parser.add_argument("--authors", type=Path, help="folder with checkouts of the authors' code, for parity")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    for package in ("mien", "benchmarks"):
        logging.getLogger(package).setLevel(logging.INFO)
    run(chosen)
    with output_errors(chosen.page, "choose another page with --page"):
        write_page(chosen.page, systems_page(collect(chosen.data, chosen.work, SEEDS), Budget()))
    return 0


def run(chosen: argparse.Namespace) -> None:
    """Run the chosen parts, each as far as it is missing."""
    compute, budget, seeds = ComputeSettings(threads=chosen.threads), Budget(), tuple(chosen.seeds)
    data, work = chosen.data, chosen.work
    if "nets" in chosen.only:
        for net in NETS:
            for seed in seeds if net.name in chosen.nets else ():
                train_net(net, seed, budget, data, work, compute)
    if "heads" in chosen.only:
        train_heads(data, work, seeds)
    if "time" in chosen.only:
        run_time(data, work, seeds)
    if "clips" in chosen.only:
        run_clips(work, seeds, compute)
    if "mtanet" in chosen.only:
        run_mtanet(data, work, seeds, budget, compute)
    if "folds" in chosen.only:
        run_folds(data, work, seeds, budget, compute)
    if "causes" in chosen.only:
        run_curve(work, seeds)
        run_mtanet(data, work, seeds, budget, compute, "larger batch")
        run_mtanet(data, work, seeds, budget, compute, "plain loss")
    if "parity" in chosen.only and chosen.authors:
        run_parity(chosen.authors, work, seeds)
