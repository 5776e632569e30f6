"""File modes bind the tests too: root may do what they forbid, unless it waives that."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

#: Of <linux/capability.h>.
VERSION_3 = 0x20080522
DAC_OVERRIDE = 1 << 1


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


@contextmanager
def obeying_file_modes() -> Iterator[None]:
    """Let this thread open for writing only what its mode allows it to."""
    header, data = _Header(VERSION_3, 0), (_Data * 2)()
    _call("capget", header, data)
    effective = data[0].effective
    data[0].effective &= ~DAC_OVERRIDE
    _call("capset", header, data)
    try:
        yield
    finally:
        data[0].effective = effective
        _call("capset", header, data)


def _call(name: str, header: _Header, data: ctypes.Array) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc[name](ctypes.byref(header), data):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
