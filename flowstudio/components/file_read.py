"""The component `file-read`: reads a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Literal

from flowstudio.components.bodies import BodyError, binary_of, json_of
from flowstudio.components.captions import caption
from flowstudio.components.charsets import decoded, encoding_fault
from flowstudio.components.delimited import checked
from flowstudio.components.files import located, opened, pieces
from flowstudio.sdk import (
    Category,
    Component,
    Context,
    Example,
    Fault,
    Settings,
    StepError,
    Stream,
    StreamSource,
    Text,
    setting,
)
from flowstudio.sdk.stream import WHOLE_LIMIT

Json = Any

_TYPES: Final = {".csv": "text/csv", ".json": "application/json", ".xml": "application/xml", ".txt": "text/plain"}


class FileRead(Component):
    """Reads a file, and puts out what is in it in place of the payload.

    A relative path begins in the folder of the flow's file. As `text` the file is put out as its characters: a step that
    reads text piece by piece, such as `csv-parse`, gets it so, whatever its size; any other gets it whole, up to 256 MB.
    As `json` the value in it is put out: numbers are exact, NaN is refused, of a key that stands twice the last one
    counts. As `binary` its bytes are put out in Base64, as after a download.

    A path may lead anywhere that the host may read, also by `..`: what a sender gives is checked before it becomes part
    of one.

    A file that is changed while a run reads it fails the step. Pipes and devices are not read. The file is closed when it
    was read to the end, and when the run ends or is stopped before.
    """

    key = "file-read"
    title = "Read file"
    description = "Reads a file as text, JSON or bytes."
    category = Category.OUTPUT
    icon = "file-arrow-down"
    aliases = ("file", "read", "file in", "read from disk", "open", "load", "import", "read/write files from disk")
    pure = False

    class Config(Settings):
        """Which file, and as what it is read."""

        path: Text = setting(
            title="Path",
            description="The file. A relative path begins in the folder of the flow.",
            placeholder="in/{{ $vars.customer }}.csv",
            min_length=1,
            widget="file",
        )
        format: Literal["text", "json", "binary"] = setting(
            "text", title="Read as", description="Text, the JSON value that it holds, or its bytes as a binary value."
        )
        encoding: str = setting(
            "utf-8",
            title="Encoding",
            description="What text is written in: utf-8, windows-1252, utf-16 and the like. A byte order mark is taken off.",
            min_length=1,
        )

    examples = (
        Example(
            "A text",
            {"path": "greetings/{{ language }}.txt"},
            payload={"language": "de"},
            files={"greetings/de.txt": "Guten Tag, Käthe\n"},
            output="Guten Tag, Käthe\n",
        ),
        Example(
            "The value in a JSON file",
            {"path": "limits.json", "format": "json"},
            files={"limits.json": '{"largest": 12345678901234567890}'},
            output={"largest": 12345678901234567890},
        ),
        Example(
            "Bytes",
            {"path": "dot.bin", "format": "binary"},
            files={"dot.bin": "."},
            output={
                "base64": "Lg==",
                "content_type": "application/octet-stream",
                "size": 1,
                "filename": "dot.bin",
            },
        ),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """The path."""
        return caption(config.get("path"), "No file yet")

    @classmethod
    def check(cls, config: Mapping[str, Json]) -> Iterable[Fault]:
        """The encoding is one."""
        yield from filter(None, [encoding_fault("encoding", config["encoding"])])

    @classmethod
    def reopened(cls, options: Mapping[str, Json], over: Stream | None) -> Stream:
        """The file as it was, once more."""
        return _stream(options)

    async def run(self, config: Config, payload: Json, context: Context) -> Json:
        """What is in the file; text as a stream."""
        import asyncio  # a palette does not need it

        checked(encoding_fault("encoding", config.encoding))
        place = located(config.path, context.folder).absolute()
        # A share on the network may take its time, and the other messages go on meanwhile.
        return await asyncio.to_thread(_read, config, place)


def _read(config: FileRead.Config, place: Path) -> Json:
    with opened(place, config.path) as file:
        found = os.fstat(file.fileno())
    options = {
        "path": config.path,
        "place": str(place),
        "encoding": config.encoding,
        "size": found.st_size,
        "modified": found.st_mtime_ns,
    }
    if config.format == "text":
        return _stream(options)
    if found.st_size > WHOLE_LIMIT:
        raise StepError(
            f"{config.path} has {found.st_size:,} bytes, and at most {WHOLE_LIMIT // (1024 * 1024)} MB are read whole; "
            "read it as text, and split that piece by piece",
            type="TooLarge",
            retryable=False,
        )
    body = b"".join(pieces(place, config.path, found.st_size, found.st_mtime_ns))
    if config.format == "binary":
        return binary_of(body, _TYPES.get(place.suffix.lower(), ""), place.name)
    if not body.strip():
        raise StepError(
            f"{config.path} is empty, and JSON has at least one value; correct the file", type="Json", retryable=False
        )
    try:
        return json_of(body, None if config.encoding.lower() == "utf-8" else config.encoding)
    except BodyError as error:
        raise StepError(
            f"{config.path} is not JSON: {error}; correct the file, or read it as text",
            type="Json",
            data={"line": error.line, "column": error.column},
            retryable=False,
        ) from None


def _stream(options: Mapping[str, Json]) -> Stream:
    path, place = options["path"], Path(options["place"])

    def reading() -> Iterator[str]:
        with closing(pieces(place, path, options["size"], options["modified"])) as parts:
            yield from decoded(parts, options["encoding"], path)

    return Stream("text", StreamSource("file-read@1", options), reading)
