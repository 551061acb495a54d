"""Entry point of the HTTP service: `python -m service`."""

import sys
from contextlib import suppress

from jobs.settings import read_settings
from jobs.tracing import start_tracing
from media.logging import configure_logging
from service.app import create_app
from service.http_server import Server
from service.settings import ServiceSettings


def main() -> None:
    """Serve until asked to stop; requests in progress may complete."""
    settings = read_settings(ServiceSettings)
    configure_logging(settings.log_level)
    start_tracing("service")
    server = Server(create_app(settings), settings)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit("The service could not start.")


if __name__ == "__main__":
    main()
