"""The table of commands: each one's module is loaded when the command is called."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from typing import Final

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "edit": ("flowstudio.cli.screens", "Open the editor"),
    "run": ("flowstudio.cli.flows", "Run a flow once"),
    "validate": ("flowstudio.cli.flows", "Say what is wrong with flow files"),
    "eval": ("flowstudio.cli.flows", "Evaluate an expression"),
    "diff": ("flowstudio.cli.flows", "Compare two flows by step and field"),
    "export": ("flowstudio.cli.flows", "Publish a flow as a template version"),
    "deploy": ("flowstudio.cli.hosting", "Deploy a template to many customers"),
    "instances": ("flowstudio.cli.hosting", "List what is deployed and how it fares"),
    "preview": ("flowstudio.cli.hosting", "Show what one payload would do for every customer"),
    "pause": ("flowstudio.cli.hosting", "Pause instances"),
    "resume-instance": ("flowstudio.cli.hosting", "Let paused instances go on"),
    "remove": ("flowstudio.cli.hosting", "Remove instances"),
    "serve": ("flowstudio.cli.serving", "Serve the instances of a data directory"),
    "resume": ("flowstudio.cli.serving", "Go on with runs of a host that failed"),
    "runs": ("flowstudio.cli.history", "List recorded runs"),
    "components": ("flowstudio.cli.catalogue", "List the components, or describe one"),
    "schema": ("flowstudio.cli.catalogue", "Print a JSON Schema"),
    "session": ("flowstudio.cli.screens", "Serve an editor over standard input and output"),
    "demo-target": ("flowstudio.cli.screens", "Run the examples' target system alone"),
}
"""Name to the module that has it and the line that `--help` shows."""

USAGE: Final = """\
FlowStudio designs integration flows, runs them, and deploys them to many customers.

Usage: flowstudio [COMMAND] [ARGUMENTS]

Without a command it opens the editor.

Commands:
{commands}

Options:
  --version       Print the version
  --help          Show this page; flowstudio COMMAND --help shows a command's

Exit status: 0 good, 1 the run failed, 2 the input is wrong, 130 interrupted.

Example:
  flowstudio run resources/examples/customer-sync.flow.json
"""


def main() -> int:
    """Calls the command that the arguments name; the exit status is what it returns."""
    arguments = sys.argv[1:]
    if not arguments:
        arguments = ["edit"]
    first = arguments[0]
    if first == "--version":
        from flowstudio import __version__

        print(f"FlowStudio {__version__}")
        return 0
    if first in ("--help", "-h", "help"):
        print(usage())
        return 0
    if first not in COMMANDS:
        return _unknown(first)
    module = import_module(COMMANDS[first][0])
    from flowstudio.cli.output import guarded

    return guarded(module.APPS[first], f"flowstudio {first}", arguments[1:])


def usage() -> str:
    """The page of `flowstudio --help`."""
    width = max(map(len, COMMANDS)) + 2
    lines = (f"  {name:<{width}}{line}" for name, (_, line) in COMMANDS.items())
    return USAGE.format(commands="\n".join(lines))


def _unknown(word: str) -> int:
    import difflib

    if word.endswith(".flow.json"):
        hint = f"write flowstudio edit {word}, or flowstudio run {word}"
    else:
        near = difflib.get_close_matches(word, COMMANDS, 1)
        hint = f"did you mean {near[0]}?" if near else "flowstudio --help lists the commands"
    print(f"flowstudio: there is no command {word!r}; {hint}", file=sys.stderr)
    return 2


def console() -> int:
    """The console script: `main`, and an end without delay."""
    status = main()
    # At its end the interpreter looks through every object for circles once more, which took a quarter of the time of a
    # short command. What atexit, files and threads have to do, they do all the same.
    gc.freeze()
    return status
