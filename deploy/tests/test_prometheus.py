"""The files of Prometheus and Grafana: promtool accepts them, and alerts fire when they should."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[1]
PROMETHEUS, GRAFANA = DEPLOY / "prometheus", DEPLOY / "grafana"
DOCS = (DEPLOY.parent / "docs" / "observability.md").read_text()
PANELS: list[dict[str, Any]] = json.loads((GRAFANA / "webchat.json").read_text())["panels"]
COLUMNS = 24


def promtool(*words: str | Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("no promtool on this machine: apt-get install prometheus")
    answer = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_the_configuration_and_rules_are_valid():
    promtool("check", "config", PROMETHEUS / "prometheus.yml")


def test_rules_alert_when_they_should_and_are_silent_before(tmp_path: Path):
    shutil.copytree(PROMETHEUS, tmp_path, dirs_exist_ok=True)
    rules = [{name: part for name, part in rule.items() if name != "annotations"} for rule in alerts()]
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump({"groups": [{"name": "webchat", "rules": rules}]}))
    promtool("test", "rules", tmp_path / "tests.yml")


def test_every_alert_is_tested_both_ways_and_has_a_runbook():
    tests = yaml.safe_load((PROMETHEUS / "tests.yml").read_text())["tests"]
    seen = [(case["alertname"], "exp_alerts" in case) for test in tests for case in test["alert_rule_test"]]
    for rule in alerts():
        assert (rule["alert"], True) in seen
        assert (rule["alert"], False) in seen
        assert rule["labels"]["severity"] in {"page", "warn"}
        assert rule["annotations"].keys() == {"summary", "runbook", "docs"}
    table = DOCS.partition("### Alerts")[2]
    assert [rule["alert"] for rule in alerts() if f"`{rule['alert']}`" not in table] == []


def test_every_expression_of_the_dashboard_is_valid(tmp_path: Path):
    expressions = [target["expr"] for panel in PANELS for target in panel.get("targets", ())]
    assert expressions
    rules = [
        {"record": f"x{number}", "expr": re.sub(r"\$__\w+", "1h", expr)} for number, expr in enumerate(expressions)
    ]
    file = tmp_path / "dashboard.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", file)


def test_the_dashboard_uses_the_provisioned_prometheus_and_no_panels_overlap():
    [source] = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    shown = [panel for panel in PANELS if panel["type"] != "row"]
    assert {target["datasource"]["uid"] for panel in shown for target in panel["targets"]} == {source["uid"]}
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert max(x for x, _ in cells) < COLUMNS
        assert not cells & taken
        taken |= cells


def composed(tmp_path: Path, *options: str) -> dict[str, Any]:
    """Return the services of all files, as compose reads them."""
    version = ["docker", "compose", "version"]
    if not shutil.which("docker") or subprocess.run(version, capture_output=True, check=False).returncode:
        pytest.skip("compose is not installed: apt-get install docker-cli docker-compose")
    secrets = tmp_path / ".env"
    subprocess.run([sys.executable, DEPLOY / "make_env.py", secrets], check=True, capture_output=True, timeout=30)
    command = ["docker", "compose", "--env-file", secrets, *options, "config", "--format", "json"]
    answer = subprocess.run(command, cwd=DEPLOY.parent, check=True, capture_output=True, timeout=60)
    services: dict[str, Any] = json.loads(answer.stdout)["services"]
    return services


def test_the_profile_starts_both_with_limits_and_only_for_this_machine(tmp_path: Path):
    asked, unasked = composed(tmp_path, "--profile", "metrics"), composed(tmp_path)
    own = {name: asked[name] for name in asked.keys() - unasked.keys()}
    assert own.keys() == {"prometheus", "grafana"}
    for service in own.values():
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", service["image"])
        assert service["read_only"]
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
        assert [port["host_ip"] for port in service["ports"]] == ["127.0.0.1"]
        files = [Path(volume["source"]) for volume in service["volumes"] if volume["type"] == "bind"]
        assert files
        assert all(file.exists() for file in files)
    [provider] = yaml.safe_load((GRAFANA / "provisioning/dashboards/webchat.yaml").read_text())["providers"]
    targets = [volume["target"] for volume in own["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/webchat.json" in targets
