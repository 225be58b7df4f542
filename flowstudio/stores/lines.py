"""Lines in the order in which they were written, for as long as the process lives: few in memory, many packed in a file."""

from __future__ import annotations

import tempfile
import weakref
from array import array
from bisect import bisect_right
from pathlib import Path
from typing import IO, Final

import zstandard

from flowstudio.errors import StoreError

_BLOCK: Final = 65_536
"""Bytes of lines that are packed together."""
_IN_MEMORY: Final = 262_144
"""Packed bytes that need no file."""


class LineLog:
    """Lines by number from 0, none with a line feed in it; the file, in `folder`, vanishes with the process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._packed = bytearray()
        self._offsets = array("Q", [0])
        self._firsts = array("Q", [0])
        self._last: list[bytes] = []
        self._last_size = 0
        self._read: tuple[int, list[bytes]] = (-1, [])

    def __len__(self) -> int:
        return self._firsts[-1] + len(self._last)

    def append(self, line: bytes) -> int:
        """Adds a line, and gives its number; StoreError when the disk is full."""
        number = len(self)
        self._last.append(line)
        self._last_size += len(line)
        if self._last_size >= _BLOCK:
            self._pack()
        return number

    def line(self, number: int) -> bytes:
        """One line; IndexError where there is none."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self.lines(number, 1)[0]

    def lines(self, start: int, count: int) -> list[bytes]:
        """The lines from `start` on, at most `count`."""
        found: list[bytes] = []
        start = max(0, start)
        stop = min(len(self), start + max(0, count))
        while start < stop:
            block = bisect_right(self._firsts, start) - 1
            first = self._firsts[block]
            lines = self._block(block)
            some = lines[start - first : stop - first]
            found += some
            start += len(some)
        return found

    def _pack(self) -> None:
        body = zstandard.compress(b"\n".join(self._last), 1)
        try:
            if self._file is None and len(self._packed) + len(body) > _IN_MEMORY:
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed with this object
                weakref.finalize(self, self._file.close)
                self._file.write(self._packed)
                self._packed.clear()
            if self._file is None:
                self._packed += body
            else:
                self._file.seek(self._offsets[-1])
                self._file.write(body)
        except OSError as error:
            raise StoreError(
                f"What the run does cannot be written to {self._folder} ({error.strerror}); make room there"
            ) from None
        self._firsts.append(len(self))
        self._offsets.append(self._offsets[-1] + len(body))
        self._last, self._last_size = [], 0

    def _block(self, block: int) -> list[bytes]:
        if block == len(self._firsts) - 1:
            return self._last
        if self._read[0] != block:
            start, end = self._offsets[block], self._offsets[block + 1]
            if self._file is None:
                body = bytes(self._packed[start:end])
            else:
                self._file.seek(start)
                body = self._file.read(end - start)
            self._read = block, zstandard.decompress(body).split(b"\n")
        return self._read[1]
