"""Looks for planted secrets in everything that is kept: each file, each database row, each body unpacked, in every form."""

from __future__ import annotations

import base64
import json
import sqlite3
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import zstandard


def forms(secret: str) -> dict[str, bytes]:
    """How a secret may be written: as it is, in JSON, in an address, and in base64 wherever in it it begins."""
    raw = secret.encode()
    found = {
        "plain": raw,
        "json": json.dumps(secret)[1:-1].encode(),
        "url": urllib.parse.quote(secret, safe="").encode(),
        "form": urllib.parse.quote_plus(secret).encode(),
    }
    for offset in range(3):
        # Of base64 only what no neighbour has a part in: three bytes make four letters.
        coded = base64.b64encode(b"\0" * offset + raw).rstrip(b"=")
        begin = (offset * 8 + 5) // 6
        end = len(coded) - (1 if (len(raw) + offset) % 3 else 0)
        found[f"base64, {offset}"] = coded[begin:end]
        found[f"base64 for addresses, {offset}"] = coded[begin:end].replace(b"+", b"-").replace(b"/", b"_")
    return found


def kept(folder: Path) -> Iterator[tuple[str, bytes]]:
    """All that lies in a folder: where, and the bytes; of databases every value too, of packed ones what is in them."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        content = path.read_bytes()
        yield path.name, content
        if content.startswith(b"SQLite format 3"):
            yield from _rows(path)


def _rows(path: Path) -> Iterator[tuple[str, bytes]]:
    database = sqlite3.connect(path)
    try:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            for row in database.execute(f'select * from "{table}"'):
                for value in row:
                    content = value if isinstance(value, bytes) else str(value).encode()
                    yield f"{path.name}: {table}", content
                    yield from ((f"{path.name}: {table}, unpacked", body) for body in _unpacked(content))
    finally:
        database.close()


def _unpacked(content: bytes) -> Iterator[bytes]:
    if content.startswith(b"\x28\xb5\x2f\xfd"):
        with zstandard.ZstdDecompressor().stream_reader(content) as reader:
            yield reader.read()


def leaks(secrets: dict[str, str], places: Iterator[tuple[str, bytes]]) -> list[str]:
    """Which secret is found where and in which form."""
    wanted = [(name, form, needle) for name, secret in secrets.items() for form, needle in forms(secret).items()]
    return sorted(
        {
            f"{name} ({form}) in {where}"
            for where, content in places
            for name, form, needle in wanted
            if needle in content
        }
    )
