# SPDX-License-Identifier: Apache-2.0
"""What a contestant of `tools/performance.py` runs: models stay loaded, a pass over the clip whenever it is asked for.

Nothing but the standard library: it runs in the environments of the peers too.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable


def serve(look: Callable[[int], tuple[int, int]], *, n_warm: int = 10) -> None:
    """Answer each line of standard input, a number of frames, with a line of JSON about a pass over that many.

    Args:
        look: opens the clip, works on at most so many frames from its beginning; frames and faces that it saw.
        n_warm: frames of the unmeasured first pass, which makes whatever is made once.
    """
    # Libraries print what they like: it goes to standard error, and the answers alone to standard output.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(**facts: float) -> None:
        print(json.dumps(facts), file=answers, flush=True)

    look(n_warm)
    say(n_frames=0)
    for line in sys.stdin:
        started, cpu_started = time.perf_counter(), time.process_time()
        n_frames, n_faces = look(int(line))
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
        say(n_frames=n_frames, n_faces=n_faces, seconds=seconds, cpu_s=cpu_s)
