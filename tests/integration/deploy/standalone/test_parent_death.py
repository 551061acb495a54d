"""Nothing outlives its supervisor, whatever ends it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.deploy.standalone.watching import living, name_of
from tests.processes import child_process
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into Linux's /proc")

TIED = """
import subprocess
from deploy.standalone.parent_death import tied_to_me
child = subprocess.Popen(tied_to_me(["sleep", "600"]), start_new_session=True)
print(child.pid, flush=True)
child.wait()
"""

GUARDED = """
import subprocess
from deploy.standalone.parent_death import Guard
guard = Guard()
child = subprocess.Popen(["sh", "-c", "sleep 600 & sleep 600"],
    stdout=subprocess.DEVNULL, start_new_session=True)
guard.watch(child.pid)
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.parametrize("supervisor", [TIED, GUARDED], ids=["tied", "guarded"])
def test_a_killed_supervisor_takes_its_children_with_it(supervisor: str) -> None:
    with child_process([sys.executable, "-c", supervisor], stdout=subprocess.PIPE) as process:
        assert process.stdout
        group = int(process.stdout.readline())
        wait_for(lambda: "sleep" in {name_of(pid) for pid in living(group)})
        process.kill()
    wait_for(lambda: not living(group))


def test_the_guard_leaves_a_forgotten_group_alone() -> None:
    forgetful = GUARDED.replace("print", "guard.forget(child.pid); print", 1)
    with child_process([sys.executable, "-c", forgetful], stdout=subprocess.PIPE) as process:
        assert process.stdout
        group = int(process.stdout.readline())
        process.kill()
        process.stdout.read()  # ends when the guard, which shares it, is done
    assert living(group)
    subprocess.run(["pkill", "-KILL", "-g", str(group)], check=True)


def test_a_command_whose_parent_is_already_gone_never_starts(tmp_path: Path) -> None:
    launcher = Path(__file__).parents[4] / "deploy" / "standalone" / "parent_death.py"
    mark = tmp_path / "mark"
    gone = "1"  # not the parent of what we start
    result = subprocess.run(
        [sys.executable, str(launcher), "run", gone, "touch", str(mark)], check=False
    )
    assert result.returncode == 1
    assert not mark.exists()
