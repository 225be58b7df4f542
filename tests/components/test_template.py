"""`template`: the text that is made, and what goes along with it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from flowstudio.components.template import Template
from flowstudio.errors import StepError
from flowstudio.plan.settings import compile_config
from flowstudio.sdk.spec import derive
from tests.conformance.configs import json_values
from tests.conformance.stage import perform

Json = Any


def made(text: str, payload: Json = None, **names: Json) -> Json:
    """The text."""
    return perform(Template, {"text": text}, payload, **names).payload


@pytest.mark.parametrize(
    ("text", "payload", "out"),
    [
        ("", None, ""),
        ("no values", {"a": 1}, "no values"),
        ("{{ a }}", {"a": 2**53 + 1}, str(2**53 + 1)),
        ("{{ a }}{{ b }}", {"a": 2**63, "b": 2**70}, f"{2**63}{2**70}"),
        ("[{{ a }}|{{ b }}]", {"a": None}, "[|]"),
        ("{{ a }} {{ b }}", {"a": [1, "x"], "b": {"c": True}}, '[1,"x"] {"c":true}'),
        ("{{ $ }}", {"n": [2**70]}, f'{{"n":[{2**70}]}}'),
        (r"\{{ a }}", {"a": 1}, "{{ a }}"),
        ("{{ a }}<b>", {"a": "<&>"}, "<&><b>"),
        ("{{ a }}", {"a": "\ud800"}, "\ud800"),
        ("line\r\n{{ a }}\n", {"a": "\0"}, "line\r\n\0\n"),
    ],
)
def test_what_is_written(text: str, payload: Json, out: str) -> None:
    assert made(text, payload) == out


def test_the_content_type_goes_along() -> None:
    assert perform(Template, {"text": "x"}).meta == {"content_type": "text/plain"}
    done = perform(Template, {"text": "<p>{{ $vars.a }}</p>", "content_type": "text/html"}, None, vars={"a": "b"})
    assert (done.payload, done.meta) == ("<p>b</p>", {"content_type": "text/html"})


@pytest.mark.slow
def test_a_value_that_nests_too_deep_fails_in_a_sentence() -> None:
    deep: Json = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(StepError, match="nest"):
        made("{{ a }}!", {"a": deep})


@pytest.mark.parametrize("kind", ["", "text", "text/", "/html", "text plain/x"])
def test_a_wrong_content_type_is_named(kind: str) -> None:
    _, problems = compile_config(derive(Template), {"text": "x", "content_type": kind})
    assert [problem.field for problem in problems] == ["content_type"]


@given(payload=json_values)
def test_any_payload_can_be_written(payload: Json) -> None:
    assert isinstance(made("a {{ $ }} {{ x }} b", payload), str)
