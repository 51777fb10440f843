"""The quick run of the growth benchmark on MySQL: every figure is produced."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.mysql
@pytest.mark.timeout(300)
def test_the_report_has_every_figure(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.growth", "--quick", "--report", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    report = (tmp_path / "growth.md").read_text()
    rows = [line.split("|")[1:-1] for line in report.splitlines() if re.match(r"\|[^|]*\|( [0-9.]+ \|){6}", line)]
    assert len(rows) == 4 * 4 + 4 + 2 + 2
    assert all(float(cell) >= 0 for row in rows for cell in row[1:])
    assert all(float(row[2]) > 0 for row in rows)
