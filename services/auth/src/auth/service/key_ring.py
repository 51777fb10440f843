"""The signing keys of this process: it polls their table, rotates them, signs tokens and verifies its own."""

import logging
import time
from collections import OrderedDict

import msgspec
from sqlalchemy.exc import IntegrityError

from auth.domain.signing_keys import KeyAge, expired_generations, needs_new_key, signing_generation
from auth.service.key_cipher import KeyCipher, new_private_jwk, public_part
from auth.storage.keys import StoredKey, delete_keys, insert_key, list_keys
from shared.database.engine import Database
from shared.errors import Unauthenticated
from shared.ids import new_id, now_ms
from shared.rpc.client import TokenVerifier
from shared.rpc.tokens import Jwk, Principal, sign_token, token_key_id, verify_token

log = logging.getLogger(__name__)

AUDIENCE = "auth"
USER_TOKEN_S = 60
SERVICE_TOKEN_S = 300
CACHED_TOKENS = 20_000
CACHED_TOKEN_S = 20
READ_AGAIN_S = 1


class KeyRing(TokenVerifier):
    def __init__(self, database: Database, *, secret: str, rotation_days: float) -> None:
        super().__init__()
        self._database = database
        self._cipher = KeyCipher(secret)
        self._rotation_ms = int(rotation_days * 24 * 3600 * 1000)
        self._public: dict[str, Jwk] = {}
        self._signing: Jwk = {}
        self._read_at = 0.0
        self._tokens: OrderedDict[tuple[str, str], tuple[float, str]] = OrderedDict()

    @property
    def public_keys(self) -> list[Jwk]:
        return list(self._public.values())

    async def check(self) -> None:
        """Raise LookupError if there is no key to sign with."""
        if not self._signing:
            raise LookupError("no signing key")

    async def refresh(self) -> None:
        """Read the keys. Add one if none can sign or the newest is too old. Delete those that are no longer needed."""
        async with self._database.read() as db:
            stored = await list_keys(db)
        now = now_ms()
        if needs_new_key(self._ages(stored), now, self._rotation_ms):
            stored = await self._add_key(stored, now)
        if old := expired_generations(self._ages(stored), now):
            async with self._database.write() as db:
                await delete_keys(db, old)
        self._take_over([key for key in stored if key.generation not in old], now)

    async def _add_key(self, stored: list[StoredKey], now: int) -> list[StoredKey]:
        generation = max((key.generation for key in stored), default=0) + 1
        jwk = new_private_jwk(new_id())
        public = msgspec.json.encode(public_part(jwk)).decode()
        try:
            async with self._database.write() as db:
                await insert_key(db, StoredKey(generation, jwk["kid"], public, self._cipher.encrypt(jwk), now))
        except IntegrityError:
            log.info("another replica has added the signing key of generation %d", generation)
        async with self._database.read() as db:
            return await list_keys(db)

    def _ages(self, stored: list[StoredKey]) -> list[KeyAge]:
        return [KeyAge(key.generation, key.created_at, self._decrypted(key) is not None) for key in stored]

    def _decrypted(self, key: StoredKey) -> Jwk | None:
        return self._cipher.decrypt(key.sealed_jwk, key.kid)

    def _take_over(self, stored: list[StoredKey], now: int) -> None:
        ages = self._ages(stored)
        if not any(age.can_sign for age in ages):
            raise RuntimeError("SESSION_SECRET_KEY decrypts no signing key; do all replicas have the same one?")
        generation = signing_generation(ages, now)
        signing = next(self._decrypted(key) for key in stored if key.generation == generation)
        assert signing is not None
        self._public = {key.kid: msgspec.json.decode(key.public_jwk, type=Jwk) for key in stored}
        self._signing = signing
        self._read_at = time.monotonic()

    def user_token(self, user_id: str, session_id: str, audience: str) -> str:
        """Return a token for an active session. It is cached for 20 s, because signing takes 0.15 ms."""
        now, name = time.monotonic(), (session_id, audience)
        made_at, token = self._tokens.get(name, (0.0, ""))
        if not token or now - made_at > CACHED_TOKEN_S:
            token = sign_token(self._signing, Principal("user", user_id, session_id), audience, lifetime=USER_TOKEN_S)
            self._tokens.pop(name, None)
            self._tokens[name] = (now, token)
            if len(self._tokens) > CACHED_TOKENS:
                self._tokens.popitem(last=False)
        return token

    def service_token(self, service: str, audience: str) -> str:
        return sign_token(self._signing, Principal("service", service), audience, lifetime=SERVICE_TOKEN_S)

    async def _verify(self, token: str) -> Principal:
        """Return the principal of a token for auth itself. An unknown key makes it read the table again."""
        kid = token_key_id(token)
        if kid not in self._public and time.monotonic() - self._read_at > READ_AGAIN_S:
            await self.refresh()
        if kid not in self._public:
            raise Unauthenticated("This request carries no valid token.")
        return verify_token(token, self._public[kid], AUDIENCE)
