"""Logins: what each adds to a request, and that the request which was given stays without it."""

from __future__ import annotations

from typing import Any

import pytest

from flowstudio.httpclient import Request
from flowstudio.sdk import StepError
from flowstudio.sdk.registry import Registry

REGISTRY = Registry.from_entry_points()


def applied(key: str, fields: dict[str, Any], url: str = "https://api.example.com/x?a=1") -> Request:
    """A request with a login added to it."""
    connection = REGISTRY.connection(key).connection
    given = Request("POST", url, headers={"X-Kept": "1", "Idempotency-Key": "k"}, content=b"body")
    before = (str(given.url), given.headers.raw)
    request = connection(connection.Config.model_validate(fields)).apply(given)
    assert (str(given.url), given.headers.raw) == before, "what was given may be recorded: it holds no login"
    assert request.method == "POST"
    assert request.content == b"body"
    assert request.headers["x-kept"] == "1"
    assert request.headers["host"] == "api.example.com"
    assert request.headers["content-length"] == "4"
    return request


def test_basic_sends_name_and_password() -> None:
    request = applied("basic", {"username": "ada", "password": "pä:ss"})
    assert request.headers["authorization"] == "Basic YWRhOnDDpDpzcw=="


def test_bearer_sends_the_token() -> None:
    assert applied("bearer", {"token": " t0ken\n"}).headers["authorization"] == "Bearer t0ken"


def test_a_key_goes_into_a_header_or_the_query() -> None:
    assert applied("api-key", {"value": "k1"}).headers["x-api-key"] == "k1"
    assert applied("api-key", {"name": "X-Key", "in": "header", "value": "k1"}).headers["x-key"] == "k1"
    assert str(applied("api-key", {"name": "key", "in": "query", "value": "k 1"}).url).endswith("/x?a=1&key=k+1")


def test_a_signing_secret_changes_no_request() -> None:
    assert "authorization" not in applied("hmac", {"secret": "s"}).headers


@pytest.mark.parametrize(
    ("key", "fields"),
    [
        ("basic", ["username", "password"]),
        ("bearer", ["token"]),
        ("api-key", ["name", "in", "value"]),
        ("hmac", ["secret"]),
    ],
)
def test_its_fields_are_those_of_the_contract(key: str, fields: list[str]) -> None:
    assert [field.name for field in REGISTRY.connection(key).fields] == fields


@pytest.mark.parametrize("spec", REGISTRY.connections(), ids=lambda spec: spec.key)
def test_no_secret_is_printed(spec: Any) -> None:
    fields = {field.name: "s3cret" for field in spec.fields if field.form == "secret"}
    config = spec.connection.Config.model_validate({"username": "ada", **fields} if spec.key == "basic" else fields)
    assert "s3cret" not in repr(config)
    assert "s3cret" not in str(config.model_dump(mode="json"))


@pytest.mark.parametrize(("key", "fields"), [("bearer", {"token": "t0ken-ü"}), ("api-key", {"value": "k1-ü"})])
def test_what_a_header_cannot_carry_is_told_without_the_secret(key: str, fields: dict[str, Any]) -> None:
    with pytest.raises(StepError, match="headers take ASCII") as refused:
        applied(key, fields)
    assert not any(secret in str(refused.value) for secret in ("t0ken", "k1"))
