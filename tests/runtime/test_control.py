"""The control API of a host: what a vendor's backend does with it, and that nobody else does anything with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from flowstudio.flow.model import Flow, Slot, Step, Variable, Wire
from flowstudio.runtime.control import ROUTES
from flowstudio.templates.version import publish
from tests.hosting import HostWorld
from tests.target import Target

FLOW = Flow(
    "orders",
    "Orders",
    steps={
        "receive": Step("webhook@1", config={"path": "new"}),
        "shape": Step("map@1", config={"expression": '{"id": id, "iban": iban}'}),
        "push": Step(
            "http@1", config={"method": "POST", "url": "{{ $vars.url }}/orders", "body": "$", "connection": "crm"}
        ),
    },
    wires=(Wire("receive", "shape"), Wire("shape", "push")),
    variables={"url": Variable("url", required=True), "size": Variable("integer", default=1)},
    connections={"crm": Slot("bearer", required=True)},
    redact=("iban",),
)


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    made = Target()
    yield made
    made.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, target: Target) -> Iterator[HostWorld]:
    made = HostWorld(tmp_path_factory.mktemp("host"))
    made.deploy(
        publish(FLOW, "1.0.0", "The first"),
        {"acme": {"values": {"url": target.url}, "connections": {"crm": {"token": "t0ken-of-acme"}}}},
    )
    made.start(FLOWSTUDIO_API_TOKEN_READ="only-looking", FLOWSTUDIO_API_TOKEN_DEPLOY="deploying")
    yield made
    made.close()


@pytest.mark.slow
def test_a_customer_is_enabled_changed_and_removed(world: HostWorld, target: Target) -> None:
    place = "/customers/casa/instances/orders"
    made = world.api("PUT", place, {"name": "Casa", "values": {"url": target.url}})
    assert (made.status_code, made.json()["create"], made.json()["needs_setup"]) == (
        201,
        ["casa/orders"],
        ["casa/orders"],
    )
    assert world.post("casa/orders/new", {"id": 1}).status_code == 503
    changed = world.api("PUT", place, {"connections": {"crm": {"token": "t0ken-of-casa"}}})
    assert changed.status_code == 200
    assert "t0ken-of-casa" not in changed.text
    assert world.post("casa/orders/new", {"id": 1}).status_code == 202
    assert world.api("PUT", place, {"values": {"url": target.url}}).json()["same"] == 1
    told = {each["instance"]: each for each in world.api("GET", "/instances").json()}
    assert (told["casa/orders"]["name"], told["casa/orders"]["status"]) == ("Casa", "active")
    assert world.api("POST", "/instances/casa/orders/pause").json() == {"changed": True}
    assert world.post("casa/orders/new", {"id": 2}).status_code == 503
    assert world.api("POST", "/instances/casa/orders/resume").json() == {"changed": True}
    assert world.post("casa/orders/new", {"id": 2}).status_code == 202
    assert world.api("DELETE", place).json() == {"removed": 1}
    assert world.post("casa/orders/new", {"id": 3}).status_code == 404


@pytest.mark.slow
def test_an_override_makes_another_flow_for_one_customer(world: HostWorld, target: Target) -> None:
    override = {"edit": "SetConfig", "step": "shape", "path": ["expression"], "value": '{"id": id, "for": "b"}'}
    given = {"values": {"url": target.url}, "connections": {"crm": {"token": "t0ken-of-b"}}, "overrides": [override]}
    assert world.api("PUT", "/customers/b/instances/orders", given).status_code == 201
    world.post("b/orders/new", {"id": 11})
    world.post("acme/orders/new", {"id": 12})
    world.until_ended()
    bodies = {got.body["id"]: got.body for got in target.got if "id" in got.body}
    assert (bodies[11], bodies[12]) == ({"id": 11, "for": "b"}, {"id": 12})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"values": {"url": 5}}, "url"),
        ({"values": {"ulr": "http://x"}}, "did you mean url?"),
        ({"values": {"size": "large"}}, "size"),
        ({"connections": {"crn": {"token": "x"}}}, "did you mean crm?"),
        ({"overrides": [{"edit": "SetConfig", "step": "nobody", "path": ["x"], "value": 1}]}, "nobody"),
        ({"strange": 1}, "strange"),
    ],
)
def test_what_does_not_fit_is_told_by_field_and_changes_nothing(world: HostWorld, body: object, said: str) -> None:
    before = world.api("GET", "/instances").json()
    refused = world.api("PUT", "/customers/acme/instances/orders", body)
    assert refused.status_code == 422
    assert said in refused.text
    assert world.api("GET", "/instances").json() == before


def test_a_login_that_is_sent_reads_nothing_of_the_host(world: HostWorld, target: Target) -> None:
    path = world.folder / "secret.txt"
    path.write_text("of the host", encoding="utf-8")
    given = {"values": {"url": target.url}, "connections": {"crm": {"token": f"file:{path}"}}}
    assert world.api("PUT", "/customers/sly/instances/orders", given).status_code == 201
    before = len(target.got)
    world.post("sly/orders/new", {"id": 20})
    world.until_ended()
    assert target.got[before].authorization == f"Bearer file:{path}"


@pytest.mark.slow
def test_every_address_asks_for_its_scope(world: HostWorld) -> None:
    for route in ROUTES:
        path = route.path.format(customer="acme", template="orders", run="r", hash="0" * 64)
        url = f"{world.url}/api/v1{path}"
        for token in ("", "wrong", "t0ken-of-acme"):
            headers = {"authorization": f"Bearer {token}"} if token else {}
            refused = httpx.request(route.method, url, headers=headers)
            assert refused.status_code == 401, (route, token)
        basic = httpx.request(route.method, url, headers={"authorization": "Basic only-looking"})
        assert basic.status_code == 401
        if route.scope != "read":
            looked = world.api(route.method, path, {}, token="only-looking")
            assert (looked.status_code, "deploy" in looked.text) == (403, True), route
    assert world.api("GET", "/instances", token="only-looking").status_code == 200
    assert world.api("POST", "/instances/acme/orders/resume", token="deploying").status_code == 200
    assert world.api("PATCH", "/instances").status_code == 405
    assert world.api("GET", "/nothing").status_code == 404


@pytest.mark.slow
def test_a_failed_run_can_be_looked_at_whole_and_secrets_stay_masked(world: HostWorld, target: Target) -> None:
    target.failing.add("/orders")
    run = world.post("acme/orders/new", {"id": 30, "iban": "DE00 1234", "note": "x" * 100}).json()["run"]
    world.until_ended()
    target.failing.clear()
    requests = len(target.got)
    trace = world.api("GET", f"/runs/{run}/trace").json()["events"]
    assert len(target.got) == requests
    finished = {each["step"]: each for each in trace if each["event"] == "VisitFinished"}
    assert list(finished) == ["receive", "shape"]
    failed = next(each for each in trace if each["event"] == "VisitFailed")
    assert (failed["step"], failed["error"]["status"]) == ("push", 500)
    effect = next(each for each in trace if each["event"] == "Effected")
    assert world.api("GET", f"/payloads/{effect['request']['$stored']}").json()["url"].endswith("/orders")
    payload = world.api("GET", f"/payloads/{finished['receive']['payload']['$stored']}").json()
    assert (payload["id"], payload["iban"]) == (30, "•••")
    whole = str(trace) + str(payload)
    assert "DE00" not in whole
    assert "t0ken-of-acme" not in whole
    assert world.api("GET", f"/runs/{run}").json()["status"] == "failed"
    assert world.api("GET", "/runs/nobody").status_code == 404
    assert world.api("GET", "/payloads/../../secrets.enc").status_code == 404
    assert world.api("POST", f"/runs/{run}/resume", {"from": "nowhere"}).status_code == 422
    assert world.api("POST", f"/runs/{run}/resume").status_code == 202
    world.until_ended()
    assert world.api("GET", f"/runs/{run}").json()["status"] == "succeeded"
    # With the values that were sealed in the journal, and not with their masks.
    assert target.got[-1].body == {"id": 30, "iban": "DE00 1234"}


def test_the_api_describes_itself(world: HostWorld) -> None:
    told = world.api("GET", "/openapi.json").json()
    assert sum(len(methods) for methods in told["paths"].values()) == len(ROUTES)


@pytest.mark.slow
def test_without_a_token_there_is_no_api(tmp_path: Path) -> None:
    world = HostWorld(tmp_path)
    del world.environ["FLOWSTUDIO_API_TOKEN"]
    try:
        world.start()
        for token in ("", "x"):
            assert world.api("GET", "/instances", token=token).status_code == 404
    finally:
        world.close()
