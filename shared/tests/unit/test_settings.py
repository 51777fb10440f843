from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import SecretStr

from shared.settings import Settings


class RoomsSettings(Settings):
    service: ClassVar[str] = "rooms"

    own_key: SecretStr = SecretStr("")


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    monkeypatch.delenv("ROOMS_SERVICE_SECRET", raising=False)
    (tmp_path / "rooms_service_secret").write_text("f" * 32 + "\n")
    return tmp_path


def test_secrets_can_be_files(secrets: Path):
    (secrets / "own_key").write_text("from a file\n")
    (secrets / "rooms_db_password").write_text("only for rooms\n")
    settings = RoomsSettings.load()
    assert settings.service_secret.get_secret_value() == "f" * 32
    assert settings.own_key.get_secret_value() == "from a file"
    assert settings.db_password.get_secret_value() == "only for rooms"


def test_a_variable_overrides_a_file(secrets: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ROOMS_SERVICE_SECRET", "v" * 32)
    assert RoomsSettings.load().service_secret.get_secret_value() == "v" * 32


def test_a_missing_setting_is_named_in_one_line(secrets: Path):
    (secrets / "rooms_service_secret").unlink()
    with pytest.raises(SystemExit, match=r"^rooms: ROOMS_SERVICE_SECRET: Field required \(see \.env\.example\)$"):
        RoomsSettings.load()
