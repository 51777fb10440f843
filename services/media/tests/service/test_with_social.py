"""Avatars of profiles, with a real social."""

import httpx

from shared.ids import new_id
from social.main import create_app as create_social
from social.settings import SocialSettings


async def test_only_an_own_avatar_is_accepted(anna, berta, settings, served, listening, picture):
    common = {
        name: getattr(settings, name) for name in ("webchat_data", "redis_endpoint", "auth_url", "service_secret")
    }
    media_url = f"http://127.0.0.1:{settings.listen_port}"
    token = (await anna.account.get("/check?audience=social")).headers["X-WebChat-Token"]
    mine, theirs = await anna.stored(picture(), "me.png"), await berta.stored(picture(), "her.png")
    attached = await anna.stored(picture(), "x.png", room_id=await anna.group())
    async with (
        served(create_social(SocialSettings(_env_file=None, media_url=media_url, **common))) as url,
        httpx.AsyncClient(base_url=f"{url}/api/social", headers={"X-WebChat-Token": token}, trust_env=False) as social,
    ):
        for wrong in (theirs["attachment_id"], attached["attachment_id"], new_id()):
            assert (await social.patch("/profiles/me", json={"avatar_attachment_id": wrong})).status_code == 422
        answer = await social.patch("/profiles/me", json={"avatar_attachment_id": mine["attachment_id"]})
        assert (answer.status_code, answer.json()["avatar_url"]) == (200, mine["url"])
    assert (await berta.media.get(mine["url"].removeprefix("/api/media"))).status_code == 200
