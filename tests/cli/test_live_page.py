# SPDX-License-Identifier: Apache-2.0
"""``mien live --page`` as a browser gets it."""

import http.client
import json
import socket
import threading
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from mien.cli.live_page import LivePage
from mien.core import OutputError
from tests.helpers.live_frames import live_frame


def get(page: LivePage, name: str, **headers: str) -> http.client.HTTPResponse:
    """Response to a name under the page's address, or to a path if it begins with a slash."""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=30)
    connection.request("GET", name if name.startswith("/") else urlsplit(page.url).path + name, headers=headers)
    return connection.getresponse()


def test_the_page_shows_the_latest_live_frame() -> None:
    with LivePage() as page:
        page.show(live_frame())
        html = get(page, "").read().decode()
        assert "<title>mien live</title>" in html
        assert "http" not in html.replace("SPDX", ""), "the page may load nothing from elsewhere"
        events = get(page, "statistics")
        assert events.headers["Content-Type"] == "text/event-stream"
        facts = json.loads(events.readline().removeprefix(b"data: "))
        assert (facts["frame"], facts["n_dropped"], facts["latency_p95_s"]) == (3, 2, 0.02)
        (face,) = facts["faces"]
        assert (face["top"], face["valence"], face["arousal"]) == ("happiness", 0.5, None)
        assert face["expression"] == {"neutral": 0.25, "happiness": 0.75}
        assert face["present"] == ["AU12"], "as the bundle's threshold of 0.2 says"
        images = get(page, "images")
        head = [images.readline() for _ in range(4)]
        length = int(head[2].split()[1])
        image = cv2.imdecode(np.frombuffer(images.read(length), np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (80, 100, 3)
        assert get(page, "secret").status == 404
    assert not [thread for thread in threading.enumerate() if thread.name == "mien-page"]


def test_the_page_is_for_this_machine_alone() -> None:
    with LivePage() as page:
        assert page.url.startswith("http://127.0.0.1:")
        assert get(page, "", Host="evil.example").status == 403
        assert get(page, "", Host=f"localhost:{page.port}").status == 200
        assert "default-src 'none'" in (get(page, "").headers["Content-Security-Policy"] or "")


def test_a_port_that_is_taken() -> None:
    with LivePage() as page, pytest.raises(OutputError, match=f"cannot open port {page.port} for the page: .*--port"):
        LivePage(page.port)


def test_the_address_has_a_random_part_and_nothing_is_served_without_it() -> None:
    with LivePage() as page, LivePage() as other:
        page.show(live_frame())
        token = urlsplit(page.url).path.strip("/")
        assert len(token) >= 20
        assert token != urlsplit(other.url).path.strip("/")
        for path in ("/", "/images", "/statistics", f"/{token}", f"/{token[:-1]}/", f"/{token}x/images", "//", "/%00/"):
            response = get(page, path)
            assert (response.status, token in response.read().decode()) == (404, False), path
        assert get(page, "", Host=f"127.0.0.1:{page.port + 1}").status == 403
        html = get(page, "").read().decode()
        assert 'src="images"' in html, "names are relative to the random part"
        assert 'EventSource("statistics")' in html


def test_two_host_names_in_one_request_are_refused() -> None:
    with LivePage() as page, socket.create_connection(("127.0.0.1", page.port), timeout=30) as browser:
        host = f"127.0.0.1:{page.port}"
        browser.sendall(
            f"GET {urlsplit(page.url).path} HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n\r\n".encode()
        )
        assert b" 403 " in browser.recv(100)


def test_no_more_than_eight_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.cli.live_page._WAIT_S", 0.01)
    with LivePage() as page:
        page.show(live_frame())
        streams = [get(page, "statistics") for _ in range(8)]
        assert [stream.status for stream in streams] == [200] * 8
        assert get(page, "").status == 503
        streams.pop().close()
        page.show(live_frame())  # the end of a connection is seen when something is sent
        page.show(live_frame())
        statuses = iter(lambda: (page.show(live_frame()), get(page, "").status)[1], 200)
        assert set(statuses) <= {503}, "until the connection that was closed is counted off"
        for stream in streams:
            assert stream.readline().startswith(b"data: ")
            stream.close()


def test_a_request_that_does_not_end_and_a_browser_that_takes_nothing_are_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mien.cli.live_page._REQUEST_S", 0.2)
    monkeypatch.setattr("mien.cli.live_page._Handler.timeout", 0.2)
    with LivePage() as page:
        frame = live_frame()
        page.show(frame)
        for beginning in (b"", b"GET / HTTP/1.1\r\nHost: "):
            with socket.create_connection(("127.0.0.1", page.port), timeout=30) as browser:
                browser.sendall(beginning)
                assert browser.recv(1) == b"", "closed by the page"
        monkeypatch.setattr(LivePage, "image", lambda *_: bytes(1 << 24))
        stalled = get(page, "images")  # takes the head and no image
        served = iter(lambda: [each for each in threading.enumerate() if "process_request_thread" in each.name], [])
        for _ in served:
            page.show(frame)
        stalled.close()


def test_no_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked_up(*_: object) -> str:
        raise AssertionError

    for name in ("getfqdn", "gethostbyaddr", "getnameinfo"):
        monkeypatch.setattr(socket, name, looked_up)
    with LivePage() as page:
        assert get(page, "").status == 200
