"""The careful engine: JSONata as Python, watched at every operation.

It evaluates what the fast engine may not or cannot: expressions whose growth has no bound beforehand, whole numbers
beyond 2^53, halves of surrogate pairs, regular expressions that look around. Every function of jsonata2py's runtime
that makes a value is wrapped: it checks the time, and what was made is measured, shared parts each time that they
are reached, so that no later operation and nobody who writes the result down meets more than the limits allow.

Loaded when the first such expression is evaluated: importing jsonata2py takes 70 ms.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from inspect import signature
from types import CodeType, FunctionType
from typing import Any, Final
from urllib.parse import quote

from jsonata2py import (
    JsonataBindings,
    JsonataCompilationError,
    JsonataError,
    JsonataExpressionFactory,
    ParseError,
    runtime,
)
from jsonata2py.errors import _RuntimeEvaluationError
from jsonata2py.runtime import context, tuples
from jsonata2py.runtime.lambdas import TCO_SENTINEL
from jsonata2py.runtime.values import MISSING as NOTHING
from jsonata2py.runtime.values import JLambda, JRegex

from flowstudio.expressions.dialects import PAYLOAD, for_careful
from flowstudio.expressions.engine import SMALL, Json, Limits, RefusedError, StoppedError, VisitClock
from flowstudio.expressions.measure import EXACT, NotJsonError, count
from flowstudio.expressions.nothing import MISSING

_PICTURE: Final = 1_000
_PARSED: Final = 10_000
_KEPT: Final = 256
_TRACKED: Final = 20
"""The units that a value takes on a path that keeps track of parents and variables."""
_FRAMES: Final = 4_000

_factory = JsonataExpressionFactory()
_codes: dict[str, CodeType] = {}


class _Thread(threading.local):
    """The guard of a thread, its wrapped runtime, and the expressions that were loaded into it."""

    def __init__(self) -> None:
        self.guard = _Guard()
        self.runtime = _wrapped(self.guard)
        self.loaded: dict[str, Callable[[Any], Any]] = {}


def evaluate(source: str, payload: Json, bound: Mapping[str, Json], clock: VisitClock | None, limits: Limits) -> Json:
    """The value of an expression; MISSING for nothing. RefusedError when it fails, StoppedError at a limit."""
    guard = _thread.guard
    if guard.busy:
        # A payload whose own code evaluates an expression cannot happen: JSON has no code.
        raise RefusedError("", "an evaluation is under way in this thread")
    given = for_careful(source)
    bindings = JsonataBindings()
    for name, value in (*bound.items(), *given.numbers):
        bindings.bind_value(name, value)
    if given.payload and payload is not MISSING:
        bindings.bind_value(PAYLOAD, payload)
    frames = sys.getrecursionlimit()
    guard.begin(limits, clock)
    try:
        entry = _loaded(given.text)
        sys.setrecursionlimit(max(frames, _FRAMES))
        context.begin_evaluation(_NO_BINDINGS, bindings, int(limits.seconds * 3000) + 1, _nested)
        try:
            value = entry(NOTHING if payload is MISSING else payload)
            return _result(guard, value)
        finally:
            context.end_evaluation()
    except JsonataError as error:
        raise _refused(error) from error
    except RecursionError as error:
        raise StoppedError("it nests too deeply", "U1001") from error
    except OverflowError as error:
        raise RefusedError("D1001", str(error)) from error
    except MemoryError as error:
        raise StoppedError("it needs too much memory") from error
    except (StoppedError, RefusedError):
        raise
    except Exception as error:
        raise RefusedError("", str(error)) from error
    finally:
        guard.end()
        sys.setrecursionlimit(frames)


def check(source: str) -> None:
    """RefusedError when the expression is none, with the engine's code and words."""
    try:
        _code(for_careful(source).text)
    except JsonataError as error:
        raise _refused(error) from error


def regex_fault(pattern: str, flags: str) -> str | None:
    """Why a regular expression is none; None if it is one."""
    try:
        runtime.regex_value(pattern, flags)
    except Exception as error:
        # The library's own kinds, and those of the module that it uses.
        return str(error)
    return None


_NO_BINDINGS: Final = JsonataBindings()


def _refused(error: JsonataError) -> RefusedError:
    cause: BaseException | None = error
    code = error.error_code
    while code is None and cause is not None:
        cause = cause.__cause__
        code = getattr(cause, "error_code", None)
        if isinstance(cause, OverflowError):
            return RefusedError("D1001", str(cause))
    return RefusedError(code or "", str(error.message))


def _result(guard: _Guard, value: Any) -> Json:
    if value is NOTHING:
        return MISSING
    if isinstance(value, (JLambda, JRegex)):
        raise RefusedError("", "the expression gives a function, not a value; call it with ( )")
    if isinstance(value, (list, dict)):
        guard.made(value)
        return _plain(value, {}) if guard.foreign else value
    return value


def _plain(value: Any, known: dict[int, Any]) -> Json:
    """A value without the library's own classes; the very same object where there is none in it."""
    kind = type(value)
    if kind is dict or isinstance(value, list):
        if (made := known.get(id(value))) is not None:
            return made
        result: Any = value
        if kind is dict:
            changed = {key: plain for key, part in value.items() if (plain := _plain(part, known)) is not part}
            if changed:
                result = {**value, **changed}
        else:
            parts = [_plain(part, known) for part in value]
            if kind is not list or any(map(_differs, parts, value)):
                result = parts
        known[id(value)] = result
        return result
    return None if isinstance(value, (JLambda, JRegex)) or value is NOTHING else value


def _differs(one: Any, other: Any) -> bool:
    return one is not other


def _loaded(source: str) -> Callable[[Any], Any]:
    """The expression, loaded into this thread's watched runtime."""
    loaded = _thread.loaded
    entry = loaded.get(source)
    if entry is None:
        namespace = dict(_thread.runtime)
        exec(_code(source), namespace)
        entry = namespace["_evaluate"]
        if len(loaded) >= _KEPT:
            for old in list(loaded)[: _KEPT // 2]:
                del loaded[old]
        loaded[source] = entry
    return entry


def _code(source: str) -> CodeType:
    code = _codes.get(source)
    if code is None:
        try:
            translated = _factory.translate(source)
        except RecursionError as error:
            raise StoppedError("it is nested too deeply", "U1002") from error
        # The first line imports the runtime: here the watched one takes its place.
        body = translated.replace("from jsonata2py.runtime import *", "", 1)
        try:
            code = compile(body, "<expression>", "exec")
        except (SyntaxError, RecursionError, MemoryError) as error:
            # The translation is Python that nests deeper than Python's own parser allows.
            raise StoppedError("it is nested too deeply", "U1002") from error
        if len(_codes) >= 2 * _KEPT:
            for old in list(_codes)[:_KEPT]:
                _codes.pop(old, None)
        _codes[source] = code
    return code


def _nested(source: str, focus: Any, own: dict[str, Any] | None = None) -> Any:
    """`$eval`: the same limits go on."""
    try:
        given = for_careful(source)
        entry = _loaded(given.text)
    except JsonataCompilationError as error:
        # T1005: it can be read, but calls what is no function.
        code = "D3121" if error.error_code == "T1005" else "D3120"
        raise _RuntimeEvaluationError(code, error.message) from error
    except Exception as error:
        raise _RuntimeEvaluationError("D3120", str(error)) from error
    seen = {**(own or {}), **dict(given.numbers), **({PAYLOAD: focus} if given.payload else {})}
    bindings = context.bindings_for_nested_eval(seen)
    context.begin_evaluation(_NO_BINDINGS, bindings, 0, _nested)
    try:
        return entry(focus)
    except JsonataError as error:
        raise _RuntimeEvaluationError("D3121", str(error.message)) from error
    finally:
        context.end_evaluation()


class _Guard:
    """Watches one evaluation of its thread: time, the size of each value, all that is made."""

    __slots__ = ("_began", "_kept", "_last", "_left", "_limits", "_sizes", "busy", "clock", "foreign", "until")

    def __init__(self) -> None:
        self.busy = False
        self.foreign = False
        """Whether something was made that is not of JSON's own types."""
        self.clock: VisitClock | None = None
        self.until = 0.0
        self._last = 0.0
        self._began = 0.0
        self._left = 0
        self._limits = SMALL
        self._sizes: dict[int, int] = {}
        self._kept: list[Any] = []

    def begin(self, limits: Limits, clock: VisitClock | None) -> None:
        self.busy = True
        self.clock = clock
        self.foreign = False
        self._limits = limits
        self.until = time.monotonic() + limits.seconds
        self._last = self.until + 2 * limits.seconds
        self._began = time.thread_time()
        self._left = limits.allocations

    def end(self) -> None:
        self.busy = False
        self.clock = None
        self._sizes = {}
        self._kept = []

    def tick(self) -> None:
        """Stops an evaluation whose time is up."""
        if time.monotonic() > self.until:
            self.is_late()

    def is_late(self) -> None:
        """Stops an evaluation, unless it had to wait for others that the machine works on, and has time left."""
        left = self._limits.seconds - (time.thread_time() - self._began)
        now = time.monotonic()
        if left <= 0 or now > self._last:
            raise StoppedError("it took too long", "D1012")
        self.until = min(now + left, self._last)

    @property
    def seconds_left(self) -> float:
        """How long an operation may take that is not watched."""
        return self.until - time.monotonic()

    def time(self) -> VisitClock:
        """The visit's clock."""
        if self.clock is None:
            raise RefusedError("", NO_CLOCK)
        return self.clock

    def spend(self, units: int) -> None:
        """Counts what was made."""
        self._left -= units
        if self._left < 0:
            raise StoppedError("what it makes on the way needs too much memory")

    def check_text(self, characters: float) -> None:
        """Before a text is made."""
        if characters > self._limits.text:
            raise StoppedError(f"a text would be longer than {self._limits.text:,} characters")

    def check_list(self, length: float) -> None:
        """Before a list is made."""
        if length > self._limits.sequence:
            raise StoppedError(f"a list would be longer than {self._limits.sequence:,} elements", "D2015")

    def text(self, value: str) -> None:
        """After a text was made."""
        self.check_text(len(value))
        self.spend(4 + (len(value) >> 4))

    def made(self, value: Any, refuse: bool = True) -> int:
        """Measures a list or object, its parts counted each time that they are reached."""
        size = self._sizes.get(id(value))
        if size is not None:
            return size
        size = 1
        parts = value.values() if isinstance(value, dict) else value
        for part in parts:
            kind = type(part)
            if kind is str:
                size += 1 + (len(part) >> 4)
            elif kind is dict or kind is list or isinstance(part, (list, dict)):
                size += self.made(part, refuse)
            else:
                size += 1
                if kind not in _SCALARS:
                    self.foreign = True
        if type(value) is not list and type(value) is not dict:
            self.foreign = True
        self.remember(value, size)
        self.spend(12 + 6 * len(value) if isinstance(value, dict) else 4 + len(value))
        if refuse and size > self._limits.size:
            raise StoppedError(f"a value would have more than {self._limits.size:,} parts")
        return size

    def remember(self, value: Any, size: int) -> None:
        """The size of a value; it is kept so that no other takes its identity."""
        self._sizes[id(value)] = size
        self._kept.append(value)

    def size(self, value: Any) -> int:
        """The size of any value."""
        if isinstance(value, (list, dict)):
            return self.made(value, refuse=False)
        return 1 + (len(value) >> 4) if isinstance(value, str) else 1

    def forget(self, value: Any) -> None:
        """Drops the sizes of a value that was changed in place, and of its parts."""
        seen: set[int] = set()
        waiting = [value]
        while waiting:
            part = waiting.pop()
            if isinstance(part, (list, dict)) and id(part) not in seen:
                seen.add(id(part))
                self._sizes.pop(id(part), None)
                waiting.extend(part.values() if isinstance(part, dict) else part)


_SCALARS: Final = frozenset({int, float, bool, type(None)})

NO_CLOCK: Final = "$now, $millis, $random and $shuffle need the clock of a visit, and there is none here"

_UNWATCHED = frozenset(
    """add and_ begin_evaluation clamp_index discard divide div_d end_evaluation fn_throw fn_signature_error
    fn_arity_error fn_arg_count_error is_evaluation_active is_function is_lambda_token is_missing is_number is_regex
    is_regex_token is_truthy lambda_arity lambda_value missing mod_d modulo mul_d multiply negate neg_dn next_counter
    num_node num_val_l num_val_r num_wrap or_ pack_args subtract to_number range_flatten deadline_guard
    element_callback tuple_callback require_function sig_a sig_t call_builtin_ctx""".split()
)


def _wrapped(guard: _Guard) -> dict[str, Any]:
    """The runtime's namespace, with every function watched that makes values or goes over them."""
    namespace: dict[str, Any] = {name: getattr(runtime, name) for name in runtime.__all__}
    for name, function in namespace.items():
        if isinstance(function, FunctionType) and name not in _UNWATCHED:
            namespace[name] = _watched(guard, function)
    return namespace | _own(guard, namespace)


def _watched(guard: _Guard, function: Callable[..., Any]) -> Callable[..., Any]:
    monotonic, made, text = time.monotonic, guard.made, guard.text

    def call(*arguments: Any) -> Any:
        if monotonic() > guard.until:
            guard.is_late()
        result = function(*arguments)
        kind = result.__class__
        if kind is str:
            text(result)
        elif kind is dict or kind is list or isinstance(result, (list, dict)):
            made(result)
        return result

    if _CALLED.isdisjoint(signature(function).parameters) or function.__name__ in ("fn_apply", "fn_apply_tco"):
        return call

    def calling(*arguments: Any) -> Any:
        return call(*_callable(guard, arguments))

    return calling


_CALLED = frozenset(
    """fn invoke elem_fn elems_fn parent_fn rest predicate key_fn comparator_fn cond_fn index_fn location_fn update_fn
    delete_fn replacement pattern search separator""".split()
)
"""The parameters that can be functions."""


def _callable(guard: _Guard, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments, the functions among them finishing the calls that they end in, and counting what they give.

    The library leaves a call at the end of a function to whoever called that, and most of its own functions do not
    know of it. Many steps join the lists that a function gives to one.
    """
    total = 0
    monotonic = time.monotonic

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            nonlocal total
            if monotonic() > guard.until:
                guard.is_late()
            result = function(*given)
            while result is TCO_SENTINEL:
                pending = _pending()
                left, pending[0] = pending[0], None
                guard.tick()
                result = left.fn(left.arg)
            if isinstance(result, list):
                total += len(result)
                guard.check_list(total)
            return result

        return call

    return tuple(
        watched(each)
        if type(each) is FunctionType
        else JLambda(watched(each.fn), each.arity)
        if type(each) is JLambda
        else each
        for each in arguments
    )


def _pending() -> list[Any]:
    """Where the library keeps the call that a function ended in."""
    state = context.get_state()
    return state.get_pending_tail_call() if state is not None else [None]


def _own(guard: _Guard, watched: Mapping[str, Any]) -> dict[str, Any]:
    """The functions that must look before they make something, that are exact here, or that need the clock."""
    unwrap = runtime.unwrap

    def field(node: Any, name: str) -> Any:
        if node.__class__ is dict:
            return node.get(name, NOTHING)
        if not isinstance(node, list):
            return NOTHING
        guard.tick()
        found: list[Any] = []
        values, last = 0, NOTHING
        for part in node:
            value = part.get(name, NOTHING) if part.__class__ is dict else field(part, name)
            if value is NOTHING:
                continue
            values += 1
            last = value
            if isinstance(value, list):
                guard.check_list(len(found) + len(value))
                found.extend(value)
            else:
                found.append(value)
        if values == 1 and isinstance(last, list):
            # The list of the only element that has one stays as it is, even if it is empty.
            return last
        result = unwrap(found)
        if result is found:
            guard.spend(4 + len(found))
            # No more can be in the parts than in the whole.
            guard.remember(found, guard.made(node, refuse=False))
        return result

    def wildcard_of(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def wildcard(node: Any) -> Any:
            guard.tick()
            size = guard.size(node)
            result = function(node)
            if type(result) is list:
                guard.spend(4 + len(result))
                guard.remember(result, size)
            return result

        return wildcard

    own_wildcard = wildcard_of(runtime.wildcard_context)

    def encode(name: str, safe: str) -> Callable[[Any], Any]:
        # The library goes letter by letter.
        def call(text: Any) -> Any:
            if not isinstance(text, str):
                return watched[name](text)
            guard.tick()
            try:
                result = quote(text, safe=safe)
            except UnicodeEncodeError as error:
                raise _RuntimeEvaluationError("D3140", f"the text is no well-formed URL: {text[:80]!r}") from error
            guard.text(result)
            return result

        return call

    def descendant(node: Any) -> Any:
        if node is NOTHING:
            return NOTHING
        found: list[Any] = []
        waiting = [node]
        while waiting:
            part = waiting.pop()
            if isinstance(part, list):
                waiting.extend(reversed(part))
            elif part is not NOTHING:
                found.append(part)
                if isinstance(part, dict):
                    waiting.extend(reversed(part.values()))
            if not len(found) & 1023:
                guard.tick()
                guard.check_list(len(found))
        guard.check_list(len(found))
        result = unwrap(found)
        if isinstance(result, list):
            guard.made(result, refuse=False)
        return result

    def expanded(value_of: Callable[..., Any]) -> Callable[..., list[Any]]:
        """A step of a path that keeps track of its parents: each value of it, with where it came from."""

        def step(stream: list[Any], *arguments: Any) -> list[Any]:
            guard.tick()
            result: list[Any] = []
            for each in stream:
                value = value_of(each, *arguments)
                if isinstance(value, list):
                    guard.check_list(len(result) + len(value))
                    guard.spend(_TRACKED * len(value))
                    guard.tick()
                    result.extend(tuples.Tuple(part, each, each.b) for part in value if part is not NOTHING)
                elif value is not NOTHING:
                    result.append(tuples.Tuple(value, each, each.b))
            return result

        return step

    def binding(name: str) -> Callable[..., Any]:
        function = watched[name]

        def bind(stream: list[Any], *arguments: Any) -> Any:
            guard.spend(_TRACKED * len(stream))
            return function(stream, *arguments)

        return bind

    def finished(value_of: Callable[..., Any]) -> Callable[..., Any]:
        """The last step of such a path."""

        def final(stream: list[Any], *arguments: Any) -> Any:
            guard.tick()
            raw: list[Any] = []
            length = 0
            for each in stream:
                value = value_of(each, *arguments[:-1])
                if value is not NOTHING:
                    raw.append(value)
                    if isinstance(value, list):
                        length += len(value)
                        guard.check_list(length)
                        guard.tick()
            result = tuples._finalize_raw(raw, arguments[-1])
            if isinstance(result, (list, dict)):
                guard.made(result)
            return result

        return final

    def named(each: Any, name: str, root: Any = NOTHING) -> Any:
        value = field(each.v, name)
        return field(root, name) if value is NOTHING and root is not NOTHING else value

    def bound(each: Any, name: str, outside: Callable[[], Any]) -> Any:
        return each.b[name] if each.b is not None and name in each.b else outside()

    def computed(each: Any, function: Callable[..., Any]) -> Any:
        return function(each.v, each.p, each.b)

    def range_(first: Any, last: Any) -> Any:
        if runtime.is_number(first) and runtime.is_number(last) and last - first >= 10_000_000:
            raise StoppedError("a range gives more than 10,000,000 numbers", "D2014")
        if runtime.is_number(first) and runtime.is_number(last):
            guard.check_list(last - first + 1)
        guard.tick()
        result = runtime.range_(first, last)
        guard.spend(4 + 3 * len(result))
        guard.remember(result, 1 + len(result))
        return result

    def array_like(name: str) -> Callable[..., Any]:
        function = watched[name]

        def array(*items: Any) -> Any:
            length = 0
            for item in items:
                if isinstance(item, runtime.RangeHolder):
                    length += item.to - item.from_ + 1
                elif isinstance(item, list):
                    length += len(item)
            guard.check_list(length)
            return function(*items)

        return array

    def append_all(items: list[Any]) -> Any:
        guard.check_list(sum(len(item) for item in items if isinstance(item, list)))
        return watched["fn_append_all"](items)

    def group_context(node: Any) -> Any:
        # The library appends one by one, each time to a new list.
        return append_all(node) if isinstance(node, list) else node

    def merge_group_by_objects(parts: Any) -> Any:
        # The same, here for each key.
        if not isinstance(parts, list):
            return watched["merge_group_by_objects"](parts)
        gathered: dict[str, list[Any]] = {}
        for part in parts:
            if isinstance(part, dict):
                for key, value in part.items():
                    gathered.setdefault(key, []).append(value)
        guard.tick()
        result = {key: values[0] if len(values) == 1 else append_all(values) for key, values in gathered.items()}
        guard.made(result)
        return result or NOTHING

    def zip_(*lists: Any) -> Any:
        lengths = [len(each) if isinstance(each, list) else int(each is not NOTHING) for each in lists]
        guard.check_list(min(lengths, default=0) * len(lengths))
        return watched["fn_zip"](*lists)

    def join(parts: Any, separator: Any = NOTHING) -> Any:
        if isinstance(parts, list):
            between = len(separator) if isinstance(separator, str) else 0
            guard.check_text(sum(len(part) + between for part in parts if isinstance(part, str)))
        return watched["fn_join"](parts, separator)

    def pad(text: Any, width: Any, character: Any = NOTHING) -> Any:
        if runtime.is_number(width):
            guard.check_text(abs(width))
        return watched["fn_pad"](text, width, character)

    def split(text: Any, separator: Any = NOTHING, limit: Any = NOTHING) -> Any:
        if isinstance(text, str) and (isinstance(separator, str) or separator is NOTHING):
            guard.check_list(text.count(separator) + 1 if isinstance(separator, str) and separator else len(text))
        return watched["fn_split"](text, separator, limit)

    def replace(text: Any, pattern: Any, replacement: Any, limit: Any = NOTHING) -> Any:
        if isinstance(text, str) and isinstance(replacement, str):
            if isinstance(pattern, str):
                matches = text.count(pattern) if pattern else 0
            elif isinstance(pattern, JRegex) and (len(text) + 1) * len(replacement) > 1_000_000:
                matches = 0
                for matches, _ in enumerate(_matches(pattern, text), start=1):
                    guard.check_text(matches * len(replacement))
            else:
                matches = 0
            references = replacement.count("$")
            guard.check_text(len(text) * (1 + references) + matches * len(replacement))
        return watched["fn_replace"](text, pattern, replacement, limit)

    def pictured(name: str, place: int, parsed: bool = False) -> Callable[..., Any]:
        function = watched[name]

        def call(*arguments: Any) -> Any:
            if len(arguments) > place and isinstance(arguments[place], str) and len(arguments[place]) > _PICTURE:
                raise StoppedError(f"the picture has more than {_PICTURE:,} characters")
            if parsed and arguments and isinstance(arguments[0], str) and len(arguments[0]) > _PARSED:
                raise StoppedError(f"the text to read has more than {_PARSED:,} characters")
            return function(*arguments)

        return call

    def transform(*arguments: Any) -> Any:
        guard.tick()
        result = runtime.fn_transform(*arguments)
        guard.forget(result)
        if isinstance(result, (list, dict)):
            guard.made(result)
        return result

    def now(picture: Any = NOTHING, timezone: Any = NOTHING) -> Any:
        clock = guard.time()
        if picture is NOTHING and timezone is NOTHING:
            return clock.iso()
        return pictured("fn_fromMillis", 1)(clock.millis, picture, timezone)

    def shuffle(values: Any) -> Any:
        if values is NOTHING:
            return NOTHING
        return guard.time().shuffled(values if isinstance(values, list) else [values])

    def regex_value(pattern: str, flags: str) -> JRegex:
        try:
            value = runtime.regex_value(pattern, flags)
        except Exception as error:
            raise _RuntimeEvaluationError("S0302", f"the regular expression is not well formed: {error}") from error
        return JRegex(value.pattern, value.flags, _Watched(value.compiled, guard))

    def concat(first: Any, second: Any) -> str:
        guard.tick()
        for value in (first, second):
            if isinstance(value, (list, dict)):
                guard.check_list(guard.made(value))
        text = _text(first) + _text(second)
        guard.text(text)
        return text

    def string(value: Any, pretty: Any = NOTHING) -> Any:
        if isinstance(value, (list, dict)):
            guard.check_list(guard.made(value))
        if pretty is NOTHING and (value.__class__ is int or _has_exact(value)):
            guard.tick()
            text = _text(value)
            guard.text(text)
            return text
        return watched["fn_string"](value, pretty)

    def distinct(values: Any) -> Any:
        if not isinstance(values, list):
            return values
        guard.tick()
        seen: set[Any] = set()
        result = [value for value in values if (key := _key(value)) not in seen and not seen.add(key)]  # type: ignore[func-returns-value]
        guard.made(result)
        return result

    def sorted_list(name: str) -> Callable[..., Any]:
        function = watched[name]

        def sort(values: Any, *arguments: Any) -> Any:
            # One value that is no list is a list of one.
            return function(values if isinstance(values, list) or values is NOTHING else [values], *arguments)

        return sort

    def eq(one: Any, other: Any) -> bool:
        return one is not NOTHING and other is not NOTHING and _equal(one, other)

    def ne(one: Any, other: Any) -> bool:
        return one is not NOTHING and other is not NOTHING and not _equal(one, other)

    def in_(item: Any, values: Any) -> bool:
        if item is NOTHING or values is NOTHING:
            return False
        guard.tick()
        return any(_equal(item, value) for value in values) if isinstance(values, list) else _equal(item, values)

    def filter_field_eq(values: Any, name: str, expected: Any) -> Any:
        return watched["filter_"](values, lambda value: eq(field(value, name), expected))

    def count_field_eq(values: Any, name: str, expected: Any) -> int:
        if values is None or values is NOTHING:
            return 0
        guard.tick()
        items = values if isinstance(values, list) else [values]
        return sum(isinstance(item, dict) and eq(item.get(name, NOTHING), expected) for item in items)

    def ordered(name: str, exactly: Callable[[int, int], bool]) -> Callable[[Any, Any], Any]:
        function = getattr(runtime, name)

        def compare(one: Any, other: Any) -> Any:
            if type(one) is int and type(other) is int:
                return exactly(one, other)
            return function(one, other)

        return compare

    return {
        "field": field,
        "wildcard": wildcard_of(runtime.wildcard),
        "wildcard_context": own_wildcard,
        "descendant": descendant,
        "step_field": expanded(named),
        "step_wildcard": expanded(lambda each: own_wildcard(each.v)),
        "step_descendant": expanded(lambda each: descendant(each.v)),
        "step_context": expanded(lambda each: each.v),
        "step_variable": expanded(bound),
        "step_flatten": expanded(computed),
        "step_context_bind": binding("step_context_bind"),
        "step_position_bind": binding("step_position_bind"),
        "field_final": finished(named),
        "wildcard_final": finished(lambda each: own_wildcard(each.v)),
        "descendant_final": finished(lambda each: descendant(each.v)),
        "expr_final": finished(computed),
        "fn_encodeUrl": encode("fn_encodeUrl", ";,/?:@&=+$#-_.!~*'()"),
        "fn_encodeUrlComponent": encode("fn_encodeUrlComponent", "-_.!~*'()"),
        "range_": range_,
        "array": array_like("array"),
        "array_of": array_like("array_of"),
        "fn_append_all": append_all,
        "group_context": group_context,
        "merge_group_by_objects": merge_group_by_objects,
        "fn_zip": zip_,
        "fn_join": join,
        "fn_pad": pad,
        "fn_split": split,
        "fn_replace": replace,
        "fn_formatNumber": pictured("fn_formatNumber", 1),
        "fn_formatInteger": pictured("fn_formatInteger", 1),
        "fn_parseInteger": pictured("fn_parseInteger", 1, parsed=True),
        "fn_fromMillis": pictured("fn_fromMillis", 1),
        "fn_toMillis": pictured("fn_toMillis", 1, parsed=True),
        "fn_transform": transform,
        "fn_now": now,
        "fn_millis": lambda: guard.time().millis,
        "fn_random": lambda: guard.time().random(),
        "fn_shuffle": shuffle,
        "regex_value": regex_value,
        "concat": concat,
        "fn_string": string,
        "fn_distinct": distinct,
        "fn_sort_comparator": sorted_list("fn_sort_comparator"),
        "fn_sort_by_ordering_key": sorted_list("fn_sort_by_ordering_key"),
        "eq": eq,
        "ne": ne,
        "in_": in_,
        "filter_field_eq": filter_field_eq,
        "fn_count_field_eq": count_field_eq,
        "gt": ordered("gt", int.__gt__),
        "ge": ordered("ge", int.__ge__),
        "lt": ordered("lt", int.__lt__),
        "le": ordered("le", int.__le__),
    }


class _Watched:
    """A compiled regular expression whose searches end with the evaluation's time."""

    __slots__ = ("_guard", "_pattern")

    def __init__(self, pattern: Any, guard: _Guard) -> None:
        self._pattern = pattern
        self._guard = guard

    def search(self, text: str, place: int = 0) -> Any:
        """The first match from a place on."""
        self._guard.tick()
        try:
            return self._pattern.search(text, place, timeout=self._guard.seconds_left)
        except TimeoutError:
            raise StoppedError("a regular expression took too long", "D1012") from None


def _matches(pattern: JRegex, text: str) -> Iterator[Any]:
    place = 0
    assert pattern.compiled is not None
    while place <= len(text) and (match := pattern.compiled.search(text, place)) is not None:
        yield match
        place = max(match.end(), place + 1)


def _equal(one: Any, other: Any) -> bool:
    """Whether two values are the same: numbers exactly, true never 1."""
    kind, other_kind = one.__class__, other.__class__
    if kind is str or kind is bool or one is None:
        return kind is other_kind and bool(one == other)
    if kind is int or kind is float:
        return other_kind in (int, float) and bool(one == other)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and len(one) == len(other)
            and all(key in other and _equal(value, other[key]) for key, value in one.items())
        )
    return one is other


def _key(value: Any) -> Any:
    """Something hashable that is the same for equal values."""
    if isinstance(value, list):
        return ("list", *map(_key, value))
    if isinstance(value, dict):
        return ("object", frozenset((key, _key(part)) for key, part in value.items()))
    if isinstance(value, bool):
        return ("truth", value)
    return value if isinstance(value, (int, float, str)) or value is None else id(value)


def _text(value: Any) -> str:
    """A value as `$string` writes it, whole numbers exactly."""
    if value.__class__ is str:
        text: str = value
        return text
    if value is NOTHING:
        return ""
    if value.__class__ is int:
        return str(value)
    if _has_exact(value):
        return _written(runtime.sanitize_for_string(value))
    return str(runtime.to_text(value))


def _has_exact(value: Any) -> bool:
    """Whether a list or an object holds a whole number that the library would round."""
    if value.__class__ is not list and value.__class__ is not dict:
        return False
    try:
        return count(value) >= EXACT
    except NotJsonError:
        return count(runtime.sanitize_for_string(value)) >= EXACT


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_written(part)}" for key, part in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return json.dumps(value, ensure_ascii=False)
    return str(value) if isinstance(value, int) else str(runtime.to_text(value))


_thread = _Thread()


def position_of(source: str) -> int | None:
    """Where the engine's own parser gives up."""
    try:
        _factory.translate(source)
    except JsonataCompilationError as error:
        cause = error.__cause__
        return cause.position if isinstance(cause, ParseError) and cause.position >= 0 else None
    except RecursionError:
        return None
    return None
