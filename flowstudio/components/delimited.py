"""Delimited text: rows of fields in pieces of text and back, as RFC 4180 has it, with any delimiter and quote."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from flowstudio.sdk import Fault, StepError

if TYPE_CHECKING:
    import _csv

DELIMITERS: Final = (",", ";", "\t", "|")
"""Those that are tried when nobody says which it is; the first of equals counts."""

ROW_LIMIT: Final = 64 * 1024 * 1024
"""Characters of one row: beyond that a quotation mark is missing, or this is no delimited text."""

_NO_DELIMITER: Final = "\x1f"
"""The unit separator stands for "there is none": a file of one column may have any other character in its values."""

_SAMPLE: Final = 64 * 1024
_HINT: Final = re.compile(r"sep=([^\w\s\"]|\t)\r?\n?", re.IGNORECASE)
_NAMES: Final = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "space": " "}

# The limit belongs to the whole process, and 131,072 characters are less than a product description may have. Not
# sys.maxsize: where a C long has 32 bits that overflows.
csv.field_size_limit(2**31 - 1)


def character(written: str) -> str:
    """The delimiter that a config writes, also by its name: `tab`, `\\t`, `semicolon`."""
    return _NAMES.get(written.strip().lower(), written) if len(written) > 1 else written


def character_fault(field: str, written: object, quote: object = "") -> Fault | None:
    """What is wrong with a delimiter in a config."""
    if not isinstance(written, str) or "{{" in written:
        return None
    delimiter = character(written)
    remedy = "use one character such as , or ; or write tab, space, pipe"
    if len(delimiter) != 1:
        return Fault(field, f"{written!r} is no delimiter", "a single character parts the fields", remedy)
    if delimiter in "\r\n" or delimiter == quote or "\ud800" <= delimiter <= "\udfff":
        why = "it is the quotation mark" if delimiter == quote else "it ends rows"
        return Fault(field, f"{written!r} cannot part fields", why, remedy)
    return None


def checked(fault: Fault | None) -> None:
    """Raises what is wrong with a config that a variable filled in as StepError."""
    if fault is not None:
        raise StepError(f"{fault.field}: {fault.what}, {fault.why}; {fault.remedy}", type="Config", retryable=False)


def lines(pieces: Iterable[str]) -> Iterator[str]:
    """The lines in pieces of text that are cut anywhere, each with its line break (`\\n`, `\\r\\n` or `\\r`)."""
    waiting: list[str] = []
    size = 0
    for piece in pieces:
        if waiting and waiting[-1].endswith("\r") and piece:
            # Half of a line break, or a whole one: the next piece tells.
            if piece.startswith("\n"):
                waiting.append("\n")
                piece = piece[1:]
            yield from io.StringIO("".join(waiting), newline="")
            waiting, size = [], 0
        end = max(piece.rfind("\n"), piece.rfind("\r", 0, -1)) + 1
        if end:
            waiting.append(piece[:end])
            yield from io.StringIO("".join(waiting), newline="")
            waiting, size = [], 0
        if end < len(piece):
            waiting.append(piece[end:])
            size += len(piece) - end
        if size > ROW_LIMIT:
            raise _row_too_long()
    if waiting:
        yield from io.StringIO("".join(waiting), newline="")


def _row_too_long() -> StepError:
    return StepError(
        f"A row has more than {ROW_LIMIT // (1024 * 1024)} MB; a quotation mark may be missing, or this is no "
        "delimited text: look at it, or set Quote to what it is quoted with",
        type="Csv",
        retryable=False,
    )


def guessed(text_lines: Iterator[str], quote: str) -> tuple[str, Iterator[str]]:
    """The delimiter by the first rows, and all lines again; a line `sep=;`, as Excel writes it, says it and is left out.

    Counts, for each delimiter that the first row has, how many rows have as many fields as the first. A first row in
    which none stands is that of a single column.
    """
    sample: list[str] = []
    size = 0
    whole = True
    for line in text_lines:
        sample.append(line)
        size += len(line)
        if size >= _SAMPLE:
            whole = False
            break
    if sample and (hint := _HINT.fullmatch(sample[0])):
        return hint[1], _again(["\n", *sample[1:]], text_lines)
    best, score = _NO_DELIMITER, (0.0, 0)
    for delimiter in DELIMITERS:
        rows = [row for row in _lenient(sample, delimiter, quote) if row]
        if not whole and len(rows) > 1:
            rows.pop()  # it may be cut
        if not rows or len(rows[0]) < 2:
            continue
        alike = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
        if (alike, len(rows[0])) > score:
            best, score = delimiter, (alike, len(rows[0]))
    return best, _again(sample, text_lines)


def _again(sample: list[str], rest: Iterator[str]) -> Iterator[str]:
    yield from sample
    yield from rest


def _lenient(sample: list[str], delimiter: str, quote: str) -> Iterator[list[str]]:
    try:
        yield from _reader(sample, delimiter, quote, strict=False)
    except csv.Error:
        return  # what is wrong is said when it is read in earnest


def _reader(source: Iterable[str], delimiter: str, quote: str, *, strict: bool) -> _csv.Reader:
    if quote:
        return csv.reader(source, delimiter=delimiter, quotechar=quote, strict=strict)
    return csv.reader(source, delimiter=delimiter, quoting=csv.QUOTE_NONE, quotechar=None, strict=strict)


def rows(text_lines: Iterable[str], delimiter: str, quote: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not empty, with the number of the line, from 1, on which it ends.

    `skipped` lines stood before. StepError names the line on which the text stops to be delimited as it is said to be.
    """
    taken = 0

    def counted() -> Iterator[str]:
        nonlocal taken
        for line in text_lines:
            taken += len(line)
            if taken > ROW_LIMIT:
                raise _row_too_long()
            yield line

    reader = _reader(counted(), delimiter, quote, strict=True)
    begun = 1
    try:
        for row in reader:
            taken = 0
            if row:
                yield reader.line_num + skipped, row
            begun = reader.line_num + 1
    except csv.Error as error:
        line = begun + skipped
        raise StepError(_told(str(error), line, quote), type="Csv", data={"line": line}, retryable=False) from None


def _told(message: str, line: int, quote: str) -> str:
    if "unexpected end" in message:
        return (
            f"Line {line:,}: a quotation begins with {quote} and does not end; close it, or change Quote "
            "if this text is not quoted"
        )
    if "expected after" in message:
        return (
            f"Line {line:,}: text follows the closing {quote} of a field; write a {quote} inside a field twice, "
            "or change Quote if this text is not quoted"
        )
    return f"Line {line:,} cannot be read: {message}; correct it, or look at Delimiter and Quote"


class RowWriter:
    """Writes rows as text, one call a row."""

    def __init__(self, delimiter: str, line_end: str) -> None:
        self._text = ""
        self._cut = 2 - len(line_end) if line_end == "\n" else 0
        plain = {"delimiter": delimiter, "quotechar": '"', "lineterminator": "\r\n"}
        self._plain = csv.writer(self, quoting=csv.QUOTE_MINIMAL, **plain)  # type: ignore[arg-type]
        self._quoted = csv.writer(self, quoting=csv.QUOTE_ALL, **plain)  # type: ignore[arg-type]
        self._first = True

    def write(self, text: str) -> None:
        """Takes a row from the writer."""
        # Always asked for with \r\n: only then Python 3.11 quotes a lone carriage return in a field.
        self._text = text

    def row(self, fields: list[str]) -> str:
        """A row as text, with its line break."""
        # What begins the text is read as a byte order mark or as Excel's hint unless it is quoted.
        odd = self._first and fields and (fields[0][:1] == "\ufeff" or _HINT.match(fields[0]))
        self._first = False
        (self._quoted if odd else self._plain).writerow(fields)
        return self._text if not self._cut else self._text[:-2] + "\n"
