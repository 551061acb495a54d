"""The HTTP server, which lets go of those who follow jobs before it waits for the others."""

import socket

import uvicorn
from fastapi import FastAPI

from service.connections import bounded
from service.settings import ServiceSettings
from service.watching import JobWatcher


class Server(uvicorn.Server):
    """Serves the app where the settings say, until told to stop.

    At the end requests under way may finish; followers are let go at once, for they would never
    finish in time, and come back to another process without missing anything.
    """

    def __init__(self, app: FastAPI, settings: ServiceSettings) -> None:
        self._watcher: JobWatcher = app.state.components.watcher
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.listen_host,
                port=settings.listen_port,
                http=bounded(settings),
                log_config=None,
                access_log=False,
                server_header=False,
                ws="none",
                timeout_graceful_shutdown=settings.shutdown_seconds,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let followers go, then finish what is under way."""
        self._watcher.stop()
        await super().shutdown(sockets)
