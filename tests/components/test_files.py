"""`file-read` and `file-write`: what is read and written, what stops them, and that no file stays open or half."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.components.bodies import binary_of
from flowstudio.components.file_read import FileRead
from flowstudio.components.file_write import FileWrite
from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.runner import Result, run_flow
from flowstudio.errors import StepError
from flowstudio.plan.compile import compile_flow
from flowstudio.plan.settings import compile_config
from flowstudio.sdk import Stream, StreamSource
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import derive
from tests.builders import flow
from tests.conformance.configs import json_values
from tests.conformance.stage import StageContext, act

Json = Any


class Stage(StageContext):
    """A stage in a folder of the test's own, which keeps the effects that were asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.__dict__["folder"] = folder
        self.effects: list[tuple[str, Json, Json]] = []

    async def effect(self, kind: str, request: Json, perform: Callable[[], Awaitable[Json]]) -> Json:
        answer = await perform()
        self.effects.append((kind, request, answer))
        return answer


def work(component: Any, folder: Path, payload: Json = None, **config: Json) -> Json:
    """What a component gives, a stream as it is."""
    return asyncio.run(act(component, config, payload, Stage(folder)))


def read(folder: Path, payload: Json = None, **config: Json) -> Json:
    """What `file-read` puts out, taken whole."""
    result = work(FileRead, folder, payload, **config)
    return result.whole() if isinstance(result, Stream) else result


def write(folder: Path, payload: Json = None, **config: Json) -> Json:
    """What `file-write` puts out."""
    return work(FileWrite, folder, payload, **config)


def refusal(done: Any, kind: str) -> str:
    """The message with which something fails, of this type."""
    with pytest.raises(StepError) as refused:
        done()
    assert refused.value.type == kind, refused.value.message
    assert ";" in refused.value.message
    return refused.value.message


def open_files() -> list[str]:
    """The regular files that this process has open."""
    found = []
    for handle in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(handle)
        except OSError:
            continue  # the handle that lists them
        if target.startswith("/") and os.path.isfile(target):
            found.append(target)
    return found


@pytest.mark.parametrize(
    ("body", "config", "value"),
    [
        (b"", {}, ""),
        (b"a\r\nb\n", {}, "a\r\nb\n"),
        (b"\xef\xbb\xbfa", {}, "a"),
        ("ä€".encode("windows-1252"), {"encoding": "windows-1252"}, "ä€"),
        ("\ufeffä".encode("utf-16-le"), {"encoding": "utf-16"}, "ä"),
        (b'{"a": [1, 36893488147419103232]}', {"format": "json"}, {"a": [1, 2**65]}),
        (b'{"n": 9007199254740993, "n": 9223372036854775808}', {"format": "json"}, {"n": 2**63}),
        (b'"\\ud800"', {"format": "json"}, "\ud800"),
        (b"\xef\xbb\xbf[1]", {"format": "json"}, [1]),
        ('["ä"]'.encode("latin-1"), {"format": "json", "encoding": "latin-1"}, ["ä"]),
        (b"\xff\x00", {"format": "binary"}, {**binary_of(b"\xff\x00", "text/csv"), "filename": "f.csv"}),
    ],
)
def test_what_a_file_is_read_as(tmp_path: Path, body: bytes, config: dict[str, Json], value: Json) -> None:
    (tmp_path / "f.csv").write_bytes(body)
    assert read(tmp_path, path="f.csv", **config) == value
    assert read(Path("/"), path=str(tmp_path / "f.csv"), **config) == value
    assert read(tmp_path, {"n": "f"}, path="{{ n }}.csv", **config) == value


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    assert "flow's folder" in refusal(lambda: read(tmp_path, path="nowhere.csv"), "NoSuchFile")
    refusal(lambda: read(tmp_path, path="."), "IsAFolder")
    refusal(lambda: read(tmp_path, path="file/x"), "NoSuchFolder")
    refusal(lambda: read(tmp_path, path="pipe"), "NotAFile")
    refusal(lambda: read(tmp_path, path="/dev/zero"), "NotAFile")
    refusal(lambda: read(tmp_path, path="x" * 5000), "File")
    refusal(lambda: read(tmp_path, {"p": "a\0b"}, path="{{ p }}"), "Path")
    refusal(lambda: read(tmp_path, {"p": " "}, path="{{ p }}"), "Path")


def test_permissions_that_forbid_reading_and_writing_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever runs as root may read everything: the system's refusal is put in place of its answer.
    (tmp_path / "file").write_text("x")

    def forbidden(*args: Any, **more: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    monkeypatch.setattr(os, "access", lambda *args: False)
    assert "permissions" in refusal(lambda: read(tmp_path, path="file"), "NoPermission")
    for mode in ("append", "create", "replace"):
        assert "permissions" in refusal(lambda mode=mode: write(tmp_path, "y", path="file", mode=mode), "NoPermission")
    monkeypatch.undo()
    assert (tmp_path / "file").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "line 1"),
        (b"[NaN]", "NaN"),
        (b"[1e999]", "too large"),
        (b"\xff", "byte 0"),
        (b"[" * 100_000, "nest"),
        (b"1" * 5_000, "digits"),
    ],
)
def test_what_is_no_json_is_told(tmp_path: Path, body: bytes, told: str) -> None:
    (tmp_path / "f").write_bytes(body)
    assert told in refusal(lambda: read(tmp_path, path="f", format="json"), "Json")


def test_a_text_that_is_not_in_its_encoding_names_the_byte(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 300_000 + b"\xe4")
    message = refusal(lambda: read(tmp_path, path="f"), "Encoding")
    assert "byte 300,000" in message
    assert "Encoding" in message


def streamed(folder: Path, **config: Json) -> Stream:
    """The text of a file, piece by piece."""
    result = work(FileRead, folder, **config)
    assert isinstance(result, Stream)
    assert result.kind == "text"
    return result


def test_a_file_that_was_changed_meanwhile_is_not_mixed(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("x" * 600_000)
    text = streamed(tmp_path, path="f")
    reading = text.read()
    next(reading)
    file.write_text("y" * 500_000)
    refusal(lambda: list(reading), "FileChanged")
    refusal(lambda: list(text.read()), "FileChanged")
    file.unlink()
    refusal(lambda: list(text.read()), "NoSuchFile")
    assert str(file) not in open_files()


def test_a_text_is_read_again_and_opened_again(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("abc")
    text = streamed(tmp_path, path="f")
    assert text.whole() == text.whole() == "abc"
    described = StreamSource.from_json(text.source.to_json())
    assert FileRead.reopened(described.options, None).whole() == "abc"


def test_a_file_is_closed_when_only_half_of_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("x" * 1_000_000)
    reading = streamed(tmp_path, path="f").read()
    next(reading)
    assert str(file) in open_files()
    reading.close()  # type: ignore[attr-defined]
    assert str(file) not in open_files()


def run(folder: Path, drawn: str, payload: Json = None, **configs: dict[str, Json]) -> Result:
    """One run of a flow whose files lie in the folder."""
    registry = Registry.from_entry_points()
    plan = compile_flow(flow(drawn, **configs), registry)

    async def work() -> Result:
        bound = BoundPlan(plan, Values(folder=folder), registry)
        try:
            return await run_flow(bound, None, payload)
        finally:
            await bound.close()

    return asyncio.run(work())


@pytest.mark.slow
def test_a_table_goes_through_a_flow_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f'{number},"a\n{number}"\n' for number in range(60_000))
    (tmp_path / "in.csv").write_text("id,text\n" + rows, newline="")

    def forbidden(*args: Any) -> Any:
        raise AssertionError("a stream was taken whole")

    monkeypatch.setattr(Stream, "whole", forbidden)
    result = run(
        tmp_path,
        "start=manual -> read=file-read -> parse=csv-parse -> put=csv-write -> out=file-write",
        read={"path": "in.csv"},
        put={"line_end": "lf"},
        out={"path": "out.csv"},
    )
    assert result.error is None
    assert [output.payload for output in result.outputs] == [{"path": "out.csv", "bytes": len(rows) + 8}]
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "in.csv").read_bytes()
    assert not [name for name in open_files() if name.startswith(str(tmp_path))]


def test_a_split_reads_rows_as_it_needs_them(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id\n" + "".join(f"{number}\n" for number in range(200_000)))
    result = run(
        tmp_path,
        "start=manual -> read=file-read -> parse=csv-parse -> each=split -> keep=filter -> all=aggregate",
        read={"path": "in.csv"},
        each={"limit": 3},
        keep={"condition": 'id != "1"'},
    )
    assert result.error is None
    assert [output.payload for output in result.outputs] == [[{"id": "0"}, {"id": "2"}]]
    assert not [name for name in open_files() if name.startswith(str(tmp_path))]


@pytest.mark.slow
def test_a_row_that_is_wrong_fails_the_run_and_closes_the_file(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("a,b\n1,2\n3\n" + "4,5\n" * 200_000)
    result = run(
        tmp_path,
        "start=manual -> read=file-read -> parse=csv-parse -> each=split -> same=map -> all=aggregate",
        read={"path": "in.csv"},
    )
    assert result.error is not None
    assert result.error.type == "UnevenRow"
    assert not [name for name in open_files() if name.startswith(str(tmp_path))]


def test_any_other_step_gets_the_text_whole(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("abc")
    result = run(
        tmp_path, "start=manual -> read=file-read -> same=map", read={"path": "f"}, same={"expression": '$ & "d"'}
    )
    assert [output.payload for output in result.outputs] == ["abcd"]


@pytest.mark.parametrize(
    ("payload", "config", "body"),
    [
        ("a\r\nä", {}, "a\r\nä".encode()),
        ("ä", {"encoding": "utf-8-sig"}, "\ufeffä".encode()),
        ("ä", {"encoding": "latin-1", "newline": True}, b"\xe4\n"),
        ({"a": [2**53 + 1, 2**63, 2**70]}, {}, f'{{"a":[{2**53 + 1},{2**63},{2**70}]}}'.encode()),
        (["\ud800", 1.0], {"encoding": "latin-1"}, b'["\\ud800",1.0]'),
        (None, {}, b"null"),
        ({"a": "x"}, {"content": "a"}, b"x"),
        ({}, {"content": "nowhere"}, b""),
        (binary_of(b"\xff\x00"), {}, b"\xff\x00"),
    ],
)
def test_what_is_written(tmp_path: Path, payload: Json, config: dict[str, Json], body: bytes) -> None:
    assert write(tmp_path, payload, path="out", **config) == {"path": "out", "bytes": len(body)}
    assert (tmp_path / "out").read_bytes() == body


def test_the_modes_replace_append_and_create(tmp_path: Path) -> None:
    for text in ("a", "b"):
        write(tmp_path, text, path="r")
        write(tmp_path, text, path="p", mode="append", newline=True)
    assert (tmp_path / "r").read_text() == "b"
    assert (tmp_path / "p").read_text() == "a\nb\n"
    write(tmp_path, "a", path="c", mode="create")
    assert "there already" in refusal(lambda: write(tmp_path, "b", path="c", mode="create"), "FileExists")
    assert (tmp_path / "c").read_text() == "a"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "p", "r"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_stands_at_the_beginning_alone(tmp_path: Path, encoding: str) -> None:
    for text in ("a", "ä"):
        write(tmp_path, text, path="f", mode="append", encoding=encoding, newline=True)
    write(tmp_path, pieces("text", "b", "c"), path="f", mode="append", encoding=encoding)
    assert (tmp_path / "f").read_bytes() == "a\nä\nbc".encode(encoding)


def test_replacing_keeps_permissions_and_links(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "link").symlink_to("real")
    write(tmp_path, "new", path="link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o640


def test_folders_are_made_when_asked(tmp_path: Path) -> None:
    assert "Make folders" in refusal(lambda: write(tmp_path, "x", path="a/b/c"), "NoSuchFolder")
    assert not (tmp_path / "a").exists()
    write(tmp_path, "x", path="a/b/c", folders=True)
    write(tmp_path, "y", path="a/b/d", folders=True, mode="create")
    assert (tmp_path / "a/b/c").read_text() == "x"
    refusal(lambda: write(tmp_path, "x", path="a/b/c/d", folders=True), "NoSuchFolder")
    refusal(lambda: write(tmp_path, "x", path="a/b"), "IsAFolder")
    os.mkfifo(tmp_path / "pipe")
    for mode in ("replace", "append"):
        refusal(lambda mode=mode: write(tmp_path, "x", path="pipe", mode=mode), "File")


@pytest.mark.parametrize(
    ("payload", "config", "kind"),
    [
        ("\ud800", {}, "Encoding"),
        ("€", {"encoding": "latin-1"}, "Encoding"),
        ([float("nan")], {}, "NotJson"),
        ({"base64": "!", "size": 1}, {}, "NotJson"),
        ([10**5000], {}, "NotJson"),
    ],
)
def test_what_cannot_be_written_leaves_the_file(
    tmp_path: Path, payload: Json, config: dict[str, Json], kind: str
) -> None:
    (tmp_path / "f").write_text("old")
    refusal(lambda: write(tmp_path, payload, path="f", **config), kind)
    assert (tmp_path / "f").read_text() == "old"


def pieces(kind: Any, *values: Json) -> Stream:
    """A stream of these; an exception among them is raised."""

    def reading() -> Iterator[Json]:
        for value in values:
            if isinstance(value, Exception):
                raise value
            yield value

    return Stream(kind, StreamSource("toy@1"), reading)


@pytest.mark.parametrize(
    ("stream", "config", "body"),
    [
        (pieces("text", "a", "ä"), {}, "aä".encode()),
        (pieces("text", "a", "ä"), {"encoding": "utf-16", "newline": True}, "aä\n".encode("utf-16")),
        (pieces("bytes", b"\xff", b"\x00"), {}, b"\xff\x00"),
        (pieces("items", {"a": 2**70}, "\ud800"), {}, f'[{{"a":{2**70}}},"\\ud800"]'.encode()),
        (pieces("items"), {"newline": True}, b"[]\n"),
    ],
)
def test_what_comes_piece_by_piece_is_written_so(
    tmp_path: Path, stream: Stream, config: dict[str, Json], body: bytes
) -> None:
    assert write(tmp_path, stream, path="f", **config) == {"path": "f", "bytes": len(body)}
    assert (tmp_path / "f").read_bytes() == body


@pytest.mark.parametrize("mode", ["replace", "append", "create"])
def test_a_stream_that_breaks_leaves_nothing_of_it(tmp_path: Path, mode: str) -> None:
    if mode != "create":
        (tmp_path / "f").write_text("old")
    broken = pieces("text", "x" * 100_000, StepError("it broke; mend it", type="Broken"))
    refusal(lambda: write(tmp_path, broken, path="f", mode=mode), "Broken")
    left = [(path.name, path.read_text()) for path in tmp_path.iterdir()]
    assert left == ([] if mode == "create" else [("f", "old")])


def test_only_the_payload_itself_is_written_piece_by_piece() -> None:
    assert FileWrite.reads_streams({"path": "out", "content": "$"})
    assert not FileWrite.reads_streams({"path": "out", "content": "$ & 1"})
    assert not FileWrite.reads_streams({"path": "{{ name }}", "content": "$"})


def test_writing_stops_when_the_run_is_stopped(tmp_path: Path) -> None:
    begun, ended = threading.Event(), threading.Event()

    def reading() -> Iterator[str]:
        try:
            while True:
                begun.set()
                yield "x" * 1_000
        finally:
            ended.set()

    endless = Stream("text", StreamSource("toy@1"), reading)

    async def work() -> None:
        visit = asyncio.create_task(act(FileWrite, {"path": "f"}, endless, Stage(tmp_path)))
        await asyncio.to_thread(begun.wait, 30)
        visit.cancel()
        with pytest.raises(asyncio.CancelledError):
            await visit
        assert await asyncio.to_thread(ended.wait, 30)

    asyncio.run(work())  # it waits for the thread that writes
    assert list(tmp_path.iterdir()) == []


def test_the_effect_tells_what_is_done(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    asyncio.run(act(FileWrite, {"path": "f", "mode": "append"}, "abc", stage))
    ((kind, request, answer),) = stage.effects
    assert kind == "file-write"
    assert request["path"] == "f"
    assert request["mode"] == "append"
    assert request["bytes"] == 3
    assert len(request["sha256"]) == 64
    assert answer == {"path": "f", "bytes": 3}


@pytest.mark.parametrize("component", [FileRead, FileWrite])
def test_an_encoding_that_is_none_is_named(component: Any, tmp_path: Path) -> None:
    _, problems = compile_config(derive(component), {"path": "f", "encoding": "klingon"})
    assert [problem.field for problem in problems] == ["encoding"]
    (tmp_path / "f").write_text("x")
    result = asyncio.run(_with_variable(component, tmp_path))
    assert "klingon" in result


async def _with_variable(component: Any, folder: Path) -> str:
    stage = Stage(folder)
    stage.bound = {"vars": {"e": "klingon"}}
    with pytest.raises(StepError) as refused:
        await act(component, {"path": "f", "encoding": "{{ $vars.e }}"}, "x", stage)
    return refused.value.message


@given(value=json_values | st.text())
def test_what_is_written_is_read_again(value: Json, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    write(folder, value, path="again")
    form = "text" if isinstance(value, str) else "json"
    again = read(folder, path="again", format=form)
    assert again == (value.removeprefix("\ufeff") if isinstance(value, str) else value)


@given(
    body=st.binary(max_size=40) | st.text(st.sampled_from('{}[]",:0123-+.eEtrufalsn\\ '), max_size=30).map(str.encode)
)
def test_any_bytes_are_read_or_refused(body: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "any").write_bytes(body)
    for form in ("text", "json"):
        try:
            value = read(folder, path="any", format=form)
        except StepError:
            continue
        if form == "text":
            assert value == body.decode().removeprefix("\ufeff")
        else:
            assert value == json.loads(body.decode("utf-8-sig"), parse_constant=lambda name: pytest.fail(name))
    assert read(folder, path="any", format="binary")["size"] == len(body)


def test_nothing_is_opened_that_is_not_closed(tmp_path: Path) -> None:
    before = sorted(open_files())
    (tmp_path / "f").write_text("[1]")
    for form in ("text", "json", "binary"):
        read(tmp_path, path="f", format=form)
    for mode in ("replace", "append"):
        write(tmp_path, "x", path="f", mode=mode)
    refusal(lambda: write(tmp_path, "x", path="f", mode="create"), "FileExists")
    assert sorted(open_files()) == before
