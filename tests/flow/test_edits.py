"""Every edit applies or says why not; nothing that existed before is changed by it."""

from __future__ import annotations

import contextlib
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from flowstudio.errors import EditRefusedError, FileError
from flowstudio.flow.diff import diff
from flowstudio.flow.edits import (
    AddStep,
    AddWire,
    ClearConfig,
    Edit,
    Move,
    RemoveConnection,
    RemoveGroup,
    RemoveNote,
    RemoveStep,
    RemoveVariable,
    RemoveWire,
    RenameStep,
    SetConfig,
    SetConnection,
    SetFlow,
    SetGroup,
    SetNote,
    SetStep,
    SetVariable,
    Several,
    edit_from_document,
    touches,
)
from flowstudio.flow.jsonvalue import decode
from flowstudio.flow.model import Flow, Group, Layout, Note, Slot, Step, Variable, Wire, canonical_bytes
from tests.builders import flow
from tests.flow.strategies import edits_of, flows, json_values

DRAWN = flow("hook -> push -> log; push ! alert", push={"url": "demo://crm", "cases": [{"port": "eu"}, {"port": "us"}]})


def bytes_of(flow: Flow) -> bytes:
    return canonical_bytes([flow.to_document(), flow.layout.to_document()])


@pytest.mark.parametrize(
    ("path", "value", "config"),
    [
        (("url",), "x", {"url": "x"}),
        (("headers", "Accept"), "x", {"url": "u", "headers": {"Accept": "x"}}),
        (("cases", 0, "port"), "x", {"url": "u", "cases": [{"port": "x"}]}),
        (("cases", 1), {"port": "us"}, {"url": "u", "cases": [{"port": "eu"}, {"port": "us"}]}),
        (("items", 0, "x"), 1, {"url": "u", "items": [{"x": 1}]}),
        (("none", "type"), "basic", {"url": "u", "none": {"type": "basic"}}),
        ((), {"all": "new"}, {"all": "new"}),
    ],
)
def test_a_config_is_set_at_a_path(path, value, config):
    start = {
        "url": "u",
        **({"cases": [{"port": "eu"}]} if "cases" in path else {}),
        **({"none": None} if "none" in path else {}),
    }
    drawn = flow("hook -> push=acme@1", push=start)
    assert SetConfig("push", path, value).apply(drawn).steps["push"].config == config


def test_clearing_takes_a_key_or_an_element_away():
    assert ClearConfig("push", ("url",)).apply(DRAWN).steps["push"].config.keys() == {"method", "cases"}
    assert ClearConfig("push", ("cases", 0)).apply(DRAWN).steps["push"].config["cases"] == [{"port": "us"}]
    assert ClearConfig("push", ("cases", 1, "port")).apply(DRAWN).steps["push"].config["cases"] == [{"port": "eu"}, {}]
    assert ClearConfig("push", ()).apply(DRAWN).steps["push"].config == {}


def test_a_step_takes_its_wires_groups_and_place_along():
    drawn = SetGroup("g", Group("all", ("push", "log"))).apply(DRAWN)
    drawn = Move({"push": (24, 48), "log": (0, 0)}).apply(drawn)
    after = RemoveStep("push").apply(drawn)
    assert list(after.steps) == ["hook", "log", "alert"]
    assert after.wires == ()
    assert after.groups["g"].steps == ("log",)
    assert after.layout.steps == {"log": (0, 0)}


def test_an_id_changes_in_wires_groups_and_layout_and_keeps_every_place():
    drawn = SetGroup("g", Group("all", ("push", "log"))).apply(DRAWN)
    drawn = Move({"hook": (0, 0), "push": (24, 48)}).apply(drawn)
    after = RenameStep("push", "send").apply(drawn)
    assert list(after.steps) == ["hook", "send", "log", "alert"]
    assert [str(wire) for wire in after.wires] == ["hook -> send", "send -> log", "send:error -> alert"]
    assert after.groups["g"].steps == ("send", "log")
    assert after.layout.steps == {"hook": (0, 0), "send": (24, 48)}


def test_a_wire_goes_where_it_is_told_because_order_has_meaning():
    after = AddWire(Wire("hook", "log"), 1).apply(DRAWN)
    assert [str(wire) for wire in after.wires] == ["hook -> push", "hook -> log", "push -> log", "push:error -> alert"]


def test_null_takes_a_field_away():
    drawn = SetStep("push", "timeout", 30).apply(DRAWN)
    assert SetStep("push", "timeout", None).apply(drawn) == DRAWN
    assert SetStep("push", "disabled", None).apply(SetStep("push", "disabled", True).apply(DRAWN)) == DRAWN
    assert SetFlow("label", None).apply(SetFlow("label", "{{ id }}").apply(DRAWN)) == DRAWN
    assert SetFlow("redact", None).apply(SetFlow("redact", ["iban"]).apply(DRAWN)) == DRAWN


def test_notes_and_groups_take_their_frames_along():
    drawn = SetGroup("g", Group("all", ("push",))).apply(SetNote("n", Note("hello")).apply(DRAWN))
    drawn = Move(notes={"n": (0, 0, 240, 72)}, groups={"g": (0, 0, 240, 72)}).apply(drawn)
    assert RemoveGroup("g").apply(RemoveNote("n").apply(drawn)) == DRAWN


def test_variables_and_connections_come_and_go():
    drawn = SetConnection("crm", Slot("bearer")).apply(SetVariable("url", Variable("url")).apply(DRAWN))
    assert drawn.variables == {"url": Variable("url")}
    assert drawn.connections == {"crm": Slot("bearer")}
    assert RemoveConnection("crm").apply(RemoveVariable("url").apply(drawn)) == DRAWN


@pytest.mark.parametrize(
    ("edit", "what", "remedy"),
    [
        (SetConfig("psh", ("url",), 1), "no step psh", "did you mean push?"),
        (SetConfig("push", ("url", "x"), 1), 'config.url is the text "demo://crm"', "set config.url itself"),
        (SetConfig("push", ("cases", 3), 1), "config.cases has no place 3", "use 2 to add one"),
        (SetConfig("push", ("cases", "x"), 1), "config.cases is a list", "set config.cases itself"),
        (SetConfig("push", (0,), 1), "config is an object", "set config itself"),
        (SetConfig("push", (), [1]), "cannot be a list", "set a field of it"),
        (SetConfig("push", ("x",), float("nan")), "cannot be set to this value", "give a JSON value"),
        (SetConfig("push", ("x",), {1: 2}), "cannot be set to this value", "give a JSON value"),
        (ClearConfig("push", ("nobody",)), "config.nobody is not set", "leave this edit out"),
        (ClearConfig("push", ("cases", 7)), "config.cases[7] is not set", "leave this edit out"),
        (SetStep("push", "timeout", "soon"), "timeout of push cannot be the text", "give such a value"),
        (SetStep("push", "timeout", True), "timeout of push cannot be true", "give such a value"),
        (SetStep("push", "disabled", "no"), "disabled of push cannot be", "give such a value"),
        (SetStep("push", "nam", "x"), "no 'nam'", "did you mean name?"),
        (AddStep("push", "map@1"), "a step push already", "choose another id"),
        (AddStep("Push it", "map@1"), '"Push it" is no id', "choose another id"),
        (AddStep("new", " "), "has no component", "KEY@MAJOR"),
        (RemoveStep("nobody"), "no step nobody", "leave this edit out"),
        (RenameStep("push", "log"), "a step log already", "choose another id"),
        (RenameStep("push", "9"), '"9" is no id', "choose another id"),
        (AddWire(Wire("hook", "nobody")), "no step nobody", "leave this edit out"),
        (AddWire(Wire("hook", "push")), "hook -> push is there already", "keep the one"),
        (AddWire(Wire("hook", "log"), 9), "cannot be put at 9", "leave the index out"),
        (AddWire(Wire("hook", "log", "a -> b")), "cannot be written", "name the port otherwise"),
        (RemoveWire(Wire("hook", "log")), "no wire hook -> log", "did you mean"),
        (SetVariable(" ", Variable("url")), "a variable needs a name", "give it one"),
        (SetVariable("x", Variable("")), "x has no type", "choose one"),
        (RemoveVariable("x"), "no variable x", "leave this edit out"),
        (SetConnection("x", Slot("")), "x has no type", "choose one"),
        (RemoveConnection("x"), "no connection x", "leave this edit out"),
        (SetFlow("name", None), "name cannot be null", "give such a value"),
        (SetFlow("redact", [1]), "redact cannot be a list", "give such a value"),
        (SetFlow("title", "x"), "no 'title'", "leave this edit out"),
        (SetGroup("g", Group("x", ("nobody",))), "no step nobody", "leave this edit out"),
        (RemoveNote("n"), "no note n", "leave this edit out"),
        (RemoveGroup("g"), "no group g", "leave this edit out"),
        (Move({"nobody": (0, 0)}), "no step nobody", "leave this edit out"),
        (Move({"push": (0, 1e99)}), "push cannot be put at", "give such numbers"),
        (Move({"push": (0, float("nan"))}), "push cannot be put at", "give such numbers"),
        (Move(notes={"n": (0, 0, 0, 0)}), "no note n", "leave this edit out"),
    ],
)
def test_an_edit_that_does_not_apply_says_why_and_what_to_do(edit: Edit, what: str, remedy: str):
    with pytest.raises(EditRefusedError) as refused:
        edit.apply(DRAWN)
    problem = refused.value.problem
    assert what.lower() in problem.what.lower()
    assert problem.why
    assert remedy in problem.remedy


def test_what_would_nest_too_deep_to_be_read_again_is_refused():
    deep: object = 1
    for _ in range(490):
        deep = [deep]
    edit = SetConfig("push", ("x",), deep)
    assert decode(canonical_bytes(edit.apply(DRAWN).to_document()))
    with pytest.raises(EditRefusedError, match="deeper than 500 levels"):
        SetConfig("push", ("x", 0, 0, 0, 0, 0, 0, 0, 0), deep).apply(
            SetConfig("push", ("x",), [[[[[[[[0]]]]]]]]).apply(DRAWN)
        )


def test_a_refusal_in_several_names_the_index_of_the_edit():
    several = Several("x", (AddStep("new", "map@1"), Several("y", (RemoveStep("new"), RemoveStep("new")))))
    with pytest.raises(EditRefusedError) as refused:
        several.apply(DRAWN)
    assert refused.value.index == 1
    assert refused.value.problem.path == ("edits", 1, "edits", 1)
    assert "edits[1]" in refused.value.problem.what


@pytest.mark.parametrize(
    "document",
    [
        {"edit": "SetConfig", "step": "push", "path": ["timeout"], "value": 60},
        {"edit": "SetConfig", "step": "push", "path": ["cases", 0], "value": None},
        {"edit": "ClearConfig", "step": "push", "path": ["cases", 0, "when"]},
        {"edit": "SetStep", "step": "push", "field": "retry", "value": {"attempts": 3}},
        {"edit": "AddStep", "step": "new", "component": "map@1"},
        {"edit": "AddStep", "step": "new", "component": "map@1", "config": {"expression": "$"}, "name": "New"},
        {"edit": "RemoveStep", "step": "push"},
        {"edit": "RenameStep", "step": "push", "to": "send"},
        {"edit": "AddWire", "wire": "push:error -> alert"},
        {"edit": "AddWire", "wire": "push -> alert", "index": 0},
        {"edit": "RemoveWire", "wire": "push -> loop:next"},
        {"edit": "SetVariable", "name": "url", "value": {"type": "url", "default": None, "x-later": 1}},
        {"edit": "RemoveVariable", "name": "url"},
        {"edit": "SetConnection", "name": "crm", "value": {"type": "bearer", "required": False}},
        {"edit": "RemoveConnection", "name": "crm"},
        {"edit": "SetFlow", "field": "redact", "value": ["customer.iban"]},
        {"edit": "SetNote", "name": "n1", "value": {"text": "Only paying customers"}},
        {"edit": "SetGroup", "name": "g1", "value": {"title": "All", "steps": ["push"]}},
        {"edit": "RemoveNote", "name": "n1"},
        {"edit": "RemoveGroup", "name": "g1"},
        {"edit": "Move", "steps": {"push": [24, 48.5]}, "notes": {"n1": [0, 0, 240, 72]}},
        {"edit": "Several", "title": "Insert", "edits": [{"edit": "RemoveStep", "step": "push"}]},
    ],
)
def test_an_edit_is_json_and_back(document):
    edit = edit_from_document(json.loads(json.dumps(document)))
    assert edit.to_document() == document
    assert edit.title


def test_several_edits_need_no_title():
    assert edit_from_document({"edit": "Several", "edits": []}) == Several("several changes", ())


@pytest.mark.parametrize(
    ("document", "faults"),
    [
        (7, ["an edit is an object"]),
        ({}, ["edit is missing"]),
        ({"edit": "SetConfg"}, ["did you mean SetConfig?"]),
        ({"edit": ["SetConfig"]}, ["edit is a list"]),
        ({"edit": "SetConfig", "step": 3, "pth": 1}, ["pth is no part", "step is the number 3", "path is missing", "value is missing"]),
        ({"edit": "ClearConfig", "step": "a", "path": ["x", -1, None]}, ["path[1] is the number -1", "path[2] is null"]),
        ({"edit": "AddWire", "wire": "a", "index": -1}, ["wire is the text", "index is the number -1"]),
        ({"edit": "AddWire", "wire": None}, ["wire is null"]),
        ({"edit": "Move", "steps": {"a": [1]}, "notes": {"n": [1, 2, 3, "4"]}}, ["steps.a is a list", "notes.n is a list"]),
        ({"edit": "SetVariable", "name": "x", "value": {"title": 3}}, ["value.type is missing", "value.title is the number 3"]),
        ({"edit": "Several", "title": "x", "edits": [{"edit": "RemoveStep"}, {}]}, ["edits[0].step is missing", "edits[1].edit is missing"]),
    ],
)  # fmt: skip
def test_json_that_is_no_edit_is_refused_with_every_fault(document, faults):
    with pytest.raises(FileError) as refused:
        edit_from_document(document)
    told = [str(problem) for problem in refused.value.problems]
    assert len(told) == len(faults)
    for fault in faults:
        assert any(fault in line for line in told), fault


def test_edits_cannot_nest_without_end():
    document: object = {"edit": "RemoveStep", "step": "a"}
    for _ in range(200):
        document = {"edit": "Several", "title": "", "edits": [document]}
    with pytest.raises(FileError, match="nest at most"):
        edit_from_document(document)


@given(json_values)
def test_any_json_is_an_edit_or_refused(document):
    for value in (
        document,
        {"edit": "SetVariable", "name": document, "value": document},
        {"edit": "Several", "edits": document},
    ):
        with contextlib.suppress(FileError):
            edit_from_document(value)


@given(st.data())
def test_the_json_of_every_edit_is_the_edit(data):
    edit = data.draw(edits_of(DRAWN))
    document = decode(canonical_bytes(edit.to_document()))
    again = edit_from_document(document)
    assert canonical_bytes(again.to_document()) == canonical_bytes(edit.to_document())
    assert again == edit


@given(st.data())
def test_what_an_edit_changes_lies_under_what_it_touches(data):
    before = data.draw(flows())
    edit = data.draw(edits_of(before, nesting=2))
    try:
        after = edit.apply(before)
    except EditRefusedError:
        return
    touched = touches(edit, before)
    changes = diff(before, after)
    for path in changes.paths():
        assert any(path[: len(place)] == place for place in touched), (path, touched)
    for section in changes.reordered:
        assert any(place[0] == section for place in touched), (section, touched)


def test_touches_tells_places_apart():
    assert touches(SetConfig("push", ("url",), 1), DRAWN) == {("steps", "push", "config", "url")}
    assert touches(SetConfig("push", ("headers", "a", "b"), 1), DRAWN) == {("steps", "push", "config", "headers")}
    assert touches(SetConfig("push", ("cases", 2), 1), DRAWN) == {("steps", "push", "config", "cases")}
    assert touches(SetStep("push", "timeout", 1), DRAWN) == {("steps", "push", "timeout")}
    assert touches(Move({"push": (0, 0)}), DRAWN) == {("layout", "steps", "push")}
    assert touches(RemoveStep("alert"), DRAWN) == {
        ("steps", "alert"),
        ("layout", "steps", "alert"),
        ("wires", "push:error -> alert"),
    }
    both = Several("x", (AddStep("new", "map@1"), AddWire(Wire("push", "new"))))
    assert touches(both, DRAWN) == {("steps", "new"), ("wires", "push -> new")}


class Editing(RuleBasedStateMachine):
    """A document with its undo stack: whatever was done, going back gives what was there, byte for byte."""

    def __init__(self) -> None:
        super().__init__()
        self.flow = Flow("f", "F", steps={"a": Step("set@1", {"x": [1, {"y": 2}]})}, layout=Layout({"a": (0.0, 0.0)}))
        self.done: list[tuple[Flow, bytes]] = []

    @rule(data=st.data())
    def edit(self, data: st.DataObject) -> None:
        edit = data.draw(edits_of(self.flow))
        before = self.flow, bytes_of(self.flow)
        try:
            self.flow = edit.apply(self.flow)
        except EditRefusedError:
            return
        self.done.append(before)

    @rule()
    def undo(self) -> None:
        if self.done:
            self.flow, written = self.done.pop()
            assert bytes_of(self.flow) == written

    @invariant()
    def what_is_wired_and_grouped_exists(self) -> None:
        assert all(w.source in self.flow.steps and w.target in self.flow.steps for w in self.flow.wires)
        assert all(step in self.flow.steps for group in self.flow.groups.values() for step in group.steps)
        assert len(set(self.flow.wires)) == len(self.flow.wires)

    @invariant()
    def it_can_be_read_again(self) -> None:
        assert canonical_bytes(decode(bytes_of(self.flow))) == bytes_of(self.flow)

    def teardown(self) -> None:
        for before, written in self.done:
            assert bytes_of(before) == written


TestEditing = Editing.TestCase
TestEditing.settings = settings(max_examples=settings.default.max_examples // 4, stateful_step_count=20)


@given(flow=flows(), data=st.data())
def test_steps_that_go_together_go_as_one_after_the_other(flow: Flow, data: st.DataObject) -> None:
    gone = data.draw(st.lists(st.sampled_from([*flow.steps, "a"]), max_size=4))
    alone = flow
    edits = tuple(RemoveStep(step) for step in gone)
    try:
        for edit in edits:
            alone = edit.apply(alone)
    except EditRefusedError as error:
        with pytest.raises(EditRefusedError, match=re.escape(error.problem.what)) as refused:
            Several("several", edits).apply(flow)
        assert refused.value.index == next(
            at for at, step in enumerate(gone) if step not in flow.steps or step in gone[:at]
        )
    else:
        assert Several("several", edits).apply(flow) == alone
