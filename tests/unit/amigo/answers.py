"""The service's responses, as a transport that opens no socket."""

import httpx

JOB = {
    "id": "job_1",
    "status": "queued",
    "stage": None,
    "progress": 0.0,
    "queue_position": 2,
    "created_at": "2026-11-22T12:00:00Z",
    "updated_at": "2026-11-22T12:00:00Z",
    "consent": {
        "affirmed_at": "2026-11-22T12:00:00Z",
        "version": "1",
        "statement": "I have the right.",
    },
}
PROCESSING = {**JOB, "status": "processing", "stage": "rendering", "progress": 0.5}
SUCCEEDED = {
    **JOB,
    "status": "succeeded",
    "progress": 1.0,
    "queue_position": None,
    "duration": 2.0,
    "num_frames": 50,
    "emotion": {"emotion": "happiness", "probabilities": {"happiness": 0.9}},
    "timings": {"render": 1.5},
    "a_member_of_a_newer_service": 1,
}
FAILED = {
    **JOB,
    "status": "failed",
    "failure": {"code": "no_face", "message": "The portrait shows no face."},
}


def problem(status: int, code: str, detail: str) -> httpx.Response:
    """Return problem details."""
    return httpx.Response(status, json={"code": code, "detail": detail, "status": status})


class Service:
    """Responds to requests in order; the last response is repeated.

    Each response is a response, an error to raise, or a function of the request.
    """

    def __init__(self, **routes: list[object]) -> None:
        self.routes = routes
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Respond as a transport's handler."""
        request.read()
        self.requests.append(request)
        responses = self.routes[_route(request)]
        response = responses.pop(0) if len(responses) > 1 else responses[0]
        if isinstance(response, Exception):
            raise response
        if isinstance(response, dict):
            return httpx.Response(200, json=response)
        assert isinstance(response, httpx.Response)
        return response


def _route(request: httpx.Request) -> str:
    last = request.url.path.rpartition("/")[2]
    if last == "jobs":
        return "list" if request.method == "GET" else "post"
    if request.method in ("DELETE", "PUT"):
        return request.method.lower()
    return last if last in _OWN_ROUTES else "get"


_OWN_ROUTES = {"assets", "batch", "cancel", "checks", "landmarks", "poster", "tokens", "video"}
