"""The written-out values of a flow that look like one customer's own: addresses, accounts, and what is repeated."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from flowstudio.errors import ExpressionError
from flowstudio.expressions.braces import Brace, scan
from flowstudio.expressions.syntax import Literal as Constant
from flowstudio.expressions.syntax import nodes, parse
from flowstudio.flow.edits import SetConfig, SetVariable, Several
from flowstudio.flow.model import Flow, Json, Variable
from flowstudio.plan.literals import Place, may_vary, settings_of
from flowstudio.sdk.fields import Kind
from flowstudio.sdk.registry import Registry

Sort = Literal["address", "email", "account", "repeated"]

_ADDRESS: Final = re.compile(r"(?i)https?://(?:[^\s/@{}\"'<>]+@)?(?P<host>[^\s/?#{}\"'<>]+)")
_EMAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_ACCOUNT: Final = re.compile(
    r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12} | (?=(?:[^0-9]*[0-9]){5}) [A-Z0-9][A-Z0-9_/-]{5,40}", re.VERBOSE
)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d(?:T.*)?|[\d:,. +-]+(?:UTC|Z)?")
_MEDIA_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9.+-]+(?:;.*)?")
_NAMESPACES: Final = frozenset({"www.w3.org", "json-schema.org", "schemas.xmlsoap.org", "schemas.microsoft.com"})
"""Hosts whose addresses are names: nobody goes there, and every customer has the same."""
_SHORTEST_REPEATED: Final = 4
_SAID: Final[Mapping[Sort, str]] = {
    "address": "the address of one system",
    "email": "somebody's e-mail address",
    "account": "an account or an identifier",
    "repeated": "the same in several steps",
}


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a value stands: the characters from `start` up to `end` of what is stored at a place.

    `inside` says in what: a text that takes braces anywhere, a value that takes them as a whole alone, or a text of an
    expression (its quotes are within the spot).
    """

    place: Place
    start: int
    end: int
    inside: Literal["text", "value", "expression"]


@dataclass(frozen=True, slots=True)
class Specific:
    """A value that looks like one customer's own, and all spots where it stands."""

    value: str
    sort: Sort
    spots: tuple[Spot, ...]

    @property
    def why(self) -> str:
        """What it looks like, in a few words."""
        return _SAID[self.sort]


def specific_values(flow: Flow, registry: Registry) -> list[Specific]:
    """What had better be a variable before the flow goes to many, in the order in which it stands in the flow."""
    found: dict[tuple[str, Sort], list[Spot]] = {}
    whole: dict[str, list[Spot]] = {}
    for place, stored in settings_of(flow, registry):
        if not isinstance(stored, str) or not may_vary(place.spec):
            continue
        for text, spot in _texts(place, stored):
            told = list(_telling(text))
            for value, sort in told:
                spots = found.setdefault((value, sort), [])
                if spot not in spots:
                    spots.append(spot)
            if not told and not _ADDRESS.search(text) and _is_word(text, place):
                whole.setdefault(text, []).append(spot)
    repeated = [
        Specific(text, "repeated", tuple(spots))
        for text, spots in whole.items()
        if len({spot.place.step for spot in spots}) > 1
    ]
    return [Specific(value, sort, tuple(spots)) for (value, sort), spots in found.items()] + repeated


def as_variable(flow: Flow, found: Specific, name: str, variable: Variable) -> Several:
    """The edit that adds a variable and reads it wherever the value stands."""
    by_place: dict[tuple[str, tuple[str | int, ...]], list[Spot]] = {}
    for spot in found.spots:
        by_place.setdefault((spot.place.step, spot.place.path), []).append(spot)
    edits = []
    for (step, path), spots in by_place.items():
        stored = _stored(flow, step, path)
        for spot in sorted(spots, key=lambda spot: spot.start, reverse=True):
            piece = _without(stored[spot.start : spot.end], found.value, name, spot.inside)
            stored = stored[: spot.start] + piece + stored[spot.end :]
        edits.append(SetConfig(step, path, stored))
    return Several(f"make {name} a variable", (SetVariable(name, variable), *edits))


def _stored(flow: Flow, step: str, path: Iterable[str | int]) -> str:
    value: Json = flow.steps[step].config
    for key in path:
        value = value[key]
    assert isinstance(value, str)
    return value


def _texts(place: Place, stored: str) -> Iterator[tuple[str, Spot]]:
    """The texts that are written out in a stored value: the value itself, what lies between braces, constants."""
    if place.spec.kind is Kind.EXPRESSION:
        yield from _constants(place, stored, 0)
        return
    try:
        parts = scan(stored)
    except ExpressionError:
        return  # it does not compile, which its own problem says
    starts = [part.start for part in parts if isinstance(part, Brace)]
    at = 0
    for part in parts:
        if isinstance(part, Brace):
            yield from _constants(place, part.expression, part.start + 2)
            at = part.end
        else:
            end = next((start for start in starts if start >= at), len(stored))
            if "{{" not in part:
                yield part, Spot(place, at, end, "text" if place.spec.kind is Kind.TEXT else "value")
            at = end


def _constants(place: Place, source: str, offset: int) -> Iterator[tuple[str, Spot]]:
    try:
        tree = parse(source)
    except ExpressionError:
        return
    for node in (tree, *(each for each in nodes(tree) if each is not tree)):
        if isinstance(node, Constant) and isinstance(node.value, str):
            yield node.value, Spot(place, offset + node.start, offset + node.end, "expression")


def _telling(text: str) -> Iterator[tuple[str, Sort]]:
    for found in _ADDRESS.finditer(text):
        if found["host"].casefold() not in _NAMESPACES:
            yield found[0], "address"
    rest = _ADDRESS.sub(" ", text)
    for found in _EMAIL.finditer(rest):
        yield found[0], "email"
    if _ACCOUNT.fullmatch(text) and not _TIME.fullmatch(text):
        yield text, "account"


def _is_word(text: str, place: Place) -> bool:
    """Whether a text is one that people would choose, and not one of the format's own words."""
    if len(text) < _SHORTEST_REPEATED or place.spec.form not in ("string", "long-text", "json") or place.spec.options:
        return False
    return any(letter.isalpha() for letter in text) and not (_MEDIA_TYPE.fullmatch(text) or _TIME.fullmatch(text))


def _without(piece: str, value: str, name: str, inside: str) -> str:
    """A text that reads the variable where it held the value."""
    if inside == "text":
        return piece.replace(value, f"{{{{ $vars.{name} }}}}")
    if inside == "value":
        text = piece
    else:
        constant = parse(piece)
        assert isinstance(constant, Constant)
        assert isinstance(constant.value, str)
        text = constant.value
    between = [json.dumps(part, ensure_ascii=False) if part else "" for part in text.split(value)]
    read = f"$vars.{name}"
    joined = " & ".join(
        part for pair in zip(between, [*[read] * (len(between) - 1), ""], strict=True) for part in pair if part
    )
    if inside == "value":
        return f"{{{{ {joined} }}}}"
    return joined if joined == read else f"({joined})"
