"""What a test does without the program that it needs."""

import os
import sys


def absent(what, reason):
    """Ends the test as skipped (exit code 77), or, in .ci/run, which nobody watches, as failed."""
    print(f"{what} is not tested: {reason}")
    sys.exit(1 if os.environ.get("TWINMQ_CI") else 77)
