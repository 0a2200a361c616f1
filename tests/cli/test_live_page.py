# SPDX-License-Identifier: Apache-2.0
"""``mien live --page`` as a browser gets it."""

import http.client
import json
import threading

import cv2
import numpy as np
import pytest

from mien.cli.live_page import LivePage
from mien.core import OutputError
from tests.helpers.live_frames import live_frame


def get(page: LivePage, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=30)
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


def test_the_page_shows_the_latest_live_frame() -> None:
    with LivePage() as page:
        page.show(live_frame())
        html = get(page, "/").read().decode()
        assert "<title>mien live</title>" in html
        assert "http" not in html.replace("SPDX", ""), "the page may load nothing from elsewhere"
        events = get(page, "/statistics")
        assert events.headers["Content-Type"] == "text/event-stream"
        facts = json.loads(events.readline().removeprefix(b"data: "))
        assert (facts["frame"], facts["n_dropped"], facts["latency_p95_s"]) == (3, 2, 0.02)
        (face,) = facts["faces"]
        assert (face["top"], face["valence"], face["arousal"]) == ("happiness", 0.5, None)
        assert face["expression"] == {"neutral": 0.25, "happiness": 0.75}
        assert face["present"] == ["AU12"], "as the bundle's threshold of 0.2 says"
        images = get(page, "/images")
        head = [images.readline() for _ in range(4)]
        length = int(head[2].split()[1])
        image = cv2.imdecode(np.frombuffer(images.read(length), np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (80, 100, 3)
        assert get(page, "/secret").status == 404
    assert not [thread for thread in threading.enumerate() if thread.name == "mien-page"]


def test_the_page_is_for_this_machine_alone() -> None:
    with LivePage() as page:
        assert page.url.startswith("http://127.0.0.1:")
        assert get(page, "/", Host="evil.example").status == 403
        assert get(page, "/", Host=f"localhost:{page.port}").status == 200
        assert "default-src 'none'" in (get(page, "/").headers["Content-Security-Policy"] or "")


def test_a_port_that_is_taken() -> None:
    with LivePage() as page, pytest.raises(OutputError, match=f"cannot open port {page.port} for the page: .*--port"):
        LivePage(page.port)
