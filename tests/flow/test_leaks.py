"""What looks like a secret is found in a flow, and what merely sounds like one is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flowstudio.flow.leaks import leaks
from flowstudio.flow.model import Note, Variable
from tests.builders import flow

TOKENS = [
    "sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc",
    "gh" + "p_0123456789abcdefghijABCDEFGHIJ012345",
    "xox" + "b-1234567890-abcdefghij",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "Bearer abcdefghijklmnop1234",
    "-----BEGIN RSA PRIVATE KEY-----",
    "https://user:pa55word@example.com/",
]


@pytest.mark.parametrize("token", TOKENS)
def test_a_secret_is_known_by_its_form_wherever_it_stands(token):
    drawn = flow("hook -> push", push={"deep": [{"x": f"before {token}"}]})
    drawn = replace(drawn, variables={"v": Variable("text", default=token)}, notes={"n": Note(token)})
    found = list(leaks(drawn))
    assert [problem.path for problem in found] == [
        ("variables", "v", "default"),
        ("notes", "n", "text"),
        ("steps", "push", "config", "deep", 0, "x"),
    ]
    assert {problem.severity for problem in found} == {"warning"}
    assert not any(token in str(problem) for problem in found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Api-Key", "a1b2c3d4e5"),
        ("Authorization", "0123456789abcdef-x"),
        ("client_secret", '"hunter-two"'),
        ("password", "hunter2222"),
    ],
)
def test_a_secret_is_known_by_the_name_of_its_field(name, value):
    (found,) = leaks(flow("hook -> push", push={"headers": {name: value}}))
    assert found.field == f"headers.{name}"
    assert found.step == "push"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer {{ $vars.token }}"),
        ("token", "$vars.token"),
        ("token", "customer.oauth2.token"),
        ("token", "next_page_token"),
        ("token", "oauth2token"),
        ("password", ""),
        ("password", "12345678"),
        ("api_key", "short"),
        ("url", "https://example.com:8080/x"),
        ("url", "https://{{ $vars.user }}:{{ $vars.password }}@example.com"),
        ("code", "return {'token': payload['token']}"),
    ],
)
def test_what_only_sounds_like_a_secret_is_none(name, value):
    assert list(leaks(flow("hook -> push", push={name: value}))) == []
