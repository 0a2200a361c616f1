# SPDX-License-Identifier: Apache-2.0
"""Exit codes of results, as the command line gives them to the shell."""

from __future__ import annotations

from mien.cli.main import result_code
from mien.pipeline import FeaturesResult, RunResult


def code_of(result: RunResult | FeaturesResult) -> int:
    """0 all done, 1 some inputs failed or were read in part, 3 none could be read."""
    done = result.inputs if isinstance(result, RunResult) else result.records
    return result_code(any_done=bool(done), complete=result.complete)
