# SPDX-License-Identifier: Apache-2.0
"""Cost of a thousand clips and of millions of rows, on synthetic data; prints numbers of docs/reference/evaluation.md.

    python -m benchmarks scale [PART...]

The parts are: ``files``, `mien.analyze` over a thousand clips of one second; ``tables``, evaluation and smoothing of
millions of rows; ``long``, peak memory of the commands over a recording of ten million rows (3 GB of disk); ``heads``,
training of a head on a million stored vectors (extra: train, 3 GB of disk); ``workers``, `mien analyze` over films and
photos with and without ``--workers 2``, in turns. Several parts run in processes of their
own, because peak memory counts from the start of a process.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from benchmarks import ROOT, create_parser

PARTS = ("files", "tables", "long", "heads", "workers")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen parts, each in a process of its own where there are several."""
    parser = create_parser("scale", __doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one or more of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--clips", type=int, default=1000, help="number of clips of the part files (default: 1000)")
    chosen = parser.parse_args(arguments)
    parts = chosen.parts or list(PARTS)
    if unknown := sorted(set(parts) - set(PARTS)):
        parser.error(f"unknown parts {unknown}; choose from {', '.join(PARTS)}")
    if len(parts) > 1:
        for part in parts:
            command = [sys.executable, "-m", "benchmarks", "scale", part, "--clips", str(chosen.clips)]
            if code := subprocess.run(command, check=False, cwd=ROOT).returncode:
                return code
    elif parts == ["files"]:
        from benchmarks.scale.scale_files import measure_files

        measure_files(chosen.clips)
    elif parts == ["tables"]:
        from benchmarks.scale.scale_tables import measure_tables

        measure_tables()
    elif parts == ["long"]:
        from benchmarks.scale.scale_long import measure_long

        measure_long()
    elif parts == ["workers"]:
        from benchmarks.scale.scale_workers import measure_workers

        measure_workers()
    else:
        from benchmarks.scale.scale_heads import measure_heads

        measure_heads()
    return 0
