"""Counts the references of messages to attachments.

An attachment that loses its last reference is unreferenced permanently: media deletes it, and no message may refer to
it again.
"""

from rooms.domain.state import StoredMessage, attachments_of
from rooms.domain.unit_of_work import UnitOfWork


def add_references(work: UnitOfWork, message: StoredMessage) -> None:
    for attachment_id in {one.attachment_id for one in attachments_of(message)}:
        key = (message.room_id, attachment_id)
        work.references[key] = (work.references.get(key) or 0) + 1
        work.new_references.add((*key, message.seq))


def remove_references(work: UnitOfWork, message: StoredMessage) -> None:
    """Call it before the attachments are removed from the message."""
    for attachment_id in {one.attachment_id for one in attachments_of(message)}:
        key, reference = (message.room_id, attachment_id), (message.room_id, attachment_id, message.seq)
        if reference in work.new_references:
            work.new_references.remove(reference)
        else:
            work.removed_references.add(reference)
        left = (work.references.get(key) or 0) - 1
        work.references[key] = left if left > 0 else None
        if left <= 0:
            work.unreferenced.add(key)
