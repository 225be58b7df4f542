"""The demo target: what it stores, what it answers, and how it behaves like a system that has a bad day."""

from __future__ import annotations

import asyncio
import json

import pytest

from flowstudio.errors import InvalidInputError
from flowstudio.httpclient import HttpClient, Request, Response
from flowstudio.runtime.demo import DemoTarget, serve

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def send(method: str, url: str, body: object = None, **headers: str) -> Response:
    content = json.dumps(body).encode() if body is not None else None
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with HttpClient() as client:
        return await client.send(Request(method, url, content=content, headers=named), timeout=10)


async def test_the_crm_takes_customers() -> None:
    async with DemoTarget() as demo:
        crm = demo.url_for("demo://crm")
        assert crm == f"{demo.url}/crm"
        first = await send("POST", f"{crm}/customers", {"name": "Ada Lovelace", "lines": [1]})
        second = await send("POST", f"{crm}/customers", {"name": "Grace Hopper"})
        assert first.status_code == second.status_code == 201
        assert first.headers["content-type"] == "application/json"
        assert first.json() == {"id": "crm-1001", "status": "created", "name": "Ada Lovelace"}
        assert second.json()["id"] == "crm-1002"
        assert first.headers["location"] == "/crm/customers/crm-1001"
        stored = {"id": "crm-1001", "name": "Ada Lovelace", "lines": [1]}
        assert (await send("GET", demo.url + first.headers["location"])).json() == stored
        listed = (await send("GET", f"{crm}/customers")).json()
        assert listed == [stored, {"id": "crm-1002", "name": "Grace Hopper"}] == demo.records("crm/customers")
        found = (await send("GET", f"{crm}/customers?name=Grace%20Hopper")).json()
        assert [record["id"] for record in found] == ["crm-1002"]
        assert (await send("HEAD", f"{crm}/customers")).content == b""


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("demo://crm", "/crm"),
        ("demo:crm", "/crm"),
        ("demo://casa-verde-crm/api/v2", "/casa-verde-crm/api/v2"),
        ("demo://", "/demo"),
        ("demo:", "/demo"),
        ("demo://crm?x=1", "/crm?x=1"),
    ],
)
async def test_what_a_demo_value_stands_for(value: str, path: str) -> None:
    async with DemoTarget() as demo:
        assert demo.url_for(value) == demo.url + path


async def test_every_name_is_a_system_of_its_own() -> None:
    async with DemoTarget() as demo:
        shop, crm = demo.url_for("demo://shop"), demo.url_for("demo://crm")
        assert (await send("POST", f"{shop}/orders", {"id": 77, "sku": "a"})).json()["id"] == "shop-1001"
        assert (await send("POST", f"{crm}/orders", {})).json()["id"] == "crm-1001"
        assert (await send("POST", f"{shop}/orders/shop-1001/lines", {"n": 1})).json()["id"] == "shop-1002"
        assert (await send("GET", f"{shop}/orders")).json() == [{"id": "shop-1001", "sku": "a", "external_id": 77}]
        assert (await send("GET", f"{shop}/orders/shop-1001/lines")).json() == [{"id": "shop-1002", "n": 1}]
        assert (await send("GET", f"{shop}/nothing")).json() == []
        assert (await send("POST", shop, [1, 2])).json() == {"id": "shop-1003", "status": "created"}
        assert (await send("GET", f"{shop}/shop-1003")).json() == {"id": "shop-1003", "value": [1, 2]}
        overview = (await send("GET", demo.url)).json()
        assert overview["systems"]["crm"] == {"orders": 1}


async def test_a_record_is_replaced_changed_and_removed() -> None:
    async with DemoTarget() as demo:
        one = demo.url_for("demo://crm") + "/customers/crm-1001"
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            assert (await send(method, one, {})).status_code == 404
        await send("POST", demo.url_for("demo://crm") + "/customers", {"name": "Ada", "city": "London"})
        assert (await send("PATCH", one, {"city": "Graz"})).json() == {"id": "crm-1001", "name": "Ada", "city": "Graz"}
        assert (await send("PUT", one, {"name": "A."})).json() == {"id": "crm-1001", "name": "A."}
        assert (await send("OPTIONS", one)).status_code == 405
        assert (await send("DELETE", one)).status_code == 204
        assert (await send("GET", one)).status_code == 404


async def test_a_repeated_key_gets_the_first_answer_and_stores_nothing() -> None:
    async with DemoTarget() as demo:
        url = demo.url_for("demo://crm") + "/customers"
        answers = [await send("POST", url, {"name": name}, Idempotency_Key="run:push") for name in ("Ada", "Eve")]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].content == answers[1].content
        assert answers[0].headers["location"] == answers[1].headers["location"]
        assert (await send("POST", url, {"name": "Eve"}, Idempotency_Key="run:other")).json()["id"] == "crm-1002"
        assert len(demo.records("crm/customers")) == 2
        assert demo.repeats == 1
        assert [request.headers["idempotency-key"] for request in demo.received] == [
            "run:push",
            "run:push",
            "run:other",
        ]


async def test_the_first_requests_fail_when_asked_to_and_are_not_remembered() -> None:
    async with DemoTarget(fail=2) as demo:
        url = demo.url_for("demo://crm") + "/customers"
        answers = [await send("POST", url, {}, Idempotency_Key="one") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [503, 503, 201]
        assert answers[0].headers["retry-after"] == "0"
        assert answers[2].json()["id"] == "crm-1001"
        assert len(demo.received) == 3


async def test_bodies_that_are_no_json() -> None:
    async with DemoTarget() as demo:
        url = demo.url_for("demo://erp") + "/orders"
        async with HttpClient() as client:
            for kind, body in (
                ("application/xml", b"<o/>"),
                ("application/pdf", b"\xff\xfe"),
                ("text/csv; q=1", b"a,b"),
            ):
                request = Request("POST", url, headers={"Content-Type": kind}, content=body)
                assert (await client.send(request, timeout=5)).status_code == 201
            broken = Request("POST", url, headers={"Content-Type": "application/json"}, content=b"{nope")
            assert (await client.send(broken, timeout=5)).status_code == 400
            deep = Request("POST", url, content=b"[" * 100_000)
            assert (await client.send(deep, timeout=5)).status_code == 400
            empty = Request("POST", url)
            assert (await client.send(empty, timeout=5)).status_code == 201
        assert demo.records("erp/orders") == [
            {"id": "erp-1001", "content_type": "application/xml", "text": "<o/>"},
            {"id": "erp-1002", "content_type": "application/pdf", "base64": "//4="},
            {"id": "erp-1003", "content_type": "text/csv", "text": "a,b"},
            {"id": "erp-1004"},
        ]


@pytest.mark.slow
async def test_many_at_once_get_an_id_each() -> None:
    async with DemoTarget() as demo, HttpClient() as client:
        url = demo.url_for("demo://crm") + "/customers"
        requests = [Request("POST", url, content=b"{}") for _ in range(100)]
        answers = await asyncio.gather(*(client.send(request, timeout=20) for request in requests))
    assert {answer.json()["id"] for answer in answers} == {f"crm-{1001 + n}" for n in range(100)}


async def test_it_runs_alone_until_it_is_cancelled() -> None:
    announced: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(serve(fail=1, announce=announced.set_result))
    url = await announced
    assert (await send("GET", f"{url}/crm/customers")).status_code == 503
    assert (await send("GET", f"{url}/crm/customers")).status_code == 200
    with pytest.raises(InvalidInputError, match="cannot be listened on"):
        await serve(port=int(url.rpartition(":")[2]))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    with pytest.raises(RuntimeError, match="not running"):
        DemoTarget().url_for("demo://crm")


async def test_a_document_lies_there_from_the_beginning() -> None:
    async with DemoTarget() as demo:
        address = demo.url_for("demo://warehouse") + "/stock.csv"
        found = await send("GET", address)
        assert found.headers["content-type"].startswith("text/csv")
        assert found.content.decode().splitlines()[0] == "sku,name,shelf,stock,minimum"
        assert (await send("GET", demo.url_for("demo://crm") + "/stock.csv")).json() == []
