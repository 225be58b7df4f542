"""The check of examples: the built-in ones are true, and each way of not being true is found."""

from __future__ import annotations

from typing import Any

import pytest

from flowstudio.sdk import Answer, Category, Component, Example, Expression, Settings, Sleep, StepError, setting
from flowstudio.sdk.registry import Registry
from flowstudio.testing import check_examples

REGISTRY = Registry.from_entry_points()


@pytest.mark.parametrize("name", [spec.name for spec in REGISTRY.specs()])
@pytest.mark.slow
def test_the_examples_of_every_built_in_component_are_true(name: str) -> None:
    check_examples(name, registry=REGISTRY)


class Double(Component):
    key, title, category = "acme.double", "Double", Category.TRANSFORM
    description = "Doubles a value."
    pure = False
    examples = (Example("Three", {"value": "n"}, {"n": 3}, 6),)

    class Config(Settings):
        """What to double."""

        value: Expression = setting(title="Value", description="What to double.")

    async def run(self, config: Any, payload: Any, context: Any) -> Any:
        from flowstudio.httpclient import build_request

        match config.value:
            case "fail":
                raise StepError("Not a number", retryable=False)
            case "change":
                payload["changed"] = True
            case "ask":
                await context.http(build_request("POST", "https://a.test/", content=b'{"a": 1}'))
            case "sleep":
                return Sleep(context.clock.now + 60)
            case "remember":
                context.remember({"n": 1})
        return config.value * 2


def told_of(*examples: Example) -> str:
    """What the check says of a component with these examples."""
    broken = type("Broken", (Double,), {"examples": examples})
    with pytest.raises(AssertionError) as told:
        check_examples(broken)
    return str(told.value)


def test_a_component_that_is_not_installed_is_checked() -> None:
    check_examples(Double)


WORD = {"value": "word"}


@pytest.mark.parametrize(
    ("example", "fault"),
    [
        (Example("x", {"value": "n"}, {"n": 3}, 7), "it puts out\n    6\n  and not\n    7"),
        (Example("x", {"value": "n"}, {"n": True}, True), "it puts out\n    2\n  and not\n    True"),
        (Example("x", {"value": "n"}, {"n": 3}, 6, port="other"), "it leaves by the port"),
        (Example("x", {"value": "n"}, {"n": 3}, 6, port=None), "it leaves by the port"),
        (Example("x", {"value": "n"}, {"n": 3}, 6, error="No"), "it fails with\n    None\n  and not\n    'No'"),
        (Example("x", WORD, {"word": "fail"}, 6), "it fails with\n    'Not a number'"),
        (Example("x", WORD, {"word": "change"}, "changechange"), "it changed the payload in place"),
        (Example("x", WORD, {"word": "ask"}, "askask", answers=(Answer(),)), "it sends so many requests"),
        (
            Example(
                "x",
                WORD,
                {"word": "ask"},
                "askask",
                answers=(Answer(),),
                requests=({"method": "GET", "url": "https://a.test/"},),
            ),
            "it sends as method of request 1",
        ),
        (
            Example(
                "x",
                WORD,
                {"word": "ask"},
                "askask",
                answers=(Answer(),),
                requests=({"method": "POST", "url": "https://b.test/"},),
            ),
            "it sends request 1 to",
        ),
        (
            Example(
                "x",
                WORD,
                {"word": "ask"},
                "askask",
                answers=(Answer(),),
                requests=({"method": "POST", "url": "https://a.test/", "body": {}},),
            ),
            "it sends as body of request 1",
        ),
        (Example("x", WORD, {"word": "sleep"}, {"word": "sleep"}), "it waits for\n    Sleep(until="),
        (Example("x", WORD, {"word": "remember"}, "rememberremember"), "it remembers"),
    ],
)
def test_what_is_not_as_an_example_says_is_told(example: Example, fault: str) -> None:
    told = told_of(example)
    assert told.startswith("1 things are not as the examples of acme.double@1 say:\nx: ")
    assert fault in told


def test_all_faults_of_all_examples_are_told_at_once() -> None:
    wrong = [Example(title, {"value": "n"}, {"n": 1}, 3) for title in ("one", "another")]
    told = told_of(*wrong)
    assert "2 things" in told
    assert "one: " in told
    assert "another: " in told


def test_no_example_at_all_is_a_fault() -> None:
    assert told_of() == "acme.double@1 has no examples"
