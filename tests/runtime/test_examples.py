"""The examples as a newcomer runs them: they may run, need no network, and the demo target gets what they should send."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from flowstudio.flow.files import layout_path, read_flow, sample_paths
from flowstudio.flow.values import is_demo
from flowstudio.plan.compile import problems_of
from flowstudio.resources import resources_root
from flowstudio.runtime.demo import DemoTarget
from flowstudio.sdk.registry import Registry

EXAMPLES = sorted((resources_root() / "examples").glob("*.flow.json"))
UNSIGNED = "the webhook takes messages from anybody"

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def example(name: str) -> Path:
    return resources_root() / "examples" / f"{name}.flow.json"


async def ran(path: Path, demo: DemoTarget, *more: str) -> dict[str, Any]:
    """What `flowstudio run --json` prints of an example whose demo values are those of this target."""
    given = [
        word
        for name, variable in read_flow(path).flow.variables.items()
        if is_demo(variable.default)
        for word in ("--set", f"{name}={demo.url_for(variable.default)}")
    ]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "flowstudio", "run", str(path), "--json", *given, *more),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    told: dict[str, Any] = json.loads(out)
    return told


def sent(demo: DemoTarget) -> list[tuple[str, str]]:
    return [(request.method, request.path) for request in demo.received]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name.partition(".")[0])
def test_it_may_run_and_brings_its_layout_and_a_sample(path: Path) -> None:
    flow = read_flow(path).flow
    problems = problems_of(flow, Registry.from_entry_points())
    assert all(problem.severity == "warning" and problem.what == UNSIGNED for problem in problems), problems
    assert layout_path(path).is_file()
    assert set(flow.layout.steps) == set(flow.steps)
    assert sample_paths(path)
    assert flow.description
    assert all(is_demo(variable.default) for variable in flow.variables.values() if variable.type == "url")


@pytest.mark.slow
async def test_customer_sync_pushes_good_customers_alone() -> None:
    path = example("customer-sync")
    async with DemoTarget() as demo:
        told = await ran(path, demo)
        assert (told["status"], told["filtered"]) == ("succeeded", 0)
        assert [record["name"] for record in demo.records("crm/customers")] == ["Ines Carvalho"]
        below = path.with_name("customer-sync.below-minimum.sample.json")
        told = await ran(path, demo, "--payload", f"@{below}")
        assert (told["status"], told["filtered"]) == ("succeeded", 1)
        assert sent(demo) == [("POST", "/crm/customers")]


@pytest.mark.slow
async def test_nightly_stock_orders_what_runs_low() -> None:
    async with DemoTarget() as demo:
        told = await ran(example("nightly-stock"), demo)
        assert (told["status"], told["filtered"]) == ("succeeded", 5)
        assert sent(demo) == [("GET", "/warehouse/stock.csv"), *[("POST", "/supplier/orders")] * 3]
        ordered = [(record["sku"], record["quantity"]) for record in demo.records("supplier/orders")]
        assert ordered == [("TEE-S", 33), ("MUG-BLUE", 68), ("CAP-GREEN", 17)]
        (output,) = told["outputs"]
        assert [answer["status"] for answer in output["payload"]] == ["created"] * 3


@pytest.mark.slow
async def test_nightly_stock_keeps_a_larger_reserve_when_told() -> None:
    async with DemoTarget() as demo:
        told = await ran(example("nightly-stock"), demo, "--set", "reserve=25")
        assert told["filtered"] == 3
        assert len(demo.records("supplier/orders")) == 5


@pytest.mark.slow
async def test_orders_to_xml_sends_the_paid_orders_as_one_document() -> None:
    async with DemoTarget() as demo:
        told = await ran(example("orders-to-xml"), demo)
        assert told["status"] == "succeeded"
        assert sent(demo) == [("POST", "/erp/imports")]
        (record,) = demo.records("erp/imports")
        assert record["content_type"] == "application/xml"
        root = ElementTree.fromstring(record["text"].encode())
        assert root.tag == "Orders"
        assert [order.get("number") for order in root] == ["2026-0311", "2026-0313", "2026-0314"]
        assert [order.findtext("Total") for order in root] == ["58.9", "72.5", "46.5"]
        assert root[1].findtext("Customer") == "Grüner & Söhne"
        assert [line.get("sku") for line in root[0].iter("Line")] == ["PEN-BLUE", "INK-50"]


@pytest.mark.slow
async def test_orders_to_xml_takes_a_single_order_as_a_list() -> None:
    path = example("orders-to-xml")
    async with DemoTarget() as demo:
        one = path.with_name("orders-to-xml.one-order.sample.json")
        await ran(path, demo, "--payload", f"@{one}")
        (record,) = demo.records("erp/imports")
        assert [order.get("number") for order in ElementTree.fromstring(record["text"].encode())] == ["2026-0315"]
