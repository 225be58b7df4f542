"""Flows, layouts and samples come from files and go there without loss; what is wrong is named whole."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.errors import EditRefusedError, FileError, StoreError
from flowstudio.flow.arrange import arrange
from flowstudio.flow.edits import AddStep, Move, RemoveStep, SetConfig, SetStep
from flowstudio.flow.files import (
    flow_from_document,
    layout_from_document,
    layout_path,
    read_flow,
    read_json,
    read_sample,
    sample_path,
    sample_paths,
    save_flow,
    write_atomically,
)
from flowstudio.flow.jsonvalue import decode
from flowstudio.flow.model import ABSENT, Flow, Layout, canonical_bytes
from flowstudio.resources import resource
from tests.builders import flow
from tests.flow.strategies import bare, edits_of, flows, json_values

SMALL = {"format": "flowstudio/flow@1", "id": "f", "name": "F", "steps": {"a": {"component": "map@1"}}}


def problems_of(document: object) -> list[str]:
    with pytest.raises(FileError) as refused:
        flow_from_document(document, "f.flow.json")
    assert all(problem.file == "f.flow.json" for problem in refused.value.problems)
    return [str(problem) for problem in refused.value.problems]


def written(folder: Path, document: object, name: str = "f.flow.json") -> Path:
    path = folder / name
    path.write_bytes(document if isinstance(document, bytes) else canonical_bytes(document))
    return path


def test_the_example_is_canonical():
    data = resource("examples", "customer-sync.flow.json").read_bytes()
    assert data == (json.dumps(json.loads(data), ensure_ascii=False, indent=2) + "\n").encode()
    assert canonical_bytes(flow_from_document(json.loads(data)).to_document()) == data


def test_known_keys_come_in_order_and_unknown_ones_after_them():
    document = {
        "x-later": {"deep": [1]},
        "groups": {"g": {"colour": "red", "steps": ["b"], "title": "G"}},
        "notes": {"n": {"colour": "red", "text": "N"}},
        "wires": ["b -> a"],
        "steps": {
            "b": {"x-step": 1, "note": "n", "disabled": True, "timeout": 1.5, "retry": {}, "config": {"z": 1, "a": 2}, "name": "B", "component": "map@1"},
            "a": {"component": "map@1"},
        },
        "connections": {"c": {"x": 1, "required": True, "hint": "h", "title": "C", "type": "bearer"}},
        "variables": {"v": {"x": 1, "options": [1], "default": None, "required": False, "hint": "h", "title": "V", "type": "url"}},
        "redact": ["a"], "label": "L", "description": "D", "name": "F", "id": "f", "format": "flowstudio/flow@1",
    }  # fmt: skip
    after = flow_from_document(document).to_document()
    assert after == document
    assert list(after) == [*list(document)[::-1][:-1], "x-later"]
    assert list(after["steps"]["b"]) == [
        "component",
        "name",
        "config",
        "retry",
        "timeout",
        "disabled",
        "note",
        "x-step",
    ]
    assert list(after["steps"]) == ["b", "a"]
    assert list(after["steps"]["b"]["config"]) == ["z", "a"]
    assert list(after["variables"]["v"]) == ["type", "title", "hint", "required", "default", "options", "x"]
    assert list(after["connections"]["c"]) == ["type", "title", "hint", "required", "x"]
    assert list(after["groups"]["g"]) == ["title", "steps", "colour"]
    assert list(after["notes"]["n"]) == ["text", "colour"]


@given(flows())
@pytest.mark.slow
def test_a_flow_is_its_document_and_back(drawn):
    again = flow_from_document(decode(canonical_bytes(drawn.to_document())))
    assert again == bare(drawn)
    assert canonical_bytes(again.to_document()) == canonical_bytes(drawn.to_document())
    layout = layout_from_document(decode(canonical_bytes(drawn.layout.to_document())))
    assert layout == drawn.layout


def test_every_fault_of_a_file_is_named_with_its_path():
    document = {
        **SMALL,
        "id": "",
        "name": 7,
        "label": ["x"],
        "redact": "iban",
        "steps": {
            "Bad Id": {"component": "map@1"},
            "b": {"name": "no component"},
            "c": {"component": 3, "config": [], "retry": 3, "timeout": "soon", "disabled": "yes"},
            "d": None,
        },
        "wires": ["a -> b", "a b", 4],
        "variables": {"v": {}, "w": {"type": "url", "required": 1}, " ": {"type": "url"}},
        "connections": [],
        "notes": {"n": {}},
        "groups": {"g": {"title": "G", "steps": [1]}},
    }
    told = problems_of(document)
    for fault in (
        "id is an empty text",
        "name is the number 7",
        "label is a list",
        'redact is the text "iban"',
        'steps holds a step with the id "Bad Id"',
        "steps.b.component is missing",
        "steps.c.component is the number 3",
        "steps.c.config is a list",
        "steps.c.retry is the number 3",
        'steps.c.timeout is the text "soon"',
        'steps.c.disabled is the text "yes"',
        "steps.d is null",
        'wires[1] is the text "a b"',
        "wires[2] is the number 4",
        "variables.v.type is missing",
        "variables.w.required is the number 1",
        "variables holds an entry without a name",
        "connections is a list",
        "notes.n.text is missing",
        "groups.g.steps[0] is the number 1",
    ):
        assert any(fault in line for line in told), fault
    assert len(told) == 20
    assert all(", " in line for line in told)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], ["not a flow", "a list"]),
        (None, ["not a flow", "null"]),
        ({}, ["not a flow", 'has no "format"', "flowstudio/flow@1"]),
        ({"format": 3}, ["not a flow", "its format is the number 3"]),
        ({"format": "flowstudio/flow@0"}, ["not a flow"]),
        ({"format": "flowstudio/layout@1"}, ["not a flow", "its format is flowstudio/layout@1"]),
        ({"format": "flowstudio/flow@2"}, ["newer FlowStudio", "flowstudio/flow@2", "update FlowStudio"]),
        ({"format": "flowstudio/flow@31"}, ["newer FlowStudio"]),
    ],
)
def test_what_is_no_flow_of_this_version_is_called_that(document, words):
    (told,) = problems_of(document)
    for word in words:
        assert word in told


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", ["empty"]),
        (b" \n", ["empty"]),
        (b"{", ["not JSON", "line 1, column 2"]),
        (b'{\n  "a": 1,\n  b\n}', ["not JSON", "line 3, column 3"]),
        (b"{} {}", ["not JSON", "extra data"]),
        (b'{"a": NaN}', ["NaN is not JSON", "null"]),
        (b"[Infinity]", ["Infinity is not JSON"]),
        (b"[-Infinity]", ["-Infinity is not JSON"]),
        (b"[1e999]", ["1e999 is too large", "as a text"]),
        (b"[" + b"9" * 5000 + b"]", ["5,000 digits", "as a text"]),
        (b'{"a": "\xff"}', ["not UTF-8", "byte 7", "0xff"]),
        ("{}".encode("utf-16"), ["UTF-16", "save it as UTF-8"]),
        (b"[" * 100_000, ["deeper than 500 levels"]),
        (b'{"a":' * 100_000, ["deeper than 500 levels"]),
        (b"[" * 501 + b"]" * 501, ["deeper than 500 levels"]),
    ],
)
def test_bytes_that_are_no_json_are_refused_with_the_place(tmp_path, data, words):
    for read in (read_json, read_flow):
        with pytest.raises(FileError) as refused:
            read(written(tmp_path, data))
        (problem,) = refused.value.problems
        assert problem.file == str(tmp_path / "f.flow.json")
        for word in words:
            assert word in str(problem)


def test_a_key_that_stands_twice_is_refused_with_its_path(tmp_path):
    text = canonical_bytes(SMALL).replace(
        b'"map@1"', b'"map@1", "config": {"x": [{"k": 1, "k": 2, "k": 3}]}, "name": 1, "name": 2'
    )
    with pytest.raises(FileError) as refused:
        read_flow(written(tmp_path, text))
    assert [problem.path for problem in refused.value.problems] == [
        ("steps", "a", "name"),
        ("steps", "a", "config", "x", 0, "k"),
    ]
    with pytest.raises(FileError, match="not a flow"):
        read_flow(written(tmp_path, b'{"a": 1, "a": 2}'))


def test_a_byte_order_mark_is_read_over_and_kept_until_something_changes(tmp_path):
    data = b"\xef\xbb\xbf" + canonical_bytes(SMALL)
    file = read_flow(written(tmp_path, data))
    assert save_flow(file, file.flow).flow_bytes == data
    changed = save_flow(file, SetStep("a", "name", "A").apply(file.flow))
    assert changed.flow_bytes == canonical_bytes(changed.flow.to_document())


def test_big_integers_lone_surrogates_and_odd_texts_survive(tmp_path):
    config = {
        "big": 10**4299,
        "below": -(2**64) - 1,
        "float": 1.0,
        "text": "\ud800 \x00 \u2028 \U0001f600",
        "\udc00": [None],
    }
    document = {**SMALL, "steps": {"a": {"component": "map@1", "config": config}}}
    file = read_flow(written(tmp_path, document))
    assert file.flow.steps["a"].config == config
    saved = save_flow(file, SetStep("a", "name", "A").apply(file.flow))
    assert read_flow(saved.path).flow.steps["a"].config == config


def test_what_was_not_changed_is_written_back_as_it_was(tmp_path):
    data = b'{"steps": {"a": {"component": "map@1", "config": {}}}, "wires": [],\r\n "name":"F", "id":"f","format":"flowstudio/flow@1"}'
    layout = b'{"steps": {"a": [24.0, 48]}, "format": "flowstudio/layout@1"}'
    path = written(tmp_path, data)
    written(tmp_path, layout, "f.layout.json")
    file = read_flow(path)
    copy = save_flow(file, file.flow, tmp_path / "copy.flow.json")
    assert copy.path.read_bytes() == data
    assert layout_path(copy.path).read_bytes() == layout
    there_and_back = SetStep("a", "name", None).apply(SetStep("a", "name", "x").apply(file.flow))
    save_flow(file, there_and_back)
    assert (path.read_bytes(), layout_path(path).read_bytes()) == (data, layout)
    save_flow(file, SetStep("a", "name", "x").apply(file.flow))
    assert path.read_bytes() == canonical_bytes({**SMALL, "steps": {"a": {"component": "map@1", "name": "x"}}})
    assert layout_path(path).read_bytes() == layout


def test_moving_a_step_changes_no_byte_of_the_flow_file(tmp_path):
    path = written(tmp_path, json.dumps(SMALL).encode())
    file = read_flow(path)
    before = path.read_bytes(), path.stat().st_mtime_ns
    saved = save_flow(file, Move({"a": (24, -48.5)}).apply(file.flow))
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert json.loads(layout_path(path).read_bytes()) == {"format": "flowstudio/layout@1", "steps": {"a": [24, -48.5]}}
    assert read_flow(path).flow.layout == saved.flow.layout


def test_without_a_layout_file_the_flow_is_arranged_and_none_is_made(tmp_path):
    drawn = flow("hook -> map -> http ! alert")
    path = written(tmp_path, drawn.to_document())
    file = read_flow(path)
    assert file.flow.layout == arrange(drawn)
    assert file.layout_bytes is None
    save_flow(file, SetStep("map", "name", "Shape").apply(file.flow))
    assert not layout_path(path).exists()


def test_what_a_layout_file_lacks_is_added_and_what_nobody_knows_is_kept(tmp_path):
    drawn = flow("hook -> map -> http ! alert")
    path = written(tmp_path, drawn.to_document())
    places = {"hook": [0, 600], "gone": [1, 2]}
    written(
        tmp_path,
        {"format": "flowstudio/layout@1", "steps": places, "notes": {"n": [1, 2, 3, 4]}, "x": 1},
        "f.layout.json",
    )
    file = read_flow(path)
    assert set(file.flow.layout.steps) == {"hook", "map", "http", "alert", "gone"}
    assert file.flow.layout.steps["map"] == (296, 600)
    saved = json.loads(save_flow(file, Move({"map": (0, 0)}).apply(file.flow)).layout_bytes or b"")
    assert saved["steps"]["gone"] == [1, 2]
    assert saved["notes"] == {"n": [1, 2, 3, 4]}
    assert saved["x"] == 1


def test_nobody_looks_at_a_flow_that_only_runs(tmp_path):
    path = written(tmp_path, SMALL)
    written(tmp_path, b"broken", "f.layout.json")
    assert read_flow(path, arranged=False).flow.layout == Layout()


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({"format": "flowstudio/flow@1"}, "not a layout"),
        ({"format": "flowstudio/layout@2"}, "newer FlowStudio"),
        ({"format": "flowstudio/layout@1", "steps": []}, "steps is a list"),
        ({"format": "flowstudio/layout@1", "steps": {"a": [1, 2, 3]}}, "steps.a is a list"),
        ({"format": "flowstudio/layout@1", "steps": {"a": [1, "2"]}}, "[x, y]"),
        ({"format": "flowstudio/layout@1", "groups": {"g": [1, 2, 3, 10**400]}}, "[x, y, width, height]"),
        ({"format": "flowstudio/layout@1", "notes": {"n": [True, 2, 3, 4]}}, "notes.n"),
    ],
)
def test_a_layout_that_is_none_is_refused(tmp_path, document, fault):
    path = written(tmp_path, SMALL)
    written(tmp_path, document, "f.layout.json")
    with pytest.raises(FileError) as refused:
        read_flow(path)
    assert fault in str(refused.value)
    assert refused.value.problems[0].file == str(layout_path(path))


def test_a_file_that_cannot_be_read_says_why(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        read_flow(tmp_path / "nowhere.flow.json")
    with pytest.raises(FileError, match="a folder, not a file"):
        read_flow(tmp_path)
    with pytest.raises(FileError, match="cannot be read"):
        read_flow("nul\x00byte.flow.json")


@given(st.binary(max_size=60))
def test_random_bytes_are_json_or_refused(data):
    try:
        value = decode(data, "f")
    except FileError:
        return
    assert canonical_bytes(decode(canonical_bytes(value))) == canonical_bytes(value)


@given(json_values)
def test_any_json_in_any_place_is_a_flow_or_refused(value):
    for key in ("id", "name", "label", "redact", "variables", "connections", "steps", "wires", "notes", "groups"):
        parts = {"component": "x@1", "type": "text", "text": "", "title": "", "steps": []}
        inner = [
            {**parts, part: value} for part in ("component", "type", "timeout", "retry", "disabled", "steps", "title")
        ]
        for document in ({**SMALL, key: part} for part in (value, {"x": value}, *({"x": part} for part in inner))):
            try:
                made = flow_from_document(document)
            except FileError:
                continue
            assert flow_from_document(made.to_document()) == made


@given(st.data())
def test_mutated_flow_files_are_flows_or_refused(data):
    content = bytearray(canonical_bytes(data.draw(flows()).to_document()))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 4))] = data.draw(
            st.sampled_from([b"", b'"', b"{", b"[", b",", b"\xff", b"0", b"null"])
        )
    try:
        made = flow_from_document(decode(bytes(content), "f"), "f")
    except FileError:
        return
    assert flow_from_document(decode(canonical_bytes(made.to_document()))) == made


@given(st.data())
@pytest.mark.slow
def test_read_edit_save_read_is_exact(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("files") / "x.flow.json"
    saved = save_flow(None, data.draw(flows()), path)
    file = read_flow(path)
    assert bare(file.flow) == bare(saved.flow)
    try:
        changed = data.draw(edits_of(file.flow)).apply(file.flow)
    except EditRefusedError:
        return
    file = save_flow(file, changed)
    again = read_flow(path)
    assert canonical_bytes(again.flow.to_document()) == canonical_bytes(changed.to_document())
    assert {**again.flow.layout.steps, **changed.layout.steps} == again.flow.layout.steps
    assert (file.flow_bytes, file.layout_bytes) == (again.flow_bytes, again.layout_bytes)


def test_a_new_flow_gets_a_layout_file_once_something_was_moved(tmp_path):
    drawn = flow("hook -> map")
    save_flow(None, drawn.with_layout(arrange(drawn)), tmp_path / "a.flow.json")
    save_flow(None, Move({"map": (0, 96)}).apply(drawn.with_layout(arrange(drawn))), tmp_path / "b.flow.json")
    assert sorted(os.listdir(tmp_path)) == ["a.flow.json", "b.flow.json", "b.layout.json"]


def test_an_added_or_removed_step_is_written(tmp_path):
    file = save_flow(None, flow("hook -> map"), tmp_path / "a.flow.json")
    file = save_flow(file, AddStep("log", "log@1").apply(file.flow))
    file = save_flow(file, RemoveStep("map").apply(file.flow))
    file = save_flow(file, SetConfig("log", ("message",), "x").apply(file.flow))
    again = read_flow(file.path).flow
    assert list(again.steps) == ["hook", "log"]
    assert again.steps["log"].config == {"message": "x"}


def test_saving_keeps_permissions_and_follows_links(tmp_path):
    real = written(tmp_path, b"old", "real.json")
    real.chmod(0o640)
    link = tmp_path / "link.json"
    link.symlink_to("real.json")
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path)) == ["link.json", "real.json"]


def test_a_new_file_has_the_usual_permissions(tmp_path):
    write_atomically(tmp_path / "new.json", b"x")
    (tmp_path / "usual").write_bytes(b"x")
    assert (tmp_path / "new.json").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path, monkeypatch):
    path = written(tmp_path, b"old", "a.json")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"a.json could not be saved: no space left on device; put that right"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_place_that_cannot_be_written_says_why(tmp_path):
    with pytest.raises(StoreError, match="it is a folder"):
        write_atomically(tmp_path, b"x")
    with pytest.raises(StoreError, match="no such file or directory"):
        write_atomically(tmp_path / "nowhere" / "a.json", b"x")
    with pytest.raises(StoreError, match=r"null (byte|character)"):
        write_atomically(f"{tmp_path}/a\x00b", b"x")


def test_a_write_protected_file_is_not_replaced(tmp_path, monkeypatch):
    path = written(tmp_path, b"old", "a.json")
    path.chmod(0o444)
    if os.access(path, os.W_OK):  # root may write everything: then the system's answer is played
        monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StoreError, match="write-protected"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"


def test_the_files_beside_a_flow_are_named_after_it():
    assert layout_path("x/a.flow.json") == Path("x/a.layout.json")
    assert layout_path("x/a.json") == Path("x/a.layout.json")
    assert sample_path("x/a.flow.json") == Path("x/a.sample.json")
    assert sample_path("x/a.flow.json", "hook", "big") == Path("x/a.hook.big.sample.json")
    assert sample_path("x/a.flow.json", label="big") == Path("x/a.big.sample.json")


def test_samples_are_found_by_trigger_and_label(tmp_path):
    path = written(tmp_path, SMALL)
    names = (
        "f.sample",
        "f.big.sample",
        "f.hook.sample",
        "f.hook.zero.sample",
        "f.other.sample",
        "ff.sample",
        "f[x].sample",
    )
    for name in names:
        written(tmp_path, {"name": name}, f"{name}.json")
    found = {None: [p.name.removesuffix(".sample.json") for p in sample_paths(path)]}
    for trigger in ("hook", "clock"):
        found[trigger] = [p.name.removesuffix(".sample.json") for p in sample_paths(path, trigger, ("hook", "other"))]
    assert found == {
        None: ["f", "f.big", "f.hook", "f.other", "f.hook.zero"],
        "hook": ["f.hook", "f.hook.zero"],
        "clock": ["f", "f.big"],
    }
    assert read_sample(path) == {"name": "f.sample"}
    assert read_sample(path, "hook") == {"name": "f.hook.sample"}
    assert read_sample(path, "clock") == {"name": "f.sample"}
    assert sample_paths(tmp_path / "nowhere" / "f.flow.json") == []


def test_a_flow_without_a_sample_has_none_and_null_is_one(tmp_path):
    path = written(tmp_path, SMALL)
    written(tmp_path, {"x": 1}, "f.big.sample.json")
    assert read_sample(path) is ABSENT
    written(tmp_path, None, "f.sample.json")
    assert read_sample(path) is None
    written(tmp_path, b'{"a": 1, "a": 2}', "f.sample.json")
    assert read_sample(path) == {"a": 2}
    written(tmp_path, b"{", "f.sample.json")
    with pytest.raises(FileError, match="not JSON"):
        read_sample(path)


def test_the_hash_ignores_layout_and_samples_alone():
    drawn = flow("start -> map", start={"sample": {"a": 1}, "other": 1})
    same = SetConfig("start", ("sample",), 2).apply(Move({"map": (1, 2)}).apply(drawn))
    assert drawn.content_hash() == same.content_hash()
    assert drawn.content_hash() != SetConfig("start", ("other",), 2).apply(drawn).content_hash()
    assert Flow("f", "F").content_hash() != Flow("f", "G").content_hash()
