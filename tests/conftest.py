# SPDX-License-Identifier: Apache-2.0
"""Fixtures that every test may use: real faces where they are at hand, honest skips where they are not."""

import ipaddress
import os
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parent.parent

# No limit of time for a case: on a busy machine it fails where nothing is wrong. In CI Hypothesis has a profile of its
# own, without one as well.
settings.register_profile("untimed", deadline=None)
if "CI" not in os.environ:
    settings.load_profile("untimed")


def _refuse_networks(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: every test may reach this machine alone, whatever library tries."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) and address else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host and not _is_local(host):
        raise OSError(f"tests reach no network, refused: {event} {host}")


def _is_local(host: str) -> bool:
    if host in ("localhost", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback or host in ("0.0.0.0", "::")
    except ValueError:
        return False


sys.addaudithook(_refuse_networks)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photos and clips that is not part of the repository."""
    folder = Path(os.environ.get("MIEN_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs real photos and clips: {folder} is absent; set MIEN_DATA to the data folder")
    return folder


@pytest.fixture(scope="session")
def astronaut() -> npt.NDArray[np.uint8]:
    """A (512, 512, 3) RGB portrait with one smiling face, public domain, from scikit-image."""
    from skimage import data

    image = data.astronaut()
    image.flags.writeable = False
    return image
