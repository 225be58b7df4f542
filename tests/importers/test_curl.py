"""cURL commands as requests, and requests as cURL commands."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.expressions.language import compile_expression
from flowstudio.flow.called import nowhere
from flowstudio.flow.model import Flow, Slot, Step, Variable, Wire
from flowstudio.importers.curl import CurlError, is_curl, read_curl, write_curl
from flowstudio.importers.shell import quoted, words_of
from flowstudio.plan.compile import problems_of
from flowstudio.sdk.registry import Registry
from tests.importers.commands import COMMANDS

REGISTRY = Registry.from_entry_points()


def test_there_are_fifty_commands_of_different_shapes() -> None:
    assert len({command for command, *_ in COMMANDS}) >= 50


@pytest.mark.parametrize(
    ("command", "config", "login", "secrets", "remarks"), COMMANDS, ids=[command[:60] for command, *_ in COMMANDS]
)
def test_a_command_is_read(
    command: str,
    config: dict[str, Any],
    login: tuple[str, dict[str, str]] | None,
    secrets: dict[str, str],
    remarks: int,
) -> None:
    assert is_curl(command)
    read = read_curl(command)
    assert dict(read.config) == config
    assert ((read.login.kind, dict(read.login.fields)) if read.login else None) == login
    assert dict(read.secrets) == secrets
    assert len(read.remarks) == remarks


@pytest.mark.parametrize("command", [command for command, *_ in COMMANDS], ids=lambda command: command[:60])
def test_what_is_read_is_a_step_that_may_run_and_holds_no_secret(command: str) -> None:
    read = read_curl(command)
    config = dict(read.config)
    connections = {}
    if read.login is not None:
        config["connection"] = "api"
        connections["api"] = Slot(read.login.kind)
    variables = {name: Variable("secret") for name in read.secrets} | {
        name: Variable("text") for name in read.variables
    }
    flow = Flow(
        "f",
        "F",
        steps={"start": Step("manual@1"), "call": Step("http@1", config)},
        wires=(Wire.parse("start -> call"),),
        variables=variables,
        connections=connections,
    )
    assert [problem.what for problem in problems_of(flow, REGISTRY, nowhere) if problem.severity == "error"] == []
    written = json.dumps(config)
    for value in read.secrets.values():
        assert value not in written
    if read.login is not None:
        hidden = {"password", "token", "value"} & set(read.login.fields)
        assert all(not read.login.fields[name] or read.login.fields[name] not in written for name in hidden)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("wget https://a", "it does not begin with curl"),
        ("curl", "curl would not know whom to call"),
        ("curl -X", "nothing follows -X"),
        ("curl 'https://a", "a quotation mark is not closed"),
        ('curl "https://a', "a quotation mark is not closed"),
        ("curl -X BREW https://a", "known are GET"),
        ("curl ftp://a", "http and https alone"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(CurlError) as caught:
        read_curl(text)
    assert why in caught.value.problems[0].why


def test_times_and_tries_are_taken_over() -> None:
    read = read_curl("curl -m 2.5 --retry 3 https://a.example")
    assert (read.timeout, read.attempts) == (2.5, 4)


def test_a_body_is_the_value_that_was_written() -> None:
    value = {"a": [1, {"b": None}], "text": 'say "hi"\n\\ /', "big": 12345678901234567890, "few": [{}], "x": 1.5e-7}
    read = read_curl(f"curl --json {quoted(json.dumps(value))} https://a.example")
    assert compile_expression(read.config["body"]).evaluate(None) == value


def test_a_long_body_is_told_about() -> None:
    read = read_curl("curl --json '" + json.dumps({"x": "y" * 6000}) + "' https://a.example")
    assert any("longer than an expression" in remark for remark in read.remarks)


WORDS = st.text(st.characters(exclude_categories=("Cs", "Co"), exclude_characters="\r\0"), max_size=30)


@given(st.lists(WORDS.filter(bool), min_size=1, max_size=4))
def test_words_that_were_quoted_are_the_same_words(words: list[str]) -> None:
    assert words_of("curl " + " ".join(quoted(word) for word in words))[0] == ["curl", *words]


@given(st.text("curl -XHd'\"$\\{}^ \n@=&?:/a.", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(CurlError):
        read_curl("curl " + text)


def test_a_request_is_written_with_its_secrets_as_variables() -> None:
    command = write_curl(
        {
            "method": "POST",
            "url": "https://ana:pw@api.example.com/orders?api_key=k-1&page=2",
            "headers": {
                "Authorization": "Bearer abc",
                "X-API-Key": "k-2",
                "Content-Type": "application/json",
                "Content-Length": "12",
                "X-Trace": "it's t-9",
            },
            "body": {"id": 7, "password": "hush", "note": "ü"},
        },
        secrets=["t-9"],
    )
    assert command == (
        'curl "https://$LOGIN@api.example.com/orders?api_key=$API_KEY&page=2" \\\n'
        '  -H "Authorization: Bearer $TOKEN" \\\n'
        '  -H "X-API-Key: $X_API_KEY" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        '  -H "X-Trace: it\'s $X_TRACE" \\\n'
        '  --data-raw "{\\"id\\": 7, \\"password\\": \\"$PASSWORD\\", \\"note\\": \\"ü\\"}"'
    )


def test_what_was_masked_becomes_a_variable() -> None:
    command = write_curl({"method": "GET", "url": "https://a.example/x", "headers": {"X-Other": "•••"}}, mask="•••")
    assert command == 'curl https://a.example/x \\\n  -H "X-Other: $X_OTHER"'


@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD"]),
    st.dictionaries(st.sampled_from(["X-A", "X-B"]), st.text("ab '\"$\\", min_size=1, max_size=8).filter(str.strip)),
    st.none() | st.dictionaries(st.sampled_from(["a", "b"]), st.integers()),
)
def test_a_command_that_was_written_is_read_as_the_same_request(
    method: str, headers: dict[str, str], body: dict[str, int] | None
) -> None:
    body = None if method in ("GET", "HEAD") else body
    command = write_curl({"method": method, "url": "https://a.example/x", "headers": headers, "body": body})
    read = read_curl(command)
    assert read.config.get("method", "GET") == method
    assert read.config.get("headers", {}) == {name: value.strip() for name, value in headers.items()}
    if body is not None:
        assert compile_expression(read.config["body"]).evaluate(None) == body
