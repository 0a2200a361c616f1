# SPDX-License-Identifier: Apache-2.0
"""Whether mien's networks compute what the authors' own modules compute: `benchmarks.parity`, kept for the page."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

from benchmarks.page import table
from benchmarks.parity import LIMIT, Difference, measure
from mien.results import atomic_write

PARITY_PART = "Same function"


def run_parity(authors: Path, work: Path, seeds: tuple[int, ...]) -> None:
    """Compare with the authors' code for each seed that is missing; a run without one of the checkouts is not kept.

    Args:
        authors: folder with checkouts of the authors' code.
        work: folder of the results.
        seeds: seeds of weights and inputs.
    """
    for seed in seeds:
        path = _file(seed, work)
        if path.is_file():
            continue
        found = measure(authors, seed)
        if any(math.isnan(each.difference) for each in found):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            file.write(json.dumps([asdict(each) for each in found]).encode())


def parity_lines(work: Path, seeds: tuple[int, ...]) -> list[str]:
    """The section of the page: the largest difference over the seeds of each comparison, with a verdict."""
    runs = [json.loads(_file(seed, work).read_text("utf-8")) for seed in seeds if _file(seed, work).is_file()]
    text = _TEXT.format(limit=f"{LIMIT:.0e}").splitlines()
    if not runs:
        return [*text, "", "Not run: it needs checkouts of the authors' code (`--authors FOLDER`).", ""]
    rows = []
    for same in zip(*runs, strict=True):
        worst = Difference(**max(same, key=lambda each: float(each["difference"])))
        verdict = "undecided" if worst.passed and len(runs) < len(seeds) else "passed" if worst.passed else "failed"
        rows.append([worst.system, worst.what, f"{worst.difference:.1e}", f"{len(runs)}", f"**{verdict}**"])
    return [*text, "", *table(["system", "compared", "largest difference", "seeds", "verdict"], rows), ""]


def _file(seed: int, work: Path) -> Path:
    return work / "parity" / f"{seed}.json"


_TEXT = """\
One random state is copied into the authors' own modules (HSEmotion's MobileFaceNet, DDAMFN, MCAN; timm's for
EmotiEffNet) and into mien's, and both see the same random inputs. The difference is the largest one of all outputs,
relative to the largest output above 1; up to {limit} passes. The last rows of a network go the way of a user: exported
to ONNX as the authors export it, then `mien import emotiefflib`. Dropout is off, and nothing of theirs is in mien.
"""
