"""`python -m flowstudio`: the command line."""

import sys

from flowstudio.cli.main import console

if __name__ == "__main__":
    sys.exit(console())
