"""Every setting of a service reaches its container, but no secret of another service."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from auth.settings import AuthSettings
from canary.settings import CanarySettings
from chat_gateway.settings import GatewaySettings
from media.settings import MediaSettings
from ops.settings import OpsSettings
from rooms.settings import RoomsSettings
from shared.settings import Settings
from social.settings import SocialSettings

ROOT = Path(__file__).parents[2]
SETTINGS = (AuthSettings, SocialSettings, RoomsSettings, MediaSettings, GatewaySettings)
OF_THE_IMAGE = {"LISTEN_HOST", "LISTEN_PORT", "WEBCHAT_DATA", "AUDIT_LOG"}
"""Settings fixed by the image, and those of local folders, which containers do not use: the database is external, and
the audit trail goes to standard output."""
OF_THE_DATABASE = {"DB_HOST", "DB_PORT", "DB_NAME", "DB_USERNAME", "DB_PASSWORD", "DB_POOL_SIZE", "DB_TLS_CA"}
SECRETS = {
    "auth": {"DB_PASSWORD", "SESSION_SECRET_KEY", "AUTH_SERVICE_SECRET", "SOCIAL_SERVICE_SECRET",
             "ROOMS_SERVICE_SECRET", "MEDIA_SERVICE_SECRET", "CHAT_GATEWAY_SERVICE_SECRET"},
    "social": {"DB_PASSWORD", "SOCIAL_SERVICE_SECRET"},
    "rooms": {"DB_PASSWORD", "ROOMS_SERVICE_SECRET", "MESSAGE_DIGEST_KEYS"},
    "media": {"DB_PASSWORD", "MEDIA_SERVICE_SECRET", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "CDN_PRIVATE_KEY"},
    "chat-gateway": {"CHAT_GATEWAY_SERVICE_SECRET"},
}  # fmt: skip
"""The secrets of each service, besides the password of Redis. auth has the secrets of all services to verify them."""


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]


def expected(shape: type[Settings]) -> set[str]:
    prefix = shape.service.replace("-", "_").upper()
    names = {name.upper() for name in shape.model_fields} - OF_THE_IMAGE - {"SERVICE_SECRET"}
    return (names | {f"{prefix}_SERVICE_SECRET"}) - (OF_THE_DATABASE if shape is GatewaySettings else set())


def is_secret(name: str) -> bool:
    return re.search(r"PASSWORD|SECRET|PRIVATE_KEY|ACCESS_KEY|DIGEST_KEY", name) is not None


@pytest.mark.parametrize("shape", SETTINGS, ids=lambda shape: shape.service)
def test_every_setting_reaches_its_container(services: dict[str, Any], shape: type[Settings]):
    assert set(services[shape.service]["environment"]) == expected(shape)


def test_the_canary_gets_its_settings_and_only_its_own_secret(services: dict[str, Any]):
    environment = services["canary"]["environment"]
    assert set(environment) == {name.upper() for name in CanarySettings.model_fields} - OF_THE_IMAGE
    assert {key for key in environment if is_secret(key)} == {"CANARY_PASSWORD"}
    assert services["canary"]["networks"] == ["front"]


def test_ops_gets_its_settings_and_no_secret(services: dict[str, Any]):
    environment = services["ops"]["environment"]
    assert set(environment) == {name.upper() for name in OpsSettings.model_fields} - OF_THE_IMAGE
    assert not [key for key in environment if is_secret(key)]
    assert services["ops"]["networks"] == ["front"]


@pytest.mark.parametrize("service", SECRETS)
def test_no_other_secret_reaches_a_container(services: dict[str, Any], service: str):
    containers = {name for name in services if name in {service, f"{service}-migration"}}
    assert service in containers
    for name in containers:
        secrets = {key for key in services[name]["environment"] if is_secret(key)}
        assert secrets == SECRETS[service] | {"REDIS_PASSWORD"}


def test_a_value_comes_from_the_variable_of_its_name(services: dict[str, Any]):
    """A mistake would give one service the password of another."""
    renamed = set()
    for name, service in services.items():
        prefix = name.removesuffix("-migration").replace("-", "_").upper()
        for key, value in service.get("environment", {}).items():
            asked = re.match(r"\$\{(\w+)", str(value or ""))
            if asked:
                assert asked[1] in {key, f"{prefix}_{key}"}, f"{name}: {key} comes from {asked[1]}"
                renamed |= {asked[1]} - {key}
    assert "ROOMS_DB_PASSWORD" in renamed


def test_nginx_gets_no_secret(services: dict[str, Any]):
    assert not [key for key in services["nginx"]["environment"] if is_secret(key)]
