"""`webhook`: which requests start a run, with what, and what the others are told."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import zlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.components.webhook import MASK, Webhook
from flowstudio.plan.settings import compile_config
from flowstudio.sdk import Delivery, Message, Reply, Route
from flowstudio.sdk.spec import derive
from tests.conformance.stage import compiled

AT = 1_767_225_600.0


def config(**settings: Any) -> Any:
    """A webhook's settings as `accept` sees them."""
    return compiled(Webhook, {"path": "in", **settings}).bind({}).evaluate(None, {}, None)


def accept(
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "POST",
    query: Mapping[str, str] | None = None,
    login: Mapping[str, str] | None = None,
    at: float = AT,
    **settings: Any,
) -> Message | Reply:
    """What a webhook makes of a request."""
    delivery = Delivery(method, "/in", query or {}, headers or {}, body, login, at)
    return Webhook().accept(config(**settings), delivery)


def taken(*args: Any, **more: Any) -> Message:
    """The message that a request makes."""
    message = accept(*args, **more)
    assert isinstance(message, Message), message
    return message


def refused(status: int, *args: Any, **more: Any) -> Reply:
    """The answer that refuses a request: JSON that says why."""
    reply = accept(*args, **more)
    assert isinstance(reply, Reply), reply
    assert reply.status == status, reply
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.body["error"]
    assert reply.body["message"].endswith(".")
    json.dumps(reply.body)
    return reply


def test_the_route_is_that_of_the_settings() -> None:
    assert Webhook().source(config(path="/shop/orders/", methods=["PUT", "POST"], max_bytes=7)) == Route(
        "shop/orders", ("PUT", "POST"), 7
    )


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "kind", "payload"),
    [
        (b'{"id": 123456789012345678901234567890}', "application/json", {"id": 123456789012345678901234567890}),
        (b"[1]", "application/vnd.shop+json; charset=utf-8", [1]),
        (b"", "text/plain", None),
        (b"a=1&a=2&b=%C3%A4", "application/x-www-form-urlencoded", {"a": ["1", "2"], "b": "ä"}),
        ("grün".encode("latin-1"), "text/plain; charset=iso-8859-1", "grün"),
        (b"<a/>", "application/xml", "<a/>"),
        (b"\x89P", "image/png", {"base64": "iVA=", "content_type": "image/png", "size": 2}),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--',
            "multipart/form-data; boundary=x",
            {"a": "1"},
        ),
        (b'{"a": 1}', None, {"a": 1}),
        (b"hello", None, "hello"),
        (b"\xff", None, {"base64": "/w==", "content_type": "application/octet-stream", "size": 1}),
        (b"", None, None),
    ],
)
def test_the_body_becomes_the_payload(body: bytes, kind: str | None, payload: Any) -> None:
    assert taken(body, {"content-type": kind} if kind else {}).payload == payload


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        (b'{"a": NaN}', "application/json", "NaN is not JSON"),
        (b"", "application/json", "empty"),
        (b" ", "application/json", "line 1"),
        (b'{"\xb9": 1}', "application/json", "byte 2"),
        (b'{"a":\n tru}', "application/json", "line 2, column 2"),
        (b"\xff", "application/json", "UTF-8"),
        (b"x", "multipart/form-data; boundary=y", "boundary"),
        (b"x", "multipart/form-data", "boundary"),
        (b"\xff", "text/plain; charset=utf-8", "UTF-8"),
        (b"x", "text/plain; charset=klingon", "klingon"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_with_its_fault(body: bytes, kind: str, told: str) -> None:
    assert told in refused(400, body, {"content-type": kind}).body["message"]


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_packed_body_is_unpacked_within_bounds(encoding: str, pack: Any) -> None:
    headers = {**JSON, "content-encoding": encoding}
    assert taken(pack(b'{"a": 1}'), headers).payload == {"a": 1}
    assert "more than the 1,000 bytes" in refused(400, pack(b" " * 100_000), headers, max_bytes=1000).body["message"]
    assert "its end is missing" in refused(400, pack(b'{"a": 1}')[:-3], headers).body["message"]
    assert "not packed" in refused(400, b'{"a": 1}', headers).body["message"]
    refused(415, b"x", {"content-encoding": "br"})
    assert taken(b"x", {"content-encoding": "identity"}).payload == "x"


def test_a_method_that_is_not_taken_is_told_which_are() -> None:
    reply = refused(405, method="GET", methods=["POST", "PUT"])
    assert reply.headers["Allow"] == "POST, PUT"
    assert taken(method="put", methods=["POST", "PUT"]).payload is None


def test_a_body_that_is_too_large_is_refused() -> None:
    refused(413, b"x" * 11, max_bytes=10)
    assert taken(b"x" * 10, max_bytes=10).payload == "x" * 10


def test_meta_tells_of_the_request_and_masks_logins() -> None:
    headers = {
        "Authorization": "Bearer abc",
        "cookie": "s=1",
        "proxy-authorization": "x",
        "x-api-key": "k",
        "X-Request-Id": "r1",
        "content-type": "application/json",
    }
    meta = taken(b"{}", headers, query={"a": "1"}).meta
    assert meta == {
        "trigger": {
            "method": "POST",
            "path": "/in",
            "query": {"a": "1"},
            "headers": {
                "authorization": MASK,
                "cookie": MASK,
                "proxy-authorization": MASK,
                "x-api-key": MASK,
                "x-request-id": "r1",
                "content-type": "application/json",
            },
        }
    }
    json.dumps(meta)


BASIC = {"auth": {"type": "basic", "connection": "c"}, "login": {"username": "ada", "password": "pä:ss"}}


def basic(pair: str) -> dict[str, str]:
    """The header that carries a name and a password."""
    return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def test_a_name_and_password_are_asked_for() -> None:
    assert taken(b"1", basic("ada:pä:ss"), **BASIC).payload == 1
    for headers in ({}, basic("ada:x"), basic("bob:pä:ss"), basic("ada"), {"authorization": "Basic ?"}, basic("")):
        assert "WWW-Authenticate" in refused(401, b"1", headers, **BASIC).headers
    refused(401, b"1", {"authorization": "Bearer pä:ss"}, **BASIC)


BEARER = {"auth": {"type": "bearer", "connection": "c"}, "login": {"token": "t0ken"}}


def test_a_token_is_asked_for() -> None:
    assert taken(b"1", {"authorization": "bearer t0ken"}, **BEARER).payload == 1
    for given_header in ("Bearer t0ke", "Bearer t0ken2", "t0ken", "Basic t0ken", "", "Bearer ", "Bearer tökén\udcff"):
        refused(401, b"1", {"authorization": given_header}, **BEARER)


@pytest.mark.parametrize(
    ("login", "where", "name"),
    [
        ({"value": "k1"}, "headers", "x-api-key"),
        ({"name": "X-Shop-Key", "in": "header", "value": "k1"}, "headers", "x-shop-key"),
        ({"name": "key", "in": "query", "value": "k1"}, "query", "key"),
    ],
)
def test_a_key_is_asked_for_and_masked(login: dict[str, str], where: str, name: str) -> None:
    auth: Any = {"auth": {"type": "api-key", "connection": "c"}, "login": login}
    message = taken(b"1", **{where: {name: "k1", "other": "x"}}, **auth)
    assert message.meta["trigger"][where] == {name: MASK, "other": "x"}
    refused(401, b"1", **{where: {name: "k2"}}, **auth)
    refused(401, b"1", **auth)


@pytest.mark.parametrize("kind", ["basic", "bearer", "api-key", "hmac"])
@pytest.mark.parametrize("login", [None, {}, {"token": ""}, {"something": "else"}])
def test_without_a_login_nothing_is_taken(kind: str, login: dict[str, str] | None) -> None:
    auth = {"type": kind, "connection": "c", **({"preset": "github"} if kind == "hmac" else {})}
    headers = {"authorization": "Bearer ", "x-hub-signature-256": "sha256=", "x-api-key": ""}
    assert "Retry-After" in refused(503, b"1", headers, auth=auth, login=login).headers


SECRET = {"secret": "s3cret"}


def mac(content: bytes, algorithm: str = "sha256", secret: str = "s3cret") -> hmac.HMAC:
    """A signature."""
    return hmac.new(secret.encode(), content, algorithm)


def hmac_auth(**settings: Any) -> dict[str, Any]:
    """The settings of a webhook that asks for a signature."""
    return {"auth": {"type": "hmac", "connection": "c", **settings}, "login": SECRET}


def test_github_signs_the_body() -> None:
    # The values of GitHub's own documentation.
    auth = {
        "auth": {"type": "hmac", "connection": "c", "preset": "github"},
        "login": {"secret": "It's a Secret to Everybody"},
    }
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert taken(b"Hello, World!", {"x-hub-signature-256": signature}, **auth).payload == "Hello, World!"
    refused(401, b"Hello, World?", {"x-hub-signature-256": signature}, **auth)
    refused(401, b"Hello, World!", {"x-hub-signature-256": signature.removeprefix("sha256=")}, **auth)
    refused(401, b"Hello, World!", {"x-hub-signature": signature}, **auth)


def test_slack_signs_the_time_too() -> None:
    # The values of Slack's own documentation.
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
        b"channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
        b"response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&"
        b"trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        "content-type": "application/x-www-form-urlencoded",
    }
    auth = {
        "auth": {"type": "hmac", "connection": "c", "preset": "slack"},
        "login": {"secret": "8f742231b10e8888abcd99yyyzzz85a5"},
    }
    assert taken(body, headers, at=1531420618 + 300, **auth).payload["command"] == "/webhook-collect"
    assert refused(401, body, headers, at=1531420618 + 301, **auth).body["error"] == "too_old"
    assert refused(401, body, headers, at=1531420618 - 301, **auth).body["error"] == "too_old"
    refused(401, body, {**headers, "x-slack-request-timestamp": "1531420619"}, at=1531420618, **auth)


def test_shopify_signs_in_base64() -> None:
    signature = base64.b64encode(mac(b"{}").digest()).decode()
    auth = hmac_auth(preset="shopify")
    assert taken(b"{}", {**JSON, "x-shopify-hmac-sha256": signature}, **auth).payload == {}
    refused(401, b"{ }", {**JSON, "x-shopify-hmac-sha256": signature}, **auth)
    refused(401, b"{}", {**JSON, "x-shopify-hmac-sha256": signature.swapcase()}, **auth)


def test_stripe_signs_with_each_of_its_secrets() -> None:
    good = mac(b"%d.{}" % int(AT)).hexdigest()
    other = mac(b"%d.{}" % int(AT), secret="older").hexdigest()
    auth = hmac_auth(preset="stripe", tolerance=10)
    for signatures in (f"v1={good}", f"v1={other},v1={good}", f"v0=x, v1={good}"):
        assert taken(b"{}", {**JSON, "stripe-signature": f"t={int(AT)},{signatures}"}, **auth).payload == {}
    for wrong in (f"v1={other}", f"v0={good}", "", "v1="):
        refused(401, b"{}", {**JSON, "stripe-signature": f"t={int(AT)},{wrong}"}, **auth)
    refused(401, b"{}", {**JSON, "stripe-signature": f"v1={good}"}, **auth)
    refused(401, b"{}", {**JSON, "stripe-signature": f"t={int(AT)},v1={good}"}, at=AT + 11, **auth)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("prefix", [True, False])
def test_any_sender_can_be_described(algorithm: str, encoding: str, prefix: bool) -> None:
    auth = hmac_auth(header="X-Signature", algorithm=algorithm, encoding=encoding)
    digest = mac(b"{}", algorithm).digest()
    signature = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
    signature = f"{algorithm}={signature}" if prefix else signature
    assert taken(b"{}", {**JSON, "x-signature": signature}, **auth).payload == {}
    refused(401, b"{}", {**JSON, "x-signature": signature[:-2] + "00"}, **auth)
    refused(401, b"{}", JSON, **auth)
    if encoding == "hex":
        assert taken(b"{}", {**JSON, "x-signature": signature.upper().replace("SHA", "sha")}, **auth).payload == {}


def test_a_sender_that_signs_the_time_can_be_described() -> None:
    auth = hmac_auth(header="X-Sig", timestamp_header="X-Time", tolerance=60)
    signed = {"x-sig": mac(b"%d.{}" % int(AT)).hexdigest(), "x-time": str(int(AT)), **JSON}
    assert taken(b"{}", signed, **auth).payload == {}
    refused(401, b"{}", signed, at=AT + 61, **auth)
    refused(401, b"{}", {**signed, "x-time": "later"}, **auth)
    refused(401, b"{}", {name: value for name, value in signed.items() if name != "x-time"}, **auth)


@given(st.binary(max_size=40), st.text(max_size=30))
def test_no_signature_is_good_by_chance_and_none_breaks_the_webhook(body: bytes, header: str) -> None:
    for auth in (
        hmac_auth(preset="github"),
        hmac_auth(preset="shopify"),
        hmac_auth(preset="stripe"),
        hmac_auth(header="s"),
    ):
        name = {"github": "x-hub-signature-256", "shopify": "x-shopify-hmac-sha256", "stripe": "stripe-signature"}.get(
            auth["auth"].get("preset"), "s"
        )
        refused(401, body, {name: header}, **auth)


def test_no_answer_tells_of_a_secret() -> None:
    for auth in (BASIC, BEARER, hmac_auth(preset="github"), hmac_auth(header="x")):
        told = json.dumps(refused(401, b"{}", {"authorization": "Bearer x", "x": "y"}, **auth).body)
        assert not any(
            secret in told for secret in ("s3cret", "t0ken", "ada", "pä:ss", hashlib.sha256(b"").hexdigest())
        )


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"path": ""}, "path"),
        ({"path": "/"}, "path"),
        ({"path": "a//b"}, "path"),
        ({"path": "a/../b"}, "path"),
        ({"path": "a b"}, "path"),
        ({"path": "a?b"}, "path"),
        ({"methods": []}, "methods"),
        ({"methods": ["POST", "POST"]}, "methods"),
        ({"methods": ["FETCH"]}, "methods.0"),
        ({"max_bytes": -1}, "max_bytes"),
        ({"auth": {"type": "basic"}}, "auth.connection"),
        ({"auth": {"type": "hmac", "connection": "c"}}, "auth.header"),
        ({"auth": {"type": "hmac", "connection": "c", "preset": "github", "header": "x"}}, "auth.header"),
        ({"auth": {"type": "hmac", "connection": "c", "preset": "gitlab"}}, "auth.preset"),
        ({"auth": {"type": "hmac", "connection": "c", "header": "x", "tolerance": 0}}, "auth.tolerance"),
        ({"auth": {"type": "magic"}}, "auth.type"),
        ({"dedupe_key": "{{ id }}"}, "dedupe_key"),
    ],
)
def test_faults_are_found_before_a_request(settings: dict[str, Any], field: str) -> None:
    _, problems = compile_config(derive(Webhook), {"path": "in", **settings})
    assert field in {problem.field for problem in problems}


def test_the_path_may_be_each_customers_own() -> None:
    bound = compiled(Webhook, {"path": "{{ $vars.path }}"}).bind({"vars": {"path": "/acme/orders"}})
    assert Webhook().source(bound.evaluate(None, {}, None)).path == "acme/orders"
