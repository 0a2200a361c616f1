# SPDX-License-Identifier: Apache-2.0
"""A run that a test interrupts: ``python interrupted_run.py TABLE N_FRAMES STOP_AT PAUSE_S``.

It writes TABLE from its first frame and prints the number of rows that are safe after every flush. Frame ``i`` has
``i % 3`` faces. With STOP_AT >= 0 the process ends without any clean-up, as after SIGKILL, at that one of its
operations on files of the table; at the end it prints how many there were.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from mien.core import EXPRESSIONS, Faces, Frame
from mien.results import TableWriter, table_schema
from mien.results.tables.spool import spool_folder

FILE_EVENTS = ("open", "os.mkdir", "os.remove", "os.rename", "os.rmdir")
n_operations = 0


def frame(index: int) -> Frame:
    n_faces = index % 3
    faces = Faces(boxes=np.full((n_faces, 4), index), track_ids=np.arange(n_faces), expression_labels=EXPRESSIONS)
    return Frame(index=index, time_s=index / 25, faces=faces)


def run(table: Path, n_frames: int, pause_s: float) -> None:
    with TableWriter(table, table_schema(), leftovers="redo", rows_per_part=7, seconds_per_part=3600) as writer:
        n_parts = 0
        for index in range(n_frames):
            writer.append("clip.mp4", frame(index))
            if len(list(spool_folder(table).glob("part-*.arrow"))) > n_parts:
                n_parts += 1
                print(writer.n_rows, flush=True)
            time.sleep(pause_s)


def main() -> None:
    table, n_frames, stop_at, pause_s = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])

    def count_or_die(event: str, arguments: tuple[Any, ...]) -> None:
        global n_operations
        if event in FILE_EVENTS and table.name in str(arguments[:2]):
            if n_operations == stop_at:
                os._exit(9)
            n_operations += 1

    sys.addaudithook(count_or_die)
    run(table, n_frames, pause_s)
    print(f"operations {n_operations}", flush=True)


if __name__ == "__main__":
    main()
