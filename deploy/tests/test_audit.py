"""The audit reports what is known, and never takes missing data for good news."""

import json
import sys
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[1] / "audit.py"


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = util.spec_from_file_location("audit_of_locks", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pip_report(*dependencies: dict[str, object]) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


CLEAN = {"name": "aiohttp", "version": "3.14.5", "vulns": []}
BAD = {"name": "jose", "version": "1.0", "vulns": [{"id": "PYSEC-2"}, {"id": "GHSA-1"}]}
UNKNOWN = {"name": "uv", "skip_reason": "Dependency not found on PyPI and could not be audited: uv (1.0)"}


def test_a_vulnerable_python_package_is_named_with_its_identifiers(audit: ModuleType):
    result = audit.pip_result(pip_report(CLEAN, BAD), "")
    assert result == (2, ["jose 1.0 (GHSA-1, PYSEC-2)"], "")
    assert audit.line("requirements.lock", "2026-11-30", result) == (
        "requirements.lock, pinned on 2026-11-30: VULNERABLE: jose 1.0 (GHSA-1, PYSEC-2)"
    )


def test_a_report_without_vulnerabilities(audit: ModuleType):
    result = audit.pip_result(pip_report(CLEAN), "")
    assert audit.line("x", "y", result) == "x, pinned on y: nothing known about 1 packages"


def test_a_report_about_no_package_is_no_good_news(audit: ModuleType):
    """pip-audit succeeds with "No known vulnerabilities found" if its service knows none of the packages."""
    result = audit.pip_result(pip_report(UNKNOWN, UNKNOWN), "No known vulnerabilities found")
    assert "NOT AUDITED, 0 packages compared: 2 packages are unknown" in audit.line("x", "y", result)


@pytest.mark.parametrize("output", ["", "[]", "no JSON", '{"message": "405"}'])
def test_without_a_report_the_reason_is_printed(audit: ModuleType, output: str):
    assert "NOT AUDITED, 0 packages compared: no route" in audit.line("x", "y", audit.pip_result(output, "no route"))
    assert "NOT AUDITED, 0 packages compared: " in audit.line("x", "y", audit.npm_result(output, "no route"))


def test_the_report_of_npm(audit: ModuleType):
    report = {"vulnerabilities": {}, "metadata": {"dependencies": {"total": 678}}}
    assert audit.npm_result(json.dumps(report), "") == (678, [], "")
    report["vulnerabilities"] = {"vite": {"severity": "high"}}
    assert audit.npm_result(json.dumps(report), "") == (678, ["vite (high)"], "")


def test_a_missing_tool_and_an_error_are_reported(audit: ModuleType, tmp_path: Path):
    assert audit.run(["no-such-tool"], tmp_path) == ("", "no-such-tool is not installed")
    fails = [sys.executable, "-c", "import sys; print('out'); sys.exit('first\\nlast')"]
    assert audit.run(fails, tmp_path) == ("out\n", "last")


def test_only_a_known_vulnerability_fails(audit: ModuleType, capsys: pytest.CaptureFixture[str]):
    missing, clean, bad = audit.Result(0, [], "no route"), audit.Result(1, []), audit.Result(1, ["vite (high)"])
    assert audit.report({"requirements.lock": missing, "web/package-lock.json": clean}) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [text.partition(",")[0] for text in lines] == ["requirements.lock", "web/package-lock.json"]
    assert audit.report({"requirements.lock": clean, "web/package-lock.json": bad}) == 1
