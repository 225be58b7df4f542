"""`script`: what the code is given, what becomes of its result, and that nothing in it gets out."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import select
import subprocess
import sys
import textwrap
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowstudio.components.script import Script
from flowstudio.errors import StepError
from flowstudio.expressions.language import VisitClock
from flowstudio.plan.settings import compile_config
from flowstudio.sdk.spec import derive
from tests.conformance.stage import NOW, Performed, StageContext, act, perform


def run(code: str, payload: Any = None, **more: Any) -> Performed:
    """Has a script work on a payload."""
    return perform(Script, {"code": textwrap.dedent(code)}, payload, **more)


def result(code: str, payload: Any = None, **more: Any) -> Any:
    """What it puts out."""
    return run(code, payload, **more).payload


def failure(code: str, payload: Any = None, **settings: Any) -> StepError:
    """How it fails."""
    with pytest.raises(StepError) as caught:
        perform(Script, {"code": textwrap.dedent(code), **settings}, payload)
    return caught.value


def test_return_gives_the_payload_and_no_return_gives_null() -> None:
    assert result("return payload['a'] + 1", {"a": 1}) == 2
    assert result("x = 1", {"a": 1}) is None
    assert result("payload", {"a": 1}) is None
    assert result("# nothing but a comment", {"a": 1}) is None
    assert result("if payload:\n    return 1\nreturn 2", 0) == 2


def test_the_code_is_taken_as_it_is_written() -> None:
    assert result('return """\n  a\n    b\n"""') == "\n  a\n    b\n"
    assert perform(Script, {"code": "x = 1\r\nreturn x\r\n"}).payload == 1
    assert result('return "{{ $vars.x }}"') == "{{ $vars.x }}"


def test_what_the_message_has_is_given_as_plain_data() -> None:
    names = {
        "meta": {"status": 201},
        "vars": {"limit": 2},
        "steps": {"push": {"id": 7}, "close-inner": [1]},
        "trigger": {"t": 1},
        "item": {"index": 3, "total": 9},
        "error": {"step": "x", "message": "no"},
        "state": {"seen": 1},
    }
    code = """
        return [meta['status'], vars['limit'], steps['push']['id'], steps['close-inner'][0], trigger['t'],
                item['index'], error['message'], state['seen']]
    """
    assert result(code, None, **names) == [201, 2, 7, 1, 1, 3, "no", 1]


def test_what_the_message_does_not_have_is_none_or_empty() -> None:
    code = "return [meta, vars, steps, trigger, item, error, state]"
    assert result(code) == [{}, {}, {}, None, None, None, {}]
    assert result("return eval('item')") is None


def test_changing_what_is_given_changes_nothing_outside() -> None:
    payload = {"a": [1, {"b": 2}]}
    steps = {"push": {"id": 7}}
    before = copy.deepcopy((payload, steps))
    code = "payload['a'][1]['b'] = 3\npayload['a'].append(4)\nsteps['push']['id'] = 8\nreturn payload"
    assert result(code, payload, steps=steps) == {"a": [1, {"b": 3}, 4]}
    assert (payload, steps) == before


def test_log_and_print_write_to_the_log_in_their_order() -> None:
    code = """
        print('one', 1)
        log.info('two', status=meta['status'], rows=[1, {'a': None}])
        print('three', end='')
        log.warning({'a': [1]})
        log.error('five')
        log.debug(6)
        print('seven\\neight')
        print('nine', end='')
    """
    assert run(code, None, meta={"status": 201}).log == [
        ("debug", "one 1", {}),
        ("info", "two", {"status": 201, "rows": [1, {"a": None}]}),
        ("debug", "three", {}),
        ("warning", '{"a": [1]}', {}),
        ("error", "five", {}),
        ("debug", "6", {}),
        ("debug", "seven", {}),
        ("debug", "eight", {}),
        ("debug", "nine", {}),
    ]


def test_a_script_may_log_a_line_for_each_of_many_rows() -> None:
    assert len(run("for row in payload:\n    log.debug(str(row))", list(range(3_000))).log) == 3_000
    assert "write more than 20,000 lines" in failure("while True:\n    log.debug('x')").message


def test_what_was_logged_before_a_failure_is_kept() -> None:
    async def work() -> StageContext:
        context = StageContext()
        with pytest.raises(StepError):
            await act(Script, {"code": "log.info('before')\nprint('that', end='')\n1 / 0"}, None, context)
        return context

    assert asyncio.run(work()).log.lines == [("info", "before", {}), ("debug", "that", {})]


def test_a_log_field_that_is_no_json_is_an_error_with_its_line() -> None:
    error = failure("x = 1\nlog.info('x', rows={1, 2})")
    assert "line 2" in error.message
    assert "type set is not JSON" in error.message


def test_time_and_chance_are_those_of_the_visit() -> None:
    code = """
        import datetime, random, time
        a = random.random()
        time.sleep(3600)
        return [time.time(), str(datetime.datetime.now()), str(datetime.date.today()), a, random.randint(0, 10**9)]
    """
    first, again = result(code), result(code)
    assert first == again
    assert first[0] == NOW
    assert first[1] == "2026-01-01 00:00:00.250000"
    assert first[2] == "2026-01-01"
    other = result(code, clock=VisitClock(NOW, 8))
    assert other[:3] == first[:3]
    assert other[3:] != first[3:]


def test_nothing_is_left_for_the_next_call() -> None:
    result("seen = 5\ndef f(): return seen\nreturn f()")
    assert "seen" in failure("return seen").message


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("return float('nan')", "NaN is in it"),
        ("return {'a': [1, float('inf')]}", "Infinity is in it, at a[1]"),
        ("return {'a': {1, 2}}", "a set is in it, at a"),
        ("import datetime\nreturn [datetime.datetime.now()]", "a date with a time is in it, at [0]"),
        ("import datetime\nreturn datetime.date.today()", "a date is in it"),
        ("return b'x'", "bytes is in it"),
        ("return {1: 2}", "a key that is no text (1) is in it"),
        ("return {None: 2}", "a key that is no text (None)"),
        ("return 10**5000", "a number of more than 4,300 digits"),
        ("return 1j", "a value of type complex"),
        ("return print", "a function or type"),
        ("return int", "a type"),
        ("return ...", "ellipsis"),
        ("return ValueError('x')", "ValueError"),
        ("class A:\n    pass\nreturn A()", "an object of a class"),
        ("return log", "an object of a class"),
        # The sandbox hands these over as texts that describe them.
        ("return range(3)", "type range"),
        ("return {'keys': payload.keys()}", "type dict_keys"),
        ("return payload.items()", "type dict_items"),
        ("def f(): pass\nreturn [f]", "type function"),
        ("return lambda: 1", "type function"),
        ("import json\nreturn json", "type module"),
        ("import re\nreturn re.compile('a')", "type Pattern"),
        ("import re\nreturn re.match('a', 'a')", "type Match"),
        ("return iter([1])", "type list_iterator"),
        ("a = []\na.append(a)\nreturn a", "circular reference"),
        ("a = {}\na['a'] = a\nreturn a", "circular reference"),
        ("class A:\n    pass\nreturn A", "type type"),
    ],
)
def test_a_result_that_is_no_json_is_an_error_that_says_what(code: str, told: str) -> None:
    error = failure(code, {"a": 1})
    assert "result is not JSON" in error.message
    assert told in error.message
    assert error.data["exception"] == "Result"


@pytest.mark.parametrize(
    "value",
    ["<p>text</p>", "f(x)", "range(0, 3)", "[...]", "{...}", "<function 'f' at 0x1>", "<object>", "dict_keys(['a'])"],
)
def test_a_text_that_looks_like_something_else_stays_a_text(value: str) -> None:
    assert result("return payload", value) == value
    assert result("return {'a': [payload, 1.5, None, (1,)]}", value) == {"a": [value, 1.5, None, [1]]}


def test_a_doubtful_result_is_looked_at_without_logging_twice() -> None:
    done = run("log.info('once')\nprint('p')\nreturn '<b>'")
    assert done.payload == "<b>"
    assert done.log == [("info", "once", {}), ("debug", "p", {})]


@pytest.mark.parametrize(
    "code",
    [
        "return payload if payload else None",
        "for x in payload:\n    if x:\n        return x\nreturn None",
        "try:\n    return payload[0]\nfinally:\n    pass",
        "def f():\n    return 5\nreturn *payload, f()",
        "return (\n    payload[0]\n)",
        "return [\n    # why\n    payload[0],\n]",
        "ä = payload; return ä[0]",
        "match payload:\n    case [x]:\n        return x",
        "with_lambda = lambda: 1\nreturn payload",
        "return (y := payload[0])",
        "async def f():\n    return payload\nreturn await f()",
    ],
)
def test_a_doubtful_result_is_found_in_any_return(code: str) -> None:
    assert "<b>" in json.dumps(result(code, ["<b>"]))


def test_tuples_become_lists() -> None:
    assert result("return (1, (2, [3, ()]), {'a': (4,)})") == [1, [2, [3, []]], {"a": [4]}]


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(codec="utf-8")),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
@settings(max_examples=settings.default.max_examples // 2)
def test_data_goes_in_and_comes_out_as_it_was(payload: Any) -> None:
    assert result("return payload", payload) == payload


def test_integers_are_exact_at_any_size() -> None:
    huge = 10**4299
    assert result("return [payload, payload - 1]", huge) == [huge, huge - 1]


@pytest.mark.parametrize(
    ("code", "kind", "line", "column"),
    [
        ("x = 1\nreturn payload['nope']", "KeyError", 2, 8),
        ("def f():\n    return 1 / 0\n\nreturn f()", "ZeroDivisionError", 2, 12),
        ("return nope", "NameError", 1, 8),
        ("\n\nraise ValueError('no way')", "ValueError", 3, 7),
        ("ä = '😀'; return ä[9]", "IndexError", 1, 17),
        ("import requests", "ModuleNotFoundError", 1, 1),
        ("return payload.name", "AttributeError", 1, 8),
        ("assert payload == 3, 'not three'", "AssertionError", 1, 22),
        ("return open('/etc/passwd').read()", "PermissionError", 1, 8),
        ("import os\nreturn os.getenv('HOME')", "RuntimeError", 2, 8),
    ],
)
def test_an_error_carries_the_codes_own_place(code: str, kind: str, line: int, column: int) -> None:
    error = failure(code, {"a": 1})
    assert error.type == "Script"
    assert error.data == {"exception": kind, "line": line, "column": column}
    assert error.message.startswith(f"The script failed: line {line}, column {column}: {kind}")


def test_a_common_slip_is_told_with_its_remedy() -> None:
    assert "write ['name']" in failure("return payload.name", {"name": 1}).message


def test_an_endless_loop_ends() -> None:
    error = failure("while True:\n    pass", max_seconds=0.2)
    assert error.type == "Timeout"
    assert "longer than 0.2 s" in error.message


@pytest.mark.parametrize(
    "code",
    [
        "x = 'a' * 10**9",
        "x = [0] * 10**9",
        "x = 'a'\nwhile True:\n    x += x",
        "rows = []\nwhile True:\n    rows.append('a' * 1000)",
    ],
)
def test_a_memory_bomb_ends(code: str) -> None:
    assert "more than 50 MB" in failure(code, max_megabytes=50).message


def test_endless_recursion_ends() -> None:
    assert "RecursionError" in failure("def f(n):\n    return f(n + 1)\nreturn f(0)").message


def test_a_hostile_pattern_ends() -> None:
    code = "import re\nreturn re.match('(a+)+$', payload) is None"
    try:
        assert perform(Script, {"code": code, "max_seconds": 0.5}, "a" * 40 + "!").payload is True
    except StepError as error:
        assert error.type in ("Timeout", "Script")  # noqa: PT017 - either end is an end


@pytest.mark.slow
def test_printing_without_end_ends() -> None:
    error = failure("while True:\n    print('x' * 1000)")
    assert "write more than 10,000,000 characters" in error.message


@pytest.mark.parametrize(
    "code",
    [
        "import socket",
        "import subprocess",
        "import urllib.request",
        "import ctypes",
        "open('/tmp/x', 'w')",
        "import pathlib\npathlib.Path('/tmp/x').write_text('x')",
        "import os\nos.remove('/tmp/x')",
        "import os\nos.listdir('/')",
        "log.info.__self__",
        "log.info.__globals__",
        "().__class__.__base__.__subclasses__()",
        "__import__('os')",
    ],
)
def test_there_is_no_way_out(code: str) -> None:
    assert failure(code).type == "Script"


def test_half_of_a_character_is_told() -> None:
    assert "surrogate" in failure("return payload", {"a": "\ud800"}).message


def test_data_that_nests_too_deep_is_told() -> None:
    deep: Any = 1
    for _ in range(20_000):
        deep = [deep]
    assert failure("return payload", deep).message
    assert "nest" in failure("d = []\nfor _ in range(20000):\n    d = [d]\nreturn d").message


def test_a_cancelled_visit_ends_an_endless_loop_with_its_process() -> None:
    async def work() -> None:
        context = StageContext()
        said = asyncio.Event()
        context.log.info = lambda message, **fields: said.set()  # type: ignore[method-assign]
        visit = asyncio.create_task(act(Script, {"code": "log.info('go')\nwhile True:\n    pass"}, None, context))
        await asyncio.wait_for(said.wait(), 30)
        visit.cancel()
        with pytest.raises(asyncio.CancelledError):
            await visit
        # The pool makes a new worker for the next call, and it is free at once.
        assert await act(Script, {"code": "return 1"}, None, context) == 1

    asyncio.run(asyncio.wait_for(work(), 60))


def test_several_calls_run_beside_each_other() -> None:
    async def work() -> list[Any]:
        code = "log.info(str(payload))\nreturn payload * 2"
        context = StageContext()
        return await asyncio.gather(*(act(Script, {"code": code}, number, context) for number in range(20)))

    assert asyncio.run(work()) == [number * 2 for number in range(20)]


@pytest.mark.parametrize(
    ("code", "span", "told"),
    [
        ("return 1 +", (10, 10), "expected an expression"),
        ("x = (", (5, 5), "unexpected EOF"),
        ("def f(:\n    pass", (6, 7), "parameter"),
        ("a = 1\nreturn = 2", (13, 14), ""),
        ("for i in payload:\n    del i", (22, 27), "scripts do not have the 'del' statement"),
        ("class A(dict):\n    pass", (0, 23), "inheritance"),
        ("def f():\n    yield 1", (13, 20), "yield"),
        ("from math import *", (0, 18), "import *"),
        ("ä = 1\nbreak", (6, 11), "outside loop"),
        ("", None, ""),
        ("  \n ", None, ""),
    ],
)
def test_code_that_cannot_be_read_is_a_fault_with_its_place(code: str, span: tuple[int, int] | None, told: str) -> None:
    (problem,) = compile_config(derive(Script), {"code": code})[1]
    assert problem.field == "code"
    assert problem.span == span
    assert told in problem.why.lower() or told in problem.why


@pytest.mark.parametrize(
    "code",
    [
        "return [x for x in payload if x]",
        'return f"{payload["a"]}"',
        "def f[T](x: T) -> T:\n    return x\nreturn f(1)",
        "class A:\n    x: int = 1\n    def m(self):\n        return self.x\nreturn A().m()",
        "import math, json as j\nfrom collections import Counter\nreturn 1",
        "async def f():\n    return 1\nreturn await f()",
        "return 1\nreturn 2",
        "global x\nx = 1",
        "try:\n    pass\nexcept ValueError as e:\n    raise\nelse:\n    pass\nfinally:\n    pass",
        "x = 1 if True else 2; return x",
    ],
)
def test_code_that_can_be_read_is_no_fault(code: str) -> None:
    assert compile_config(derive(Script), {"code": code})[1] == []


def test_looking_for_faults_runs_nothing() -> None:
    code = "while True:\n    pass\nx = 1\ndel x"
    assert [problem.span for problem in compile_config(derive(Script), {"code": code})[1]] == [(27, 32)]


def test_only_python_is_spoken() -> None:
    assert compile_config(derive(Script), {"code": "return 1", "language": "lua"})[1][0].field == "language"


PROGRAM = """
import asyncio, os, sys
from tests.conformance.stage import StageContext, act
from flowstudio.components.sandbox import _workers
from flowstudio.components.script import Script

async def main():
    print(await act(Script, {"code": "return 1"}, None, StageContext()))
    with _workers.get()[0].checkout() as session:
        print(session.worker_pid, flush=True)
    if sys.argv[1] == "kill":
        os.kill(os.getpid(), 9)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="processes are looked for as POSIX does")
@pytest.mark.parametrize("end", ["return", "kill"])
@pytest.mark.slow
def test_the_process_leaves_no_worker_behind(end: str) -> None:
    # A worker inherits the output's pipe: reading to its end waits until the worker is gone too.
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, end], capture_output=True, text=True, timeout=60, check=False, cwd=os.getcwd()
    )
    assert done.returncode == (0 if end == "return" else -9), done.stderr
    assert done.stderr == ""
    answer, worker = done.stdout.split()
    assert answer == "1"
    assert _is_gone(int(worker))


def _is_gone(process: int) -> bool:
    """Whether a process has ended, or does within ten seconds: its pipes close a moment before it is gone."""
    try:
        if not hasattr(os, "pidfd_open"):
            os.kill(process, 0)
            return False
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 10)[0])
    finally:
        os.close(handle)
