"""Webhooks as verified by their receiver."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable

import pytest

from amigo import ForgedWebhook, read_webhook
from tests.unit.amigo.answers import SUCCEEDED

KEY = b"a key that nobody guesses"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
BODY = json.dumps(
    {"type": "job.succeeded", "timestamp": "2026-11-22T12:00:00Z", "data": SUCCEEDED}
).encode()


def signed(body: bytes = BODY, age: int = 0, key: bytes = KEY) -> dict[str, str]:
    """Return headers signed according to Standard Webhooks."""
    timestamp = str(int(time.time()) - age)
    content = b".".join([b"msg_1", timestamp.encode(), body])
    signature = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": timestamp,
        "Webhook-Signature": f"v1,{signature}",
    }


def test_a_webhook_of_the_service_is_accepted() -> None:
    event = read_webhook(BODY, signed(), SECRET)
    assert event.type == "job.succeeded"
    assert event.data.has_succeeded


def test_one_of_several_signatures_is_enough() -> None:
    headers = signed()
    headers["Webhook-Signature"] = f"v1,AAAA {headers['Webhook-Signature']}"
    assert read_webhook(BODY, headers, SECRET).data.id == "job_1"


@pytest.mark.parametrize(
    ("body", "sign"),
    [
        (BODY.replace(b"succeeded", b"failed"), signed),
        (BODY, lambda: signed(key=b"another key")),
        (BODY, lambda: signed(age=400)),
        (BODY, lambda: signed(age=-400)),
        (BODY, dict),
        (BODY, lambda: {**signed(), "Webhook-Signature": "v1"}),
        (BODY, lambda: {**signed(), "Webhook-Signature": "v1,no base64"}),
        (b"\xff", lambda: signed(b"\xff")),
        (b"{}", lambda: signed(b"{}")),
        (b"no JSON", lambda: signed(b"no JSON")),
    ],
    ids=[
        "changed",
        "signed with another key",
        "old",
        "of the future",
        "unsigned",
        "half a signature",
        "an unreadable signature",
        "no text",
        "no event",
        "no JSON",
    ],
)
def test_any_other_webhook_is_rejected(body: bytes, sign: Callable[[], dict[str, str]]) -> None:
    with pytest.raises(ForgedWebhook):
        read_webhook(body, sign(), SECRET)


def test_an_invalid_secret_is_not_reported_as_a_forged_webhook() -> None:
    with pytest.raises(ValueError, match="data characters"):
        read_webhook(BODY, signed(), "whsec_a")
