# SPDX-License-Identifier: Apache-2.0
"""Calibrate, audit and write the cards of bundles: all that belongs to new weights (a quarter of an hour).

    python -m benchmarks trust --data DATA --model NAME [--out CARDS]

Fits the uncertainty of the named bundles into them (none with --keep), audits every affect bundle whose audit in
build/audits is of other weights, and writes docs/reference/cards, the card pages and src/mien/bundles/SHA256SUMS. With
--out the bundles of --model, which may be folders, are audited alone, and their cards go into that folder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import ROOT, create_parser
from benchmarks.trust import uncertainty
from mien.affect import Analyzer
from mien.core import AnalyzerConfig
from mien.evaluation import AT_EQUAL_GEOMETRY, audit, audit_page
from mien.inference import find_bundle, list_bundles, load_spec, model_card
from mien.pipeline import SUMS_NAME, list_all_bundles, write_cards
from mien.synthesis import counterfactual_pairs
from mien.training.export.bundle_files import write_spec

_NAME = "trust"
_N_PAIRS, _N_VIEWS = 60, 2
_AT_EQUAL = "At equal geometry of mouth and head the"
_PAGES = {"mien-light": "model-card.md", "mien-accurate": "model-card-accurate.md"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, audit and write."""
    parser = create_parser(_NAME, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument("--model", action="append", default=[], help="bundle with new weights; may be repeated")
    parser.add_argument("--keep", action="store_true", help="keep the uncertainty that the bundles have")
    parser.add_argument("--audits", type=Path, default=ROOT / "build/audits", help="folder of the audits")
    parser.add_argument("--out", type=Path, help="folder of cards, in place of the pages of this checkout")
    parser.add_argument(
        "--pairs", type=int, default=_N_PAIRS, help="rendered pairs of each trait (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if not options.keep:
        for name in options.model or list_bundles("affect"):
            uncertainty.main(["--data", str(options.data), "--model", name, "--brief"])
    for name in options.model if options.out else list_bundles("affect"):
        folder = options.audits / load_spec(name).name
        audited(name, options.data, folder, options.pairs)
        warned(name, folder)
    if options.out:
        write_cards(options.model, options.out, audits=options.audits)
        return 0
    cards = ROOT / "docs/reference/cards"
    write_cards(list_all_bundles(), cards, audits=options.audits)
    sums = (cards / SUMS_NAME).read_text("utf-8")
    (ROOT / "src/mien/bundles" / SUMS_NAME).write_text(sums, "utf-8")
    for name, page in _PAGES.items():
        (ROOT / "docs/reference" / page).write_text(model_card(load_spec(name)) + "\n", "utf-8")
    return 0


def warned(name: str, folder: Path) -> None:
    """Write the gaps at equal geometry that exceed their limit among the limitations of a bundle."""
    spec, audit_of = load_spec(name), json.loads((folder / "audit.json").read_text("utf-8"))
    kept = [text for text in spec.limitations if not text.startswith(_AT_EQUAL)]
    new = [
        f"{_AT_EQUAL} {one['measure'].removesuffix(AT_EQUAL_GEOMETRY)} is {abs(one['gap']):.2f} "
        f"{'higher' if one['gap'] > 0 else 'lower'} for the group {one['group']} than for all others "
        f"({one['low']:+.2f} to {one['high']:+.2f}; {audit_of['data']}, {one['column']}, `{audit_of['command']}`)."
        for one in audit_of["verdicts"]
        if one["measure"].endswith(AT_EQUAL_GEOMETRY) and one["verdict"] == "above"
    ]
    if (*kept, *new) != spec.limitations:
        write_spec(find_bundle(name), replace(spec, limitations=(*kept, *new)))


def audited(name: str, data: Path, folder: Path, n_pairs: int = _N_PAIRS) -> None:
    """Audit a bundle unless its audit is of the same weights.

    Args:
        name: Name or folder of the bundle.
        data: Folder of the open face sets.
        folder: Folder of the audit.
        n_pairs: Number of rendered pairs of each trait.
    """
    path = folder / "audit.json"
    if path.is_file() and json.loads(path.read_text("utf-8"))["weights_sha256"] == load_spec(name).sha256:
        return
    analyzer = Analyzer(AnalyzerConfig(model=name, threads=1, views=_N_VIEWS))
    command = f"mien audit DATA --model {analyzer.spec.name} --out audit --pairs {n_pairs} --views {_N_VIEWS}"
    report = audit(data, analyzer, pairs=counterfactual_pairs(n_pairs), command=command, notify=print)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "audit.html").write_text(audit_page(report), "utf-8")
    (folder / "audit.csv").write_text(report.raw_table(), "utf-8")
    path.write_text(json.dumps(report.to_json(), indent=1) + "\n", "utf-8")
