# SPDX-License-Identifier: Apache-2.0
"""How well do two panels of raters agree on the same picture? FER+ has copies of pictures that were voted on apart.

    python -m benchmarks panels --data DATA --page docs/research/panels.md

Pictures of FER+ train and valid with the same pixels are pairs: their votes come from two panels. The second panel is
measured against the first as a network is, and the first against the second; intervals draw pairs. What any reader can
reach at most follows from this agreement.
"""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import command_of, create_parser
from benchmarks.machine import today
from benchmarks.page import measured_by, notice, table, write_page
from mien.affect import Analyzer
from mien.core import EXPRESSIONS, Int64
from mien.datasets import affect_map, expression_shares, load_pictures, load_votes, majority, picture_file, plurality
from mien.evaluation.face_crops import decode_pictures
from mien.inference import list_bundles, machine_name
from mien.media import decode_image
from mien.metrics import macro_f1

Rows = npt.NDArray[np.intp]
Doubles = npt.NDArray[np.float64]
Statistic = Callable[[Rows], float]

_NAME = "panels"
_N_RESAMPLES = 1000
_WIDTH = 120


def copies(images: Sequence[bytes]) -> Rows:
    """Pairs (M, 2) of rows whose pictures have the same pixels: the first two of every such group.

    Args:
        images: encoded pictures.
    """
    first: dict[str, int] = {}
    pairs: dict[str, tuple[int, int]] = {}
    for row, image in enumerate(images):
        pixels = decode_image(image, name=f"picture {row}")
        key = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
        if key in first:
            pairs.setdefault(key, (first[key], row))
        first.setdefault(key, row)
    return np.array(list(pairs.values()), np.intp).reshape(-1, 2)


def panel_statistics(one: Int64, two: Int64) -> dict[str, tuple[Statistic, int]]:
    """Measures of two panels as functions of rows of their pairs, with the number of pairs.

    Args:
        one: (M, 10) votes of the first panel.
        two: (M, 10) votes of the second panel on the same pictures.
    """
    labels = np.stack([plurality(one), plurality(two)])
    clear = np.stack([majority(one), majority(two)])

    def share(hits: Doubles) -> Statistic:
        return lambda rows: float(np.nanmean(hits[:, rows]))

    def hits(targets: npt.NDArray[np.int8], read: npt.NDArray[np.int8]) -> Doubles:
        known = (targets >= 0) & (read >= 0)
        return np.where(known, targets == read, np.nan)

    def f1(rows: Rows) -> float:
        return float(np.mean([macro_f1(labels[i, rows], labels[1 - i, rows], len(EXPRESSIONS)) for i in (0, 1)]))

    by_plurality, by_majority = hits(labels, labels[::-1]), hits(clear, labels[::-1])
    return {
        "accuracy, plurality": (share(by_plurality), int(np.isfinite(by_plurality[0]).sum())),
        "macro F1, plurality": (f1, len(one)),
        "accuracy, official majority": (share(by_majority), int(np.isfinite(by_majority).any(axis=0).sum())),
    }


def reliability(first: Doubles, second: Doubles) -> Statistic:
    """Correlation of two panels' values (M,), each pair in both orders, as a function of rows."""

    def of(rows: Rows) -> float:
        both = np.concatenate([first[rows], second[rows]]), np.concatenate([second[rows], first[rows]])
        return float(np.corrcoef(*both)[0, 1])

    return of


def interval(statistic: Statistic, n: int, seed: int = 0) -> tuple[float, float, float]:
    """A statistic of n pairs with its 95 % bootstrap interval."""
    rng = np.random.default_rng(seed)
    drawn = [statistic(rng.integers(0, n, n)) for _ in range(_N_RESAMPLES)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return statistic(np.arange(n)), float(low), float(high)


def read_copies(data: Path, names: Sequence[str]) -> dict[str, tuple[float, int, float, int]]:
    """Bundle -> accuracy by plurality on FER+ valid and n, for pictures that are in train, too, and for the others."""
    path = picture_file(data, "ferplus", "valid")
    pictures, targets = load_pictures(path), plurality(load_votes(path)).astype(np.intp)
    train = load_pictures(picture_file(data, "ferplus", "train")).images
    known = {decode_image(image, name="a picture of train").tobytes() for image in train}
    images = decode_pictures(pictures)
    has_copy = np.array([image.tobytes() in known for image in images])
    found = {}
    for name in names:
        right = Analyzer(name, threads=1).crops(images).expression.argmax(axis=1) == targets
        parts = [right[has_copy & (targets >= 0)], right[~has_copy & (targets >= 0)]]
        found[name] = (float(parts[0].mean()), len(parts[0]), float(parts[1].mean()), len(parts[1]))
    return found


def panels_page(data: Path, names: Sequence[str]) -> list[str]:
    """The lines of the page.

    Args:
        data: folder of the open face sets.
        names: bundles to read the faces with.
    """
    files = [picture_file(data, "ferplus", split) for split in ("train", "valid")]
    votes = np.concatenate([load_votes(file) for file in files])
    pairs = copies([image for file in files for image in load_pictures(file).images])
    pairs = pairs[(plurality(votes[pairs[:, 0]]) >= 0) & (plurality(votes[pairs[:, 1]]) >= 0)]
    one, two = votes[pairs[:, 0]], votes[pairs[:, 1]]
    agreement = [(name, n, interval(of, len(pairs))) for name, (of, n) in panel_statistics(one, two).items()]
    lines = ["# Two panels on the same pictures", "", notice(_NAME, edit="benchmarks/trust/vote_panels.py"), ""]
    panel = agreement[0][2][0]
    lines += [
        *textwrap.wrap(
            f"FER+ has {len(pairs):,} pairs of pictures with the same pixels whose votes were cast apart, by about ten "
            "people each. One panel as the reader of the other's pictures is measured as a network is, in both "
            "directions:",
            _WIDTH,
        ),
        "",
        *table(("measure", "another panel", "interval", "pairs"), [_agreement_row(*row) for row in agreement]),
        "",
        *textwrap.wrap(
            f"{_apart(one, two)} A panel of ten is a sample, so a network that knew how raters vote on each picture "
            "would be right more often. The square root of the agreement bounds what any reader can reach by "
            f"plurality: {panel**0.5:.3f}.",
            _WIDTH,
        ),
        "",
        "## Valence and arousal",
        "",
        *textwrap.wrap(
            "Both are mapped from the votes, so panels differ in them, too. A reader that knew the expected value of "
            "each face would correlate with a panel of ten by the square root of the correlation of two panels, and "
            "its CCC is at most that:",
            _WIDTH,
        ),
        "",
        *table(("", "correlation of two panels", "interval", "CCC at most"), _affect_rows(data, one, two)),
        "",
        "## Copies between the splits",
        "",
        *_copy_lines(read_copies(data, names)),
        "",
        measured_by(_NAME, machine=machine_name(), date=today()),
    ]
    return lines


def _affect_rows(data: Path, one: Int64, two: Int64) -> list[tuple[str, str, str, str]]:
    mapped = [affect_map(data)(expression_shares(votes).astype(np.float64)) for votes in (one, two)]
    known = np.isfinite(mapped[0]).all(axis=1) & np.isfinite(mapped[1]).all(axis=1)
    rows = []
    for axis, name in enumerate(("valence", "arousal")):
        first, second = (values[known, axis].astype(np.float64) for values in mapped)
        value, low, high = interval(reliability(first, second), len(first))
        rows.append((name, f"{value:.3f}", f"{low:.3f} to {high:.3f}", f"{value**0.5:.3f}"))
    return rows


def _agreement_row(name: str, n: int, found: tuple[float, float, float]) -> tuple[str, str, str, str]:
    return name, f"{found[0]:.3f}", f"{found[1]:.3f} to {found[2]:.3f}", f"{n:,}"


def _copy_lines(read: Mapping[str, tuple[float, int, float, int]]) -> list[str]:
    rows = [(f"`{name}`", f"{a:.3f}", f"{n:,}", f"{b:.3f}", f"{m:,}") for name, (a, n, b, m) in read.items()]
    return [
        "Some pictures of FER+ valid have a copy in FER+ train, as they were published. Accuracy by plurality:",
        "",
        *table(("bundle", "with a copy in train", "n", "without", "n"), rows),
    ]


def _apart(one: Int64, two: Int64) -> str:
    """How many pairs have the same votes, and the agreement without them."""
    differ = (one != two).any(axis=1)
    share = f"{1 - differ.mean():.0%} of the pairs have the same votes"
    if not differ.any():
        return f"{share}."
    statistic, _ = panel_statistics(one[differ], two[differ])["accuracy, plurality"]
    value, low, high = interval(statistic, int(differ.sum()))
    return f"{share}; without them accuracy by plurality is {value:.3f} ({low:.3f} to {high:.3f})."


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the page."""
    parser = create_parser(_NAME, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument("--model", action="append", default=[], help="bundle that reads the faces; may be repeated")
    parser.add_argument("--page", type=Path, required=True, help="Markdown page to write")
    options = parser.parse_args(arguments)
    write_page(options.page, panels_page(options.data, options.model or list_bundles("affect")))
    print(f"{command_of(_NAME)}: wrote {options.page}")
    return 0
