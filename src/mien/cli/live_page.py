# SPDX-License-Identifier: Apache-2.0
"""Serves the page of ``mien live --page``: images and numbers for a browser of this machine."""

from __future__ import annotations

import json
import math
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from types import TracebackType
from typing import Any, Self

from mien.core import OutputError
from mien.media import draw_faces, encode_jpeg
from mien.pipeline import LiveFrame

_HOST = "127.0.0.1"
_BOUNDARY = "frame"
_WAIT_S = 0.5
# The page is one file: nothing may be loaded from anywhere else, and no other page may show or read it.
_SAFETY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class LivePage:
    """A page at `url` that shows the latest analysed frame; a context manager.

    Args:
        port: Number of the port; 0 for any that is free.
        anonymous: Whether faces are made unrecognisable in the images.

    Raises:
        OutputError: The port is taken.
    """

    def __init__(self, port: int = 0, *, anonymous: bool = False) -> None:
        self._anonymous = anonymous
        self._changed = threading.Condition()
        self._frame: LiveFrame | None = None
        self._number = 0
        self._image: tuple[int, bytes] = (0, b"")
        self._drawing = threading.Lock()
        self._closed = False
        page = self

        class Handler(_Handler):
            live_page = page

        try:
            self._server = ThreadingHTTPServer((_HOST, port), Handler)
        except OSError as error:
            reason = error.strerror or error
            raise OutputError(f"cannot open port {port} for the page: {reason}; choose another --port") from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="mien-page", daemon=True)

    @property
    def port(self) -> int:
        """Number of the port that the page is served on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Address for a browser of this machine."""
        return f"http://{_HOST}:{self.port}/"

    def show(self, frame: LiveFrame) -> None:
        """Show a frame in every open browser."""
        with self._changed:
            self._frame = frame
            self._number += 1
            self._changed.notify_all()

    def after(self, number: int) -> tuple[int, LiveFrame] | None:
        """The latest frame and its number, once that is above ``number``; None when the page is closed."""
        with self._changed:
            while not self._closed and (self._number <= number or self._frame is None):
                self._changed.wait(_WAIT_S)
            return None if self._closed or self._frame is None else (self._number, self._frame)

    def image(self, number: int, live_frame: LiveFrame) -> bytes:
        """The frame with its faces drawn, as a JPEG; drawn once for all browsers, and never without one."""
        with self._drawing:
            if self._image[0] != number and live_frame.frame.image is not None:
                drawn = draw_faces(
                    live_frame.frame.image,
                    live_frame.frame.faces,
                    thresholds=live_frame.thresholds,
                    anonymous=self._anonymous,
                )
                self._image = number, encode_jpeg(drawn)
            return self._image[1]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    """HTTP handler of the page, its images and its numbers."""

    live_page: LivePage

    def do_GET(self) -> None:
        """One request; streams last until either side ends."""
        page = self.live_page
        # A page of another site could make its own name point here; the browser then sends that name.
        if self.headers.get("Host") not in (f"{_HOST}:{page.port}", f"localhost:{page.port}"):
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        try:
            match self.path:
                case "/":
                    self._head("text/html; charset=utf-8")
                    self.wfile.write(resources.files("mien.cli").joinpath("live.html").read_bytes())
                case "/images":
                    self._images()
                case "/statistics":
                    self._statistics()
                case _:
                    self.send_error(HTTPStatus.NOT_FOUND)
        except (BrokenPipeError, ConnectionResetError):
            return  # the browser has closed the page

    def _head(self, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        for name, value in {"Content-Type": kind, **_SAFETY}.items():
            self.send_header(name, value)
        self.end_headers()

    def _images(self) -> None:
        self._head(f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        number = 0
        while (latest := self.live_page.after(number)) is not None:
            number, live_frame = latest
            image = self.live_page.image(number, live_frame)
            head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(image)}\r\n\r\n"
            self.wfile.write(head.encode() + image + b"\r\n")

    def _statistics(self) -> None:
        self._head("text/event-stream")
        number = 0
        while (latest := self.live_page.after(number)) is not None:
            number, live_frame = latest
            self.wfile.write(f"data: {json.dumps(facts(live_frame))}\n\n".encode())
        self.wfile.write(b"event: end\ndata: {}\n\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Nothing: a line per request would drown the terminal."""


def facts(live_frame: LiveFrame) -> dict[str, Any]:
    """A frame as JSON values; unknown numbers are null."""
    statistics, faces = live_frame.statistics, live_frame.frame.faces
    return {
        "source": live_frame.source,
        "frame": live_frame.frame.index,
        "time_s": live_frame.frame.time_s,
        "latency_s": live_frame.latency_s,
        "latency_p50_s": statistics.latency_p50_s,
        "latency_p95_s": statistics.latency_p95_s,
        "fps": statistics.fps,
        "n_frames": statistics.n_frames,
        "n_dropped": statistics.n_dropped,
        "faces": [
            {
                "track_id": int(face.track_ids[0]),
                "top": top,
                "expression": dict(zip(face.expression_labels, map(_number, face.expression[0]), strict=True)),
                "valence": _number(face.valence[0]),
                "arousal": _number(face.arousal[0]),
                "action_units": dict(zip(face.action_unit_labels, map(_number, face.action_units[0]), strict=True)),
                "present": units,
            }
            for face, top, units in zip(
                faces, faces.top_expressions(), faces.present_action_units(live_frame.thresholds), strict=True
            )
        ],
    }


def _number(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None
