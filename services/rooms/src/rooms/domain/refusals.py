"""Why a command changes nothing: one of the protocol's codes, and words for a person."""


class Refusal(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


def no_room() -> Refusal:
    """The same for a room that is not there and for one that the asker is not in."""
    return Refusal("not_found", "There is no such room.")


def no_message() -> Refusal:
    return Refusal("not_found", "There is no such message.")


def no_attachment() -> Refusal:
    return Refusal("not_found", "There is no such attachment.")


def no_user() -> Refusal:
    return Refusal("not_found", "There is no such user.")


def invalid(detail: str) -> Refusal:
    return Refusal("invalid", detail)


def forbidden(detail: str) -> Refusal:
    return Refusal("forbidden", detail)


def conflict(detail: str) -> Refusal:
    return Refusal("conflict", detail)


def unavailable() -> Refusal:
    return Refusal("unavailable", "This did not go through. Send it again.")
