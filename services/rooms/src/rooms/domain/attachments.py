"""Which attachments messages refer to. What no message refers to any more is let go, for good: media deletes it."""

from rooms.domain.state import StoredMessage, attachments_of
from rooms.domain.work import Work


def use_attachments(work: Work, message: StoredMessage) -> None:
    for attachment_id in {one.attachment_id for one in attachments_of(message)}:
        key = (message.room_id, attachment_id)
        work.uses[key] = (work.uses.get(key) or 0) + 1
        work.new_uses.add((*key, message.seq))


def let_attachments_go(work: Work, message: StoredMessage) -> None:
    """Before the message loses them."""
    for attachment_id in {one.attachment_id for one in attachments_of(message)}:
        key, use = (message.room_id, attachment_id), (message.room_id, attachment_id, message.seq)
        if use in work.new_uses:
            work.new_uses.remove(use)
        else:
            work.ended_uses.add(use)
        left = (work.uses.get(key) or 0) - 1
        work.uses[key] = left if left > 0 else None
        if left <= 0:
            work.released.add(key)
