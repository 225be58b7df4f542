"""`python -m flowstudio`: the command line."""

import sys

from flowstudio.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
