"""``python -m fxsummary`` is the command line."""

import sys

from fxsummary.cli import main

if __name__ == "__main__":
    sys.exit(main())
