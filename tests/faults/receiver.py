"""A webhook receiver that verifies signatures and records everything."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from pydantic import SecretStr

from amigo.errors import ForgedWebhook
from amigo.webhooks import read_webhook
from jobs.settings import DEVELOPMENT_WEBHOOK_SECRET
from jobs.signatures import Signatures
from tests.faults.history import Forged, History, Told
from tests.servers import LocalServer, content, serving

SIGNATURE = "webhook-signature"


@dataclass
class Receiver:
    """The URL for webhooks of one tenant."""

    history: Callable[[], History]
    tenant: str
    answer: int = 204
    """The status of its responses; a test may change it."""
    _server: LocalServer = field(init=False)

    @property
    def url(self) -> str:
        """Its port."""
        return f"{self._server.url}/ended"

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Receive within the context."""
        with serving(self._receive) as self._server:
            yield

    @property
    def _secret(self) -> str:
        signatures = Signatures(SecretStr(DEVELOPMENT_WEBHOOK_SECRET))
        return signatures.webhook_secret(self.tenant, generation=0)

    def _receive(self, handler: BaseHTTPRequestHandler) -> None:
        """Record a webhook and respond to it."""
        self.history().record(self._read(handler.headers.get(SIGNATURE, "")))
        content(b"", self.answer)(handler)

    def _read(self, signature: str) -> Told | Forged:
        """Return the request with this signature, which covers its body."""
        asked = next(
            one
            for one in reversed(self._server.asked)
            if one.headers.get(SIGNATURE, "") == signature
        )
        try:
            event = read_webhook(asked.body, asked.headers, self._secret)
        except ForgedWebhook as forged:
            return Forged(str(forged))
        return Told(event.data.id, event.data.status, asked.headers["webhook-id"], self.answer)
