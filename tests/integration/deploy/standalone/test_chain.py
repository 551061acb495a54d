"""Commands that run as one program."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.standalone.chain import chained
from deploy.standalone.processes import LOOPBACK, free_port
from tests.integration.deploy.standalone.watching import living
from tests.processes import child_process
from tests.waiting import wait_for

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into Linux's /proc")


def test_a_command_starts_once_something_listens_on_its_port(tmp_path: Path) -> None:
    port, mark = free_port(), tmp_path / "mark"
    waiting = (sys.executable, "-c", f"open({str(mark)!r}, 'w')")
    with child_process(chained([(0, SLEEP), (port, waiting)]), start_new_session=True) as chain:
        wait_for(lambda: len(living(chain.pid)) == 2)
        assert not mark.exists()
        with socket.create_server((LOOPBACK, port)):
            wait_for(mark.exists)


def test_the_end_of_one_command_is_reported_and_ends_the_others() -> None:
    failing = (sys.executable, "-c", "raise SystemExit(3)")
    with child_process(
        chained([(0, SLEEP), (0, failing)]),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as chain:
        _, said = chain.communicate()
        assert "raise SystemExit(3) ended with status 3" in said
        assert chain.returncode == 1
        wait_for(lambda: not living(chain.pid))


def test_a_predecessor_that_ends_before_it_listens_is_reported() -> None:
    failing = (sys.executable, "-c", "raise SystemExit(3)")
    result = subprocess.run(
        chained([(0, failing), (free_port(), SLEEP)]), capture_output=True, text=True, check=False
    )
    assert "ended with status 3" in result.stderr


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_commands_die_with_the_chain(sign: signal.Signals) -> None:
    with child_process(chained([(0, SLEEP), (0, SLEEP)]), start_new_session=True) as chain:
        wait_for(lambda: len(living(chain.pid)) == 3)
        os.kill(chain.pid, sign)
        chain.wait()
        wait_for(lambda: not living(chain.pid))
