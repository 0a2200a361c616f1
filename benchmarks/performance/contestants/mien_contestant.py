# SPDX-License-Identifier: Apache-2.0
"""mien as a contestant of `tools/performance.py`: perf_mien.py decode|onnxruntime|openvino CLIP."""

from __future__ import annotations

import sys
from contextlib import closing
from itertools import islice

from perf_worker import serve

from mien.affect import Analyzer
from mien.media import open_video


def main(what: str, clip: str) -> None:
    """Decode, or analyse with a runtime."""
    if what == "decode":

        def look(n_frames: int) -> tuple[int, int]:
            with open_video(clip) as video:
                return sum(1 for _ in islice(video, n_frames)), 0
    else:
        analyzer = Analyzer(runtime=what)

        def look(n_frames: int) -> tuple[int, int]:
            with closing(analyzer.video(clip)) as frames:
                counts = [len(frame.faces) for frame in islice(frames, n_frames)]
            return len(counts), sum(counts)

    serve(look)


if __name__ == "__main__":
    main(*sys.argv[1:])
