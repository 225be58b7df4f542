"""Characters in bytes: pieces of bytes as pieces of text, and what is said when they do not fit their encoding."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

from flowstudio.sdk import Fault, StepError

REMEDY = "set Encoding to what it is written in, such as windows-1252 or utf-16"


def encoding_fault(field: str, name: object) -> Fault | None:
    """What is wrong with the name of an encoding in a config; a `{{ }}` is looked at when it is bound."""
    if not isinstance(name, str) or "{{" in name or _known(name):
        return None
    return Fault(
        field,
        f"{name!r} is no encoding",
        "text cannot be read or written in it",
        "use a name such as utf-8, windows-1252, iso-8859-1 or utf-16",
    )


def _known(name: str) -> bool:
    try:
        # Codecs that do not make text of bytes (base64, zlib) are known by the same registry; only using one tells.
        return isinstance(b"".decode(name), str) and isinstance("".encode(name), bytes)
    except (LookupError, ValueError):
        return False


def decoded(pieces: Iterable[bytes], encoding: str, what: str) -> Iterator[str]:
    """The text in pieces of bytes that are cut anywhere; a byte order mark is taken off.

    `what` begins the sentence of the StepError that names the byte, from 0, at which they stop to be text.
    """
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError:
        raise unknown_encoding(encoding) from None
    position = 0
    first = True
    for piece, final in _with_end(pieces):
        kept = len(decoder.getstate()[0])
        try:
            text = decoder.decode(piece, final)
        except UnicodeDecodeError as error:
            byte = position - kept + error.start
            raise StepError(
                f"{what} is not {encoding.upper()}: byte {byte:,} (0x{error.object[error.start]:02x}) "
                f"cannot stand there; {REMEDY}",
                type="Encoding",
                data={"byte": byte, "encoding": encoding},
                retryable=False,
            ) from None
        except UnicodeError as error:
            # UTF-16 and UTF-32 without their mark raise no position.
            raise StepError(
                f"{what} is not {encoding.upper()}: {error}; {REMEDY}",
                type="Encoding",
                data={"byte": position, "encoding": encoding},
                retryable=False,
            ) from None
        position += len(piece)
        if first and text:
            text, first = text.removeprefix("\ufeff"), False
        if text:
            yield text


def _with_end(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    for piece in pieces:
        yield piece, False
    yield b"", True


def encoded(text: str, encoding: str, what: str) -> bytes:
    """Text in bytes; StepError names the first character that the encoding does not have."""
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        character = error.object[error.start]
        told = "half a character (a lone surrogate)" if "\ud800" <= character <= "\udfff" else repr(character)
        raise StepError(
            f"{what} cannot be written in {encoding.upper()}: character {error.start:,} is {told}; "
            "take it out, or set Encoding to one that has it",
            type="Encoding",
            data={"character": error.start, "encoding": encoding},
            retryable=False,
        ) from None
    except (LookupError, UnicodeError):
        raise unknown_encoding(encoding) from None


def unknown_encoding(encoding: str) -> StepError:
    """What is raised where the name of an encoding came from a variable and is none."""
    return StepError(
        f"{encoding!r} is no encoding; use a name such as utf-8 or windows-1252", type="Encoding", retryable=False
    )
