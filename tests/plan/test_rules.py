"""What forbids a flow to run, and what is doubtful about it: each problem with its place and its remedy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flowstudio.errors import CompileError, Problem
from flowstudio.flow.model import Flow, Slot, Step, Variable, Wire
from flowstudio.plan.compile import compile_flow, problems_of
from flowstudio.plan.rules import RULES
from flowstudio.sdk import Category, Component, Expression, Settings, SlotName, Text, Value, setting
from flowstudio.sdk.registry import Registry
from tests.builders import flow
from tests.toys import toys


class Caller(Component):
    key = "caller"
    title = "Caller"
    description = "Has a field of each kind."
    category = Category.CONNECT

    class Config(Settings):
        url: Text = setting(description="An address", widget="url")
        path: str = setting("/", description="A static text")
        limit: Value[int] = setting(10, ge=1, description="A value")
        body: Expression = setting("$", description="An expression")
        connection: SlotName | None = setting(None, description="A login")


def problems(drawn: Flow) -> list[Problem]:
    registry = toys()
    registry.add(Caller)
    return problems_of(drawn, registry)


def only(drawn: Flow, severity: str = "error") -> Problem:
    found = [problem for problem in problems(drawn) if problem.severity == severity]
    assert len(found) == 1, [str(problem) for problem in found]
    problem = found[0]
    assert problem.what
    assert problem.remedy
    assert problem.path
    return problem


def test_a_sound_flow_has_no_problems() -> None:
    assert problems(flow("s=start -> a=mark -> b=mark")) == []


def test_every_rule_is_a_sentence_with_a_reason() -> None:
    assert all(rule.__doc__ and "_" in rule.__name__ for rule in RULES)


def test_compiling_raises_all_problems_at_once() -> None:
    with pytest.raises(CompileError) as raised:
        compile_flow(flow("s=start -> a=mark -> b=nope -> c=nada"), toys())
    assert {problem.step for problem in raised.value.problems} >= {"b", "c"}


@pytest.mark.parametrize(
    ("component", "remedy"),
    [("mork@1", "mark"), ("mark@2", "installed version"), ("mark", "mark@1")],
)
def test_an_unknown_component_names_the_nearest(component: str, remedy: str) -> None:
    drawn = flow("s=start")
    drawn = replace(drawn, steps={**drawn.steps, "a": Step(component)})
    found = [problem for problem in problems(drawn) if problem.severity == "error"]
    assert found[0].path == ("steps", "a", "component")
    assert remedy in found[0].remedy


@pytest.mark.parametrize(
    ("wire", "says"),
    [
        (Wire("s", "gone"), "'gone'"),
        (Wire("s", "a", "side"), "'side'"),
        (Wire("a", "s"), "trigger has no input"),
        (Wire("s", "a", "out", "left"), "'left'"),
    ],
)
def test_a_wire_that_joins_nothing_is_named(wire: Wire, says: str) -> None:
    drawn = flow("s=start -> a=mark")
    found = [p for p in problems(replace(drawn, wires=(*drawn.wires, wire))) if p.path == ("wires", 1)]
    assert found
    assert says in str(found[0])


def test_the_very_same_wire_twice_is_a_problem() -> None:
    drawn = flow("s=start -> a=mark")
    assert "twice" in only(replace(drawn, wires=drawn.wires * 2)).what


def test_a_circle_outside_a_loop_is_named_whole() -> None:
    drawn = flow("s=start -> a=mark -> b=mark -> c=mark -> a")
    assert "a -> b -> c -> a" in " ".join(str(p) for p in problems(drawn)) or "is a circle" in only(drawn).what


def test_an_aggregate_needs_a_split() -> None:
    assert "no split to close" in only(flow("s=start -> g=gather")).what


def test_paths_with_different_splits_open_do_not_meet() -> None:
    assert "different splits" in only(flow("s=start -> each=each -> a=mark -> j=join; s -> b=mark -> j")).what


def test_a_loop_needs_a_body() -> None:
    assert "no body" in only(flow("s=start -> again=again:done -> d=mark")).what


def test_a_flow_needs_a_trigger() -> None:
    found = [problem for problem in problems(flow("a=mark -> b=mark")) if problem.severity == "error"]
    assert "no trigger" in found[0].what


def test_a_step_that_is_never_reached_is_a_warning() -> None:
    assert only(flow("s=start -> a=mark; b=mark"), "warning").step == "b"


@pytest.mark.parametrize(
    ("config", "field", "says"),
    [
        ({}, "url", "empty"),
        ({"url": 5}, "url", "text"),
        ({"url": "x", "limit": "many"}, "limit", "does not fit"),
        ({"url": "x", "limit": 0}, "limit", "greater than or equal to 1"),
        ({"url": "x", "limit": "a {{ b }}"}, "limit", "exactly one"),
        ({"url": "x", "body": "{{ a }}"}, "body", "braces are for text fields"),
        ({"url": "x", "body": "a +"}, "body", "does not compile"),
        ({"url": "x", "body": {"a": 1}}, "body", "expression"),
        ({"url": "x", "path": "{{ name }}"}, "path", "$vars or $customer"),
        ({"url": "{{ a "}, "url", "does not compile"),
        ({"url": "x", "lmit": 5}, "lmit", "did you mean limit?"),
        ({"url": "{{ $vars.nope }}"}, "url", "no variable 'nope'"),
        ({"url": "x", "connection": "nope"}, "connection", "no connection 'nope'"),
    ],
)
def test_a_config_fault_names_its_field(config: dict[str, Any], field: str, says: str) -> None:
    problem = only(flow("s=start -> c=caller", c=config))
    assert (problem.step, problem.field) == ("c", field)
    assert says in str(problem)


def test_a_value_may_be_one_brace_and_a_static_field_one_over_variables() -> None:
    drawn = flow(
        "s=start -> c=caller",
        variables={"p": Variable("text")},
        c={"url": "x", "limit": "{{ count }}", "path": "{{ $vars.p }}"},
    )
    assert problems(drawn) == []


@pytest.mark.parametrize(
    ("variable", "says"),
    [
        (Variable("txt"), "no type 'txt'"),
        (Variable("number", default="five"), "not a number"),
        (Variable("integer", default=1.5), "not an integer"),
        (Variable("secret", default="hush hush"), "a secret is never in a flow"),
    ],
)
def test_a_variable_has_a_known_type_and_a_default_of_it(variable: Variable, says: str) -> None:
    assert says in str(only(flow("s=start", variables={"v": variable})))


def test_a_connection_has_a_type_that_is_installed() -> None:
    problem = only(flow("s=start", connections={"crm": Slot("baerer")}))
    assert problem.path == ("connections", "crm", "type")


@pytest.mark.parametrize(
    ("retry", "field"),
    [
        ({"attempts": 0}, "retry.attempts"),
        ({"attempts": 1.5}, "retry.attempts"),
        ({"backoff": -1}, "retry.backoff"),
        ({"tries": 3}, "retry.tries"),
        ({"on": "500"}, "retry.on"),
    ],
)
def test_a_retry_that_makes_no_sense_is_named(retry: dict[str, Any], field: str) -> None:
    drawn = flow("s=start -> a=mark")
    drawn = replace(drawn, steps={**drawn.steps, "a": replace(drawn.steps["a"], retry=retry)})
    assert only(drawn).field == field


def test_reading_a_step_that_does_not_come_before_is_a_warning() -> None:
    drawn = flow("s=start -> t=tmap -> b=mark", t={"expression": "$steps.b"})
    assert "does not come before" in only(drawn, "warning").what


def test_reading_a_step_inside_a_closed_split_is_a_warning() -> None:
    drawn = flow("s=start -> each=each -> m=mark -> g=gather -> t=tmap", t={"expression": "$steps.m"})
    assert "not visible" in only(drawn, "warning").what


@pytest.mark.parametrize(
    "config",
    [
        {"url": "x", "path": "sk_live_4eC39HqLyjWDarjtT1zdp7dc"},
        {"url": "https://x/?token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"},
    ],
)
def test_a_secret_in_plain_text_is_a_warning(config: dict[str, Any]) -> None:
    assert "looks like a secret" in only(flow("s=start -> c=caller", c=config), "warning").what


@pytest.mark.parametrize(
    ("component", "config", "path"),
    [
        ("set@1", {"fields": {"a.b": "1", "c..d": "2"}}, ("fields", "c..d")),
        ("choice@1", {"cases": [{"port": "x", "when": "a"}, {"port": "error", "when": "b"}]}, ("cases", 1, "port")),
    ],
)
def test_what_a_component_finds_wrong_is_told_by_its_place_in_the_file(
    component: str, config: dict[str, Any], path: tuple[str | int, ...]
) -> None:
    registry = Registry.from_entry_points()
    steps = {"start": Step("manual@1"), "a": Step(component, config)}
    found = problems_of(Flow("f", "F", steps, (Wire("start", "a"),)), registry)
    assert ("steps", "a", "config", *path) in [problem.path for problem in found]
