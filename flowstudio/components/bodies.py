"""HTTP bodies: which JSON value the bytes of one are, and the bytes of a JSON value.

What is neither JSON, form nor text becomes a binary value, `{"base64": ..., "content_type": ..., "size": ...}`: payloads
are JSON, so bytes travel in Base64 beside what they are.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn
from urllib.parse import parse_qsl, urlencode

import msgspec

Json = Any

INTEGER_DIGITS: Final = 4300
"""Python neither reads nor writes longer integers (`sys.set_int_max_str_digits`)."""

_TOO_LONG: Final = 10**INTEGER_DIGITS
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_PARAMETER: Final = re.compile(r';\s*([^\s=;]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]*))')
_TEXTS: Final = frozenset(
    {
        "application/xml",
        "application/javascript",
        "application/ecmascript",
        "application/graphql",
        "application/sql",
        "application/yaml",
        "application/x-yaml",
        "application/toml",
        "application/x-ndjson",
        "application/jsonlines",
        "application/x-www-form-urlencoded",
        "application/x-sh",
        "message/http",
    }
)
_TYPES: Final = {
    "bytes": "bytes",
    "set": "a set",
    "frozenset": "a set",
    "datetime": "a date with a time",
    "date": "a date",
    "time": "a time of day",
    "timedelta": "a span of time",
    "type": "a type",
    "MontyStdTypeProxy": "a function or type",
    "MontyClassProxy": "an object of a class",
    "MontyClassTypeProxy": "a class",
}
# A byte order mark says what a text is in better than any header; the longer marks come first.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class BodyError(ValueError):
    """A body is not what it is said to be, or a value cannot become one.

    `line` and `column` count from 1 and are None where there is no such place.
    """

    def __init__(self, reason: str, *, line: int | None = None, column: int | None = None) -> None:
        super().__init__(reason if line is None else f"line {line}, column {column}: {reason}")
        self.reason = reason
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class MediaType:
    """A Content-Type header, taken apart; `name` is lower case and empty where there is none."""

    name: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, header: str | None) -> MediaType:
        """What a header says; anything can be read."""
        if not header:
            return cls()
        name, _, _ = header.partition(";")
        parameters = {
            found[1].lower(): re.sub(r"\\(.)", r"\1", found[2]) if found[2] is not None else found[3]
            for found in _PARAMETER.finditer(header)
        }
        return cls(name.strip().lower(), parameters)

    @property
    def charset(self) -> str | None:
        """The encoding that is named."""
        return self.parameters.get("charset") or None

    @property
    def is_json(self) -> bool:
        """Whether the body is one JSON value."""
        return self.name in ("application/json", "text/json") or self.name.endswith("+json")

    @property
    def is_text(self) -> bool:
        """Whether the body is characters; JSON is not counted."""
        return (self.name.startswith("text/") or self.name in _TEXTS or self.name.endswith("+xml")) and not self.is_json


def text_of(body: bytes, charset: str | None = None) -> str:
    """The characters of a body: by its byte order mark, the charset named, UTF-8, else Windows-1252 as browsers do.

    BodyError when the charset named is unknown, or the bytes do not fit it.
    """
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            charset = encoding
            break
    if charset is None:
        try:
            return body.decode()
        except UnicodeDecodeError:
            return body.decode("cp1252", errors="replace")
    try:
        return body.decode(charset)
    except UnicodeDecodeError as error:
        raise BodyError(f"its byte {error.start} is not {charset.upper()}, the charset that it names") from None
    except (LookupError, ValueError):
        raise BodyError(f"it names a charset {charset!r} that nobody knows") from None


def json_of(body: bytes, charset: str | None = None) -> Json:
    """The JSON value that a body holds, integers exact; BodyError says where it is none. No bytes at all are null."""
    if not body:
        return None
    if body.startswith(tuple(mark for mark, _ in _MARKS)) or charset not in (None, "utf-8", "UTF-8", "utf8", "UTF8"):
        text = text_of(body, charset)
        body = text.encode(errors="surrogatepass")
    try:
        return _decode(body)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.DecodeError, ValueError):
        # Python's reader tells the place, and takes what msgspec 0.22 does not: the escape of a lone surrogate. Of bytes
        # that are no UTF-8 msgspec tells the place in their text, not in the body.
        return _read_slowly(body)


def _read_slowly(body: bytes) -> Json:
    def constant(name: str) -> NoReturn:
        raise BodyError(f"{name} is not JSON")

    def number(text: str) -> float:
        value = float(text)
        if math.isinf(value):
            raise BodyError(f"the number {text[:40]} is too large")
        return value

    def integer(text: str) -> int:
        if len(text.lstrip("-")) > INTEGER_DIGITS:
            raise BodyError(f"a number has {len(text):,} digits, at most {INTEGER_DIGITS:,} can be read")
        return int(text)

    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BodyError(f"its byte {error.start} is not UTF-8, which JSON is written in") from None
    try:
        return json.loads(text, parse_constant=constant, parse_float=number, parse_int=integer)
    except json.JSONDecodeError as error:
        message = error.msg[:1].lower() + error.msg[1:]
        raise BodyError(message, line=error.lineno, column=error.colno) from None
    except RecursionError:
        raise _too_deep() from None


def _too_deep() -> BodyError:
    return BodyError("its lists and objects nest deeper than about 1,000 levels")


def json_bytes(value: Json) -> bytes:
    """A value as JSON in UTF-8, integers exact; BodyError when something in it is not JSON."""
    try:
        body = _encode(value)
    except RecursionError:
        raise _too_deep() from None
    except UnicodeEncodeError:
        # A lone surrogate cannot be UTF-8; JSON's own escape keeps it. msgspec has no such mode.
        try:
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        except ValueError as error:
            raise BodyError(_not_json(value) or str(error)) from None
        return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()
    except (TypeError, ValueError, OverflowError) as error:
        raise BodyError(_not_json(value) or str(error)) from None
    # msgspec writes NaN and Infinity as null: only a body with a null in it has to be looked through.
    if b"null" in body and (fault := _not_json(value)):
        raise BodyError(fault)
    return body


def _not_json(value: Any) -> str | None:
    found = next(not_json(value), None)
    return None if found is None else f"{found[1]} is not JSON" + (f" (at {found[0]})" if found[0] else "")


def not_json(value: Any) -> Iterator[tuple[str, str]]:
    """What in a value is not JSON: where (`lines[0].price`), and what (`NaN`, `a set`), in no certain order."""
    waiting: list[tuple[Any, Any, str | int | None]] = [(value, None, None)]
    # Each entry knows its parent's: the way is written out for what is wrong alone. Never by recursion.
    while waiting:
        entry = waiting.pop()
        item = entry[0]
        kind = type(item)
        if kind is dict:
            for key, inner in item.items():
                if type(key) is not str:
                    yield _way(entry), f"a key that is no text ({key!r})"
                else:
                    waiting.append((inner, entry, key))
        elif kind in (list, tuple):
            waiting.extend((inner, entry, place) for place, inner in enumerate(item))
        elif kind is float:
            if not math.isfinite(item):
                yield _way(entry), {math.inf: "Infinity", -math.inf: "-Infinity"}.get(item, "NaN")
        elif kind is int:
            if not -_TOO_LONG < item < _TOO_LONG:
                yield _way(entry), f"a number of more than {INTEGER_DIGITS:,} digits"
        elif not (item is None or kind is str or kind is bool):
            yield _way(entry), _TYPES.get(kind.__name__, f"a value of type {kind.__name__}")


def _way(entry: tuple[Any, Any, str | int | None]) -> str:
    from flowstudio.components.paths import written

    keys: list[str | int] = []
    here: Any = entry
    while here is not None and here[1] is not None:
        keys.append(here[2])
        here = here[1]
    return written(keys[::-1])


def form_of(body: bytes, charset: str | None = None) -> dict[str, Json]:
    """The fields of a form; a name that comes several times becomes a list."""
    try:
        pairs = parse_qsl(
            body.decode("ascii", errors="replace").strip(),
            keep_blank_values=True,
            encoding=charset or "utf-8",
            max_num_fields=100_000,
        )
    except (LookupError, ValueError):
        raise BodyError("it cannot be read as the fields of a form") from None
    return _gathered(pairs)


def _gathered(pairs: list[tuple[str, Any]]) -> dict[str, Json]:
    fields: dict[str, Json] = {}
    several: set[str] = set()
    for name, value in pairs:
        if name in several:
            fields[name].append(value)
        elif name in fields:
            several.add(name)
            fields[name] = [fields[name], value]
        else:
            fields[name] = value
    return fields


def form_bytes(value: Json) -> bytes:
    """An object as the fields of a form: lists repeat their name, null is left out."""
    try:
        return urlencode(list(_fields(value, "form"))).encode()
    except UnicodeEncodeError:
        raise _half_a_character() from None


def _fields(value: Json, what: str) -> Iterator[tuple[str, str]]:
    if value is None:
        return
    if not isinstance(value, dict):
        raise BodyError(f"a {what} is made of an object, field by field")
    for name, held in value.items():
        for element in held if isinstance(held, list) else [held]:
            if isinstance(element, (dict, list)):
                raise BodyError(
                    f"the field {name!r} is {'a list in a list' if isinstance(element, list) else 'an object'}, and a {what} has texts alone"
                )
            if element is not None:
                yield name, scalar_text(element)


def scalar_text(value: Json) -> str:
    """A text as it is, a number or truth value as JSON writes it."""
    return value if isinstance(value, str) else json_bytes(value).decode()


def utf8(text: str) -> bytes:
    """Text in UTF-8; BodyError for a lone surrogate, which has no such form."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise _half_a_character() from None


def _half_a_character() -> BodyError:
    return BodyError("half of a character (a lone surrogate) is in it, which cannot be sent as text")


def binary_of(body: bytes, content_type: str = "", filename: str | None = None) -> dict[str, Json]:
    """Bytes as the JSON value that stands for them."""
    value: dict[str, Json] = {
        "base64": base64.b64encode(body).decode(),
        "content_type": content_type or "application/octet-stream",
        "size": len(body),
    }
    return {**value, "filename": filename} if filename is not None else value


def is_binary(value: Json) -> bool:
    """Whether a value stands for bytes."""
    return isinstance(value, dict) and isinstance(value.get("base64"), str) and "size" in value


def bytes_of(value: Json) -> bytes:
    """The bytes that a binary value stands for; BodyError when it stands for none."""
    encoded = value.get("base64") if isinstance(value, dict) else None
    if not isinstance(encoded, str):
        raise BodyError('binary content is an object {"base64": "...", "content_type": "..."}')
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise BodyError("the text at base64 is not Base64") from None


def multipart_of(body: bytes, boundary: str) -> dict[str, Json]:
    """The fields of a multipart form; a file is a binary value with its `filename`."""
    # RFC 2046: each part follows a line `--BOUNDARY`, the last one is closed by `--BOUNDARY--`.
    delimiter = b"\r\n--" + boundary.encode("latin-1", errors="replace")
    pieces = (b"\r\n" + body).split(delimiter)
    if not boundary or len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise BodyError("its parts do not begin and end as its boundary says")
    pairs: list[tuple[str, Json]] = []
    for piece in pieces[1:-1]:
        _, _, part = piece.partition(b"\r\n")
        if part.startswith(b"\r\n"):
            head, content = b"", part[2:]
        else:
            head, blank, content = part.partition(b"\r\n\r\n")
            if not blank:
                raise BodyError("a part has no blank line after its headers")
        headers = _part_headers(head)
        disposition = MediaType.parse(headers.get("content-disposition"))
        name = disposition.parameters.get("name")
        if name is None:
            raise BodyError("a part does not say which field it is")
        media = MediaType.parse(headers.get("content-type"))
        filename = disposition.parameters.get("filename")
        if filename is not None or media.name not in ("", "text/plain"):
            pairs.append((name, binary_of(content, headers.get("content-type", ""), filename)))
        else:
            pairs.append((name, text_of(content, media.charset)))
    return _gathered(pairs)


def _part_headers(head: bytes) -> dict[str, str]:
    headers = {}
    for line in text_of(head).split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return headers


def multipart_bytes(value: Json) -> tuple[bytes, str]:
    """An object as a multipart form, and its boundary. A binary value is a file, everything else text.

    The boundary is made of the content, so that the same value always gives the same bytes.
    """
    parts = []
    if value is not None and not isinstance(value, dict):
        raise BodyError("a multipart form is made of an object, field by field")
    for name, held in (value or {}).items():
        for element in held if isinstance(held, list) else [held]:
            if element is None:
                continue
            head = f'Content-Disposition: form-data; name="{_quoted(name)}"'
            if isinstance(element, dict) and "base64" in element:
                content = bytes_of(element)
                filename = element.get("filename")
                media = element.get("content_type")
                head += f'; filename="{_quoted(filename if isinstance(filename, str) else name)}"'
                head += (
                    f"\r\nContent-Type: {_one_line(media) if isinstance(media, str) else 'application/octet-stream'}"
                )
            elif isinstance(element, (dict, list)):
                content = json_bytes(element)
                head += "\r\nContent-Type: application/json"
            else:
                content = utf8(scalar_text(element))
            parts.append(utf8(head) + b"\r\n\r\n" + content)
    boundary = hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]
    lines = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    return lines + b"--" + boundary.encode() + b"--\r\n", boundary


def _quoted(text: str) -> str:
    # As browsers write the names of a form (WHATWG, multipart/form-data encoding algorithm).
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _one_line(text: str) -> str:
    return " ".join(text.split())
