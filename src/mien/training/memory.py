# SPDX-License-Identifier: Apache-2.0
"""Memory that a training step frees, kept for the next step."""

from __future__ import annotations

import ctypes
import os
import platform

# Numbers of malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_TOP_PAD = 256 * 1024 * 1024

_OWN_WISHES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_")


def keep_freed_memory() -> bool:
    """Have the C library keep what tensors free, for the rest of the process.

    By default glibc maps each large block anew and gives it back as soon as it is free, so at every step the system
    clears the pages of all activations again. A training asks for the same blocks at every step: with them kept, a
    light network learns half as fast again on a CPU, for some more memory at the peak (docs/training.md has both).

    Returns:
        Whether it was done: with glibc, unless the environment says how its allocator shall do.
    """
    told = any(name in os.environ for name in _OWN_WISHES) or "malloc" in os.environ.get("GLIBC_TUNABLES", "")
    if told or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, -1) and mallopt(_M_TOP_PAD, _TOP_PAD))
