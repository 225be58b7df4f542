"""Draws flows as text, so that a test shows the flow that it is about.

    flow("hook -> map -> http ! alert")             a webhook, a map and a request whose error route leads to a log
    flow("hook -> split -> push -> aggregate", push={"url": "{{ $vars.url }}"})
    flow("t=manual -> which=choice:eu -> a; which:us -> b -> done; loop -> loop:next")

A path is steps joined by `->` (a wire) or `!` (a wire from `error`); paths are separated by `;` or lines, and a step
that is named again is the same step. A step is `ID[=COMPONENT][:PORT]`; the port is the output by which the wire leaves
it, at the end of a path the input by which the wire enters. Without a component it is the built-in one that the id
begins with (`map`, `map2`), or one of `HOUSE_WORDS`, else `set`, which passes everything on. Its config is the keyword
argument of its id (`_` for `-`), laid over what the component cannot do without.
"""

from __future__ import annotations

import re
from typing import Any

from flowstudio.flow.model import Flow, Slot, Step, Variable, Wire

HOUSE_WORDS = {"hook": "webhook", "alert": "log", "done": "log", "start": "manual", "push": "http"}

NEEDED: dict[str, dict[str, Any]] = {
    "webhook": {"path": "in"},
    "schedule": {"every": 60},
    "http": {"method": "POST", "url": "http://127.0.0.1:9/"},
    "map": {"expression": "$"},
    "filter": {"condition": "true"},
    "choice": {"cases": []},
    "loop": {"while": "false"},
    "call": {"flow": "called"},
    "script": {"code": "return payload"},
    "log": {"message": "here"},
    "delay": {"seconds": 0},
    "wait": {"signal": "go"},
}

_KEYS = (
    *("manual webhook schedule poll flow-called error-trigger deployed removed http sql-query sql-write").split(),
    *("map set script template json-parse json-write xml-parse xml-write csv-parse csv-write validate").split(),
    *("filter choice split aggregate merge batch loop call respond delay wait stop idempotent throttle").split(),
    *("wiretap dead-letter cache remember log file-read file-write").split(),
)
_STEP = re.compile(r"(?P<id>[a-z][a-z0-9_-]*)(?:=(?P<component>[^\s:]+))?(?::(?P<port>[^\s]+))?")


def flow(
    drawing: str,
    *,
    variables: dict[str, Variable] | None = None,
    connections: dict[str, Slot] | None = None,
    **configs: dict[str, Any],
) -> Flow:
    """The flow that the text draws (see the module)."""
    steps: dict[str, Step] = {}
    wires: list[Wire] = []
    for path in filter(None, (line.strip() for line in re.split(r"[;\n]", drawing))):
        source: tuple[str, str | None] | None = None
        *words, last = [word.strip() for word in re.split(r"(->|!)", path)]
        for number, word in enumerate((*words, last)):
            if number % 2:
                continue
            found = _STEP.fullmatch(word)
            if not found:
                raise ValueError(f"{word!r} in {path!r} is not ID[=COMPONENT][:PORT]")
            key, port = found["id"], found["port"]
            if key not in steps or found["component"]:
                component = found["component"] or _component_of(key)
                config = {**NEEDED.get(component, {}), **configs.get(key.replace("-", "_"), {})}
                steps[key] = Step(component if "@" in component else f"{component}@1", config)
            if source is not None:
                is_end = number == len(words)
                port_out = "error" if words[number - 1] == "!" else source[1] or "out"
                wires.append(Wire(source[0], key, port_out, port or "in" if is_end else "in"))
            source = (key, port)
    if unknown := [name for name in configs if name not in {key.replace("-", "_") for key in steps}]:
        raise ValueError(f"no step of the drawing is called {', '.join(unknown)}")
    return Flow(
        id="drawn",
        name="Drawn",
        steps=steps,
        wires=tuple(wires),
        variables=variables or {},
        connections=connections or {},
    )


def _component_of(key: str) -> str:
    begun = [known for known in (*_KEYS, *HOUSE_WORDS) if re.fullmatch(rf"{known}[-_]?[0-9]*", key)]
    return HOUSE_WORDS.get(begun[0], begun[0]) if begun else "set"
