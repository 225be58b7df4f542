"""What is written holds: transcripts print what they say, examples run, and nothing public goes unmentioned."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from typer.main import get_command

from flowstudio.cli.main import COMMANDS
from flowstudio.editor.prerequisites import install_line
from flowstudio.sdk import Component
from flowstudio.sdk.registry import Registry
from flowstudio.sdk.spec import FieldSpec, Spec
from tests.transcripts import Block, Command, blocks, commands, furnish, matches, run

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
PAGES_OF_COMPONENTS = ROOT / "resources" / "docs" / "components"
REGISTRY = Registry.from_entry_points()
SPECS = REGISTRY.specs()


def listed(heading: str) -> list[str]:
    """The first cells of the README's table whose first heading it is, without their back-ticks."""
    table = re.search(rf"^\| {heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert table is not None, f"the README has no table of {heading}s"
    return re.findall(r"^\| `([^`]+)` \|", table[1], re.MULTILINE)


def fenced(language: str) -> Block:
    """The README's only block of that language."""
    (found,) = [block for block in blocks(README) if block.language == language]
    return found


def test_the_readme_goes_from_one_sentence_to_working_on_it() -> None:
    text = README.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line]
    assert lines[0] == "# FlowStudio"
    assert lines[1].count(". ") == 0
    assert lines[2].startswith("![")
    assert lines[3].startswith("- ")
    assert [line for line in lines if line.startswith("## ")] == [
        "## Install",
        "## The first flow",
        "## The first component",
        "## Map of the packages",
        "## Figures",
        "## Working on it",
    ]


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_lead_to_files(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_readme_brings_a_bare_debian_what_ci_brings() -> None:
    assert [block.text.strip() for block in blocks(README) if "apt-get" in block.text] == [install_line()]
    assert "resources/system-packages.txt" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_ci_runs_the_test_command_of_the_readme() -> None:
    (shown,) = [block.text.strip() for block in blocks(README) if block.text.strip().endswith("uv run pytest")]
    setup, _, command = shown.rpartition(" && ")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert command == ".uv/bin/uv run pytest"
    assert re.search(r"^uv=\.uv/bin/uv$", script, re.MULTILINE)
    assert re.search(r"^\$uv run pytest\b", script, re.MULTILINE)
    assert all(re.search(rf"^ *{re.escape(part)}$", script, re.MULTILINE) for part in setup.split(" && "))


def test_the_two_commands_differ_in_what_they_start() -> None:
    shown = [block.text.strip() for block in blocks(README) if ".uv/bin/uv run" in block.text]
    assert [
        line.removeprefix("python3 -m venv .uv && .uv/bin/pip install -q uv && .uv/bin/uv run ") for line in shown
    ] == [
        "flowstudio",
        "pytest",
    ]


@pytest.mark.slow
def test_transcripts_print_what_they_say(tmp_path: Path) -> None:
    furnish(tmp_path)
    told = list(commands(README))
    assert len(told) >= 6
    for asked in told:
        printed, status = run(asked.command, tmp_path)
        assert status == 0, f"README.md:{asked.line}: {printed}"
        assert matches(printed, asked.printed), f"README.md:{asked.line} prints now:\n{printed}"


@pytest.mark.slow
def test_the_first_component_is_short_and_works_as_an_installed_package(tmp_path: Path) -> None:
    example = fenced("python").text
    assert len([line for line in example.splitlines() if line.strip()]) <= 15
    (tmp_path / "acme_flowstudio.py").write_text(example, encoding="utf-8")
    points = tomllib.loads(fenced("toml").text)["project"]["entry-points"]["flowstudio.components"]
    information = tmp_path / "acme_flowstudio-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: acme-flowstudio\nVersion: 1.0\n", encoding="utf-8"
    )
    (information / "entry_points.txt").write_text(
        "[flowstudio.components]\n" + "".join(f"{name} = {target}\n" for name, target in points.items()),
        encoding="utf-8",
    )
    ((key, target),) = points.items()
    module, _, name = target.partition(":")
    namespace: dict[str, object] = {"__name__": module}
    exec(compile(example, "README.md", "exec"), namespace)
    component = namespace[name]
    assert isinstance(component, type)
    assert issubclass(component, Component)
    (shown,) = component.examples
    flow = {
        "format": "flowstudio/flow@1",
        "id": "masked",
        "name": "Masked",
        "steps": {"start": {"component": "manual@1"}, "mask": {"component": f"{key}@1", "config": dict(shown.config)}},
        "wires": ["start -> mask"],
    }
    (tmp_path / "masked.flow.json").write_text(json.dumps(flow), encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "flowstudio",
            "run",
            "masked.flow.json",
            "--payload",
            json.dumps(shown.payload),
            "--json",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [output["payload"] for output in json.loads(done.stdout)["outputs"]] == [shown.output]


def test_every_command_is_in_the_readme() -> None:
    assert listed("command") == [f"flowstudio {name}" for name in COMMANDS]


def test_the_commands_of_the_guides_are_there_with_their_options() -> None:
    lines = [
        line.partition("#")[0]
        for page in (ROOT / "resources/docs").glob("*.md")
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        for line in block.splitlines()
    ]
    called = [found for line in lines if (found := re.search(r"\bflowstudio ([a-z-]+)(.*)", line))]
    assert called
    for call in called:
        command, arguments = call[1], call[2]
        module = import_module(COMMANDS[command][0])
        told = {option for each in get_command(module.APPS[command]).params for option in each.opts}
        assert set(re.findall(r"--[a-z-]+", arguments)) <= told, call[0]


def test_every_package_is_in_the_readme() -> None:
    present = {path.stem for path in (ROOT / "flowstudio").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert set(listed("package")) == {name for name in present if not name.startswith("_")}


def test_every_environment_variable_is_in_the_readme() -> None:
    sources = (file.read_text(encoding="utf-8") for file in (ROOT / "flowstudio").rglob("*.py"))
    used = {name for source in sources for name in re.findall(r"\bFLOWSTUDIO_[A-Z_]+\b", source)}
    assert set(listed("environment variable")) == used


@pytest.mark.slow
def test_every_module_says_what_it_owns() -> None:
    silent = [
        str(file.relative_to(ROOT))
        for file in (ROOT / "flowstudio").rglob("*.py")
        if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_every_built_in_component_can_be_loaded() -> None:
    assert REGISTRY.failures == {}
    assert len(SPECS) >= 11


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_setting_of_a_component_is_described(spec: Spec) -> None:
    def below(fields: tuple[FieldSpec, ...]) -> Iterator[FieldSpec]:
        for field in fields:
            yield field
            yield from below(field.fields)

    assert [field.name for field in below(spec.fields) if not (field.title and field.description)] == []


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_component_has_its_page(spec: Spec) -> None:
    page = PAGES_OF_COMPONENTS / f"{spec.key}.md"
    assert page.exists()
    text = page.read_text(encoding="utf-8")
    assert [field.name for field in spec.fields if f"`{field.name}`" not in text] == []


@pytest.mark.parametrize(
    ("printed", "told", "same"),
    [
        ("149.75\n", "149.75", True),
        ("149.76\n", "149.75", False),
        ('"run": "r-01H9"\n', '"run": "…"', True),
        ("in 12 ms (run a.b)", "in … ms (run …)", True),
        ("two words", "…", False),
        ('"two words"', '"…"', True),
        ('"run": "a", "id": "b"', '"run": "…"', False),
        ('"run": ""', '"run": "…"', False),
        ("one\ntwo", "one…", False),
        ("", "", True),
        ("something", "", False),
    ],
)
def test_an_ellipsis_stands_for_one_value(printed: str, told: str, same: bool) -> None:
    assert matches(printed, told) is same


def test_a_transcript_is_commands_and_what_they_print(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Text\n\n```console\n$ one \\\n  --more\nprinted\n\nmore\n$ two\n```\n\n```sh\n$ not this\n```\n",
        encoding="utf-8",
    )
    assert list(commands(page)) == [
        Command("one \\\n  --more", "printed\n\nmore", 4),
        Command("two", "", 9),
    ]
    page.write_text("```console\nno command\n```\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"page\.md:2"):
        list(commands(page))
