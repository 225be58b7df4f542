"""How figures are taken and told."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import main, subjects
from tests.benchmarks.measure import Figure, fresh_process, machine, repeat, report

ROOT = Path(__file__).resolve().parent.parent


def test_a_figure_is_a_median_with_its_spread() -> None:
    figure = Figure("open", "ms", (5.0, 1.0, 3.0))
    assert figure.median == 3.0
    assert figure.spread == (1.0, 5.0)
    assert figure.line().split() == ["open", "3", "ms", "(1-5,", "3", "repeats)"]


def test_the_first_values_are_thrown_away() -> None:
    taken = iter([100.0, 1.0, 2.0, 3.0])
    assert repeat("open", "ms", lambda: next(taken), repeats=3, warm_up=1).values == (1.0, 2.0, 3.0)


def test_a_fresh_process_answers_with_json() -> None:
    assert fresh_process("import os; print('noise'); print(os.environ['ASKED'])", {"ASKED": "[1, 2]"}) == [1, 2]


def test_a_measured_process_that_fails_is_no_figure() -> None:
    with pytest.raises(RuntimeError, match="no good"):
        fresh_process("raise SystemExit('no good')")


def test_a_report_names_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    figure = Figure("open", "ms", (1.0, 2.0, 3.0))
    report("editor", [figure], as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["subject"] == "editor"
    assert told["machine"]["cores"] == machine().cores
    assert told["figures"] == [
        {"name": "open", "unit": "ms", "median": 2.0, "lowest": 1.0, "highest": 3.0, "repeats": 3}
    ]
    report("editor", [figure], as_json=False)
    assert machine().processor in capsys.readouterr().out


def test_the_dispatcher_lists_what_can_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main(["measure"]) == 2
    listed = capsys.readouterr().err
    assert all(name in listed for name in subjects())
    assert "measure" not in subjects()


@pytest.mark.parametrize("name", subjects())
def test_every_subject_has_a_main(name: str) -> None:
    # Read, not imported: a subject chooses Qt's platform and loads what it measures.
    tree = ast.parse((ROOT / "tests" / "benchmarks" / f"{name}.py").read_text(encoding="utf-8"))
    (main,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main"]
    assert [argument.arg for argument in main.args.args] == ["argv"]
