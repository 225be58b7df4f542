"""The check of a component's examples: each is run on a bench of its own and must do what it says."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from flowstudio.httpclient import Request
from flowstudio.sdk.component import Component, Example
from flowstudio.sdk.outcome import Wait
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import Spec
from flowstudio.testing.bench import Bench, Signal
from flowstudio.testing.results import ComponentRecord

Json = Any


def check_examples(component: type[Component] | str, *, registry: Registry | None = None) -> None:
    """Runs every example of a component (its class, or `KEY@VERSION`); an AssertionError lists all that is not as it says.

    That a component has no example at all is a failure too: they are its documentation.
    """
    registry = registry or Registry.from_entry_points()
    name = component if isinstance(component, str) else registry.add(component).name
    spec = registry.spec(name)
    if not spec.component.examples:
        raise AssertionError(f"{spec.name} has no examples")
    wrong = [
        f"{example.title}: {fault}"
        for example in spec.component.examples
        for fault in faults_of(spec, example, registry)
    ]
    if wrong:
        raise AssertionError("\n".join((f"{len(wrong)} things are not as the examples of {spec.name} say:", *wrong)))


def faults_of(spec: Spec, example: Example, registry: Registry) -> Iterator[str]:
    """What is not as an example says."""
    with tempfile.TemporaryDirectory(prefix="flowstudio-example-") as folder:
        for name, text in example.files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        bench = Bench(state=example.state, folder=folder, registry=registry)
        answers = iter(example.answers)
        bench.http.on("*", "*").respond_with(lambda request: next(answers))
        signals = [Signal(example.waits.signal)] if isinstance(example.waits, Wait) else []
        before = copy.deepcopy(example.payload)
        done = bench.run_component(spec.name, example.config, example.payload, signals=signals)
        yield from _differences(spec, example, done, bench)
        if json.dumps(before) != json.dumps(example.payload):
            yield "it changed the payload in place; a payload is shared, make a new one"
        yield from _requests(example, bench.http.requests)


def _differences(spec: Spec, example: Example, done: ComponentRecord, bench: Bench) -> Iterator[str]:
    failure = None if done.error is None else done.error.message
    if failure != example.error:
        yield _unlike("fails with", example.error, failure)
        return
    if failure is None:
        if done.port != example.port:
            yield _unlike("leaves by the port", example.port, done.port)
        elif done.port is not None:
            output: Json = list(done.outputs) if spec.shape == "split" else done.payload
            if not _equal(output, example.output):
                yield _unlike("puts out", example.output, output)
        if done.waits != example.waits:
            yield _unlike("waits for", example.waits, done.waits)
    remembers = example.state if example.remembers is None else example.remembers
    if not _equal(dict(bench.state), dict(remembers)):
        yield _unlike("remembers", dict(remembers), dict(bench.state))


def _requests(example: Example, sent: Sequence[Request]) -> Iterator[str]:
    if len(sent) != len(example.requests):
        yield _unlike("sends so many requests", len(example.requests), len(sent))
        return
    for number, (request, told) in enumerate(zip(sent, example.requests, strict=True), 1):
        if request.method != told["method"]:
            yield _unlike(f"sends as method of request {number}", told["method"], request.method)
        if str(request.url) != told["url"]:
            yield _unlike(f"sends request {number} to", told["url"], str(request.url))
        if "body" in told:
            try:
                body = json.loads(request.content)
            except ValueError:
                body = request.content.decode("utf-8", "replace")
            if not _equal(body, told["body"]):
                yield _unlike(f"sends as body of request {number}", told["body"], body)


def _equal(one: Json, other: Json) -> bool:
    """Whether two values are the same JSON: True is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


def _unlike(what: str, told: Json, done: Json) -> str:
    return f"it {what}\n    {done!r}\n  and not\n    {told!r}"


__all__ = ["check_examples", "faults_of"]
