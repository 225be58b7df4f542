"""JSON that others wrote to break readers, through every door by which JSON comes in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowstudio.components.bodies import json_bytes
from flowstudio.components.file_read import FileRead
from flowstudio.components.http import Http
from flowstudio.components.webhook import Webhook
from flowstudio.engine.bound import BoundPlan, Values
from flowstudio.engine.runner import run_flow
from flowstudio.errors import FileError, StepError
from flowstudio.flow.files import read_flow, read_payload
from flowstudio.httpclient import Response
from flowstudio.plan.compile import compile_flow
from flowstudio.sdk import Delivery, Message
from flowstudio.sdk.registry import Registry
from flowstudio.templates.version import read_template
from tests.builders import flow
from tests.conformance.stage import compiled, perform

Json = Any

CORPUS = Path(__file__).resolve().parents[1] / "data" / "json-parsing"
PARSING = sorted((CORPUS / "parsing").iterdir())
TRANSFORM = sorted((CORPUS / "transform").iterdir())


class Refused(Exception):  # noqa: N818 - it is an answer, not a fault
    """What a door said when it let something not in."""


def by_webhook(path: Path) -> Json:
    """As the body of a request."""
    config = compiled(Webhook, {"path": "in"}).bind({}).evaluate(None, {}, None)
    delivery = Delivery("POST", "/in", {}, {"content-type": "application/json"}, path.read_bytes(), None, 0.0)
    taken = Webhook().accept(config, delivery)
    if isinstance(taken, Message):
        return taken.payload
    assert taken.status == 400
    raise Refused(taken.body["message"])


def by_answer(path: Path) -> Json:
    """As the body of an answer."""
    answer = Response(200, headers={"Content-Type": "application/json"}, content=path.read_bytes())
    return perform(Http, {"url": "https://api.example.com"}, answers=[answer]).payload


def by_payload(path: Path) -> Json:
    """As the payload or sample that is given to a run."""
    return read_payload(path)


def by_step(path: Path) -> Json:
    """As the file that a step reads."""
    return perform(FileRead, {"path": str(path), "format": "json"}).payload


DOORS: dict[str, Callable[[Path], Json]] = {
    "webhook": by_webhook,
    "answer": by_answer,
    "payload": by_payload,
    "step": by_step,
}


def outcome(door: Callable[[Path], Json], path: Path) -> tuple[bool, str]:
    """Whether it came in, and as what, or why not; anything but a refusal is a crash and ends the test."""
    try:
        return True, repr(door(path))
    except (Refused, FileError, StepError) as refused:
        return False, str(refused)


def test_the_corpus_is_all_there() -> None:
    assert len(PARSING) == 157
    assert len(TRANSFORM) == 11


@pytest.mark.parametrize("path", PARSING, ids=lambda path: path.stem[:60])
def test_every_door_takes_json_and_nothing_else(path: Path) -> None:
    met = {name: outcome(door, path) for name, door in DOORS.items()}
    if path.name == "n_structure_no_data.json":
        # An answer without a body is common, whatever its type says, and means that there is nothing to tell.
        assert met.pop("answer") == (True, "None")
    taken = {came_in for came_in, _ in met.values()}
    assert len(taken) == 1, met
    if path.name.startswith("y_"):
        assert taken == {True}
    elif path.name.startswith("n_"):
        assert taken == {False}
    if taken == {True}:
        assert len({value for _, value in met.values()}) == 1, met
        assert met["step"][1] == repr(json.loads(path.read_bytes().decode("utf-8-sig")))
    else:
        assert all(why and "Traceback" not in why for _, why in met.values())


@pytest.mark.parametrize(
    "body",
    [
        b"[123.456e-789]",
        b"[-1e+9999]",
        b'{"\\uDFAA":0}',
        b"[1]\x00",
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf[2]",
        b'["\xed\xa0\x80"]',
        b'["\xc0\xaf"]',
        b"[" * 500 + b"]" * 500,
        b'[{"":' * 50_000,
        b"[" + b"1" * 4300 + b"]",
        b"[" + b"1" * 4301 + b"]",
        '["é"]'.encode("utf-16"),
        '\ufeff["é"]'.encode("utf-16-be"),
        '["é"]'.encode("utf-32"),
        '["é"]'.encode("utf-16-le"),
        '["é"]'.encode("utf-16-be"),
        b"\xff\xfe[\x00\x00",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_left_open_is_the_same_at_every_door(body: bytes, tmp_path: Path) -> None:
    path = tmp_path / "body.json"
    path.write_bytes(body)
    met = {name: outcome(door, path) for name, door in DOORS.items()}
    assert len({came_in for came_in, _ in met.values()}) == 1, met
    if met["step"][0]:
        assert len({value for _, value in met.values()}) == 1, met


@pytest.mark.parametrize("read", [read_flow, read_template], ids=["flow", "template"])
@pytest.mark.parametrize("path", PARSING, ids=lambda path: path.stem[:60])
def test_nothing_of_it_is_a_flow_or_a_template(path: Path, read: Callable[[Path], Any]) -> None:
    with pytest.raises(FileError) as refused:
        read(path)
    told = str(refused.value)
    json_itself = "not JSON" not in told and "not UTF-8" not in told and "is empty" not in told
    if path.name.startswith("y_"):
        assert json_itself, told
    elif path.name.startswith("n_"):
        assert not json_itself, told


def passed_on(payload: Json) -> Json:
    """What comes out of a flow that only passes the payload on."""
    registry = Registry.from_entry_points()
    plan = compile_flow(
        flow("start=manual -> same=map -> kept=set -> said=log", same={"expression": "$"}, said={"message": "passes"}),
        registry,
    )

    async def work() -> Json:
        bound = BoundPlan(plan, Values(), registry)
        try:
            result = await run_flow(bound, None, payload)
        finally:
            await bound.close()
        assert result.error is None, result.error
        return result.outputs[0].payload

    return asyncio.run(work())


# What JSON leaves to whoever reads it, and what becomes of it: of a key that stands twice the last value counts, a number
# with a point or an exponent is one of 64 bits. All else comes out as it went in.
BECOMES = {
    "object_same_key_different_values.json": '{"a":2}',
    "object_same_key_same_value.json": '{"a":1}',
    "number_1.000000000000000005.json": "[1.0]",
    "number_1e6.json": "[1000000.0]",
}


@pytest.mark.parametrize("path", TRANSFORM, ids=lambda path: path.stem)
def test_what_goes_in_comes_out(path: Path) -> None:
    came_in, told = outcome(by_payload, path)
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        assert not came_in
        assert "not UTF-8" in told
        return
    wrapped = {"payload": read_payload(path)}  # `set` works on objects alone
    out = json_bytes(passed_on(wrapped)["payload"]).decode()
    expected = BECOMES.get(path.name, text.strip())
    assert out.replace(" ", "").lower() == expected.replace(" ", "").lower()
