# SPDX-License-Identifier: Apache-2.0
"""Serves the page of ``mien live --page``: images and numbers for a browser of this machine."""

from __future__ import annotations

import hmac
import json
import secrets
import socket
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Self

from mien.core import OutputError
from mien.media import draw_faces, encode_jpeg
from mien.pipeline import LiveFrame

_HOST = "127.0.0.1"
_BOUNDARY = "frame"
_WAIT_S = 0.5
_TOKEN_BYTES = 16
_REQUEST_S = 10.0  # for the whole request, and for one image that a browser takes
_MAX_CONNECTIONS = 8  # a browser that shows the page needs two
_SEND_BUFFER_BYTES = 1 << 18
# The page is one file: nothing may be loaded from anywhere else, and no other page may show or read it.
_SAFETY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class LivePage:
    """A page at `url` that shows the latest analysed frame; a context manager.

    The address has a random part, since every user of this machine can reach its ports.

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
        self._token = secrets.token_urlsafe(_TOKEN_BYTES)
        page = self

        class Handler(_Handler):
            live_page = page

        try:
            self._server = _Server((_HOST, port), Handler)
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
        return f"http://{_HOST}:{self.port}/{self._token}/"

    def page_name(self, path: str) -> str | None:
        """The part of a requested path after the random part; None if that is wrong."""
        _, _, rest = path.partition("/")
        token, slash, name = rest.partition("/")
        right = hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode())
        return name if slash and right else None

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
                    live_frame.shown.faces,
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


class _Server(ThreadingHTTPServer):
    """Server with a limited number of connections, each of which has a limited time for its request."""

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._lock = threading.Lock()
        self._n_connections = 0
        self._reading: dict[socket.socket, float] = {}  # connection -> time at which its request must be complete
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without the look-up of the machine's name that HTTPServer does."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = _HOST, int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own, or refuse it."""
        with self._lock:
            refused = self._n_connections >= _MAX_CONNECTIONS
            if not refused:
                self._n_connections += 1
                self._reading[request] = time.monotonic() + _REQUEST_S
        if refused:
            with suppress(OSError):
                request.setblocking(False)
                request.send(b"HTTP/1.0 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection and count it off."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._n_connections -= 1
                self._reading.pop(request, None)

    def request_complete(self, request: socket.socket) -> None:
        """Note that the request of a connection has been read, so that it may last."""
        with self._lock:
            self._reading.pop(request, None)

    def service_actions(self) -> None:
        """End connections whose request takes too long; called twice per second."""
        now_s = time.monotonic()
        with self._lock:
            late = [request for request, deadline_s in self._reading.items() if now_s > deadline_s]
            for request in late:
                del self._reading[request]
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a browser that leaves in the middle is no error of the run."""


class _Handler(BaseHTTPRequestHandler):
    """HTTP handler of the page, its images and its numbers."""

    live_page: LivePage
    server: _Server
    server_version = "mien"
    sys_version = ""
    timeout = _REQUEST_S

    def setup(self) -> None:
        """Bound what waits for a slow browser."""
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        super().setup()

    def do_GET(self) -> None:
        """One request; streams last until either side ends, or an image is not taken in time."""
        self.server.request_complete(self.request)
        page = self.live_page
        # A page of another site could make its own name point here; the browser then sends that name.
        if self.headers.get_all("Host") not in ([f"{_HOST}:{page.port}"], [f"localhost:{page.port}"]):
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        try:
            match page.page_name(self.path):
                case "":
                    self._head("text/html; charset=utf-8")
                    self.wfile.write(resources.files("mien.cli").joinpath("live.html").read_bytes())
                case "images":
                    self._images()
                case "statistics":
                    self._statistics()
                case _:
                    self.send_error(HTTPStatus.NOT_FOUND)
        except OSError:
            return  # the browser has closed the page, or takes nothing

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
    statistics, faces = live_frame.statistics, live_frame.shown.faces
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
        "smoothing": live_frame.smoothing,
        "faces": [
            {
                "track_id": -1 if face.track_id is None else face.track_id,
                "top": face.expression,
                "expression": face.probabilities,
                "valence": face.valence,
                "arousal": face.arousal,
                "action_units": face.au,
                "present": units,
            }
            for face, units in zip(faces, faces.present_action_units(live_frame.thresholds), strict=True)
        ],
    }
