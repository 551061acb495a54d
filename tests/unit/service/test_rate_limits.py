"""The RateLimit headers of an API key."""

from service.rate_limits import Standing


def test_a_standing_is_told_in_the_headers_of_the_draft() -> None:
    assert Standing(ceiling=600, remaining=12, wait=7).headers() == {
        "RateLimit-Policy": '"requests";q=600;w=60',
        "RateLimit": '"requests";r=12;t=7',
    }
