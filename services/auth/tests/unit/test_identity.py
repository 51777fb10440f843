import pytest

from auth.domain.identity import check_email, email_key, login_key, webchat_id_hash, webchat_id_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna@Example.com", "anna@EXAMPLE.COM"),
        ("ａｎｎａ@example.com", "anna@example.com"),
        ("stra\u00dfe@example.com", "strasse@example.com"),
        ("cafe\u0301@example.com", "caf\u00e9@example.com"),
        ("\u212belle@example.com", "\u00e5elle@example.com"),
    ],
)
def test_addresses_that_look_alike_are_the_same(one, other):
    assert email_key(one) == email_key(other)
    assert email_key(email_key(one)) == email_key(one)


@pytest.mark.parametrize(
    "email", ["a@b.co", "first.last+tag@sub.example.com", "o'neil@example.com", "ä@bücher.example"]
)
def test_valid_addresses(email):
    assert check_email(f" {email} ") == email


@pytest.mark.parametrize("email", ["a@b", "a", "a@b..c", "a@.b.c", "a@b.c.", "a@b_c.de", '"a"@b.co', "a@[1.2.3.4]"])
def test_invalid_addresses(email):
    with pytest.raises(ValueError, match="email address"):
        check_email(email)


def test_webchat_ids():
    assert webchat_id_of("Anna_1.b") == "anna_1.b"
    for wrong in ("ab", "a" * 21, "anna-b", "anna\n", "\u212aelvin", "ännä", ""):
        with pytest.raises(ValueError, match="letters"):
            webchat_id_of(wrong)
    assert webchat_id_hash("anna") != webchat_id_hash("anna_")


def test_a_login_with_an_at_sign_is_an_address():
    assert login_key(" ANNA ") == "anna"
    assert login_key("Anna@Example.com") == email_key("anna@example.com")
