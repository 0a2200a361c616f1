# SPDX-License-Identifier: Apache-2.0
"""Runs ``no_pixels.py CLIP ARGUMENT...`` and fails if any file that mien writes, even for a moment, holds pixels.

An audit hook sees every file that is opened for writing, renamed or removed; the content is searched at each of these
moments for headers of images and videos, and for rows of pixels of the clip.
"""

import os
import sys
from pathlib import Path
from typing import Any

HEADERS = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"ftypisom", b"data:image", b"GIF8", b"BM6")
EXIT_CODE = 97
_ROW = 48

written: set[str] = set()
found: list[str] = []
rows: list[bytes] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str) and isinstance(arguments[2], int):
        if arguments[2] & (os.O_WRONLY | os.O_RDWR):
            written.add(arguments[0])
    elif event in ("os.rename", "os.remove") and str(arguments[0]) in written:
        _search(str(arguments[0]))


def _search(path: str) -> None:
    if path.startswith("/dev/") or not Path(path).is_file():
        return
    written.discard(path)
    content = Path(path).read_bytes()
    written.add(path)
    found.extend(f"{path}: {header!r}" for header in HEADERS if header in content)
    if any(row in content for row in rows):
        found.append(f"{path}: rows of pixels")


def main() -> None:
    """Run mien with the arguments after the clip."""
    import numpy as np

    from mien.cli.main import main as run
    from mien.media import open_video

    clip, *arguments = sys.argv[1:]
    with open_video(clip) as frames:
        for frame in list(frames)[:3]:
            for image in (frame.image, frame.gray):
                for row in np.asarray(image)[::16]:
                    part = np.ascontiguousarray(row).tobytes()[:_ROW]
                    if len(set(part)) > 12:  # a plain wall is no evidence
                        rows.append(part)
    assert rows, "the clip has no detail that could be found again"
    sys.addaudithook(_watch)
    try:
        run(arguments)
    except SystemExit as ended:
        code = ended.code
    for path in sorted(written):
        _search(path)
    print("\n".join(sorted(written)))
    if found:
        sys.stderr.write("\n".join(found))
        os._exit(EXIT_CODE)
    sys.exit(code)


if __name__ == "__main__":
    main()
