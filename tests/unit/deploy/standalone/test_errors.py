"""Error messages when the system cannot run."""

from pathlib import Path

from deploy.standalone.errors import StartFailed, tail


def test_a_failed_start_shows_the_last_lines_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("\n".join(f"line {i}" for i in range(100)))
    message = str(StartFailed("X", "exited with status 1", log))
    assert message.startswith(f"X exited with status 1. Last lines of {log}:\n")
    assert message.endswith("    line 98\n    line 99")
    assert "line 87" not in message


def test_a_log_that_is_not_utf_8_is_still_shown(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"caf\xe9")
    assert tail(log) == "    caf�"


def test_a_missing_log_is_no_second_error(tmp_path: Path) -> None:
    assert tail(tmp_path / "none.log") == "    (the log is empty)"
