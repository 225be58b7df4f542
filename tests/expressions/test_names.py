"""What expressions and texts read, and renaming in them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flowstudio.errors import ExpressionError
from flowstudio.expressions.language import VisitClock, compile_expression
from flowstudio.expressions.names import (
    NAMES,
    Reads,
    reads_of,
    reads_of_text,
    rename_step,
    rename_step_in_text,
    rename_variable,
    rename_variable_in_text,
)
from flowstudio.expressions.text import compile_text
from tests.expressions.strategies import expressions, payloads


def reads(
    *names: str,
    variables: set[str] | None = frozenset(),  # type: ignore[assignment]
    steps: set[str] | None = frozenset(),  # type: ignore[assignment]
    payload: bool = False,
    clock: bool = False,
) -> Reads:
    return Reads(
        frozenset(names),
        None if variables is None else frozenset(variables),
        None if steps is None else frozenset(steps),
        payload,
        clock,
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1", reads()),
        ("a.b", reads(payload=True)),
        ("$", reads(payload=True)),
        ("$$.a", reads(payload=True)),
        ("$string()", reads(payload=True)),
        ("'x' ~> $uppercase()", reads()),
        ("*", reads(payload=True)),
        ("$vars.a", reads("vars", variables={"a"})),
        ("$vars.a.b[0].c", reads("vars", variables={"a"})),
        ("$vars.`a b` & $vars.'c' & $vars.\"d\"", reads("vars", variables={"a b", "c", "d"})),
        ("$steps.push.id", reads("steps", steps={"push"})),
        ("$steps.`close-inner`[0].id", reads("steps", steps={"close-inner"})),
        ("$lookup($steps, 'push').id", reads("steps", steps={"push"})),
        ("$meta.status = 200 and $item.index > 0", reads("meta", "item")),
        ("$now()", reads(clock=True)),
        ("$map(list, $random)", reads(payload=True, clock=True)),
        ("$foo + 1", reads("foo")),
        ("$foo(1)", reads("foo")),
        ("$error.message", reads("error")),
        ("$error('x')", reads("error")),
        # Which one cannot be told.
        ("$vars", reads("vars", variables=None)),
        ("$keys($vars)", reads("vars", variables=None)),
        ("$lookup($vars, name)", reads("vars", variables=None, payload=True)),
        ("$steps.*", reads("steps", steps=None)),
        ("$steps.(push)", reads("steps", steps=None)),
        ("($s := $steps; $s.push)", reads("steps", steps=None)),
        ("$eval('1')", reads(*NAMES, variables=None, steps=None, payload=True, clock=True)),
        # Names in texts, names, comments and regular expressions are not read.
        ("'$vars.a' & \"$steps.b\"", reads()),
        ("`$vars.a`", reads(payload=True)),
        ("1 /* $vars.a */", reads()),
        ("$match('x', /$vars.a/)", reads()),
        ("vars.a & steps.b", reads(payload=True)),
        ("a.$vars.b", reads("vars", variables={"b"}, payload=True)),
        ("a.vars", reads(payload=True)),
        # The expression's own variables are not read from outside.
        ("($vars := 1; $vars.a)", reads()),
        ("function($vars){$vars.a}", reads()),
        ("$map($vars.list, function($vars){$vars.a})", reads("vars", variables={"list"})),
        ("($f := function($n){$n = 0 ? 1 : $f($n - 1)}; $f(3))", reads()),
        ("($g := function(){$h()}; $h := function(){1}; $g())", reads()),
        ("a@$vars.b[$vars.k = 1].c", reads(payload=True)),
        ("a#$vars.($vars + 1)", reads(payload=True)),
        ("($vars.a; $vars := 1; $vars.b)", reads("vars", variables={"a"})),
        ("(($vars := 1); $vars.b)", reads("vars", variables={"b"})),
        ("(true ? $vars := 1; $vars.b)", reads("vars", variables={"b"})),
        ("($count := 2; $count + $sum(a))", reads(payload=True)),
    ],
)
def test_what_an_expression_reads(source: str, expected: Reads) -> None:
    assert reads_of(source) == expected
    assert compile_expression(source).reads == expected


def test_what_a_text_reads() -> None:
    source = "{{ $vars.crm_url }}/{{ $steps.`close-inner`.id }}?at={{ $now() }}&\\{{ $vars.no }}"
    expected = reads("vars", "steps", variables={"crm_url"}, steps={"close-inner"}, clock=True)
    assert reads_of_text(source) == expected == compile_text(source).reads
    assert reads_of_text("no braces $vars.a") == reads()


def test_what_is_no_expression_has_no_reads() -> None:
    with pytest.raises(ExpressionError):
        reads_of("a +")
    with pytest.raises(ExpressionError):
        reads_of_text("{{ a + }}")


@pytest.mark.parametrize(
    ("source", "renamed"),
    [
        ("$steps.push.id", "$steps.`close-inner`.id"),
        ("$steps . push", "$steps . `close-inner`"),
        ("$steps.`push`[0]", "$steps.`close-inner`[0]"),
        ("$steps.\"push\" & $steps.'push'", "$steps.\"close-inner\" & $steps.'close-inner'"),
        ("$lookup($steps, 'push')", "$lookup($steps, 'close-inner')"),
        ("$steps.pushed & $steps.push2", "$steps.pushed & $steps.push2"),
        ("steps.push & push & '$steps.push'", "steps.push & push & '$steps.push'"),
        ("/* $steps.push */ $steps.push", "/* $steps.push */ $steps.`close-inner`"),
        ("($steps := {}; $steps.push)", "($steps := {}; $steps.push)"),
        ("a.($steps.push.x & name)", "a.($steps.`close-inner`.x & name)"),
        ("$vars.push", "$vars.push"),
        ("$steps.push +", "$steps.push +"),
        ("$f($steps.push,\n  1)", "$f($steps.`close-inner`,\n  1)"),
    ],
)
def test_renaming_a_step_keeps_all_else(source: str, renamed: str) -> None:
    assert rename_step(source, "push", "close-inner") == renamed


def test_a_name_is_written_bare_where_it_can_be() -> None:
    assert rename_step("$steps.`close-inner`.a", "close-inner", "push") == "$steps.push.a"
    assert rename_step("$steps.push", "push", "and") == "$steps.`and`"
    assert rename_variable("$vars.a & $vars.b", "a", "größe 1") == "$vars.`größe 1` & $vars.b"
    assert rename_variable("$vars.a", "a", "tick`s") == '$vars."tick`s"'


def test_renaming_in_a_text() -> None:
    source = "{{ $steps.push.id }} $steps.push \\{{ $steps.push }} {{ '}}' & $steps.push }}"
    assert rename_step_in_text(source, "push", "put") == (
        "{{ $steps.put.id }} $steps.push \\{{ $steps.push }} {{ '}}' & $steps.put }}"
    )
    assert rename_variable_in_text("{{ $vars.a }}{{$vars.a}}", "a", "b") == "{{ $vars.b }}{{$vars.b}}"
    assert rename_step_in_text("{{ $steps.push", "push", "put") == "{{ $steps.push"


ids = st.from_regex(r"[a-z][a-z0-9_-]{0,6}", fullmatch=True)


@given(expressions, ids, ids)
def test_renaming_there_and_back_is_nothing(source: str, first: str, second: str) -> None:
    assume(first not in source and second not in source and first != second)
    for rename, old in ((rename_step, "push"), (rename_step, "close-inner"), (rename_variable, "a")):
        there = rename(source, old, first)
        assert rename(there, first, old) == source
        assert rename(rename(source, old, first), first, second) == rename(source, old, second)


@given(expressions, ids, payloads, payloads)
def test_renaming_changes_no_value(source: str, new: str, payload: Any, output: Any) -> None:
    assume(new not in source)

    def outcome(source: str, bound: dict[str, Any]) -> Any:
        try:
            return compile_expression(source).evaluate(payload, bound, VisitClock(0, 1))
        except ExpressionError as error:
            return error.code

    assume(_reads_steps_one_by_one(source))
    rest = {"vars": {"a": 1}, "meta": {}}
    before = outcome(source, {**rest, "steps": {"push": output, "close-inner": {"b": 1}}})
    after = outcome(rename_step(source, "push", new), {**rest, "steps": {new: output, "close-inner": {"b": 1}}})
    assert after == before


def _reads_steps_one_by_one(source: str) -> bool:
    try:
        return reads_of(source).steps is not None
    except ExpressionError:
        return False
