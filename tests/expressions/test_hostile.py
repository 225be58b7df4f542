"""Hostile expressions on a small payload end soon, with a clear error, in little memory; each is tried in a process of
its own, whose memory and processor time the system limits."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs limits on a process's memory and time")

PROGRAM = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
from flowstudio.errors import ExpressionError, ExpressionLimitError
from flowstudio.expressions import careful
from flowstudio.expressions.language import VisitClock, compile_expression
compile_expression("$now() & $string(a)").evaluate({"a": 1}, {}, VisitClock(0, 1))
resource.setrlimit(resource.RLIMIT_AS, (1_300_000_000, 1_300_000_000))
for source in json.load(sys.stdin):
    try:
        compile_expression(source).evaluate({"a": 1, "b": [1, 2, 3], "x": 5}, {}, VisitClock(0, 1))
        outcome = "value"
    except ExpressionLimitError as error:
        outcome = "stopped" if error.message else "silent"
    except ExpressionError as error:
        outcome = "refused" if error.message else "silent"
    print(json.dumps(outcome), flush=True)
"""


def outcomes(sources: list[str]) -> list[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM], input=json.dumps(sources), capture_output=True, text=True)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == len(sources), f"{sources[len(told)]} ended the process: {done.stderr[-500:]}"
    return told


def _grown(step: str, start: str, times: int) -> str:
    """A value that is made of itself, again and again."""
    return f"($f := function($s, $n){{$n = 0 ? $s : $f({step}, $n - 1)}}; $f({start}, {times}))"


STOPPED = {
    "text that doubles": [
        _grown("$s & $s", '"x"', 40),
        _grown("$join([$s, $s, $s])", '"x"', 30),
        _grown("$base64encode($s)", '"xxxxxxxxxxxxxxxx"', 90),
        _grown('$replace($s, "x", "xxxx")', '"x"', 30),
        _grown("$string([$s])", "'\"'", 60),
        '$reduce([1..60], function($a, $x){$a & $a}, "x")',
        '($a := "x"; ' + "$a := $a & $a; " * 60 + "$a)",
        '("x")' + ".($ & $)" * 60,
        '($d := function($s){$s & $s}; $e := $d ~> $d ~> $d ~> $d; $g := $e ~> $e ~> $e ~> $e; $h := $g ~> $g; $h("x"))',
    ],
    "lists and objects that double": [
        _grown("[$s, $s]", "[1, 2]", 40),
        _grown("$append($s, $s)", "[1, 2]", 40),
        _grown('{"a": $s, "b": $s}', '{"a": 1}', 40),
        f'$string({_grown("""{"a": $s, "b": $s}""", """{"a": 1}""", 40)})',
        "($f := function($n){$n = 0 ? 1 : [$f($n - 1), $f($n - 1)]}; $f(40) = $f(40))",
        '($a := {"x": 1}; ' + '$a := {"x": $a, "y": $a}; ' * 60 + "$a)",
        '{"a": 1}' + '.{"a": $, "b": $}' * 40,
        '($a := [1..1000]; $b := $a.{"x": $a}; $c := $b.{"x": $b}; $c)',
        '($o := {"a": [1..100000]}; [1..1000].($o).a)',
        '($t := |$|{"n": $, "m": $}|; {"a": 1}' + " ~> $t" * 40 + ")",
    ],
    "lengths that are computed": [
        '$pad("x", 1e9)',
        '$pad("x", -1e9)',
        '$pad("", 9007199254740991)',
        '$pad("x", $power(10, 15))',
        "[1..1e9]",
        "[1..9999999]",
        '($a := $pad("x", 1000000); $join([' + ", ".join(["$a"] * 300) + "]))",
        '($a := $pad("x", 5000, "x"); $replace($replace($a, /x/, $a), /x/, $a))',
        '$fromMillis(0, $pad("", 30000, "[Y0001]"))',
        '$formatNumber(1, $pad("", 1000000, "0"))',
        "$zip(" + ", ".join(["[1..100000]"] * 20) + ")",
        "[" + ", ".join(["[1..100000]"] * 20) + "]",
    ],
    "work without end": [
        "($f := function(){$f()}; $f())",
        "($f := function($n){$f($n + 1) + 1}; $f(1))",
        "($f := function($n){$n > 0 ? $f($n - 1) + $f($n - 1) : 1}; $f(40))",
        "($f := function($n){$map([1, 2], function($x){$f($n + 1)})}; $f(1))",
        "$sum([1..1000].($sum([1..1000].($sum([1..1000])))))",
        "$map([1..1000000], function($x){$map([1..1000000], function($y){$y})})",
        "$sort([1..100000], function($l, $r){$sum([1..100000]) > 0})",
        '($s := "$eval($s)"; $eval($s))',
        '($e := "[1..1000].[1..1000].[1..1000]"; $eval($e))',
        "($r := [1..1000]; $count($r.($r.($r))))",
        "($r := [1..1000]; $r@$a.$r@$b.$r@$c.($a + $b + $c))",
        '$contains("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /^(?=a)(a|a)*\\1$/)',
        '$split("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /(?<=a)(a|aa)+$/)',
    ],
    "brackets and chains without end": [
        "(" * 3000,
        "[" * 3000 + "]" * 3000,
        "a" + ".a" * 2400,
        "a+" * 2400 + "a",
        "a" + "[a" * 1200 + "]" * 1200,
        "function($x){" * 300 + "1" + "}" * 300,
        "x" * 6000,
    ],
}


LONG = {"text that doubles", "lists and objects that double", "work without end"}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow) if kind in LONG else kind for kind in STOPPED]
)
def test_what_has_no_end_is_stopped(kind: str) -> None:
    sources = STOPPED[kind]
    told = dict(zip(sources, outcomes(sources), strict=True))
    assert {source: outcome for source, outcome in told.items() if outcome != "stopped"} == {}


FINE = [
    '$match("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /(a+)+$/)',
    '$replace("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /^(a+)+$/, "x")',
    "$count($distinct([1..20000]))",
    "$count($keys([1..3000].{$string($): $}))",
    "($f := function($n, $a){$n = 0 ? $a : $f($n - 1, $a + $n)}; $f(5000, 0))",
    "($f := function($n){$n < 2 ? 1 : $n * $f($n - 1)}; $f(90))",
    '$reduce([1..5000], function($a, $x){$a & $x & ","}, "")',
    "$sum($map([1..100000], function($x){$x}))",
    "$count([1..1000].[1..1000])",
    '$length($pad("x", 100000))',
    "x ? 1 : " * 200 + "2",
    "a & " * 500 + "a",
    "$merge([1..20000].{$string($): $}) ~> $keys() ~> $count()",
    "[1..20000]{$string($ % 10): $count($)}",
]


@pytest.mark.slow
def test_what_ends_is_not_stopped() -> None:
    told = dict(zip(FINE, outcomes(FINE), strict=True))
    assert {source: outcome for source, outcome in told.items() if outcome != "value"} == {}


LARGE = """
import json
from flowstudio.expressions.language import VisitClock, compile_expression
rows = [{"a": i, "b": {"c": i % 7}, "tags": ["x"]} for i in range(300_000)]
bound = {"vars": {"x": 1}, "steps": {"s": {"rows": rows}}}
for source in (
    "$sum(rows.a)", "$count(rows[a > 5])", "rows.a", "$sum(rows.(a * 2))", "rows^(>a)[0].a", "$count(rows.tags)",
    "$count($distinct(rows.b.c))", "$count(rows.{'k': a, 'v': $$.name & 'x'})", "$count($steps.s.rows.a)",
    "$count($map(rows, function($r, $i){$r.a + $i}))", "$sum($filter(rows, function($r){$r.a < 100}).a)",
    "$count(rows{$string(b.c): $count($)})", "$reduce(rows, function($t, $r){$t + $r.a}, 0)", "$count($append(rows, rows))",
    "($f := function($n){$n > 0 ? $f($n - 1) : $count(rows)}; $f(3))", "$length($join(rows.b.$string(c), ','))",
):
    value = compile_expression(source).evaluate({"rows": rows, "name": "n"}, bound, VisitClock(0, 1))
    print(json.dumps([source, value if not isinstance(value, list) else len(value)]), flush=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ordinary_work_on_long_lists_is_not_refused() -> None:
    done = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-800:]
    told = dict(map(json.loads, done.stdout.splitlines()))
    assert told["$sum(rows.a)"] == 299_999 * 150_000
    assert told["rows.a"] == 300_000
    assert told["$count($append(rows, rows))"] == 600_000
    assert told["rows^(>a)[0].a"] == 299_999
    assert len(told) == 16
