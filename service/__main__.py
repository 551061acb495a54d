"""Runs the HTTP floor: `python -m service`."""

import uvicorn

from service.app import create_app
from service.logs import configure_logging
from service.settings import ServiceSettings


def main() -> None:
    """Serve until told to stop; requests under way may finish first."""
    settings = ServiceSettings()
    configure_logging(settings.log_level)
    uvicorn.run(
        create_app(settings),
        host=settings.listen_host,
        port=settings.listen_port,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


if __name__ == "__main__":
    main()
