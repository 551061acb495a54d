"""`amigo demo` from nothing to a video, with a small pipeline instead of the real one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def demo(directory: Path, output: Path, pipeline: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "amigo", "demo", "--dir", str(directory), "-o", str(output)],
        env={
            **os.environ,
            "AMIGO_PIPELINE": f"tests.integration.workers.pipelines:{pipeline}",
            "AMIGO_DEVICE": "cpu",  # the worker need not load torch to look for a GPU
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_demo_saves_a_video_and_stops_what_it_started(tmp_path: Path) -> None:
    output = tmp_path / "out" / "demo.mp4"
    result = demo(tmp_path / "system", output, "GreyPipeline")
    assert result.returncode == 0, result.stderr
    assert output.read_bytes()[4:8] == b"ftyp"
    assert f"{output}: 6.8 s, detected emotion: neutral" in result.stdout
    for step in ("start the system", "render", "submit to video"):
        assert step in result.stdout
    assert not (tmp_path / "system" / "standalone.json").exists()


@pytest.mark.thorough
def test_a_pipeline_that_cannot_be_loaded_is_reported_with_the_reason(tmp_path: Path) -> None:
    result = demo(tmp_path / "system", tmp_path / "demo.mp4", "broken")
    assert result.returncode == 1
    assert "Error: worker exited with status 1. Last lines of" in result.stderr
    assert "FileNotFoundError: weights are missing" in result.stderr
    assert not (tmp_path / "demo.mp4").exists()
