"""`python -m tests.benchmarks NAME [--json]`: runs `tests/benchmarks/NAME.py`, whose `main(argv)` prints its figures."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import tests.benchmarks

_NOT_SUBJECTS = {"__main__", "measure"}


def subjects() -> tuple[str, ...]:
    """What can be measured."""
    found = (module.name for module in pkgutil.iter_modules(tests.benchmarks.__path__))
    return tuple(sorted(name for name in found if name not in _NOT_SUBJECTS and not name.startswith("test_")))


def main(argv: list[str]) -> int:
    """Dispatches to the subject that is named first."""
    known = subjects()
    if not argv or argv[0] not in known:
        print(
            f"usage: python -m tests.benchmarks NAME [--json]\nNAME is one of: {', '.join(known) or 'none yet'}",
            file=sys.stderr,
        )
        return 2
    module = importlib.import_module(f"tests.benchmarks.{argv[0]}")
    status: int = module.main(argv[1:])
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
