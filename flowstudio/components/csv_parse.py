"""The component `csv-parse`: makes a list of rows of delimited text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, Final, Literal

from flowstudio.components import piecewise
from flowstudio.components.bodies import BodyError, bytes_of, is_binary
from flowstudio.components.charsets import decoded, encoding_fault
from flowstudio.components.delimited import character, character_fault, checked, guessed, lines, rows
from flowstudio.components.paths import kind_of
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
    setting,
)

Json = Any

_PIECE: Final = 256 * 1024


class CsvParse(Component):
    """Makes a list of rows of delimited text: CSV, or with semicolons, tabs or anything else between the fields.

    Values stay the text that they are: 007 keeps its zeros, 1.50 its last digit, a number of any length its digits. An
    empty field is an empty text. White space is kept. Empty lines are left out, line breaks inside quotation marks are
    kept as they are.

    The names in the first row become the keys. A name that comes again gets a number (`price`, `price_2`), a column
    without a name is called by its place (`column_3`). Without a header each row is a list of texts, or an object if
    names are given. Text without any row is an empty list.

    `auto` takes the delimiter by which most of the first rows have as many fields as the first one, out of comma,
    semicolon, tab and pipe. If none of them stands in the first row, the text has a single column. A first line `sep=;`,
    as Excel writes it, says the delimiter.

    A row with more or fewer fields than the header fails the step, with the number of its line: most often a delimiter
    inside a value was not quoted, and the values would come under wrong names. With `keep` a short row has only the keys
    of its fields, and the fields beyond the last name get keys by their place (`column_4`).

    From a file that is read piece by piece the rows come piece by piece as well, whatever its size, as long as the next
    step reads them so (split). A row has at most 64 MB.
    """

    key = "csv-parse"
    title = "Parse CSV"
    description = "Makes a list of rows of CSV or other delimited text."
    category = Category.TRANSFORM
    icon = "table"
    aliases = (
        "csv",
        "tsv",
        "from csv",
        "read csv",
        "extract from file",
        "spreadsheet",
        "delimited",
        "unmarshal",
        "excel",
    )

    class Config(Settings):
        """How the text is written."""

        delimiter: str = setting(
            "auto",
            title="Delimiter",
            description="What stands between two fields: one character, or tab, semicolon, pipe, space. auto finds it.",
            min_length=1,
        )
        header: bool = setting(
            True,
            title="Header",
            description="Whether the first row holds the names of the columns. If not, rows are lists of texts.",
        )
        columns: list[str] = setting(
            title="Column names",
            description="Names for the columns, in order: for text without a header, or instead of the names in it.",
            default_factory=list,
        )
        encoding: str = setting(
            "utf-8",
            title="Encoding",
            description="What bytes are written in: utf-8, windows-1252, utf-16 and the like. A byte order mark is "
            "taken off. Payloads that are text already are not concerned.",
            min_length=1,
        )
        quote: str = setting(
            '"',
            title="Quote",
            description="The character around fields that hold delimiters or line breaks; twice, it stands for itself. "
            "Empty if nothing is quoted.",
            max_length=1,
            advanced=True,
        )
        skip: int = setting(
            0, title="Skip lines", description="So many lines at the top are no part of the table.", ge=0, advanced=True
        )
        uneven: Literal["fail", "keep"] = setting(
            "fail",
            title="Uneven rows",
            description="What happens with a row that has more or fewer fields than there are columns: the step fails, "
            "or the row is kept as it is.",
            advanced=True,
        )

    examples = (
        Example(
            "A header and two rows; values stay text",
            {},
            payload='sku,name,price\n007,"Tee, large",5.50\n008,Cap,3\n',
            output=[
                {"sku": "007", "name": "Tee, large", "price": "5.50"},
                {"sku": "008", "name": "Cap", "price": "3"},
            ],
        ),
        Example(
            "The delimiter is found",
            {},
            payload="name;amount\nAda;1,50\n",
            output=[{"name": "Ada", "amount": "1,50"}],
        ),
        Example(
            "Without a header, rows are lists",
            {"header": False, "delimiter": "tab"},
            payload="a\t1\nb\t2",
            output=[["a", "1"], ["b", "2"]],
        ),
        Example(
            "Names that are missing or come twice",
            {},
            payload="price,price,\n1,2,3\n",
            output=[{"price": "1", "price_2": "2", "column_3": "3"}],
        ),
        Example(
            "Uneven rows, kept",
            {"uneven": "keep", "header": False, "columns": ["a", "b"], "delimiter": ","},
            payload="1\n1,2,3\n",
            output=[{"a": "1"}, {"a": "1", "b": "2", "column_3": "3"}],
        ),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """`Delimiter found, with a header`."""
        delimiter = config.get("delimiter")
        told = "Any delimiter" if delimiter in ("auto", None) or not isinstance(delimiter, str) else repr(delimiter)
        columns = config.get("columns")
        if isinstance(columns, list) and columns:
            return f"{told}, {len(columns)} columns" if len(columns) > 1 else f"{told}, 1 column"
        return f"{told}, without header" if config.get("header") is False else f"{told}, with header"

    @classmethod
    def check(cls, config: Mapping[str, Json]) -> Iterable[Fault]:
        """Delimiter, quote and encoding are such; no column has the name of another."""
        yield from filter(None, _faults(config["delimiter"], config["quote"], config["encoding"]))
        columns = config["columns"]
        seen: set[Json] = set()
        for place, name in enumerate(columns if isinstance(columns, list) else ()):
            if name in seen:
                yield Fault(
                    f"columns.{place}", f"two columns are named {name!r}", "one would hide the other", "rename one"
                )
            seen.add(name)

    @classmethod
    def reads_streams(cls, config: Mapping[str, Json]) -> bool:
        """Always: text and bytes of any size."""
        return True

    @classmethod
    def reopened(cls, options: Mapping[str, Json], over: Stream | None) -> Stream:
        """The rows of a stream, once more."""
        assert over is not None
        return _stream(cls.Config(**options), over)

    def run(self, config: Config, payload: Json, context: Context) -> Json:
        """The rows, or a stream of them where a stream came in."""
        for fault in _faults(config.delimiter, config.quote, config.encoding):
            checked(fault)
        if isinstance(payload, Stream):
            return _stream(config, payload)
        if isinstance(payload, str):
            return list(_rows(config, [payload.removeprefix("\ufeff")]))
        if is_binary(payload):
            try:
                body = bytes_of(payload)
            except BodyError as error:
                raise StepError(
                    f"The payload cannot be read: {error}; put out its bytes, or text", type="Csv", retryable=False
                ) from None
            return list(_rows(config, decoded(_cut(body), config.encoding, "The payload")))
        raise StepError(
            f"The payload is {kind_of(payload)}, and CSV is text; put the text before this step, such as with a map",
            type="NotText",
            retryable=False,
        )


def _faults(delimiter: Json, quote: Json, encoding: Json) -> Iterator[Fault | None]:
    if delimiter != "auto":
        yield character_fault("delimiter", delimiter, quote)
    if isinstance(quote, str) and len(quote) == 1 and quote in "\r\n \t":
        yield Fault("quote", f"{quote!r} cannot quote", "it is white space", "use \" or ', or leave it empty")
    yield encoding_fault("encoding", encoding)


def _cut(body: bytes) -> Iterator[bytes]:
    """Bytes in pieces, so that text and bytes are not both held whole."""
    for start in range(0, len(body), _PIECE):
        yield body[start : start + _PIECE]


def _stream(config: CsvParse.Config, over: Stream) -> Stream:
    if over.kind == "items":
        raise StepError(
            "The payload is a list of rows already; take this step out, or wire it behind the text",
            type="NotText",
            retryable=False,
        )

    def reading() -> Iterator[Json]:
        with piecewise.reading(over) as pieces:
            text = decoded(pieces, config.encoding, "The text") if over.kind == "bytes" else _without_mark(pieces)
            yield from _rows(config, text)

    options = config.model_dump(mode="json")
    return Stream("items", StreamSource("csv-parse@1", options, over.source), reading)


def _without_mark(pieces: Iterable[str]) -> Iterator[str]:
    first = True
    for piece in pieces:
        if first and piece:
            piece, first = piece.removeprefix("\ufeff"), False
        yield piece


def _rows(config: CsvParse.Config, text: Iterable[str]) -> Iterator[Json]:
    """The rows of a text; what is wrong with it is said when the row is asked for."""
    found = lines(text)
    for _ in islice(found, config.skip):
        pass
    if config.delimiter == "auto":
        delimiter, found = guessed(found, config.quote)
    else:
        delimiter = character(config.delimiter)
    table = rows(found, delimiter, config.quote, config.skip)
    names = list(config.columns)
    first = next(table, None)
    if first is None:
        return
    if config.header:
        names = _distinct(names or first[1])
    else:
        table = chain([first], table)
        if not names:
            if config.uneven == "keep":
                yield from (row for _, row in table)
            else:
                yield from _even(table, len(first[1]))
            return
    count = len(names)
    for line, row in table:
        if len(row) == count:
            yield dict(zip(names, row, strict=True))
        elif config.uneven == "keep":
            yield dict(zip(_named(names, len(row)), row, strict=True))
        else:
            raise _uneven(line, len(row), count)


def _even(table: Iterable[tuple[int, list[str]]], count: int) -> Iterator[list[str]]:
    for line, row in table:
        if len(row) != count:
            raise _uneven(line, len(row), count)
        yield row


def _uneven(line: int, fields: int, columns: int) -> StepError:
    return StepError(
        f"The row on line {line:,} has {fields:,} {'field' if fields == 1 else 'fields'}, and there are {columns:,} "
        f"{'column' if columns == 1 else 'columns'}; correct the row (a delimiter inside a value is quoted), look at "
        "Delimiter, or set Uneven rows to keep",
        type="UnevenRow",
        data={"line": line, "fields": fields, "columns": columns},
        retryable=False,
    )


def _distinct(header: list[str]) -> list[str]:
    """Names that tell the columns apart; a name stays with the column that has it first."""
    taken = {name for name in header if name}
    seen: set[str] = set()
    numbers: dict[str, int] = {}
    names = []
    for place, name in enumerate(header, 1):
        if not name:
            name = _free("column", place, taken)
        elif name in seen:
            # From where the last one ended: a header of one name a million times is no work.
            free, numbers[name] = _numbered(name, numbers.get(name, 2), taken)
            name = free
        taken.add(name)
        seen.add(name)
        names.append(name)
    return names


def _free(stem: str, number: int, taken: set[str]) -> str:
    """A name with this number, or with the next one that makes it new."""
    return _numbered(stem, number, taken)[0]


def _numbered(stem: str, number: int, taken: set[str]) -> tuple[str, int]:
    while (name := f"{stem}_{number}") in taken:
        number += 1
    return name, number + 1


def _named(names: list[str], count: int) -> list[str]:
    """Names for so many fields: the first ones, or all and more by their places."""
    more = list(names[:count])
    taken = set(names)
    for place in range(len(names) + 1, count + 1):
        more.append(_free("column", place, taken))
        taken.add(more[-1])
    return more
