import pytest

from auth.domain.passwords import check_password, common_passwords


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "at least 8"),
        ("ä" * 101, "at most 200 bytes"),
        ("password1", "common"),
        ("PassWord1", "common"),
        ("zzzzzzzzzz", "common"),
        ("Anna.Bell", "WebChat ID"),
        ("anna.bell@example.com", "WebChat ID"),
        ("bell.anna", "email address"),
    ],
)
def test_unacceptable_passwords(password, why):
    email = "bell.anna@example.com" if password == "bell.anna" else "Anna.Bell@example.com"
    with pytest.raises(ValueError, match=why):
        check_password(password, "anna.bell", email)


def test_an_acceptable_password_is_returned_in_normal_form():
    assert check_password("a\u0308-long-enough", "anna", "a@example.com") == "\u00e4-long-enough"
    assert check_password("ä" * 99 + "ab", "anna", "a@example.com")


def test_the_list_of_common_passwords_is_complete():
    assert len(common_passwords()) > 10_000
    assert all(len(one) >= 8 for one in common_passwords())
