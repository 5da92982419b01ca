"""The allocator of the C library takes the settings the gateway asks for."""

from __future__ import annotations

import subprocess
import sys


def test_the_c_library_takes_every_setting():
    code = "import sys; from serving.memory import keep_large_blocks; sys.exit(not keep_large_blocks())"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
