"""Binding gives a plain flow with its values, or names everything that does not fit."""

from __future__ import annotations

import json

import pytest

from flowstudio.errors import BindError, FileError
from flowstudio.flow.edits import AddStep, AddWire, Move, RemoveStep, SetConfig, SetStep, SetVariable, Several
from flowstudio.flow.files import read_flow
from flowstudio.flow.model import Slot, Variable, Wire
from flowstudio.resources import resource
from flowstudio.templates.instance import Instance, Need, bind, bind_flow, instance_from_document
from flowstudio.templates.version import publish
from tests.builders import flow

EXAMPLE = read_flow(resource("examples", "customer-sync.flow.json")).flow
VERSION = publish(EXAMPLE, "1.0.0")


def misfits(*arguments, **options) -> list[str]:
    with pytest.raises(BindError) as error:
        bind(*arguments, **options)
    return [str(problem) for problem in error.value.problems]


def test_values_lie_beside_a_plain_flow():
    bound = bind(VERSION, Instance("acme", "Acme", {"min_total": 50}, {"crm": {"token": "env:TOKEN"}}))
    assert bound.flow is VERSION.flow
    assert bound.values == {"crm_url": "demo://crm", "min_total": 50}
    assert bound.connections == {"crm": {"token": "env:TOKEN"}}
    assert bound.customer == {"id": "acme", "name": "Acme"}
    assert bound.needs == ()
    assert bind(VERSION, Instance()).customer is None


def test_on_a_host_a_demo_value_counts_as_not_given():
    bound = bind(VERSION, Instance("acme"), demo=False)
    assert bound.values == {"min_total": 100}
    assert bound.needs == (Need("variable", "crm_url", "CRM address"),)
    assert bind(VERSION, Instance("acme", values={"crm_url": "https://crm.example"}), demo=False).needs == ()


def test_what_is_required_and_not_given_is_needed():
    drawn = flow(
        "hook -> push",
        variables={"a": Variable("text", required=True), "b": Variable("json", required=True), "c": Variable("text")},
        connections={"crm": Slot("bearer", title="CRM", required=True), "free": Slot("bearer")},
    )
    needs = bind_flow(drawn, Instance()).needs
    assert list(map(str, needs)) == ["a", "b", "connection crm"]
    assert needs[2].title == "CRM"
    given = Instance(values={"a": None, "b": None}, connections={"crm": {}})
    assert list(map(str, bind_flow(drawn, given).needs)) == ["a", "connection crm"]


def test_null_falls_back_on_the_default():
    assert bind(VERSION, Instance(values={"min_total": None})).values["min_total"] == 100


def test_overrides_are_applied_in_order():
    overrides = (
        AddStep("note", "log@1"),
        Several("x", (AddWire(Wire("push", "note")), SetStep("push", "timeout", 60))),
        SetVariable("extra", Variable("text", default="x")),
    )
    bound = bind(VERSION, Instance("acme", overrides=overrides, values={"extra": "given"}))
    assert bound.flow.steps["push"].timeout == 60
    assert Wire("push", "note") in bound.flow.wires
    assert bound.values["extra"] == "given"
    assert VERSION.flow.steps["push"].timeout == 30


def test_everything_that_does_not_fit_is_named_at_once():
    instance = Instance(
        "acme",
        values={"min_total": "many", "crm_ur": "x"},
        connections={"crn": {}},
        overrides=(RemoveStep("log"), RemoveStep("log"), Several("x", (SetStep("push", "timeout", "soon"),))),
    )
    with pytest.raises(BindError) as error:
        bind(VERSION, instance)
    problems = error.value.problems
    assert [problem.path for problem in problems] == [
        ("overrides", 1),
        ("overrides", 2, "edits", 0),
        ("values", "crm_ur"),
        ("values", "min_total"),
        ("connections", "crn"),
    ]
    assert "overrides[1]: there is no step log" in problems[0].what
    assert "did you mean crm_url?" in problems[2].remedy
    assert "Smallest order total is not a number" in problems[3].what
    assert "did you mean crm?" in problems[4].remedy


def test_a_secret_is_not_told():
    drawn = flow("hook", variables={"pin": Variable("secret")})
    with pytest.raises(BindError) as error:
        bind_flow(drawn, Instance(values={"pin": ["hush-hush"]}))
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    ("edit", "place"),
    [
        (SetConfig("push", ("url",), "x"), "steps.push.config.url"),
        (SetConfig("push", (), {}), "steps.push.config"),
        (RemoveStep("push"), "steps.push"),
        (Several("x", (SetConfig("push", ("url",), "x"),)), "steps.push.config.url"),
    ],
)
def test_a_locked_place_stays_as_it_is(edit, place):
    version = publish(EXAMPLE, "1.0.0", locked=["steps.push.config.url"])
    (told,) = misfits(version, Instance("acme", overrides=(edit,)))
    assert f"overrides[0]: {place} cannot be changed" in told
    assert "locks steps.push.config.url" in told


def test_beside_a_locked_place_all_is_free():
    version = publish(EXAMPLE, "1.0.0", locked=["steps.push.config.url"])
    bind(version, Instance("acme", overrides=(SetConfig("push", ("method",), "PUT"), SetStep("push", "timeout", 5))))


def test_where_something_is_open_all_else_is_closed():
    version = publish(EXAMPLE, "1.0.0", opened=["steps.qualify", "wires"])
    free = (SetConfig("qualify", ("condition",), "true"), AddWire(Wire("receive", "log")), Move({"push": (0, 0)}))
    bind(version, Instance("acme", overrides=free))
    (told,) = misfits(version, Instance("acme", overrides=(SetStep("push", "timeout", 5),)))
    assert "leaves open: steps.qualify, wires" in told
    assert "leaves open: nothing" in misfits(publish(EXAMPLE, "1.0.0", opened=[]), Instance(overrides=free[:1]))[0]


def test_a_file_of_values_is_an_object_or_an_entry():
    plain = instance_from_document({"min_total": 5, "$customer": {"id": "acme", "name": "Acme"}})
    assert plain == Instance("acme", "Acme", {"min_total": 5})
    document = json.loads(resource("examples", "customer-sync.acme.json").read_bytes())
    entry = instance_from_document(document, EXAMPLE)
    assert (entry.customer, entry.name, entry.values["min_total"]) == ("acme", "Acme", 50)
    tricky = flow("hook", variables={"customer": Variable("text")})
    assert instance_from_document({"customer": "x"}, tricky) == Instance(values={"customer": "x"})
    assert instance_from_document({"customer": "x"}) == Instance("x")


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ([], "it must be an object"),
        ({"$customer": 3}, "$customer is the number 3"),
        ({"$customer": {"name": "x"}}, "$customer.id is missing"),
        ({"customer": "Not An Id", "values": {}}, "an id has 1 to 63"),
        ({"customer": "a", "values": []}, "values is a list"),
        ({"customer": "a", "connections": {"crm": {"token": "env:not a name"}}}, "connection.crm.token cannot be read"),
        ({"customer": "a", "overrides": [{"edit": "RemoveStep"}]}, "overrides[0].step is missing"),
    ],
)
def test_a_file_that_holds_no_values_is_refused(document, fault):
    with pytest.raises(FileError) as error:
        instance_from_document(document)
    assert fault in str(error.value)
