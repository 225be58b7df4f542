"""Values that look like one customer's own: found wherever they are written out, and read from a variable without harm."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowstudio.expressions.language import compile_expression
from flowstudio.expressions.text import compile_text
from flowstudio.flow.model import Flow, Step, Variable
from flowstudio.plan.specific import Specific, as_variable, specific_values
from flowstudio.sdk.registry import Registry

REGISTRY = Registry.from_entry_points()


def found_in(**steps: Step) -> dict[str, tuple[str, int]]:
    """By value what it looks like, and at how many spots it stands."""
    return {each.value: (each.sort, len(each.spots)) for each in specific_values(flow_of(**steps), REGISTRY)}


def flow_of(**steps: Step) -> Flow:
    return Flow("f", "F", steps=steps)


def http(url: str, **config: Any) -> Step:
    return Step("http@1", config={"url": url, **config})


def test_addresses_are_found_in_texts_expressions_and_braces() -> None:
    assert found_in(
        get=http("https://api.acme.test:8443/orders/{{ id }}?x=1"),
        put=http("{{ 'https://api.acme.test:8443' & '/orders' }}"),
        shape=Step("set@1", config={"fields": {"link": "'https://api.acme.test:8443/a' & id"}}),
    ) == {"https://api.acme.test:8443": ("address", 3)}


@pytest.mark.parametrize(
    ("text", "sort"),
    [
        ("ops@acme.test", "email"),
        ("DE89370400440532013000", "account"),
        ("ACC-004711", "account"),
        ("c2d29867-3d0b-4497-9191-18a9d8ee7830", "account"),
    ],
)
def test_mail_addresses_and_accounts_are_found(text: str, sort: str) -> None:
    assert found_in(m=Step("set@1", config={"fields": {"to": json.dumps(text)}})) == {text: (sort, 1)}


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-25",
        "2026-11-25T10:00:00Z",
        "12:30",
        "10000000",
        "http://www.w3.org/2001/XMLSchema",
        "EUR",
        "application/json",
    ],
)
def test_what_everybody_has_is_not_found(text: str) -> None:
    step = Step("set@1", config={"fields": {"to": json.dumps(text)}})
    assert found_in(one=step, other=step) == {}


def test_what_several_steps_repeat_is_found_and_what_one_step_repeats_is_not() -> None:
    warehouse = Step("set@1", config={"fields": {"from": '"Warehouse North"', "to": '"Warehouse North"'}})
    assert found_in(one=warehouse) == {}
    assert found_in(one=warehouse, other=warehouse) == {"Warehouse North": ("repeated", 4)}


def test_what_is_no_setting_for_variables_is_left_alone() -> None:
    assert found_in(code=Step("script@1", config={"code": "def run(payload):\n    return 'https://acme.test'"})) == {}
    assert found_in(odd=Step("nobody.knows@1", config={"url": "https://acme.test"})) == {}
    assert found_in(broken=http("https://acme.test/{{ a +"), bad=Step("set@1", config={"fields": {"x": "'a"}})) == {}


def test_a_value_becomes_a_variable_in_one_edit() -> None:
    flow = flow_of(
        get=http("https://acme.test/orders/{{ 'https://acme.test' }}"),
        shape=Step("set@1", config={"fields": {"link": '"https://acme.test/a" & id'}}),
    )
    (found,) = specific_values(flow, REGISTRY)
    changed = as_variable(flow, found, "shop", Variable("url", default=found.value)).apply(flow)
    assert changed.steps["get"].config["url"] == "{{ $vars.shop }}/orders/{{ $vars.shop }}"
    assert changed.steps["shape"].config["fields"] == {"link": '($vars.shop & "/a") & id'}
    assert changed.variables["shop"].default == "https://acme.test"
    assert specific_values(changed, REGISTRY) == []


PIECES = st.lists(
    st.sampled_from(
        [
            "https://acme.test",
            "ops@acme.test",
            " and ",
            "{{ 1 + 1 }}",
            "{{ 'https://acme.test/x' & 'y' }}",
            '"',
            "é",
            "/path",
            "\n",
            "\\{{",
        ]
    ),
    min_size=1,
    max_size=6,
).map("".join)


@given(PIECES)
@example("\\{{ https://acme.test")
def test_reading_it_from_the_variable_gives_what_was_written_out(text: str) -> None:
    flow = flow_of(
        get=Step("template@1", config={"text": text}),
        shape=Step("set@1", config={"fields": {"text": json.dumps(text)}}),
    )
    names: dict[str, Any] = {}
    changed = flow
    while found := specific_values(changed, REGISTRY):
        each: Specific = found[0]
        name = f"v{len(names)}"
        names[name] = each.value
        changed = as_variable(changed, each, name, Variable("text", default=each.value)).apply(changed)
        assert len(names) < 10
    before, after = flow.steps["get"].config["text"], changed.steps["get"].config["text"]
    assert compile_text(after).text(None, {"vars": names}) == compile_text(before).text(None, {})
    before, after = (each.steps["shape"].config["fields"]["text"] for each in (flow, changed))
    assert compile_expression(after).evaluate(None, {"vars": names}) == compile_expression(before).evaluate(None, {})
