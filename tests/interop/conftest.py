"""What the interop tests need of Node.js: the packages of the lock file, installed once."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PACKAGES = ("ocpp-rpc", "typed-ocpp")


@pytest.fixture(scope="session")
def node_folder() -> Path:
    """The folder of the scripts, with their packages installed as the lock file says.

    It skips without Node.js; with ``CI`` set a skip is a failure.
    """
    npm = shutil.which("npm")
    if shutil.which("node") is None or npm is None:
        pytest.skip("node or npm is missing: install Node.js and npm")
    if not all((HERE / "node_modules" / package).is_dir() for package in PACKAGES):
        command = [npm, "ci", "--omit=dev", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=HERE, check=True, capture_output=True)
    return HERE
