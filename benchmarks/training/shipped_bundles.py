# SPDX-License-Identifier: Apache-2.0
"""Rebuild the two default bundles from the data: one command for all that the wheel carries of them (hours).

    python -m benchmarks bundles --data DATA --work WORK [--only mien-light] [--small]

Each step is a command that anybody can run alone; it is printed before it runs. A step whose result lies in WORK is
left out, so an interrupted run continues, and a training resumes from its last checkpoint. Rendered faces go into
``DATA/rendered`` and ``DATA/rendered-sides``, where the recipes look for them. Weights differ from those of the wheel
by the order of sums and by the versions of the packages; their cards tell what was done then. To ship a result, copy
``WORK/shipped/NAME`` into src/mien/bundles and run ``python -m benchmarks trust --keep --data DATA``.

With ``--small`` the same steps run on some hundred faces, one epoch a stage and some rendered faces, all below
``WORK/small``: it shows in minutes that each step works with what the one before left. Its bundles are of no use.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ROOT, create_parser
from benchmarks.training.small_data import write_small_data

_NAME = "bundles"
BUNDLES = ("mien-light", "mien-accurate")
"""The bundles that this command makes."""

_SPEC = "model.json"
# Recipes of `mien synthesize` and the folder below DATA that each fills.
_RENDERED = {"action-units": "rendered", "action-unit-sides": "rendered-sides"}


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much each step does.

    Attributes:
        n_rendered: Number of rendered faces of each recipe.
        training: Further arguments of ``mien train``.
        held_out: Further arguments of the steps that read held-out training faces.
        audit: Further arguments of the audit.
    """

    n_rendered: tuple[int, int]
    training: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    audit: tuple[str, ...] = ()


FULL = Size(n_rendered=(34000, 8000))
_N_SMALL_HELD_OUT = 340  # of which 50 have to be neutral
SMALL = Size(
    n_rendered=(48, 24),
    training=("--set", "stages.*.epochs=1", "--set", f"data.calibration_rows={_N_SMALL_HELD_OUT}"),
    held_out=("--held-out", str(_N_SMALL_HELD_OUT)),
    audit=("--pairs", "2"),
)


@dataclass(frozen=True)
class Step:
    """One command and what it makes.

    Attributes:
        arguments: Arguments of ``mien``, or of ``python -m benchmarks`` where the first one is ``"benchmarks"``.
        result: File that is there when the step is done, with metrics if it describes a bundle; None for a step that
            runs every time.
    """

    arguments: tuple[str, ...]
    result: Path | None = None

    @property
    def is_done(self) -> bool:
        """Whether the result is there. A bundle is written before it is measured, which an interruption may prevent."""
        if self.result is None or not self.result.is_file():
            return False
        return self.result.name != _SPEC or bool(json.loads(self.result.read_text("utf-8")).get("metrics"))

    @property
    def command(self) -> list[str]:
        """The command line."""
        module, arguments = "mien", self.arguments
        if arguments[0] == "benchmarks":
            module, arguments = "benchmarks", arguments[1:]
        return [sys.executable, "-m", module, *arguments]


def steps(data: Path, work: Path, only: str = "", size: Size = FULL) -> list[Step]:
    """The steps from the data to the bundles, in order.

    Args:
        data: Folder of the open face sets.
        work: Folder of the results.
        only: Name of the only bundle to make; empty for both.
        size: How much each step does.
    """
    at, made = ("--data", str(data)), lambda name: work / name / _SPEC
    plan = [
        Step(("train", "mien-light", *at, *size.training, "--out", str(work / "lite0")), made("lite0")),
        Step(("export", "--model", str(work / "lite0"), "--variant", "int8", *at, "--out", str(work / "lite0-int8")),
             made("lite0-int8")),
        Step(("train", "mien-accurate", *at, *size.training, "--out", str(work / "mien-accurate")),
             made("mien-accurate")),
    ]  # fmt: skip
    for (recipe, folder), n in zip(_RENDERED.items(), size.n_rendered, strict=True):
        out = data / folder
        last = out / f"faces-{(n - 1) // 512:05d}.parquet"
        plan.append(Step(("synthesize", "--recipe", recipe, "--n", str(n), "--out", str(out)), last))
    plan += [
        Step(("train", "mien-units", *at, *size.training, "--out", str(work / "units")), made("units")),
        Step(("export", "--model", str(work / "units"), "--variant", "int8", *at, "--out", str(work / "units-int8")),
             made("units-int8")),
    ]  # fmt: skip
    for name in BUNDLES:
        if only in ("", name):
            out = str(work / "shipped" / name)
            plan += [
                Step(_join(name, work, out, at), made(f"shipped/{name}")),
                Step(("benchmarks", "quality", *at, "--model", out, *size.held_out)),
                Step(("benchmarks", "uncertainty", *at, "--model", out, "--brief", *size.held_out)),
                Step(("benchmarks", "trust", "--keep", *at, "--model", out, *_cards(work), *size.audit)),
            ]
    return plan


def _join(name: str, work: Path, out: str, at: tuple[str, ...]) -> tuple[str, ...]:
    """Arguments that join the networks of a bundle."""
    parts = {"mien-light": ("units-int8", "lite0-int8"), "mien-accurate": ("units-int8", "lite0")}[name]
    own = ("--mirrored",) if name == "mien-accurate" else ()
    first, second = (str(work / part) for part in parts)
    return ("export", "--model", first, "--join", second, *own, "--name", name, *at, "--out", out)


def _cards(work: Path) -> tuple[str, ...]:
    """Arguments for audits and cards outside the checkout."""
    return ("--audits", str(work / "audits"), "--out", str(work / "cards"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the steps that are not done."""
    parser = create_parser(_NAME, __doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the open face sets, which gets rendered ones"
    )
    parser.add_argument("--work", type=Path, required=True, help="folder of all results, outside the checkout")
    parser.add_argument("--only", choices=BUNDLES, default="", help="make this bundle alone")
    parser.add_argument("--small", action="store_true", help="try every step with little, below WORK/small")
    parser.add_argument("--list", action="store_true", help="print the commands and run none")
    options = parser.parse_args(arguments)
    data, work = options.data.resolve(), options.work.resolve()
    if options.small:
        whole, work = data, work / "small"
        data = work / "data"
        if not options.list:
            write_small_data(whole, data)
    if not options.list:
        work.mkdir(parents=True, exist_ok=True)
    for step in steps(data, work, options.only, SMALL if options.small else FULL):
        done = step.is_done
        print(f"{'done: ' if done else ''}{shlex.join(step.command[1:])}", flush=True)
        if options.list or done:
            continue
        # Recipes name their start by a path relative to the folder of the results.
        ended = subprocess.run(step.command, cwd=work, env=_environment(), check=False)
        if ended.returncode:
            return ended.returncode
    return 0


def _environment() -> dict[str, str]:
    """The environment in which ``-m benchmarks`` is found from another folder."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
