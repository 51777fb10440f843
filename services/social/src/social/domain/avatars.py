"""URLs of avatars, which media serves."""


def avatar_url(attachment_id: str | None) -> str | None:
    return None if attachment_id is None else f"/api/media/attachments/{attachment_id}/content"
