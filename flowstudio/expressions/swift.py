"""The fast engine: JSONata in Rust, for expressions that are known to be harmless.

jsonatapy 2.2.13, and what must be known of it: a compiled expression belongs to the thread that made it; nothing and
null both come back as None, so a None is asked again for its type; None as data means nothing, so a payload of null
takes the way of JSON text; whole numbers beyond 2^53 are rounded, those beyond 2^63 refused; a panic is no Exception.
"""

from __future__ import annotations

import math
import threading
from typing import Any, Final

import jsonatapy
import msgspec

from flowstudio.expressions.dialects import for_swift
from flowstudio.expressions.engine import DEPTH, SMALL, Json, Limits, RefusedError, VisitClock
from flowstudio.expressions.faults import coded
from flowstudio.expressions.nothing import MISSING

_KEPT: Final = 4_096

_MILLISECONDS: Final = int(SMALL.seconds * 1000)
_SEQUENCE: Final = SMALL.sequence


class NeedsCareError(Exception):
    """This engine cannot do it: a number too large, half a character, a regular expression that looks around."""


class _Thread(threading.local):
    """What one thread has compiled."""

    def __init__(self) -> None:
        self.compiled: dict[str, Compiled] = {}
        self.pictured: Any = None


_thread = _Thread()


class Compiled:
    """An expression, compiled for the thread that asked for it."""

    __slots__ = ("_clocked", "_evaluate", "_expression", "_probe", "_source", "clock")

    def __init__(self, source: str, clocked: bool) -> None:
        self._source = for_swift(source)
        self._clocked = clocked
        self._expression = _compiled(self._source)
        self._evaluate = self._expression._expr.evaluate
        self._probe: Any = None
        self.clock: VisitClock | None = None
        if clocked:
            self._override(self._expression)

    def _override(self, expression: Any) -> None:
        expression.register_override("now", self._now)
        expression.register_override("millis", lambda: self._time().millis)
        expression.register_override("random", lambda: self._time().random())

    def _time(self) -> VisitClock:
        assert self.clock is not None
        return self.clock

    def _now(self, picture: str | None = None, timezone: str | None = None) -> str:
        clock = self._time()
        if picture is None and timezone is None:
            return clock.iso()
        if _thread.pictured is None:
            source = "$zone ? $fromMillis($time, $picture, $zone) : $fromMillis($time, $picture)"
            _thread.pictured = _compiled(source)
        bound = {"time": clock.millis, "picture": picture, "zone": timezone}
        written: str = _thread.pictured.evaluate({}, bound)
        return written

    def evaluate(
        self, payload: Json, bound: dict[str, Json] | None, clock: VisitClock | None, limits: Limits | None
    ) -> Json:
        """The value; MISSING for nothing."""
        if limits is None:
            milliseconds, sequence = _MILLISECONDS, _SEQUENCE
        else:
            milliseconds, sequence = math.ceil(limits.seconds * 1000), limits.sequence
        if clock is not None:
            return self._with_clock(payload, bound, clock, milliseconds, sequence)
        try:
            if payload is None or payload is MISSING:
                return self._from_text(payload, bound, milliseconds, sequence)
            value = self._evaluate(payload, bound, milliseconds, DEPTH, sequence)
            return self._none(payload, bound, milliseconds, sequence) if value is None else value
        except BaseException as error:
            raise _translated(error) from error

    def _with_clock(
        self, payload: Json, bound: dict[str, Json] | None, clock: VisitClock, milliseconds: int, sequence: int
    ) -> Json:
        self.clock = clock
        mark = clock.mark()
        try:
            if payload is None or payload is MISSING:
                return self._from_text(payload, bound, milliseconds, sequence)
            value = self._evaluate(payload, bound, milliseconds, DEPTH, sequence)
            if value is None:
                # Asked again, it must see the same numbers.
                clock.rewind(mark)
                return self._none(payload, bound, milliseconds, sequence)
            return value
        except BaseException as error:
            raise _translated(error) from error
        finally:
            self.clock = None

    def _from_text(self, payload: Json, bound: dict[str, Json] | None, milliseconds: int, sequence: int) -> Json:
        text = None if payload is MISSING else "null"
        evaluate = self._expression._expr.evaluate_json_or_none
        result = evaluate(text, bound, milliseconds, DEPTH, sequence)
        return MISSING if result is None else msgspec.json.decode(result)

    def _none(self, payload: Json, bound: dict[str, Json] | None, milliseconds: int, sequence: int) -> Json:
        """Whether a None is null or nothing."""
        if self._probe is None:
            probe = _compiled(f"$type(({self._source}))")
            if self._clocked:
                self._override(probe)
            self._probe = probe._expr.evaluate
        kind = self._probe(payload, bound, milliseconds, DEPTH, sequence)
        if kind == "null":
            return None
        if kind is None:
            return MISSING
        raise RefusedError("", "the expression gives a function, not a value; call it with ( )")


def compiled(source: str, clocked: bool) -> Compiled:
    """The expression compiled for this thread. `clocked` when it reads time or chance. RefusedError if it is none."""
    kept = _thread.compiled
    found = kept.get(source)
    if found is None:
        if len(kept) >= _KEPT:
            for old in list(kept)[: _KEPT // 2]:
                del kept[old]
        found = kept[source] = Compiled(source, clocked)
    return found


def regex_fault(source: str) -> str | None:
    """Why this engine cannot use a regular expression, written with its slashes; None if it can."""
    try:
        _compiled(f'$contains("", {source})').evaluate({})
    except (RefusedError, ValueError) as error:
        return str(error)
    return None


def _compiled(source: str) -> Any:
    try:
        return jsonatapy.compile(source)
    except ValueError as error:
        if "surrogate" in str(error):
            raise NeedsCareError from error
        code, detail = coded(str(error))
        raise RefusedError(code, detail) from error
    except Exception as error:
        raise RefusedError("", str(error)) from error


def _translated(error: BaseException) -> BaseException:
    """What the library raised, as one of ours."""
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, ValueError):
        message = str(error)
        if "Invalid regex" in message:
            return NeedsCareError()
        return RefusedError(*coded(message))
    # A number too large, half a character, or no JSON; a panic of the library is no Exception.
    if isinstance(error, TypeError) or type(error).__name__ == "PanicException":
        return NeedsCareError()
    return RefusedError("", str(error)) if isinstance(error, Exception) else error
