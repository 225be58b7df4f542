"""What is published: a wheel that brings its resources along, and a source archive from which it can be built again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from flowstudio import __version__

ROOT = Path(__file__).resolve().parent.parent
JUNK = ("__pycache__", ".pyc", ".venv", ".uv/", "_cache", ".hypothesis", ".git/", "dist/")


def run(*command: str | Path, cwd: Path) -> str:
    """The standard output of a command that must succeed."""
    done = subprocess.run(command, cwd=cwd, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(source: Path, into: Path, kind: str) -> Path:
    """Builds a wheel or a source archive with the backend that pyproject.toml names."""
    run(sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(into), cwd=source)
    (built,) = into.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("archive"), "sdist")


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as content:
        return set(content.namelist())


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_its_resources_and_nothing_else(wheel: Path) -> None:
    names = names_in(wheel)
    resources = (file.relative_to(ROOT / "resources") for file in (ROOT / "resources").rglob("*") if file.is_file())
    assert {f"flowstudio/_resources/{file.as_posix()}" for file in resources} <= names
    assert {"flowstudio/py.typed", "flowstudio/__main__.py", "flowstudio/cli/main.py"} <= names
    assert {name.split("/")[0] for name in names} == {"flowstudio", f"flowstudio-{__version__}.dist-info"}
    assert [name for name in names if any(part in name for part in JUNK)] == []


@pytest.mark.slow
def test_an_installed_wheel_runs_and_finds_its_examples(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "installed", cwd=tmp_path)
    scripts = tmp_path / "installed" / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / "python"
    run(python, "-m", "pip", "install", "-q", "--no-index", "--no-deps", wheel, cwd=tmp_path)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    # The dependencies are those of this environment; .pth files in a folder that a .pth file names are not read, so
    # the checkout stays out of reach.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    assert __version__ in run(scripts / "flowstudio", "--version", cwd=tmp_path)
    assert __version__ in run(python, "-m", "flowstudio", "--version", cwd=tmp_path)
    asked = (
        "import flowstudio, json; from flowstudio.resources import resource;"
        "print(json.dumps([flowstudio.__file__, str(resource('examples', 'customer-sync.flow.json'))]))"
    )
    module, example = json.loads(run(python, "-c", asked, cwd=tmp_path))
    assert Path(module).is_relative_to(site)
    assert Path(example).is_relative_to(site)
    run(scripts / "flowstudio", "validate", example, cwd=tmp_path)


@pytest.mark.slow
def test_the_source_archive_is_clean_and_whole(archive: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as content:
        content.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    files = {file.relative_to(unpacked).as_posix() for file in unpacked.rglob("*") if file.is_file()}
    assert {
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "uv.lock",
        ".ci/run",
        "tests/conftest.py",
    } <= files
    top = {name.split("/")[0] for name in files}
    assert top <= {*"flowstudio resources tests .ci pyproject.toml uv.lock PKG-INFO .gitignore".split()} | {
        name for name in top if name.endswith(".md") or name == "LICENSE"
    }
    assert [name for name in files if any(part in name for part in JUNK)] == []
    assert names_in(build(unpacked, tmp_path / "again", "wheel")) == names_in(wheel)
