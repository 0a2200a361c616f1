# SPDX-License-Identifier: Apache-2.0
"""Systems that learn from doubtful labels: noisy, missing, and of other tasks (an hour of one CPU core).

    python -m benchmarks doubtful-labels --data DATA --work WORK

Trains what is missing, all seeds of one experiment before the next, and writes docs/research/doubtful-labels.md. An
interrupted run resumes; experiments that were not run are named on the page. Claims and rules are in
benchmarks/doubtful/doubtful_claims.py, systems and budget in benchmarks/doubtful/label_nets.py.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from benchmarks import ROOT, create_parser
from benchmarks.doubtful.doubtful_page import NAME, doubtful_page
from benchmarks.doubtful.label_nets import PARTS, SEEDS, Budget
from benchmarks.doubtful.label_runs import train_system
from benchmarks.page import write_page
from mien.results import output_errors

_PAGE = ROOT / "docs" / "research" / "doubtful-labels.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the missing systems and write the page."""
    parser = create_parser(NAME, __doc__)
    names = [part.name for part in PARTS]
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument("--work", type=Path, required=True, help="folder of the runs, outside the checkout")
    parser.add_argument("--page", type=Path, default=_PAGE, help="Markdown file of the page (default: %(default)s)")
    parser.add_argument("--only", choices=names, nargs="*", default=names, help="experiments to train (default: all)")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="seeds to train (default: 1 2 3)")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("benchmarks").setLevel(logging.INFO)
    budget = Budget()
    for part in PARTS:
        for seed in chosen.seeds if part.name in chosen.only else ():
            for system in part.systems:
                train_system(part, system, seed, budget, chosen.data, chosen.work)
    with output_errors(chosen.page, "choose another page with --page"):
        write_page(chosen.page, doubtful_page(chosen.data, chosen.work, budget))
    return 0
