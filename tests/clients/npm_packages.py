"""Packages of npm for tests, by the lock file beside a test. Without node, or with npm's registry out of reach, the test is
skipped (exit code 77); in .ci/run, which nobody watches, it fails.
"""

import os
import shutil
import subprocess
import sys


sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "daemon"))
from absence import absent  # noqa: E402


def install(what, source, folder):
    """Into `folder`, what the lock file in `source` names, unless it is there already."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            absent(what, program + " is not installed")
    os.makedirs(folder, exist_ok=True)
    lock = os.path.join(source, "package-lock.json")
    done = os.path.join(folder, "installed-lock.json")
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(os.path.join(source, name), os.path.join(folder, name))
    if os.path.exists(done) and open(done).read() == open(lock).read():
        return
    npm = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if npm.returncode != 0:
        absent(what, "npm ci failed:\n" + npm.stdout)
    shutil.copyfile(lock, done)
