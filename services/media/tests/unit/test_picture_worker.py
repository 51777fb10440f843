"""The process that re-encodes a picture takes little from the others."""

import os
import subprocess
import sys

from media.service.picture_worker import LOW_PRIORITY


def test_the_process_has_a_low_priority():
    script = (
        "import os; from media.service.picture_worker import restrict_process as run; run(1 << 31); print(os.nice(0))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) == min(19, os.nice(0) + LOW_PRIORITY)
