"""[G20] Stations upload to addresses on the operator's list only."""

from __future__ import annotations

import pytest

from loadmgr.errors import SiteModelError
from loadmgr.ocpp import uploads

ALLOWED = ("https://logs.example.org", "sftp://10.0.0.5:2222/in")


@pytest.mark.parametrize(
    "url",
    [
        "https://logs.example.org/a",
        "https://logs.example.org:443/a",
        "HTTPS://LOGS.example.org./a",
        "https://user:word@logs.example.org/a",
        "sftp://10.0.0.5:2222/in",
        "sftp://10.0.0.5:2222/in/s1",
    ],
)
def test_what_is_on_the_list_is_allowed_g20(url: str) -> None:
    uploads.check(url, ALLOWED)


@pytest.mark.parametrize(
    "url",
    [
        "http://logs.example.org/a",
        "https://logs.example.org:8443/a",
        "https://logs.example.org.evil.net/a",
        "https://evil.net/logs.example.org",
        "https://logs.example.org@evil.net/a",
        "https://logs.example.org\\@evil.net/a",
        "https://evil.net#@logs.example.org",
        "https://logs.example.org:x/a",
        "//logs.example.org/a",
        "file:///etc/passwd",
        "gopher://logs.example.org/a",
        "https:///a",
        "https://logs.example.org/a b",
        "https://logs.example.org/\n",
        "https://l\u043egs.example.org/a",
        "sftp://10.0.0.5:2222/out",
        "sftp://10.0.0.5:2222/inside",
        "sftp://10.0.0.5:2222/in/../out",
        "sftp://10.0.0.5:2222/in/%2e%2e/out",
        "sftp://10.0.0.5/in",
        "http://127.0.0.1/",
        "http://169.254.169.254/latest",
        "",
        "https://logs.example.org/" + "a" * 600,
    ],
)
def test_everything_else_is_refused_g20(url: str) -> None:
    with pytest.raises(SiteModelError):
        uploads.check(url, ALLOWED)


def test_without_a_list_nothing_is_allowed_and_the_message_says_where_it_stands_g20() -> None:
    with pytest.raises(SiteModelError, match=r"ocpp\.security\.uploads"):
        uploads.check("https://logs.example.org/a", ())


def test_an_address_is_shown_without_its_credentials_g26() -> None:
    assert uploads.shown("sftp://user:word@logs.example.org:22/x") == "sftp://logs.example.org:22/x"
