"""The HTTP service, one uvicorn process, compared with a bare FastAPI app in the same run."""

import asyncio
import io
import sys
import time
import wave
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

import httpx
import numpy as np
from PIL import Image

from benchmarks.machine import machine, processor_time, resident_memory
from benchmarks.wire import Wire, get, post
from deploy.standalone.child import Child, Program
from deploy.standalone.processes import SeaweedServer, ValkeyServer, free_port, responds
from jobs.job import Job
from jobs.options import Options
from jobs.settings import Settings
from jobs.valkey.job_store import JobStore

POLL_SECONDS = 5.0
CONNECTIONS = 16
FOLLOWERS = 500
UPLOADS = 100


@dataclass(frozen=True)
class Server:
    """A server under test, with a job to poll and a way to change it."""

    port: int
    pid: int
    job_id: str
    change: Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Polling:
    """Throughput and latency of polls.

    Attributes:
        seconds: duration of each poll.
        work: CPU seconds of the server per poll, whatever else was running.
    """

    seconds: list[float]
    work: float


@dataclass(frozen=True)
class Following:
    """The cost of notifying many followers of one change."""

    seconds: float
    memory: float  # MiB more than before they connected


async def measure_http_floor() -> None:
    """Measure polls, followers and uploads, and print each next to the bare app's."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        ours = stack.enter_context(service(Path(folder)))
        bare = stack.enter_context(bare_app(Path(folder)))
        print(f"\n{machine('cpu')}; one process each, the load from a third\n")
        print("| HTTP floor | service | bare FastAPI | ratio |")
        print("|---|---|---|---|")
        polls = [await poll(each, path_of(each)) for each in (ours, bare)]
        print_row("status polls a second", *(len(each.seconds) / POLL_SECONDS for each in polls))
        print_row("processor time of a poll, ms", *(each.work * 1000 for each in polls))
        print_row(
            f"p99 of a poll, {CONNECTIONS} at once, ms", *(p99(each.seconds) for each in polls)
        )
        tag = await tag_of(ours)
        unchanged = [await poll(ours, path_of(ours), tag), polls[1]]
        print_row(
            "unchanged polls (304) a second", *(len(u.seconds) / POLL_SECONDS for u in unchanged)
        )
        print_row("processor time of a 304, ms", *(each.work * 1000 for each in unchanged))
        lists = [await poll(ours, "/v1/jobs?limit=20"), polls[1]]
        print_row("lists of 20 a second", *(len(each.seconds) / POLL_SECONDS for each in lists))
        following = [await follow(each) for each in (ours, bare)]
        heard = [each.seconds * 1000 for each in following]
        print_row(f"ms until {FOLLOWERS} followers heard a change", *heard)
        print_row(f"MiB for {FOLLOWERS} followers", *(each.memory for each in following))
        uploads = [await upload(each) for each in (ours, bare)]
        print_row("p99 of a POST of a 2 MB pair, ms", *map(p99, uploads))


def print_row(name: str, ours: float, bare: float) -> None:
    print(f"| {name} | {ours:.3g} | {bare:.3g} | {ours / bare:.2g}x |")


def p99(seconds: list[float]) -> float:
    """Return the 99th percentile, in milliseconds."""
    return quantiles(seconds, n=100)[98] * 1000


def path_of(server: Server) -> str:
    return f"/v1/jobs/{server.job_id}"


async def tag_of(server: Server) -> str:
    """Return the entity tag of the server's job."""
    async with httpx.AsyncClient() as http:
        response = await http.get(f"http://127.0.0.1:{server.port}{path_of(server)}")
    return response.headers["ETag"]


async def poll(server: Server, path: str, tag: str | None = None) -> Polling:
    """Ask over several connections, each time as soon as the response arrives."""
    worked = processor_time(server.pid)
    request = get(path, tag)
    deadline = time.perf_counter() + POLL_SECONDS

    async def ask_again_and_again() -> list[float]:
        wire = await Wire.open(server.port)
        taken = []
        while time.perf_counter() < deadline:
            taken.append(await seconds(wire.ask(request)))
        wire.close()
        return taken

    taken = await asyncio.gather(*(ask_again_and_again() for _ in range(CONNECTIONS)))
    taken_all = [each for wire in taken for each in wire]
    return Polling(taken_all, (processor_time(server.pid) - worked) / len(taken_all))


async def follow(server: Server) -> Following:
    """Return how long a change takes to reach all followers, and what they cost."""
    before = resident_memory(server.pid)
    wires = [await Wire.open(server.port) for _ in range(FOLLOWERS)]
    for wire in wires:
        await wire.begin(get(f"/v1/jobs/{server.job_id}/events"))
        await wire.next_event()
    memory = resident_memory(server.pid) - before
    everyone = asyncio.gather(*(wire.next_event() for wire in wires))
    began = time.perf_counter()
    await server.change()
    await everyone
    taken = time.perf_counter() - began
    for wire in wires:
        wire.close()
    return Following(taken, memory)


async def upload(server: Server) -> list[float]:
    """Return the seconds of each upload, one after the other."""
    files = {"portrait": ("portrait.png", picture()), "audio": ("speech.wav", sound())}
    form = httpx.Request("POST", "http://localhost", data={"consent": "true"}, files=files)
    request = post("/v1/jobs", form.read(), form.headers["Content-Type"])
    wire = await Wire.open(server.port)
    taken = [await seconds(wire.ask(request)) for _ in range(UPLOADS)]
    wire.close()
    return taken


async def seconds(work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


def picture() -> bytes:
    """Return a megabyte of PNG."""
    pixels = np.random.default_rng(0).integers(0, 256, (590, 590, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def sound() -> bytes:
    """Return a megabyte of WAV: half a minute of noise."""
    samples = np.random.default_rng(0).integers(-9000, 9000, 32 * 16_000, np.int16)
    file = io.BytesIO()
    with wave.open(file, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(16_000)
        audio.writeframes(samples.tobytes())
    return file.getvalue()


@contextmanager
def service(folder: Path) -> Iterator[Server]:
    """Run the service with its own stores and one job, without a worker."""
    valkey, seaweed = ValkeyServer(folder / "valkey"), SeaweedServer(folder / "seaweed")
    for server in (valkey, seaweed):
        server.directory.mkdir()
    port = free_port()
    environment = {
        **valkey.environment,
        **seaweed.environment,
        "AMIGO_LISTEN_PORT": str(port),
        "AMIGO_LOG_LEVEL": "WARNING",
    }
    command = (sys.executable, "-m", "service")
    with (
        Child(valkey.program()),
        Child(seaweed.program()),
        Child(
            program("service", folder, command, f"http://127.0.0.1:{port}/readyz", environment)
        ) as child,
    ):
        store = JobStore.connect(Settings(valkey_url=valkey.url))
        job = Job.create(Options(consent=True))
        for each in (job, *(Job.create(Options(consent=True)) for _ in range(19))):
            store.accept(each)
        yield Server(port, child.pid or 0, job.id, lambda: asyncio.to_thread(store.claim, job.id))


@contextmanager
def bare_app(folder: Path) -> Iterator[Server]:
    """Run the bare app in the same way."""
    port = free_port()
    command = (sys.executable, "-m", "uvicorn", "benchmarks.bare:app", "--port", str(port))
    quiet = ("--log-level", "warning", "--no-access-log")
    url = f"http://127.0.0.1:{port}"

    async def change() -> None:
        wire = await Wire.open(port)
        await wire.ask(post("/v1/jobs/any/change"))
        wire.close()

    with Child(program("bare", folder, (*command, *quiet), f"{url}/openapi.json", {})) as child:
        yield Server(port, child.pid or 0, "any", change)


def program(
    name: str, folder: Path, command: tuple[str, ...], probe: str, environment: dict[str, str]
) -> Program:
    return Program(
        name=name,
        command=command,
        log=folder / f"{name}.log",
        is_ready=lambda: responds(probe),
        env=environment,
    )
