"""The component `script`: a few lines of Python that make the new payload."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from flowstudio.components.bodies import not_json
from flowstudio.components.captions import one_line
from flowstudio.components.script_source import Limits, Place, ScriptError, syntax_fault
from flowstudio.sdk import MISSING, Category, Code, Component, Context, Example, Fault, Settings, StepError, setting

Json = Any

_WORD: Final = re.compile(r"[A-Za-z_]\w*")
# What a name holds where the message brings nothing of the kind.
_EMPTY: Final[Mapping[str, Json]] = {"meta": {}, "vars": {}, "steps": {}, "state": {}}
_NAMES: Final = ("meta", "vars", "steps", "trigger", "item", "error", "state")
_ANY_NAME: Final = frozenset({"eval", "exec"})


class Script(Component):
    """A few lines of Python that make the new payload.

    `payload`, `meta`, `vars`, `steps`, `trigger`, `item`, `error` and `state` are plain dicts and lists, read with
    brackets: `payload["lines"][0]`. What the message does not have is None (`item` outside of a split, `error` outside
    of an error route). Changing them changes nothing outside of the script.

    The code runs in a sandbox with a part of Python: functions, classes without inheritance, comprehensions, `try`,
    `match`, and the modules asyncio, base64, bisect, collections, copy, csv, dataclasses, datetime, decimal, functools,
    hashlib, itertools, json, math, pathlib, random, re, sys, time, tomllib, typing and unicodedata. There are no files,
    no network, no `del`, no generators and no other packages. Time stands still while it runs, in UTC.

    The result is JSON: texts, numbers, True, False, None, lists (tuples become lists) and dicts with texts as keys.
    Anything else fails the step, as an exception does: `$error.data` then holds `exception`, `line` and `column`.
    """

    key = "script"
    reads_names = True
    title = "Script"
    description = "Makes the new payload with a few lines of Python."
    category = Category.TRANSFORM
    icon = "code"
    aliases = ("code", "function", "python", "lambda", "program", "custom")

    class Config(Settings):
        """The code and what it may use."""

        code: Code = setting(
            title="Code",
            description="The body of a function: return gives the new payload, no return gives null. There are payload, "
            "meta, vars, steps, trigger, item, error and state, plain dicts and lists, and log.debug, log.info, "
            "log.warning, log.error (message, name=value ...); print goes to the log at level debug. The code reaches "
            "neither files nor network, and clock and random numbers are those of the visit.",
            placeholder='return {"name": payload["first"] + " " + payload["last"]}',
        )
        language: Literal["python"] = setting(
            "python", title="Language", description="The language of the code.", advanced=True
        )
        max_seconds: float = setting(
            30.0,
            title="Most seconds",
            description="The script is ended after so much computing time.",
            advanced=True,
            gt=0,
            le=3_600,
        )
        max_megabytes: int = setting(
            256,
            title="Most memory",
            description="In megabytes; the script is ended when it uses more.",
            advanced=True,
            ge=16,
            le=4_096,
        )

    examples = (
        Example(
            "Group lines by their category",
            {
                "code": "groups = {}\n"
                "for line in payload['lines']:\n"
                "    groups.setdefault(line['category'], []).append(line['sku'])\n"
                "log.info('Grouped', categories=len(groups))\n"
                "return groups"
            },
            payload={
                "lines": [
                    {"sku": "TEE-L", "category": "wear"},
                    {"sku": "MUG", "category": "home"},
                    {"sku": "CAP", "category": "wear"},
                ]
            },
            output={"wear": ["TEE-L", "CAP"], "home": ["MUG"]},
        ),
        Example(
            "Change the payload and pass it on",
            {"code": "payload['name'] = payload['name'].strip().title()\nreturn payload"},
            payload={"name": "  ada lovelace "},
            output={"name": "Ada Lovelace"},
        ),
        Example("No return gives null", {"code": "log.warning('Nobody home')"}, payload={"id": 1}, output=None),
    )

    @classmethod
    def summary(cls, config: Mapping[str, Json]) -> str:
        """The first line that says something: a comment's text, else code."""
        code = config.get("code")
        for line in code.splitlines() if isinstance(code, str) else ():
            if told := line.strip().lstrip("#").strip():
                return one_line(told)
        return "No code yet"

    @classmethod
    def check(cls, config: Mapping[str, Json]) -> Iterable[Fault]:
        """The code can be read."""
        code = config["code"]
        if not code.strip():
            yield Fault("code", "there is no code", "the payload would become null", "write what the step does")
            return
        fault = syntax_fault(code)
        if fault is not None:
            yield Fault(
                "code",
                "the code cannot be read",
                f"{_where(fault.place)}{fault.message[:1].lower()}{fault.message[1:]}",
                "correct that line",
                None if fault.place is None else _span(code, fault.place),
            )

    async def run(self, config: Config, payload: Json, context: Context) -> Json:
        """What the code returns."""

        # Loaded with the first script: the palette loads every component.
        from flowstudio.components.sandbox import call

        def tell(level: str, message: str, fields: dict[str, Json]) -> None:
            getattr(context.log, level)(message, **fields)

        try:
            value = await call(
                config.code,
                {"payload": payload, **_inputs(config.code, context)},
                tell=tell,
                now=context.clock.now,
                seed=context.clock.seed,
                limits=Limits(config.max_seconds, config.max_megabytes),
            )
        except ScriptError as error:
            raise _failure(error) from None
        found = next(not_json(value), None)
        if found is not None:
            where, what = found
            raise _no_json(f"{what} is in it{f', at {where}' if where else ''}")
        try:
            return _plain(value)
        except RecursionError:
            raise _no_json("its lists and objects nest too deep") from None


def _no_json(why: str) -> StepError:
    return StepError(
        f"The script's result is not JSON: {why}; return objects, lists, texts, numbers, True, False and None alone",
        type="Script",
        data={"exception": "Result", "line": None, "column": None},
    )


def _inputs(code: str, context: Context) -> dict[str, Json]:
    """The names that the code mentions: handing over what no line reads would cost as much as reading it."""
    words = set(_WORD.findall(code))
    names = context.names()
    inputs: dict[str, Json] = {}
    for name in _NAMES if words & _ANY_NAME else (name for name in _NAMES if name in words):
        value = names.get(name, MISSING)
        if value is MISSING or value is None:
            value = _EMPTY.get(name)
        inputs[name] = dict(value) if isinstance(value, Mapping) else value
    return inputs


def _plain(value: Any) -> Json:
    """The result with its tuples as lists, copied only where there are any."""
    if isinstance(value, dict):
        for key, item in value.items():
            plain = _plain(item)
            if plain is not item:
                value[key] = plain
        return value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, list):
        for place, item in enumerate(value):
            plain = _plain(item)
            if plain is not item:
                value[place] = plain
    return value


def _failure(error: ScriptError) -> StepError:
    if error.kind == "Result":
        return _no_json(error.message)
    place = error.place
    kind = "" if error.kind in ("Crash", "TimeoutError", "MemoryError", "UnicodeError") else error.kind
    told = ": ".join(part for part in (kind, error.message) if part)
    details = {} if place is None else {"end_line": place.end_line, "end_column": place.end_column}
    return StepError(
        f"The script failed: {_where(place)}{told}",
        type="Timeout" if error.kind == "TimeoutError" and place is None else "Script",
        data={
            "exception": error.kind,
            "line": None if place is None else place.line,
            "column": None if place is None else place.column,
        },
        details=details,
    )


def _where(place: Place | None) -> str:
    return "" if place is None else f"line {place.line}, column {place.column}: "


def _span(code: str, place: Place) -> tuple[int, int]:
    """The stretch of the whole text that a place is, in characters from 0."""
    lines = code.split("\n")

    def offset(line: int, column: int) -> int:
        return sum(len(text) + 1 for text in lines[: line - 1]) + column - 1

    start = min(offset(place.line, place.column), len(code))
    end = min(offset(place.end_line, place.end_column), len(code))
    return (start, max(end, min(start + 1, len(code))))
