"""The component `csv-write`: writes a list of rows as CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Literal

from flowstudio.components import piecewise
from flowstudio.components.bodies import BodyError, json_bytes
from flowstudio.components.captions import one_line
from flowstudio.components.delimited import RowWriter, character, character_fault, checked
from flowstudio.components.paths import kind_of
from flowstudio.expressions.language import compile_expression
from flowstudio.sdk import (
    MISSING,
    Category,
    Component,
    Context,
    Example,
    ExpressionError,
    Fault,
    Settings,
    StepError,
    Stream,
    StreamSource,
    setting,
)

Json = Any

_LINE_ENDS: Final = {"crlf": "\r\n", "lf": "\n"}
_JOINED: Final = 64 * 1024


class Column(Settings):
    """A column that is not just the field of its name."""

    name: str = setting(title="Name", description="The column's name in the header.", min_length=1)
    value: str = setting(title="Value", description="An expression over the row, such as qty * price.", min_length=1)


class CsvWrite(Component):
    """Writes a list of rows as CSV, and puts out the text.

    A row is an object, or a list of values in the order of the columns. An object alone is one row, null and an empty
    list are none. Without columns those of all rows are written, in the order in which they first appear; a field that
    a row does not have is empty.

    Texts are written as they are, numbers exactly, true and false as words, null and nothing as an empty field, objects
    and lists as JSON. Fields with a delimiter, a quotation mark or a line break in them are quoted. A field that is only
    an empty text and one that is null look the same; NaN fails the step. A text that
    begins with = is written as it is, and spreadsheets take it for a formula.

    Rows that come piece by piece leave piece by piece, whatever their number; without columns they are read twice.
    Columns with expressions read them whole.
    """

    key = "csv-write"
    title = "Write CSV"
    description = "Writes a list of rows as CSV or other delimited text."
    category = Category.TRANSFORM
    icon = "table"
    aliases = ("csv", "tsv", "to csv", "convert to file", "export", "spreadsheet", "delimited", "marshal", "report")

    class Config(Settings):
        """Which columns, and how they are written."""

        columns: list[str | Column] = setting(
            title="Columns",
            description='The columns in order: the name of a field, or {"name": …, "value": …} with an expression over '
            "the row. Empty: every field of every row, in order of first appearance.",
            default_factory=list,
            widget="columns",
        )
        delimiter: str = setting(
            ",",
            title="Delimiter",
            description="What stands between two fields: one character, or tab, semicolon, pipe, space.",
            min_length=1,
        )
        header: bool = setting(True, title="Header", description="Whether the first row holds the columns' names.")
        line_end: Literal["crlf", "lf"] = setting(
            "crlf",
            title="Line ends",
            description="How rows end: crlf as RFC 4180 has it and Excel writes it, or lf as on Unix.",
            advanced=True,
        )

    examples = (
        Example(
            "Every field of every row; a list is written as JSON",
            {"line_end": "lf"},
            payload=[{"sku": "007", "price": 5.5}, {"sku": "008", "tags": ["new", "red"]}],
            output='sku,price,tags\n007,5.5,\n008,,"[""new"",""red""]"\n',
        ),
        Example(
            "Chosen columns, one of them computed",
            {
                "columns": ["number", {"name": "total", "value": "qty * price"}],
                "delimiter": ";",
                "line_end": "lf",
            },
            payload=[{"number": 1, "qty": 2, "price": 4}],
            output="number;total\n1;8\n",
        ),
        Example(
            "Rows as lists, without a header",
            {"header": False},
            payload=[["a", 'say "hi"'], [True, None]],
            output='a,"say ""hi"""\r\ntrue,\r\n',
        ),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """The columns."""
        columns = config.get("columns")
        names = [_name(column) for column in columns] if isinstance(columns, list) else []
        return one_line(", ".join(name for name in names if name)) or "Every column"

    @classmethod
    def check(cls, config: Mapping[str, Json]) -> Iterable[Fault]:
        """The delimiter is one; columns have names of their own, and expressions that compile."""
        yield from filter(None, [character_fault("delimiter", config["delimiter"], '"')])
        columns = config["columns"]
        seen: set[Json] = set()
        for place, column in enumerate(columns if isinstance(columns, list) else ()):
            name = _name(column)
            if name in seen:
                yield Fault(f"columns.{place}", f"two columns are named {name!r}", "one hides the other", "rename one")
            seen.add(name)
            if isinstance(column, Mapping):
                try:
                    compile_expression(column["value"])
                except ExpressionError as error:
                    span = None if error.position is None else (error.position, error.position + 1)
                    remedy = error.remedy or "correct the expression"
                    yield Fault(f"columns.{place}.value", "Value does not compile", error.message, remedy, span)

    @classmethod
    def reads_streams(cls, config: Mapping[str, Json]) -> bool:
        """Rows of any number, unless an expression needs more than the row: what it reads is not kept with a stream."""
        columns = config.get("columns")
        return not isinstance(columns, list) or not any(isinstance(column, Mapping) for column in columns)

    @classmethod
    def reopened(cls, options: Mapping[str, Json], over: Stream | None) -> Stream:
        """The text made of a stream of rows, once more."""
        assert over is not None
        return _stream(cls.Config(**options), over)

    def run(self, config: Config, payload: Json, context: Context) -> Json:
        """The text, or a stream of it where a stream of rows came in."""
        checked(character_fault("delimiter", config.delimiter, '"'))
        if isinstance(payload, Stream):
            return _stream(config, payload)
        table = _table(payload)
        return "".join(_written(config, lambda: table, context))


def _name(column: Json) -> str:
    if isinstance(column, Column):
        return column.name
    name = column.get("name") if isinstance(column, Mapping) else column
    return name if isinstance(name, str) else ""


def _table(payload: Json) -> list[Json]:
    if payload is None:
        return []
    if isinstance(payload, dict):
        return [payload]
    if isinstance(payload, list):
        return payload
    raise StepError(
        f"The payload is {kind_of(payload)}, and CSV is written of a list of objects; make one with a map before this step",
        type="NoRows",
        retryable=False,
    )


def _stream(config: CsvWrite.Config, over: Stream) -> Stream:
    if over.kind != "items":
        raise StepError(
            "The payload is text, and CSV is written of rows; put a step before this one that makes rows of it",
            type="NoRows",
            retryable=False,
        )

    def reading() -> Iterator[str]:
        block: list[str] = []
        size = 0
        for text in _written(config, lambda: _items(over), None):
            block.append(text)
            size += len(text)
            if size >= _JOINED:
                yield "".join(block)
                block, size = [], 0
        if block:
            yield "".join(block)

    options = config.model_dump(mode="json")
    return Stream("text", StreamSource("csv-write@1", options, over.source), reading)


def _items(over: Stream) -> Iterator[Json]:
    with piecewise.reading(over) as pieces:
        yield from pieces


def _written(config: CsvWrite.Config, table: Callable[[], Iterable[Json]], context: Context | None) -> Iterator[str]:
    """The lines of the text; `table` gives the rows as often as it is called."""
    writer = RowWriter(character(config.delimiter), _LINE_ENDS[config.line_end])
    columns = config.columns
    names = [_name(column) for column in columns] or _union(table())
    if config.header and names:
        yield writer.row(names)
    values = [_reader(column, context) for column in columns or names]
    for place, row in enumerate(table()):
        if isinstance(row, dict):
            if not names:
                raise StepError(
                    f"Row {place + 1:,} has no field, so there is no column to write; name the columns",
                    type="NoColumns",
                    retryable=False,
                )
            found = [read(row) for read in values]
        elif isinstance(row, list):
            found = _listed(row, place, len(names))
        else:
            raise StepError(
                f"Row {place + 1:,} is {kind_of(row)}; rows are objects, or lists of values",
                type="NoRows",
                retryable=False,
            )
        yield writer.row(
            [value if type(value) is str else _field(value, place, names, column) for column, value in enumerate(found)]
        )


def _union(table: Iterable[Json]) -> list[str]:
    names: dict[str, None] = {}
    for row in table:
        if isinstance(row, dict):
            names.update(dict.fromkeys(row))
    return list(names)


def _listed(row: list[Json], place: int, columns: int) -> list[Json]:
    if columns and len(row) != columns:
        raise StepError(
            f"Row {place + 1:,} has {len(row):,} values, and there are {columns:,} columns; correct the row or Columns",
            type="UnevenRow",
            retryable=False,
        )
    if not row:
        raise StepError(
            f"Row {place + 1:,} has no value, and an empty line is no row; take it out",
            type="NoColumns",
            retryable=False,
        )
    return row


def _reader(column: str | Column, context: Context | None) -> Callable[[dict[str, Json]], Json]:
    if isinstance(column, str):
        return lambda row: row.get(column)
    expression = compile_expression(column.value)
    assert context is not None, "a column with an expression belongs to a visit"
    names, clock = context.names(), context.clock

    def value(row: dict[str, Json]) -> Json:
        try:
            return expression.evaluate(row, names, clock)
        except ExpressionError as error:
            raise StepError(
                f"Column {column.name!r}: {error.message}",
                type="Expression",
                data={"code": error.code, "position": error.position, "field": "columns"},
            ) from error

    return value


def _field(value: Json, place: int, names: list[str], column: int) -> str:
    """A value as the text of a field."""
    if isinstance(value, str):
        return value
    if value is None or value is MISSING:
        return ""
    try:
        return json_bytes(value).decode()
    except BodyError as error:
        where = f", column {names[column]!r}" if names else ""
        raise StepError(
            f"Row {place + 1:,}{where}: {error.reason}; change it before this step", type="NotJson", retryable=False
        ) from None
