"""Hypothesis draws JSON, flows and edits: small ones, with ids that collide and keys that nobody expects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from flowstudio.flow import edits
from flowstudio.flow.edits import Edit
from flowstudio.flow.model import ABSENT, Flow, Group, Layout, Note, Slot, Step, Variable, Wire

IDS = ("a", "b", "c", "d-1", "e_2", "long-name")
PORTS = ("out", "error", "no 1", "else")
NAMES = ("x", "y", "größe", "with space")

words = st.sampled_from(
    ["", "url", "a.b", "{{ x }}", "->", "\n", "ü", "\U0001f600", "\ud800", "\x00", "\u2028", "x" * 80]
)
texts = st.one_of(words, words, st.text(max_size=6))
numbers = st.one_of(
    st.integers(-3, 3), st.just(10**400), st.just(2**63), st.floats(allow_nan=False, allow_infinity=False, width=32)
)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=4,
)
objects = st.dictionaries(st.sampled_from(["url", "cases", "headers", "x"]), json_values, max_size=3)
extras = st.dictionaries(st.sampled_from(["x-later", "colour", ""]), json_values, max_size=1)
optional_texts = st.one_of(st.none(), texts)
places = st.tuples(*[st.integers(-5, 5).map(lambda n: n * 24.0)] * 2)
frames = st.tuples(*[st.integers(0, 5).map(lambda n: n * 24.5)] * 4)

steps = st.builds(
    Step,
    component=st.sampled_from(["http@1", "set@1", "manual@1", "acme.crm@2"]),
    config=objects,
    name=optional_texts,
    retry=st.one_of(st.none(), objects),
    timeout=st.one_of(st.none(), st.integers(0, 3), st.just(1.5)),
    disabled=st.booleans(),
    note=optional_texts,
    extra=extras,
)
variables = st.builds(
    Variable,
    type=st.sampled_from(["text", "url", "later"]),
    title=optional_texts,
    hint=optional_texts,
    default=st.one_of(st.just(ABSENT), json_values),
    required=st.sampled_from([None, True, False]),
    options=st.one_of(st.none(), st.lists(json_values, max_size=2)),
    extra=extras,
)
slots = st.builds(
    Slot,
    type=st.sampled_from(["bearer", "basic"]),
    title=optional_texts,
    required=st.sampled_from([None, True]),
    extra=extras,
)
notes = st.builds(Note, text=texts, extra=extras)


def wires(ids: list[str]) -> st.SearchStrategy[Wire]:
    """Wires among these steps."""
    end = st.sampled_from(ids)
    return st.builds(Wire, end, end, st.sampled_from(PORTS), st.sampled_from(["in", "next"]))


@st.composite
def flows(draw: st.DrawFn, most: int = 5) -> Flow:
    """A flow of at most so many steps; some wires may be twice, some places may be of nothing."""
    made = draw(st.dictionaries(st.sampled_from(IDS), steps, min_size=draw(st.integers(0, 3)), max_size=most))
    ids = list(made)
    groups = st.builds(
        Group,
        title=texts,
        steps=st.lists(st.sampled_from(ids), max_size=2).map(tuple) if ids else st.just(()),
        extra=extras,
    )
    return Flow(
        id=draw(st.sampled_from(["f", "customer-sync"])),
        name=draw(texts),
        steps=made,
        wires=tuple(draw(st.lists(wires(ids), max_size=6))) if ids else (),
        description=draw(optional_texts),
        label=draw(optional_texts),
        redact=tuple(draw(st.lists(texts, max_size=2))),
        variables=draw(st.dictionaries(st.sampled_from(NAMES), variables, max_size=2)),
        connections=draw(st.dictionaries(st.sampled_from(NAMES), slots, max_size=2)),
        notes=draw(st.dictionaries(st.sampled_from(NAMES), notes, max_size=2)),
        groups=draw(st.dictionaries(st.sampled_from(NAMES), groups, max_size=2)),
        extra=draw(extras),
        layout=Layout(
            steps=draw(st.dictionaries(st.sampled_from(IDS), places, max_size=6)),
            notes=draw(st.dictionaries(st.sampled_from(NAMES), frames, max_size=1)),
            groups=draw(st.dictionaries(st.sampled_from(NAMES), frames, max_size=1)),
            extra=draw(extras),
        ),
    )


keys = st.sampled_from(["url", "cases", "headers", "x"])
paths = st.one_of(
    st.tuples(keys), st.tuples(keys, keys), st.lists(st.one_of(keys, st.integers(0, 2)), max_size=3).map(tuple)
)


@st.composite
def edits_of(draw: st.DrawFn, flow: Flow, nesting: int = 1) -> Edit:
    """An edit that may or may not apply to this flow."""
    # Mostly what is there, or nearly everything would be refused.
    ids = st.sampled_from([*flow.steps, *flow.steps, "a"])
    some_wires = wires([*flow.steps, *flow.steps, "a"])
    if flow.wires:
        some_wires = st.one_of(some_wires, st.sampled_from(flow.wires))
    names = st.sampled_from(NAMES)
    noted, framed = (st.sampled_from([*there, *there, "x"]) for there in (flow.notes, flow.groups))
    groups = st.builds(Group, texts, st.lists(ids, max_size=2).map(tuple), extras)
    kinds: list[Callable[[], st.SearchStrategy[Edit]]] = [
        lambda: st.builds(edits.SetConfig, ids, paths, json_values),
        lambda: st.builds(edits.SetConfig, ids, paths, json_values),
        lambda: st.builds(edits.ClearConfig, ids, paths),
        lambda: st.builds(edits.SetStep, ids, st.sampled_from(["name", "note"]), optional_texts),
        lambda: st.builds(edits.SetStep, ids, st.just("retry"), st.one_of(st.none(), objects)),
        lambda: st.builds(edits.SetStep, ids, st.just("timeout"), st.one_of(st.none(), st.integers(0, 9))),
        lambda: st.builds(edits.SetStep, ids, st.just("disabled"), st.booleans()),
        lambda: st.builds(edits.AddStep, st.sampled_from(IDS), st.just("map@1"), objects, optional_texts),
        lambda: st.builds(edits.RemoveStep, ids),
        lambda: st.builds(edits.RenameStep, ids, st.sampled_from(IDS)),
        lambda: st.builds(edits.AddWire, some_wires, st.one_of(st.none(), st.integers(0, 3))),
        lambda: st.builds(edits.RemoveWire, some_wires),
        lambda: st.builds(edits.SetVariable, names, variables),
        lambda: st.builds(edits.RemoveVariable, names),
        lambda: st.builds(edits.SetConnection, names, slots),
        lambda: st.builds(edits.RemoveConnection, names),
        lambda: st.builds(edits.SetFlow, st.sampled_from(["name", "description", "label"]), texts),
        lambda: st.builds(edits.SetFlow, st.just("redact"), st.lists(texts, max_size=2)),
        lambda: st.builds(edits.SetNote, names, notes),
        lambda: st.builds(edits.RemoveNote, noted),
        lambda: st.builds(edits.SetGroup, names, groups),
        lambda: st.builds(edits.RemoveGroup, framed),
        lambda: st.builds(
            edits.Move,
            st.dictionaries(ids, places, max_size=2),
            st.dictionaries(noted, frames, max_size=1 if flow.notes else 0),
            st.dictionaries(framed, frames, max_size=1 if flow.groups else 0),
        ),
    ]
    if nesting:
        kinds.append(
            lambda: st.builds(edits.Several, texts, st.lists(edits_of(flow, nesting - 1), max_size=3).map(tuple))
        )
    return draw(draw(st.sampled_from(kinds))())


def bare(flow: Flow) -> Flow:
    """The flow without its layout."""
    return replace(flow, layout=Layout())
