# SPDX-License-Identifier: Apache-2.0
"""The other end of `mien.jobs.local`: what a worker process does."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from mien.core import JobError
from mien.jobs.engine import Done, Failed, Setup, Told, Work
from mien.jobs.signals import ignore_interrupts


@dataclass(frozen=True)
class Ready:
    """The work is set up."""


@dataclass(frozen=True)
class Unfit:
    """The work could not be set up."""

    error: Exception


@dataclass(frozen=True)
class Stopped:
    """The work on an item has ended early, as it was asked to."""

    number: int


STOP = None
"""What is sent instead of an item: end now, or at the next message."""


def serve(connection: Connection, setup: Setup) -> None:
    """Take items and send events until `STOP` comes or the parent is gone."""
    ignore_interrupts()
    threading.Thread(target=_die_with_parent, name="mien-parent", daemon=True).start()
    try:
        work = setup()
    except Exception as error:  # noqa: BLE001 - raised again in the parent
        connection.send(Unfit(portable(error)))
        return
    connection.send(Ready())
    while (order := connection.recv()) is not STOP:
        number, item = order
        if not _worked(connection, work, number, item):
            return


def _worked(connection: Connection, work: Work, number: int, item: Any) -> bool:
    """Work on one item; False if that was stopped."""
    stopped = False

    def tell(message: Any) -> None:
        nonlocal stopped
        try:
            connection.send(Told(number, message))
            asked = not stopped and connection.poll()  # during work, nothing but STOP is sent
            if asked:
                connection.recv()
        except (EOFError, OSError):
            os._exit(1)  # the parent is gone: see _die_with_parent
        if asked:
            stopped = True  # said once: what the work tells while it saves its results must not stop it again
            raise KeyboardInterrupt

    try:
        result = work(item, tell)
    except KeyboardInterrupt:
        connection.send(Stopped(number))
        return False
    except Exception as error:  # noqa: BLE001 - listed by the parent as what became of the item
        connection.send(Failed(number, portable(error)))
    else:
        connection.send(Done(number, result))
    return True


def portable(error: Exception) -> Exception:
    """The error with its traceback as a note, or a stand-in where it does not survive pickling."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - classes of others may raise anything here
        return JobError(f"{type(error).__name__}: {error}")
    return error


def _die_with_parent() -> None:
    """End at once when the parent is gone, even by ``kill -9``: what is unfinished is for the next run."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
