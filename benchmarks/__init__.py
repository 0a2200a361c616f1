# SPDX-License-Identifier: Apache-2.0
"""Benchmarks of mien: speed, accuracy and cost, each run by `python -m benchmarks NAME` from the repository root.

The package is not part of the wheel. This module imports the standard library alone, because `landmark-teacher` runs in
an environment without mien.
"""

from __future__ import annotations

import argparse
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""Repository root. Pages are written below its `docs` folder."""


def command_of(name: str) -> str:
    """The command line that runs the benchmark of this name, without its options."""
    return f"python -m benchmarks {name}"


def create_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """An argument parser for one benchmark.

    Args:
        name: of the benchmark, as the runner knows it.
        description: docstring of the module; its line breaks are kept.
    """
    return argparse.ArgumentParser(
        prog=command_of(name), description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def create_training_parser(name: str, description: str | None, *, threads: int | None = 1) -> argparse.ArgumentParser:
    """An argument parser for a benchmark that trains networks, keeps what is done and writes a page.

    Args:
        name: of the benchmark, as the runner knows it.
        description: docstring of the module; its line breaks are kept.
        threads: default number of torch's threads; None for torch's own choice.
    """
    parser = create_parser(name, description)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument("--work", type=Path, required=True, help="folder of weights, checkpoints and results")
    parser.add_argument("--page", type=Path, required=True, help="Markdown file to write")
    usual = "torch's own choice" if threads is None else threads
    parser.add_argument("--threads", type=int, default=threads, help=f"number of torch's threads (default: {usual})")
    return parser
