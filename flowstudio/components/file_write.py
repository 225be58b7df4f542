"""The component `file-write`: writes a file."""

from __future__ import annotations

import codecs
import hashlib
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Literal

from flowstudio.components.bodies import BodyError, bytes_of, is_binary, json_bytes
from flowstudio.components.captions import caption
from flowstudio.components.charsets import encoded, encoding_fault
from flowstudio.components.delimited import checked
from flowstudio.components.files import has_content, located, write
from flowstudio.components.piecewise import reading
from flowstudio.sdk import (
    MISSING,
    Category,
    Component,
    Context,
    Example,
    Expression,
    Fault,
    Settings,
    StepError,
    Stream,
    Text,
    setting,
)

Json = Any


class FileWrite(Component):
    """Writes a file, and puts out its `path` and the number of `bytes` that were written.

    A text is written as it is, a binary value (`{"base64": …}`) as its bytes, anything else as JSON with exact numbers;
    nothing is written as an empty file. What cannot be written (NaN, half a character in a text) fails the step before
    the file is touched.

    `replace` is all or nothing: readers see the old file or the new one, never a half. `append` adds to the file, or
    makes it. `create` fails if the file is there. A relative path begins in the folder of the flow's file. A path may lead anywhere
    that the host may write, also by `..`: what a sender gives is checked before it becomes part of one.

    A text or list that comes piece by piece is written so, whatever its size, as long as Content is the payload itself.
    """

    key = "file-write"
    title = "Write file"
    description = "Writes the payload, or what is made of it, into a file."
    category = Category.OUTPUT
    icon = "file-arrow-up"
    aliases = ("file", "write", "save", "file out", "write to disk", "export", "append", "read/write files from disk")
    pure = False

    class Config(Settings):
        """Which file, what comes into it, and how."""

        path: Text = setting(
            title="Path",
            description="The file. A relative path begins in the folder of the flow.",
            placeholder="out/{{ number }}.json",
            min_length=1,
            widget="new-file",
        )
        content: Expression = setting(
            "$",
            title="Content",
            description="What is written: a text as it is, a binary value as its bytes, anything else as JSON.",
        )
        mode: Literal["replace", "append", "create"] = setting(
            "replace",
            title="Mode",
            description="Replace the file as a whole, append to it, or create it and fail if it is there.",
        )
        newline: bool = setting(
            False, title="Line break", description="End with a line break: one line for each message when appending."
        )
        folders: bool = setting(False, title="Make folders", description="Make the folders that do not exist.")
        encoding: str = setting(
            "utf-8",
            title="Encoding",
            description="What text is written in: utf-8, utf-8-sig (with a byte order mark, for Excel), windows-1252 "
            "and the like. JSON is always UTF-8.",
            min_length=1,
            advanced=True,
        )

    examples = (
        Example(
            "A text as it is",
            {"path": "greeting.txt", "content": '"Dear " & name'},
            payload={"name": "Käthe"},
            output={"path": "greeting.txt", "bytes": 11},
        ),
        Example(
            "One line of JSON for each message",
            {"path": "log/{{ day }}.jsonl", "mode": "append", "newline": True, "folders": True},
            payload={"day": "2026-01-01", "id": 12345678901234567890},
            output={"path": "log/2026-01-01.jsonl", "bytes": 47},
        ),
        Example(
            "A file that must be new",
            {"path": "orders/{{ id }}.json", "mode": "create", "folders": True},
            payload={"id": 7},
            output={"path": "orders/7.json", "bytes": 8},
        ),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """The path, and the mode where it is not the usual one."""
        told = caption(config.get("path"), "No file yet")
        mode = config.get("mode")
        return f"{mode.capitalize()}: {told}" if mode in ("append", "create") else told

    @classmethod
    def check(cls, config: Mapping[str, Json]) -> Iterable[Fault]:
        """The encoding is one."""
        yield from filter(None, [encoding_fault("encoding", config["encoding"])])

    @classmethod
    def reads_streams(cls, config: Mapping[str, Json]) -> bool:
        """If it writes the payload itself and nothing in the path is made of it."""
        content, path = config.get("content", "$"), config.get("path")
        return (
            (content is None or (isinstance(content, str) and content.strip() in ("$", "$$")))
            and isinstance(path, str)
            and "{{" not in path
        )

    async def run(self, config: Config, payload: Json, context: Context) -> Json:
        """What was written, and how much."""
        import asyncio  # a palette does not need it

        checked(encoding_fault("encoding", config.encoding))
        place = located(config.path, context.folder)
        # A byte order mark stands at the beginning of a file, not where something is added to it.
        begun = config.mode == "append" and has_content(place)
        encoding = _unmarked(config.encoding) if begun else config.encoding
        request: dict[str, Json] = {"path": config.path, "mode": config.mode}
        stopped = threading.Event()
        content: Iterable[bytes]
        if isinstance(config.content, Stream):
            request["content"] = config.content.source.to_json()
            content = _until(stopped, _pieces(config.content, encoding, config.newline))
        else:
            body = _body(config, encoding)
            request |= {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
            content = [body]

        async def perform() -> Json:
            try:
                size = await asyncio.to_thread(write, place, config.path, content, config.mode, folders=config.folders)
            finally:
                # A run that is stopped stops the writing too; what was written so far is taken back there.
                stopped.set()
            return {"path": config.path, "bytes": size}

        return await context.effect("file-write", request, perform)


def _until(stopped: threading.Event, content: Iterator[bytes]) -> Iterator[bytes]:
    for piece in content:
        if stopped.is_set():
            raise StepError("The run was stopped while the file was written", type="Stopped", retryable=False)
        yield piece


def _body(config: FileWrite.Config, encoding: str) -> bytes:
    value = config.content
    end = "\n" if config.newline else ""
    if value is MISSING:
        return end.encode()
    if isinstance(value, str):
        return encoded(value + end, encoding, "The content")
    try:
        body = bytes_of(value) if is_binary(value) else json_bytes(value)
    except BodyError as error:
        raise StepError(
            f"The content cannot be written: {error}; change it before this step", type="NotJson", retryable=False
        ) from None
    return body + end.encode()


def _pieces(stream: Stream, encoding: str, newline: bool) -> Iterator[bytes]:
    """The bytes of what comes piece by piece."""
    with reading(stream) as found:
        if stream.kind == "bytes":
            yield from found
        elif stream.kind == "text":
            yield from _encoded(chain(found, ["\n"]) if newline else found, encoding)
            return
        else:
            yield from _listed(found)
    if newline:
        yield b"\n"


def _encoded(found: Iterable[str], encoding: str) -> Iterator[bytes]:
    """Pieces of text as bytes; only the first one has a byte order mark, where the encoding has one."""
    name = encoding
    for place, piece in enumerate(found):
        body = encoded(piece, name, "The content")
        if place == 0 and (marked := _unmarked(name)) != name:
            name = marked
        yield body


def _unmarked(encoding: str) -> str:
    """The encoding that goes on where this one has begun with its byte order mark."""
    little = sys.byteorder == "little"
    return {
        "utf-8-sig": "utf-8",
        "utf-16": "utf-16-le" if little else "utf-16-be",
        "utf-32": "utf-32-le" if little else "utf-32-be",
    }.get(codecs.lookup(encoding).name, encoding)


def _listed(found: Iterable[Json]) -> Iterator[bytes]:
    opening = b"["
    for place, item in enumerate(found):
        try:
            yield opening + json_bytes(item)
        except BodyError as error:
            raise StepError(
                f"Element {place + 1:,} cannot be written: {error}; change it before this step",
                type="NotJson",
                retryable=False,
            ) from None
        opening = b","
    yield b"[]" if opening == b"[" else b"]"
