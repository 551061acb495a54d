"""Which messages the worker sets aside; `tests/integration/workers` does it with a real broker."""

import json
from base64 import b64encode
from typing import Any

import pytest
from kombu.transport.virtual import Channel, Message

from workers.synthesis.broker import UNUSABLE, check


class PlainChannel:
    Message = Message

    def decode_body(self, body: Any, encoding: str | None) -> Any:
        if encoding is None:
            return body
        return Channel.codecs[encoding].decode(body)


def message(body: Any = ([], {}, {}), **changed: Any) -> dict[str, Any]:
    encoded = body if isinstance(body, str) else b64encode(json.dumps(body).encode()).decode()
    return {
        "body": encoded,
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": "amigo.synthesize", "id": "1"},
        "properties": {
            "delivery_tag": "1",
            "body_encoding": "base64",
            "delivery_info": {"exchange": "", "routing_key": "amigo.normal"},
        },
    } | changed


def test_a_message_of_celery_passes() -> None:
    check(message((["job_a"], {}, {"callbacks": None})), PlainChannel())


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        7,
        [message()],
        {},
        message(properties={}),
        message(properties={"delivery_tag": "1", "delivery_info": {}}),
        message(headers=None),
        message(headers={}),
        message([]),
        message({"a": 1}),
        message([{}, [], {}]),
        message("/////w=="),
        message("not base64"),
        message(**{"content-type": "application/x-python-serialize"}),
    ],
)
def test_anything_else_is_unusable(wrong: Any) -> None:
    with pytest.raises(UNUSABLE):
        check(wrong, PlainChannel())
