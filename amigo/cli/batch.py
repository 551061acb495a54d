"""Several videos at the same time: pairs of portrait and audio, and their results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import urlsplit

import typer
from anyio import CapacityLimiter, create_task_group

from amigo.async_client import AsyncClient
from amigo.choices import JobOptions
from amigo.cli.destinations import check_destinations
from amigo.cli.output import (
    Bar,
    describe,
    failure_sentence,
    print_error,
    print_job_json,
    print_line,
    print_video,
)
from amigo.errors import AmigoError
from amigo.types import JobView, is_address


@dataclass(frozen=True)
class Pair:
    """A portrait and an audio file, and the path of their video; None: only submit the job."""

    portrait: str
    audio: str
    output: Path | None

    @property
    def name(self) -> str:
        """A short description of the pair."""
        return f"{_stem(self.portrait)}-{_stem(self.audio)}"


@dataclass(frozen=True)
class Outcome:
    """The result of a pair."""

    pair: Pair
    result: JobView | AmigoError | OSError

    def report(self, as_json: bool) -> bool:
        """Print the result and return whether it succeeded."""
        if not isinstance(self.result, JobView):
            print_error(f"{self.pair.name}: {self.result}")
            return False
        if as_json:
            print_job_json(self.result)
        return self._print_job(self.result, quiet=as_json)

    def _print_job(self, job: JobView, quiet: bool) -> bool:
        if self.pair.output and not job.has_succeeded:
            print_error(f"{self.pair.name}: {failure_sentence(job)}")
            return False
        if not quiet and self.pair.output:
            print_video(self.pair.output, job)
        elif not quiet:
            print_line(job.id)
        return True


@dataclass(frozen=True)
class Batch:
    """How pairs are submitted: the service, the options, and the progress bars."""

    url: str
    consent: bool
    options: JobOptions
    add_bar: Callable[[str], Bar]

    async def fulfil(self, pairs: Sequence[Pair], parallel: int) -> list[Outcome]:
        """Generate all videos, a limited number at a time, and return the results in order."""
        outcomes: dict[int, Outcome] = {}
        limiter = CapacityLimiter(parallel)

        async def fulfil_one(client: AsyncClient, place: int, pair: Pair) -> None:
            async with limiter:
                outcomes[place] = Outcome(pair, await self._outcome(client, pair))

        async with AsyncClient(self.url) as client, create_task_group() as tasks:
            for place, pair in enumerate(pairs):
                tasks.start_soon(fulfil_one, client, place, pair)
        return [outcomes[place] for place in range(len(pairs))]

    async def _outcome(self, client: AsyncClient, pair: Pair) -> JobView | AmigoError | OSError:
        bar = self.add_bar(pair.name)
        bar.show("sending", 0.0)
        try:
            job = await client.submit(
                pair.portrait, pair.audio, consent=self.consent, **self.options
            )
            if pair.output is None:
                return job
            job = await client.wait(job.id, lambda job: bar.show(describe(job), job.progress))
            if job.has_succeeded:
                await client.download_video(job.id, pair.output)
        except (AmigoError, OSError) as error:
            return error
        return job


def paired(
    inputs: Sequence[str], output: Path | None, output_dir: Path | None, wait: bool
) -> list[Pair]:
    """Return the pairs given on a command line, each with a path for its video.

    Raises:
        typer.BadParameter: arguments do not form pairs, a file does not exist, or a path is
            ambiguous or would overwrite an input.
        OSError: a video cannot be written to its directory.
    """
    if len(inputs) % 2:
        raise typer.BadParameter(f"{inputs[-1]} has no matching audio.")
    for given in inputs:
        if not is_address(given) and not Path(given).is_file():
            raise typer.BadParameter(f"The file {given} does not exist.")
    sources = list(zip(inputs[::2], inputs[1::2], strict=True))
    ways = sum((output is not None, output_dir is not None, not wait))
    if not ways:
        raise typer.BadParameter(
            "Nowhere to save the video: use --output FILE or --output-dir DIRECTORY, or --no-wait "
            "to only submit the job."
        )
    if ways > 1:
        raise typer.BadParameter("Use only one of --output, --output-dir and --no-wait.")
    if output and len(sources) > 1:
        raise typer.BadParameter("Use --output-dir for several videos.")
    pairs = [Pair(portrait, audio, output) for portrait, audio in sources]
    pairs = [_placed(pair, output_dir, pairs[:place]) for place, pair in enumerate(pairs)]
    files = [Path(given) for given in inputs if not is_address(given)]
    check_destinations([pair.output for pair in pairs], files)
    return pairs


def _placed(pair: Pair, directory: Path | None, before: Sequence[Pair]) -> Pair:
    if directory is None:
        return pair
    namesakes = sum(other.name == pair.name for other in before)
    number = f"-{namesakes + 1}" if namesakes else ""
    return Pair(pair.portrait, pair.audio, directory / f"{pair.name}{number}.mp4")


def _stem(source: str) -> str:
    return PurePath(urlsplit(source).path if is_address(source) else source).stem or "input"
