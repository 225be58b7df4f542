"""What every component must be able to answer, whoever wrote it: found through the registry, asked one by one."""

from __future__ import annotations

import asyncio
import copy
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowstudio.editor.theme import is_icon
from flowstudio.errors import StepError
from flowstudio.plan.settings import compile_config
from flowstudio.sdk import Example, Sleep, Stop, Stream, StreamSource, Wait
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import FieldSpec, Spec
from tests.conformance.configs import configs, half_filled, json_values, wrong_values
from tests.conformance.reference import FOLDER, pages
from tests.conformance.schemas import faults
from tests.conformance.stage import Performed, StageContext, act, perform

Json = Any

REGISTRY = Registry.from_entry_points()
SPECS = REGISTRY.specs()
EXAMPLES = [(spec, example) for spec in SPECS for example in spec.component.examples]
PORT = re.compile(r"\w[\w-]*")

every_component = pytest.mark.parametrize("spec", SPECS, ids=[spec.name for spec in SPECS])
every_example = pytest.mark.parametrize(
    ("spec", "example"), EXAMPLES, ids=[f"{spec.key}: {example.title}" for spec, example in EXAMPLES]
)


def test_every_entry_point_can_be_loaded() -> None:
    assert REGISTRY.failures == {}
    assert {spec.key for spec in SPECS} >= {
        *("manual webhook schedule http map set script filter choice respond log".split())
    }


def leaves(fields: tuple[FieldSpec, ...], path: str = "") -> Iterator[tuple[str, FieldSpec]]:
    """Every field that a form shows, with its dotted name."""
    for field in fields:
        yield path + field.name, field
        yield from leaves(field.fields, f"{path}{field.name}.")
        if field.item is not None:
            yield from leaves(field.item.fields, f"{path}{field.name}.")
        for variant in field.variants:
            yield from leaves(variant.fields, f"{path}{field.name}.{variant.value}.")


@every_component
def test_it_is_documented(spec: Spec) -> None:
    assert spec.title[0].isupper()
    assert re.fullmatch(r"[A-Z][^.]*\.", spec.description), "a description is one sentence"
    assert len(set(spec.aliases)) == len(spec.aliases)
    for name, field in leaves(spec.fields):
        assert field.title[:1].isupper(), f"{name} has no title"
        assert field.description.endswith("."), f"{name} has no description that ends"


@every_component
def test_its_icon_is_one(spec: Spec, qapp: object) -> None:
    assert is_icon(spec.icon)


@every_component
def test_its_ports_can_be_wired(spec: Spec) -> None:
    for ports in (spec.inputs, spec.outputs):
        names = [port.name for port in ports]
        assert len(set(names)) == len(names)
        assert all(PORT.fullmatch(name) for name in names)
    assert "error" not in {port.name for port in spec.outputs}
    assert "in" not in {port.name for port in spec.outputs}


@every_component
def test_it_shows_examples(spec: Spec) -> None:
    titles = [example.title for example in spec.component.examples]
    assert len(titles) >= 2
    assert len(set(titles)) == len(titles)


def tried(spec: Spec, example: Example) -> tuple[Performed | None, str | None]:
    """What came of an example, None where it failed; and the message with which it did, or with which it fails the run."""
    try:
        done = perform(
            spec.component,
            example.config,
            example.payload,
            answers=example.answers,
            files=example.files,
            state=dict(example.state),
        )
    except StepError as error:
        return None, error.message
    return done, done.result.error if isinstance(done.result, Stop) else None


@every_example
def test_an_example_does_what_it_says(spec: Spec, example: Example) -> None:
    before = copy.deepcopy(example.payload)
    done, failure = tried(spec, example)
    assert failure == example.error
    if done is None:
        return
    assert (done.result if isinstance(done.result, (Sleep, Wait)) else None) == example.waits
    assert done.context.state == (example.state if example.remembers is None else example.remembers)
    assert done.port == example.port
    if example.port is not None:
        assert done.payload == example.output
        assert example.port in {port.name for port in spec.ports(example.config)}
    assert json.dumps(example.payload) == json.dumps(before), "a payload is shared and never changed"
    assert len(done.context.requests) == len(example.requests)
    for request, told in zip(done.context.requests, example.requests, strict=True):
        assert request.method == told["method"]
        assert str(request.url) == told["url"]
        if "body" in told:
            assert json.loads(request.content) == told["body"]


@every_example
def test_an_example_fits_the_schema(spec: Spec, example: Example) -> None:
    config = json.loads(json.dumps(example.config))
    assert list(faults(config, spec.json_schema())) == []


@every_example
def test_each_wrong_value_is_a_fault_that_names_its_field(spec: Spec, example: Example) -> None:
    for field, wrong in wrong_values(spec, example.config):
        _, problems = compile_config(spec, wrong)
        named = [problem.field or "" for problem in problems if problem.severity == "error"]
        assert any(name == field or name.startswith(f"{field}.") for name in named), (
            f"{field} with {wrong} gives {[str(problem) for problem in problems]}"
        )
        for problem in problems:
            assert problem.what
            assert problem.remedy, f"{problem} does not say what to do"


@every_component
def test_a_missing_field_is_named(spec: Spec) -> None:
    _, problems = compile_config(spec, {})
    missing = {problem.field for problem in problems if problem.severity == "error"}
    assert missing >= {field.name for field in spec.fields if field.required}


@every_component
def test_an_unknown_field_is_named_with_the_nearest(spec: Spec) -> None:
    if spec.fields:
        near = spec.fields[0].name + "x"
        _, problems = compile_config(spec, {near: 1})
        assert any(problem.field == near and spec.fields[0].name in problem.remedy for problem in problems)


@every_component
@given(data=st.data())
@pytest.mark.slow
def test_right_configs_fit_the_schema_and_compile(spec: Spec, data: st.DataObject) -> None:
    config = data.draw(configs(spec))
    assert list(faults(config, spec.json_schema())) == []
    assert json.loads(json.dumps(config)) == config
    _, problems = compile_config(spec, config)
    # What is left are the component's own rules: two ways out with one name, no cron line.
    own = {fault.what for fault in spec.component.check({**spec.defaults, **config})}
    strangers = [str(problem) for problem in problems if problem.severity == "error" and problem.what not in own]
    assert strangers == []


@every_component
@given(data=st.data())
def test_a_card_can_always_be_drawn(spec: Spec, data: st.DataObject) -> None:
    config = data.draw(configs(spec) | half_filled(spec))
    # The component itself is asked: the spec would hide what it raises.
    summary = spec.component.summary(config)
    assert len(summary.splitlines()) == 1
    ports = spec.component.ports(config)
    names = [port.name for port in ports]
    assert names
    assert len(set(names)) == len(names)
    if spec.shape not in ("split", "collect", "merge"):  # these cannot be disabled
        assert spec.component.passes_by(config) in names


@every_component
def test_a_card_does_not_repeat_the_title(spec: Spec) -> None:
    for example in spec.component.examples:
        assert spec.summary(example.config) not in (spec.title, spec.key, "")


@every_component
@given(data=st.data())
@pytest.mark.slow
def test_a_payload_is_never_changed(spec: Spec, data: st.DataObject) -> None:
    example = data.draw(st.sampled_from(spec.component.examples))
    payload = data.draw(json_values)
    before = copy.deepcopy(payload)
    # A payload that it cannot work on is a failure of the step, which is told in a sentence.
    with suppress(StepError):
        perform(spec.component, example.config, payload, answers=example.answers)
    assert payload == before


STREAMED = [
    (spec, example)
    for spec, example in EXAMPLES
    if spec.component.reads_streams({**spec.defaults, **example.config}) and isinstance(example.payload, (str, list))
]


@pytest.mark.parametrize(
    ("spec", "example"), STREAMED, ids=[f"{spec.key}: {example.title}" for spec, example in STREAMED]
)
def test_piece_by_piece_it_does_the_same(spec: Spec, example: Example) -> None:
    opened = closed = 0

    def reading() -> Iterator[Json]:
        nonlocal opened, closed
        opened += 1
        try:
            yield from example.payload
        finally:
            closed += 1

    stream = Stream("text" if isinstance(example.payload, str) else "items", StreamSource("toy@1"), reading)
    if example.error is not None:
        with pytest.raises(StepError):
            perform(spec.component, example.config, stream)
        assert opened == closed
        return
    done = perform(spec.component, example.config, stream, files=example.files)
    assert done.payload == example.output
    assert opened == closed > 0
    if isinstance(done.result, Stream):
        source = StreamSource.from_json(json.loads(json.dumps(done.result.source.to_json())))
        assert source.component == spec.name
        assert source.over == stream.source
        assert spec.component.reopened(source.options, stream).whole() == done.payload


@every_component
def test_a_cancelled_visit_leaves_nothing_running(spec: Spec) -> None:
    async def work() -> None:
        for example in spec.component.examples:
            context = StageContext()  # nobody answers: a step that calls out waits for ever
            visit = asyncio.create_task(act(spec.component, example.config, example.payload, context))
            waits = asyncio.create_task(context.waiting.wait())
            await asyncio.wait((visit, waits), return_when=asyncio.FIRST_COMPLETED)
            for task in (visit, waits):
                task.cancel()
            await asyncio.wait((visit, waits))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(work())


@pytest.mark.parametrize("connection", REGISTRY.connections(), ids=lambda spec: spec.key)
def test_a_login_is_documented(connection: Any) -> None:
    assert connection.title[0].isupper()
    assert connection.description.endswith(".")
    assert any(field.form == "secret" for field in connection.fields), "a login without a secret is none"
    for field in connection.fields:
        assert field.title
        assert field.description.endswith(".")


def test_the_reference_pages_say_what_the_components_say() -> None:
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    assert there == pages(REGISTRY), "stale: run python -m tests.conformance"


@pytest.mark.slow
def test_the_palette_loads_nothing_heavy() -> None:
    code = (
        "import sys; from flowstudio.sdk.registry import Registry; r = Registry.from_entry_points(); r.specs();"
        "r.connections(); [s.summary(e.config) for s in r.specs() if s.key != 'schedule' for e in s.component.examples];"
        "print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    )
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"httpx", "pydantic_monty", "cronsim", "asyncio", "PySide6"}
