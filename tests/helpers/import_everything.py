# SPDX-License-Identifier: Apache-2.0
"""Imports every module of mien without the extras, in an interpreter of its own, and reports what that changed.

Reads JSON: ``blocked`` (import names that must seem absent) and ``loaded_before`` (modules of others that are
imported first, so that what they change is not blamed on mien). Writes JSON: ``others`` (modules that are not
mien's), ``refused`` (module of mien -> why it cannot be imported) and ``changed`` (what is not as it was).
"""

import contextlib
import importlib
import json
import logging
import os
import pkgutil
import signal
import sys
import threading
import warnings
from types import ModuleType


def state() -> dict[str, object]:
    """What an import must leave alone."""
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in sorted(logging.root.manager.loggerDict))]
    return {
        "environment": dict(os.environ),
        "working folder": os.getcwd(),  # noqa: PTH109 - the text, as it is
        "import path": list(sys.path),
        "warning filters": [repr(entry) for entry in warnings.filters],
        "logging handlers": [(log.name, repr(handler)) for log in loggers for handler in log.handlers],
        "exception hook": repr(sys.excepthook),
        "interrupt handler": repr(signal.getsignal(signal.SIGINT)),
        "threads": sorted(thread.name for thread in threading.enumerate()),
    }


def modules_of(package: ModuleType, refused: dict[str, str]) -> None:
    """Import everything below a package; ``refused`` takes what cannot be imported."""
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if found.name == "mien.__main__":  # importing it is running the program
            continue
        try:
            module = importlib.import_module(found.name)
        except ImportError as error:
            refused[found.name] = str(error)
        else:
            if found.ispkg:
                modules_of(module, refused)


def main() -> None:
    """Import, compare, report."""
    task = json.load(sys.stdin)
    for name in task["blocked"]:
        sys.modules[name] = None  # type: ignore[assignment] # the documented way to make an import fail
    for name in task["loaded_before"]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    before = state()
    refused: dict[str, str] = {}
    modules_of(importlib.import_module("mien"), refused)
    after = state()
    tops = {*sys.stdlib_module_names, "mien", "__main__"}
    others = [name for name, module in sys.modules.items() if module is not None and name.split(".")[0] not in tops]
    json.dump(
        {"others": others, "refused": refused, "changed": [key for key in before if before[key] != after[key]]},
        sys.stdout,
    )


if __name__ == "__main__":
    main()
