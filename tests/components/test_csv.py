"""`csv-parse` and `csv-write`: what becomes of every kind of table, in whole texts and piece by piece."""

from __future__ import annotations

import asyncio
import itertools
import json
import tracemalloc
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flowstudio.components.bodies import binary_of
from flowstudio.components.csv_parse import CsvParse
from flowstudio.components.csv_write import CsvWrite
from flowstudio.errors import StepError
from flowstudio.plan.settings import compile_config
from flowstudio.sdk import Stream, StreamSource
from flowstudio.sdk.spec import derive
from tests.conformance.configs import json_values
from tests.conformance.stage import StageContext, act, perform

Json = Any

CORPUS = Path(__file__).resolve().parents[1] / "data" / "csv"
PAIRS = sorted(CORPUS.glob("*.csv"))


def parse(text: Json, **config: Json) -> Json:
    """What `csv-parse` puts out."""
    return perform(CsvParse, config, text).payload


def write(table: Json, **config: Json) -> Json:
    """What `csv-write` puts out."""
    return perform(CsvWrite, config, table).payload


def refusal(work: Any) -> StepError:
    """The error with which something fails; it says what to do."""
    with pytest.raises(StepError) as refused:
        work()
    assert refused.value.retryable is False
    assert ";" in refused.value.message
    return refused.value


def kind_of_failure(work: Any) -> str | None:
    """The type of the error with which something fails; None where it does not."""
    try:
        work()
    except StepError as error:
        return error.type
    return None


class Source:
    """A source whose readings are counted and must be closed."""

    def __init__(self, kind: Any, pieces: Iterable[Json]) -> None:
        self.pieces = pieces
        self.opened = 0
        self.closed = 0
        self.stream = Stream(kind, StreamSource("toy@1"), self._reading)

    def _reading(self) -> Iterator[Json]:
        self.opened += 1
        try:
            yield from self.pieces
        finally:
            self.closed += 1


def streamed(component: Any, source: Source, **config: Json) -> Stream:
    """The stream that a component makes of one."""
    result = asyncio.run(act(component, config, source.stream, StageContext()))
    assert isinstance(result, Stream)
    return result


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.stem)
def test_the_corpus_means_what_it_says(path: Path) -> None:
    body = path.read_bytes()
    wanted = json.loads(path.with_suffix(".json").read_bytes())
    assert parse(body.decode()) == wanted
    assert parse(binary_of(body)) == wanted
    assert parse(write(wanted)) == wanted
    assert list(streamed(CsvParse, Source("bytes", [body[:9], body[9:]])).read()) == wanted


def test_the_corpus_is_all_there() -> None:
    assert len(PAIRS) == 6


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", []),
        ("\r\n\n\n", []),
        ("a,b", []),
        ("\ufeffa,b\n1,2", [{"a": "1", "b": "2"}]),
        ("\n\na,b\r\n\r\n1,2\r3,4\n\n", [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]),
        ("id\n007\n1.50\n1e3\n NaN \n", [{"id": "007"}, {"id": "1.50"}, {"id": "1e3"}, {"id": " NaN "}]),
        ('a,b\n"1\r\n2","say ""x"""', [{"a": "1\r\n2", "b": 'say "x"'}]),
        ('a\n""\n', [{"a": ""}]),
        ('a,b\n5" pipe,2\n', [{"a": '5" pipe', "b": "2"}]),
        ("a,b\n\0,\ud800\n", [{"a": "\0", "b": "\ud800"}]),
        ("a,b\n\u2028,\x0b\x85\n", [{"a": "\u2028", "b": "\x0b\x85"}]),
        (f"n\n{2**53 + 1}\n{2**63}\n{2**70}\n", [{"n": str(2**53 + 1)}, {"n": str(2**63)}, {"n": str(2**70)}]),
    ],
)
def test_what_rows_a_text_has(text: str, rows: Json) -> None:
    assert parse(text) == rows


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("a,a,a", ["a", "a_2", "a_3"]),
        ("a,a_2,a", ["a", "a_2", "a_3"]),
        (",,", ["column_1", "column_2", "column_3"]),
        ("column_2,,x", ["column_2", "column_3", "x"]),
        (" a,a,A", [" a", "a", "A"]),
    ],
)
def test_names_that_are_missing_or_come_twice_lose_no_column(header: str, names: list[str]) -> None:
    assert parse(f"{header}\n1,2,3") == [dict(zip(names, "123", strict=True))]


def test_a_header_of_one_name_a_hundred_thousand_times_is_no_work() -> None:
    (row,) = parse("a," * 100_000 + "a\n" + "1," * 100_000 + "1", delimiter=",")
    assert len(row) == 100_001


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a;b\n1,5;2,5\n3,5;4,5", ";"),
        ("a,b\n1;2,3;4", ","),
        ("a\tb\n1,1\t2", "\t"),
        ("a|b\n1|2\n", "|"),
        ("a;b", ";"),
        ('"a;x",b\n"1;y",2', ","),
        ('a,b\n"x;y;z;w",2\n"x;y;z;w",3', ","),
        ("sep=;\na,x;b\n1;2", ";"),
    ],
)
def test_the_delimiter_is_found(text: str, delimiter: str) -> None:
    found = parse(text)
    table = text.partition("\n")[2] if text.startswith("sep=") else text
    assert found == parse(table, delimiter=delimiter)
    if found:
        assert len(found[0]) == 2


@pytest.mark.parametrize("value", ["Hello, world; or|not\tso", "x,y", ";"])
def test_a_first_row_without_a_delimiter_is_one_column(value: str) -> None:
    assert parse(f"comment\n{value}\nplain\n") == [{"comment": value}, {"comment": "plain"}]


def test_delimiters_have_names() -> None:
    assert parse("a\tb\n1\t2", delimiter="\\t") == parse("a b\n1 2", delimiter="space") == [{"a": "1", "b": "2"}]
    assert parse("a;b\n1;2", delimiter="Semicolon") == [{"a": "1", "b": "2"}]


def test_quotes_can_be_others_or_none() -> None:
    assert parse("a,b\n'1,2',3", quote="'") == [{"a": "1,2", "b": "3"}]
    assert parse('a,b\n"1,2"', quote="") == [{"a": '"1', "b": '2"'}]


def test_lines_at_the_top_are_skipped_and_counted() -> None:
    assert parse("Report;of\n\na,b\n1,2\n", skip=2) == [{"a": "1", "b": "2"}]
    assert "line 5" in refusal(lambda: parse("Report\n\na,b\n1,2\n3", skip=2)).message


def test_without_a_header_rows_are_lists_or_have_names_given() -> None:
    assert parse("1,2\n3,4", header=False) == [["1", "2"], ["3", "4"]]
    assert parse("1,2", header=False, columns=["a", "b"]) == [{"a": "1", "b": "2"}]
    assert parse("x,y\n1,2", columns=["a", "b"]) == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize("config", [{}, {"header": False}, {"header": False, "columns": ["a", "b"]}])
@pytest.mark.parametrize("row", ["3", "3,4,5"])
def test_an_uneven_row_fails_with_its_line(config: dict[str, Json], row: str) -> None:
    error = refusal(lambda: parse(f'a,b\n"x\ny",2\n{row}\n', **config))
    assert error.type == "UnevenRow"
    assert error.data == {"line": 4, "fields": len(row.split(",")), "columns": 2}


def test_an_uneven_row_that_is_kept_loses_nothing() -> None:
    text = "a,b,column_4\n1\n1,2,3,4,5\n"
    assert parse(text, uneven="keep") == [
        {"a": "1"},
        {"a": "1", "b": "2", "column_4": "3", "column_5": "4", "column_6": "5"},
    ]
    assert parse("1\n1,2\n", uneven="keep", header=False, delimiter=",") == [["1"], ["1", "2"]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('a,b\n1,"2\n3,4\n', "Line 2: a quotation begins"),
        ('a,b\n1,2\n"3"x,4\n', 'Line 3: text follows the closing "'),
    ],
)
def test_broken_quotes_fail_with_their_line(text: str, told: str) -> None:
    assert told in refusal(lambda: parse(text)).message


@pytest.mark.parametrize("payload", [None, 5, True, [], {"a": 1}, {"base64": "!", "size": 1}])
def test_what_is_no_text_is_refused(payload: Json) -> None:
    refusal(lambda: parse(payload))


@pytest.mark.parametrize(
    ("body", "encoding", "byte"),
    [
        ("a,b\nä,1\n".encode("latin-1"), "utf-8", 4),
        (b"\xef\xbb\xbfa,b\n" + b"\xff", "utf-8", 7),
        (b"a\n" + b"x" * 300_000 + b"\xe4\n", "utf-8", 300_002),
        (b"a\n\xc3", "utf-8", 2),
        ("aä".encode("latin-1"), "ascii", 1),
    ],
)
def test_bytes_that_are_not_in_their_encoding_are_named(body: bytes, encoding: str, byte: int) -> None:
    error = refusal(lambda: parse(binary_of(body), encoding=encoding))
    assert error.data == {"byte": byte, "encoding": encoding}
    assert f"byte {byte:,}" in error.message
    assert "Encoding" in error.message
    halves = Source("bytes", [body[: byte or 1], body[byte or 1 :]])
    assert refusal(lambda: list(streamed(CsvParse, halves, encoding=encoding).read())).data == error.data


def test_other_encodings_are_read() -> None:
    for encoding in ("windows-1252", "utf-16", "utf-8-sig", "utf-16-le"):
        assert parse(binary_of("a,b\nä,€".encode(encoding)), encoding=encoding) == [{"a": "ä", "b": "€"}]


tables = st.lists(st.text(max_size=5), min_size=1, max_size=4).flatmap(
    lambda names: st.lists(st.lists(st.text(max_size=6), min_size=len(names), max_size=len(names)), max_size=5)
)


@given(text=st.text(st.sampled_from('ab,;"\r\n\t|ä'), max_size=60), cuts=st.lists(st.integers(0, 60)), data=st.data())
def test_pieces_mean_what_the_whole_means(text: str, cuts: list[int], data: st.DataObject) -> None:
    config = data.draw(st.sampled_from([{}, {"header": False, "uneven": "keep"}, {"quote": "", "uneven": "keep"}]))
    body = text.encode()

    def result(payload: Json) -> Json:
        try:
            found = perform(CsvParse, config, payload).payload
        except StepError as error:
            return error.message
        return found

    whole = result(text)
    for kind, value in (("text", text), ("bytes", body)):
        edges = [0, *sorted(cut for cut in cuts if cut < len(value)), len(value)]
        pieces = [value[start:end] for start, end in itertools.pairwise(edges)]
        source = Source(kind, pieces)
        assert result(source.stream) == whole
        assert source.opened == source.closed == 1


@given(text=st.text(max_size=200), config=st.sampled_from([{}, {"quote": "'"}, {"delimiter": "x", "uneven": "keep"}]))
def test_any_text_is_read_or_refused(text: str, config: Mapping[str, Json]) -> None:
    assert kind_of_failure(lambda: parse(text, **config)) in (None, "Csv", "UnevenRow")


@given(
    rows=st.lists(
        st.dictionaries(st.sampled_from(["a", "b;", 'c"', "d\n", "\ufeff", "sep=;"]), st.text(max_size=8), min_size=1)
    ),
    delimiter=st.sampled_from([",", ";", "\t", "|", "x"]),
    line_end=st.sampled_from(["crlf", "lf"]),
)
def test_what_is_written_is_read_again(rows: list[dict[str, str]], delimiter: str, line_end: str) -> None:
    again = parse(write(rows, delimiter=delimiter, line_end=line_end), delimiter=delimiter)
    names = list(dict.fromkeys(name for row in rows for name in row))
    assert again == [{name: row.get(name, "") for name in names} for row in rows]


@given(
    rows=st.integers(2, 4).flatmap(
        lambda n: st.lists(st.lists(st.text(max_size=8), min_size=n, max_size=n), min_size=1)
    ),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
)
def test_a_written_table_shows_its_delimiter(rows: list[list[str]], delimiter: str) -> None:
    # Values with another delimiter in them leave it open which one parts the fields: nobody could tell.
    assume(not any(character in field for row in rows for field in row for character in ",;\t|"))
    assert parse(write(rows, header=False, delimiter=delimiter), header=False) == rows


@pytest.mark.slow
def test_many_rows_need_no_memory() -> None:
    block = "".join(f'{number},"a value\r\nin two lines",{number * 7}\r\n' for number in range(2_000))
    source = Source("text", (part for _ in range(41) for part in (["id,text,n\r\n"] if _ == 0 else [block])))
    rows = streamed(CsvParse, source, delimiter=",").read()
    next(rows)
    tracemalloc.start()
    try:
        count = 1 + sum(1 for _ in rows)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 40 * 2_000
    assert peak < 1_500_000, peak


def test_a_stream_is_closed_when_only_half_of_it_is_read() -> None:
    source = Source("text", ["a,b\n1,2\n", "3,4\n"] * 50)
    rows = streamed(CsvParse, source, uneven="keep").read()
    next(rows)
    rows.close()  # type: ignore[attr-defined]
    assert source.opened == source.closed == 1


def test_a_stream_can_be_read_again_and_opened_again() -> None:
    source = Source("text", ["a;b\n", "1;2\n"])
    rows = streamed(CsvParse, source, columns=["x", "y"])
    assert list(rows.read()) == list(rows.read()) == [{"x": "1", "y": "2"}]
    described = StreamSource.from_json(json.loads(json.dumps(rows.source.to_json())))
    assert described.component == "csv-parse@1"
    assert list(CsvParse.reopened(described.options, source.stream).read()) == [{"x": "1", "y": "2"}]


def test_a_row_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowstudio.components.delimited.ROW_LIMIT", 10_000)
    endless = ('a,b\n1,"' if part == 0 else "x" * 1_000 + ("\n" * (part % 2)) for part in range(10**9))
    assert "quotation mark" in refusal(lambda: list(streamed(CsvParse, Source("text", endless)).read())).message
    wide = ("x" * 1_000 for _ in range(10**9))
    assert "quotation mark" in refusal(lambda: list(streamed(CsvParse, Source("text", wide)).read())).message


def test_rows_that_are_rows_already_are_refused() -> None:
    refusal(lambda: parse(Source("items", [{}]).stream))


def faults(component: Any, **config: Json) -> dict[str, str]:
    """Field and what is wrong with it."""
    _, problems = compile_config(derive(component), config)
    assert all(problem.why and problem.remedy for problem in problems)
    return {problem.field or "": problem.what for problem in problems}


@pytest.mark.parametrize(
    ("component", "config", "field"),
    [
        (CsvParse, {"delimiter": ",,"}, "delimiter"),
        (CsvParse, {"delimiter": '"'}, "delimiter"),
        (CsvParse, {"delimiter": "\n"}, "delimiter"),
        (CsvParse, {"quote": " "}, "quote"),
        (CsvParse, {"encoding": "klingon"}, "encoding"),
        (CsvParse, {"encoding": "base64"}, "encoding"),
        (CsvParse, {"columns": ["a", "b", "a"]}, "columns.2"),
        (CsvWrite, {"delimiter": "\r"}, "delimiter"),
        (CsvWrite, {"columns": ["a", {"name": "a", "value": "b"}]}, "columns.1"),
        (CsvWrite, {"columns": [{"name": "a", "value": "b +"}]}, "columns.0.value"),
    ],
)
def test_wrong_settings_are_named(component: Any, config: dict[str, Json], field: str) -> None:
    assert list(faults(component, **config)) == [field]


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (None, ""),
        ([], ""),
        ({"a": 1}, "a\r\n1\r\n"),
        ([{"a": 1}, {"b": 2, "a": None}], "a,b\r\n1,\r\n,2\r\n"),
        ([{"a": 2**53 + 1, "b": 2**63, "c": 2**70}], f"a,b,c\r\n{2**53 + 1},{2**63},{2**70}\r\n"),
        ([{"a": 1.0, "b": 1e300, "c": -0.0, "d": True}], "a,b,c,d\r\n1.0,1e300,-0.0,true\r\n"),
        ([{"a": {"x": [1, 2**70]}, "b": []}], f'a,b\r\n"{{""x"":[1,{2**70}]}}",[]\r\n'),
        ([{"a": "\r"}, {"a": "x\ny"}], 'a\r\n"\r"\r\n"x\ny"\r\n'),
        ([{"a": "\ud800", "b": ["\ud800"]}], 'a,b\r\n\ud800,"[""\\ud800""]"\r\n'),
    ],
)
def test_how_values_are_written(table: Json, text: str) -> None:
    assert write(table) == text


def test_columns_choose_order_and_compute() -> None:
    table = [{"a": 1, "b": [1, 2]}, {"b": []}]
    config: dict[str, Json] = {
        "columns": ["b", {"name": "sum", "value": "$sum(b) + $vars.more"}, "nowhere", "a"],
        "line_end": "lf",
    }
    text = perform(CsvWrite, config, table, vars={"more": 2**10}).payload
    assert text == 'b,sum,nowhere,a\n"[1,2]",1027,,1\n[],1024,,\n'
    assert write([], columns=["a", "b"]) == "a,b\r\n"


@pytest.mark.parametrize(
    ("table", "config", "told"),
    [
        ("text", {}, "a text"),
        ([5], {}, "Row 1 is a number"),
        ([{"a": 1}, "x"], {}, "Row 2 is a text"),
        ([{}, {}], {}, "Row 1 has no field"),
        ([[]], {}, "no value"),
        ([["a", "b"]], {"columns": ["a"]}, "2 values"),
        ([{"a": float("nan")}], {}, "column 'a': NaN"),
        ([{"a": 10**5000}], {}, "digits"),
    ],
)
def test_what_cannot_be_written_is_told(table: Json, config: dict[str, Json], told: str) -> None:
    assert told in refusal(lambda: write(table, **config)).message


def test_an_expression_that_fails_names_its_column() -> None:
    with pytest.raises(StepError, match="Column 'n'"):
        write([{"a": "x"}], columns=[{"name": "n", "value": "a - 1"}])


def test_a_value_that_nests_too_deep_is_told() -> None:
    deep: Json = []
    for _ in range(100_000):
        deep = [deep]
    assert "nest" in refusal(lambda: write([{"a": deep}])).message


def test_rows_that_come_piece_by_piece_leave_so() -> None:
    items = [{"a": 1}, {"b": "x,y"}]
    source = Source("items", items)
    text = streamed(CsvWrite, source)
    assert text.kind == "text"
    assert "".join(text.read()) == write(items)
    assert source.opened == source.closed == 2  # once for the names of the columns
    chosen = streamed(CsvWrite, source, columns=["b"])
    assert "".join(chosen.read()) == write(items, columns=["b"])
    assert "".join(CsvWrite.reopened(chosen.source.options, source.stream).read()) == write(items, columns=["b"])
    assert CsvWrite.reads_streams({"columns": ["a"]})
    assert not CsvWrite.reads_streams({"columns": [{"name": "a", "value": "$vars.x"}]})
    refusal(lambda: write(Source("text", ["a"]).stream))


@pytest.mark.slow
@given(rows=st.lists(st.dictionaries(st.text(max_size=4), json_values, max_size=4), max_size=4))
def test_any_objects_are_written_or_refused(rows: list[Json]) -> None:
    failure = kind_of_failure(lambda: write(rows))
    assert failure == ("NoColumns" if rows and not any(rows) else None)
    if rows and failure is None:
        assert len(parse(write(rows), delimiter=",")) == len(rows)
