# SPDX-License-Identifier: Apache-2.0
"""Protocol of a contestant's process: models stay loaded, and each line of standard input asks for a pass.

Imported by the scripts beside it, which run with the interpreters of the peers' environments too. So it needs the
standard library alone, and the scripts import it by its bare name.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable


def serve(process: Callable[[int], tuple[int, int]], *, n_warm: int = 10) -> None:
    """Answer each line of standard input, a number of frames, with a line of JSON about a pass over that many frames.

    Args:
        process: opens the clip, processes at most this many frames from its beginning, and returns the number of
            frames and the number of faces.
        n_warm: number of frames of the first pass, which is not measured.
    """
    # Libraries print to standard output: that goes to standard error, and only the answers to standard output.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(**facts: float) -> None:
        print(json.dumps(facts), file=answers, flush=True)

    process(n_warm)
    answer(n_frames=0)
    for line in sys.stdin:
        started, cpu_started = time.perf_counter(), time.process_time()
        n_frames, n_faces = process(int(line))
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
        answer(n_frames=n_frames, n_faces=n_faces, seconds=seconds, cpu_s=cpu_s)
