"""The difference of two flows names all that differs, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.errors import EditRefusedError
from flowstudio.flow.diff import Changes, Moved, diff
from flowstudio.flow.edits import (
    AddStep,
    AddWire,
    ClearConfig,
    Edit,
    Move,
    RemoveStep,
    RemoveWire,
    RenameStep,
    SetConfig,
    SetConnection,
    SetFlow,
    SetGroup,
    SetNote,
    SetStep,
    SetVariable,
)
from flowstudio.flow.jsonvalue import same
from flowstudio.flow.model import ABSENT, Flow, Group, Note, Slot, Variable, Wire, canonical_bytes
from tests.builders import flow
from tests.flow.strategies import edits_of, flows, json_values

DRAWN = flow("hook -> push -> log; push ! alert", push={"url": "demo://crm", "cases": [{"port": "eu"}, {"port": "us"}]})


def after(*edits: Edit, start: Flow = DRAWN) -> Flow:
    for edit in edits:
        start = edit.apply(start)
    return start


def changes(*edits: Edit, start: Flow = DRAWN) -> Changes:
    return diff(start, after(*edits, start=start))


@given(flows())
def test_a_flow_does_not_differ_from_itself(drawn):
    assert not diff(drawn, drawn)
    assert not diff(drawn, replace(drawn, steps={key: replace(step) for key, step in drawn.steps.items()}))
    assert diff(drawn, drawn) == Changes()
    assert diff(drawn, drawn).lines() == []
    assert diff(drawn, drawn).to_json() == {}


@given(st.data())
@pytest.mark.slow
def test_whatever_differs_is_named(data):
    a = data.draw(flows())
    if data.draw(st.booleans()):
        try:
            b = data.draw(edits_of(a)).apply(a)
        except EditRefusedError:
            b = a
    else:
        b = data.draw(flows())
    found = diff(a, b)
    differs = canonical_bytes(a.to_document()) != canonical_bytes(b.to_document()) or a.layout != b.layout
    assert bool(found) == differs
    assert bool(found.lines()) == differs
    assert bool(found.to_json()) == differs
    assert json.loads(json.dumps(found.to_json())) == found.to_json()
    assert bool(diff(b, a)) == differs


@given(flows(), flows())
@pytest.mark.slow
def test_the_changes_make_one_step_out_of_the_other(a, b):
    for key, change in diff(a, b).steps.items():
        if change.kind == "changed":
            document = json.loads(json.dumps(change.before))
            for field in change.fields:
                if field.order:
                    continue
                *way, last = field.path
                place = document
                for part in way:
                    place = place[part]
                if field.after is ABSENT:
                    del place[last]
                else:
                    place[last] = field.after
            assert document == change.after, key


@given(json_values, json_values)
def test_same_is_same_as_written(a, b):
    assert same(a, b) == (canonical_bytes(a) == canonical_bytes(b))
    assert same(a, a)


def test_values_that_python_takes_for_equal_differ():
    for value, other in ((1, True), (1, 1.0), (0, False), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), (0.0, -0.0)):
        start = after(SetConfig("push", ("x",), value))
        assert changes(SetConfig("push", ("x",), other), start=start), (value, other)


def test_a_field_is_named_by_its_path():
    found = changes(SetConfig("push", ("cases", 1, "port"), "uk"), SetStep("push", "retry", {"attempts": 3}))
    told = [(change.name, change.before, change.after) for change in found.steps["push"].fields]
    assert told == [("config.cases[1].port", "us", "uk"), ("retry", ABSENT, {"attempts": 3})]
    assert found.paths() == {("steps", "push", "config", "cases", "1", "port"), ("steps", "push", "retry")}
    assert found == Changes(steps=found.steps)


def test_wires_that_came_and_went_are_told_in_order():
    found = changes(RemoveWire(Wire("push", "log")), AddWire(Wire("hook", "log")), AddWire(Wire("log", "alert")))
    assert found.wires_added == (Wire("hook", "log"), Wire("log", "alert"))
    assert found.wires_removed == (Wire("push", "log"),)
    assert not found.steps


def test_the_order_of_wires_has_meaning():
    found = changes(RemoveWire(Wire("hook", "push")), AddWire(Wire("hook", "push")))
    assert found == Changes(reordered=("wires",))
    twice = replace(DRAWN, wires=(*DRAWN.wires, DRAWN.wires[0]))
    assert diff(twice, DRAWN).wires_removed == (DRAWN.wires[0],)
    assert not diff(twice, DRAWN).reordered
    assert diff(twice, replace(twice, wires=(twice.wires[0], *twice.wires[:3]))).reordered == ("wires",)


def test_what_moved_is_told_apart_from_what_came_or_went():
    start = after(Move({"push": (0, 0), "log": (1, 1)}), SetNote("n", Note("x")), Move(notes={"n": (0, 0, 1, 1)}))
    found = changes(Move({"push": (24, 0)}), RemoveStep("log"), Move(notes={"n": (0, 0, 9, 1)}), start=start)
    assert found.moved == Moved(steps=("push",), notes=("n",))


def test_a_new_id_is_recognised_when_it_is_sure():
    assert changes(RenameStep("push", "send")).renamed == {"push": "send"}
    both = changes(RenameStep("push", "send"), RenameStep("log", "write"))
    assert both.renamed == {"push": "send", "log": "write"}
    assert set(both.steps) == {"push", "send", "log", "write"}


@pytest.mark.parametrize(
    "edits",
    [
        (RenameStep("push", "send"), SetConfig("send", ("url",), "x")),
        (RenameStep("push", "send"), RemoveWire(Wire("hook", "send"))),
        (RemoveStep("log"), AddStep("write", "log@1", {"message": "here"})),
    ],
)
def test_a_new_id_is_not_guessed(edits):
    assert not changes(*edits).renamed


def test_of_twins_nothing_is_sure():
    twins = flow("a; b")
    gone = replace(twins, steps={"c": twins.steps["a"], "d": twins.steps["b"]})
    assert not diff(twins, gone).renamed


def test_the_lines_read_well():
    start = after(
        SetVariable("min", Variable("number", default=100)),
        SetConfig("log", ("code",), "first\n-- second\nthird"),
        SetStep("push", "name", "Post to CRM"),
        SetGroup("g", Group("G", ("push",))),
    )
    found = changes(
        SetFlow("name", "Drawn again"),
        SetVariable("min", Variable("number", default=250)),
        SetVariable("crm", Variable("url")),
        SetConnection("crm", Slot("bearer")),
        SetConfig("push", ("url",), "demo://erp"),
        SetConfig("push", ("headers", "Accept"), "text/xml"),
        SetConfig("push", ("timeout",), 60),
        ClearConfig("push", ("cases", 0)),
        SetStep("push", "timeout", 30),
        SetStep("push", "disabled", True),
        SetConfig("log", ("code",), "first\n-- zweite\nthird"),
        AddStep("new", "map@1"),
        RemoveStep("alert"),
        AddWire(Wire("log", "new")),
        SetNote("n", Note("Only paying customers")),
        SetGroup("g", Group("G", ("push", "log"))),
        Move({"push": (24, 24), "log": (0, 0)}),
        start=start,
    )
    assert found.lines() == [
        "Flow: name Drawn → Drawn again",
        "Variable min: default 100 → 250",
        "Variable crm added (url)",
        "Connection crm added (bearer)",
        "Step push (Post to CRM): url demo://crm → demo://erp",
        'Step push (Post to CRM): cases [{"port": "eu"}, {"port": "us"}] → [{"port": "us"}]',
        'Step push (Post to CRM): headers set to {"Accept": "text/xml"}',
        "Step push (Post to CRM): config.timeout set to 60",
        "Step push (Post to CRM): timeout set to 30",
        "Step push (Post to CRM): disabled",
        "Step log: code changed",
        "    - -- second",
        "    + -- zweite",
        "Step alert removed (log@1)",
        "Step new added (map@1)",
        "Wire log -> new added",
        "Wire push:error -> alert removed",
        'Note n added ("Only paying customers")',
        'Group g: steps ["push"] → ["push", "log"]',
        "Moved: steps push, log",
    ]


def test_a_new_id_is_one_line():
    assert changes(RenameStep("push", "send")).lines() == ["Step push: id changed to send"]


def test_the_json_holds_both_sides():
    found = changes(
        SetConfig("push", ("url",), None), AddStep("new", "map@1"), AddWire(Wire("log", "new")), Move({"log": (0, 0)})
    )
    assert found.to_json() == {
        "steps": {
            "push": {"kind": "changed", "fields": [{"path": ["config", "url"], "before": "demo://crm", "after": None}]},
            "new": {"kind": "added", "value": {"component": "map@1", "config": {}}},
        },
        "wires": {"added": ["log -> new"], "removed": []},
        "moved": {"steps": ["log"]},
    }
