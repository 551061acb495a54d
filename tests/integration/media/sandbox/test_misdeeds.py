"""What a decoder taken over by its file can do: use up its own limits, and nothing else."""

import errno
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from media.errors import (
    DecoderUnavailable,
    PortraitError,
    PortraitTooDemanding,
    PortraitUnreadable,
)
from media.sandbox import decoder as decoder_module
from media.sandbox.decoder import Decoder
from tests.integration.media.sandbox.misdeeds import HASTY_LIMITS, LIMITS, SUCCEEDED
from tests.processes import children
from tests.waiting import wait_for

HERE = "tests.integration.media.sandbox"

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="Other systems limit less.")


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(LIMITS, f"{HERE}.misdeeds") as decoder:
        yield decoder


@pytest.fixture(scope="module")
def hasty_decoder() -> Iterator[Decoder]:
    with Decoder(HASTY_LIMITS, f"{HERE}.hasty_misdeeds") as decoder:
        yield decoder


@pytest.fixture(scope="module")
def unfiltered_decoder() -> Iterator[Decoder]:
    with Decoder(LIMITS, f"{HERE}.unfiltered_misdeeds") as decoder:
        yield decoder


def outcome(decoder: Decoder, misdeed: str) -> int:
    """Return the error number of a misdeed, or its result."""
    return int(decoder.portrait(misdeed.encode()).pixels[0, 0, 0])


@linux_only
@pytest.mark.parametrize(
    "misdeed",
    [
        *("connect", "read_a_file", "write_a_file", "open_many_files", "fork", "execute"),
        *("kill_the_server", "raise_a_limit", "map_new_instructions"),
    ],
)
def test_the_filter_refuses_whatever_is_not_decoding(decoder: Decoder, misdeed: str) -> None:
    assert outcome(decoder, misdeed) == errno.EPERM


@linux_only
def test_no_thread_can_be_started(decoder: Decoder) -> None:
    assert outcome(decoder, "start_a_thread") == 1


@pytest.mark.parametrize("misdeed", ["connect", "read_a_file", "write_a_file", "open_many_files"])
def test_without_the_filter_nothing_can_be_opened_either(
    unfiltered_decoder: Decoder, misdeed: str
) -> None:
    assert outcome(unfiltered_decoder, misdeed) == errno.EMFILE


@pytest.mark.skipif(os.geteuid() == 0, reason="Linux does not count root's processes.")
def test_without_the_filter_only_root_can_fork(unfiltered_decoder: Decoder) -> None:
    assert outcome(unfiltered_decoder, "fork") == errno.EAGAIN


@linux_only
def test_every_right_that_decoding_does_not_need_is_given_up(unfiltered_decoder: Decoder) -> None:
    assert outcome(unfiltered_decoder, "count_what_was_kept") == 0


@linux_only
@pytest.mark.parametrize("server", ["unfiltered_misdeeds", "misfiltered_misdeeds"])
def test_without_a_working_filter_files_are_decoded_and_a_warning_is_logged(
    server: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with Decoder(LIMITS, f"{HERE}.{server}") as decoder:
        for _ in range(2):
            assert outcome(decoder, "read_a_file") == errno.EMFILE
    assert capfd.readouterr().err.count("without a system call filter") == 1


def test_no_secret_and_no_descriptor_but_its_own_reaches_a_decoder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AMIGO_S3_SECRET_KEY", "never told")
    with Decoder(LIMITS, f"{HERE}.misdeeds") as decoder:
        assert outcome(decoder, "count_secrets") == 0
        assert outcome(decoder, "count_open_descriptors") == 4


@linux_only
def test_excessive_memory_use_rejects_the_file(decoder: Decoder) -> None:
    with pytest.raises(PortraitTooDemanding, match="took more memory than allowed for one file"):
        outcome(decoder, "allocate")


def test_excessive_cpu_time_rejects_the_file(decoder: Decoder) -> None:
    with pytest.raises(PortraitTooDemanding, match="took more than 1 s of CPU time"):
        outcome(decoder, "burn_processor_time")


def test_the_cpu_time_limit_cannot_be_ignored(unfiltered_decoder: Decoder) -> None:
    with pytest.raises(PortraitTooDemanding):
        outcome(unfiltered_decoder, "ignore_the_processor_limit")


@pytest.mark.parametrize("misdeed", ["sleep", "linger"])
def test_a_process_that_exceeds_its_time_limit_is_killed(
    hasty_decoder: Decoder, misdeed: str
) -> None:
    with pytest.raises(PortraitTooDemanding, match="took longer than 1 s"):
        outcome(hasty_decoder, misdeed)
    assert children(server_of(hasty_decoder)) == set()


@pytest.mark.parametrize(
    "misdeed",
    [
        *("crash", "fail", "say_nothing", "claim_a_giant", "say_less_than_claimed"),
        *("send_a_pickle", "refuse_with_a_foreign_code", "refuse_in_two_lines"),
    ],
)
def test_a_decoder_that_crashes_or_sends_garbage_is_logged_and_its_file_unreadable(
    decoder: Decoder, misdeed: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(PortraitUnreadable, match="crashed its decoder"):
        outcome(decoder, misdeed)
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "\n" not in record.getMessage()
    assert not Path("/tmp/amigo-misdeed").exists()


def test_after_every_misdeed_the_next_file_is_decoded(decoder: Decoder) -> None:
    assert outcome(decoder, "doze") == SUCCEEDED


@linux_only
def test_no_file_leaves_a_descriptor_or_a_process_behind(decoder: Decoder) -> None:
    def held() -> int:
        return descriptors(os.getpid()) + descriptors(server_of(decoder))

    outcome(decoder, "count_secrets")
    before = held()
    for misdeed in ("count_secrets", "crash", "say_nothing", "allocate") * 5:
        with suppress(PortraitError):
            outcome(decoder, misdeed)
    wait_for(lambda: held() <= before)
    assert children(server_of(decoder)) == set()


def test_a_server_that_dies_is_replaced_under_the_file_it_was_decoding() -> None:
    with Decoder(LIMITS, f"{HERE}.misdeeds") as decoder:
        outcome(decoder, "count_secrets")
        lost = server_of(decoder)
        with in_background(lambda: outcome(decoder, "doze")) as outcomes:
            wait_for(lambda: children(server_of(decoder)))
            os.kill(lost, 9)
        assert outcomes == [SUCCEEDED]
        assert server_of(decoder) != lost


def test_a_frozen_server_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_module, "GRACE_SECONDS", 8.0)
    with Decoder(HASTY_LIMITS, f"{HERE}.hasty_misdeeds") as decoder:
        outcome(decoder, "count_secrets")
        os.kill(server_of(decoder), 19)
        assert outcome(decoder, "count_secrets") == 0


def test_a_server_that_cannot_be_started_is_an_internal_error() -> None:
    with (
        Decoder(LIMITS, f"{HERE}.nowhere") as decoder,
        pytest.raises(DecoderUnavailable, match="The decoding server keeps failing"),
    ):
        decoder.portrait(b"")


def test_without_confinement_nothing_is_decoded() -> None:
    with (
        Decoder(LIMITS, f"{HERE}.unconfinable_misdeeds") as decoder,
        pytest.raises(DecoderUnavailable, match="could not be sandboxed"),
    ):
        outcome(decoder, "count_secrets")


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def server_of(decoder: Decoder) -> int:
    assert decoder._server
    return decoder._server._process.pid


@contextmanager
def in_background(work: Callable[[], int]) -> Iterator[list[int]]:
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    yield results
    thread.join()
