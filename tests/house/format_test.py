"""Every source is written as .clang-format says: clang-format of Debian 12 would change nothing."""

import os
import shutil
import subprocess
import sys

from absence import absent

ROOMS = ("include", "src", "broker", "bench", "plugins", "tests")


def sources(root):
    for room in ROOMS:
        for folder, folders, files in os.walk(os.path.join(root, room)):
            folders[:] = [each for each in folders if each not in ("node_modules", "build")]
            yield from (os.path.join(folder, each) for each in files if each.endswith((".cpp", ".hpp", ".h")))


def main():
    formatter = shutil.which("clang-format-14") or shutil.which("clang-format")
    if not formatter:
        absent("the format of the sources", "clang-format is not installed")
    version = subprocess.run([formatter, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    if "version 14." not in version:
        absent("the format of the sources", f"versions differ in what they do; 14 is asked for, and here is {version}")
    done = subprocess.run([formatter, "--dry-run", "--Werror", *sorted(sources(os.environ["TWINMQ_SOURCE"]))],
                          stderr=subprocess.PIPE, text=True)
    sys.stderr.write(done.stderr[:10_000])
    sys.exit(done.returncode)


main()
