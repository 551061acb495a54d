"""`amigo generate` with a pipeline that renders black frames."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from amigo.cli import main
from media.faces.portrait import Detector
from models.manifest import CheckpointError
from tests.fakes.decoder import DirectDecoder
from tests.fakes.detector import FakeDetector
from tests.fakes.pipeline import FakePipeline, FakeSynthesis
from tests.media import babble, recording
from tests.service_examples import portrait as picture

FRAMES = 25  # one second


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> FakePipeline:
    pipeline = FakePipeline()
    monkeypatch.setattr("amigo.cli.generation.TalkingFacePipeline", pipeline)
    return pipeline


@pytest.fixture
def inputs(tmp_path: Path, pipeline: FakePipeline, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr("amigo.cli.inputs.Decoder", DirectDecoder)
    monkeypatch.setattr("amigo.cli.inputs.DetectorProcess", FakeDetector)
    face, speech = tmp_path / "face.jpg", tmp_path / "speech.wav"
    face.write_bytes(picture())
    speech.write_bytes(recording(babble(1.0), "wav", "pcm_s16le"))
    return [str(face), str(speech)]


def generate(*arguments: str) -> SimpleNamespace:
    result = CliRunner().invoke(main.app, ["generate", *arguments])
    return SimpleNamespace(code=result.exit_code, out=result.stdout, err=result.stderr)


def test_the_video_the_landmarks_and_the_report_are_saved(
    inputs: list[str], pipeline: FakePipeline, tmp_path: Path
) -> None:
    video, landmarks, report = (tmp_path / "out" / n for n in ("v.mp4", "l.npz", "r.json"))
    saved = ["-o", str(video), "--landmarks", str(landmarks), "--report", str(report)]
    chosen = [
        "--emotion",
        "fear",
        "--pose",
        "still",
        "--no-blink",
        "--compose",
        "full",
        "--face",
        "640,210",
    ]
    chosen += ["--resolution", "256"]
    result = generate(*inputs, *saved, *chosen)
    assert result.code == 0, result.err
    assert f"{video}: 1.0 s, detected emotion: happiness" in result.out
    with av.open(str(video)) as container:
        assert sum(1 for _ in container.decode(video=0)) == FRAMES
        told = container.metadata
    with np.load(landmarks) as arrays:
        assert arrays["landmarks"].shape == (FRAMES, 79, 2)
        assert arrays["frame_rate"] == 25
        model = arrays["model"].item()
    document = json.loads(report.read_text())
    assert model == document["model"]
    assert model in told["comment"]
    assert told["date"] == document["created_at"]
    assert document["emotion"] == "happiness"
    assert document["notices"] == ["face_far_from_camera"]
    assert np.shape(document["probabilities_by_frame"]) == (FRAMES, len(document["emotions"]))
    steps = {"read_inputs", "load_pipeline", "render_and_encode", "render"}
    assert steps <= set(document["timings"])
    (options,) = pipeline.options
    assert (options.emotion, options.pose, options.blink) == ("fear", "still", False)
    assert (options.compose, options.face, options.resolution) == ("full", "640,210", 256)


@pytest.mark.parametrize("options", [(), ("--mark",)])
def test_the_mark_is_shown_if_it_is_asked_for(
    inputs: list[str], tmp_path: Path, options: tuple[str, ...]
) -> None:
    assert generate(*inputs, "-o", str(tmp_path / "v.mp4"), *options).code == 0
    with av.open(str(tmp_path / "v.mp4")) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert {bool(frame.max() > 200) for frame in frames} == {bool(options)}


def test_auto_leaves_the_emotion_to_the_speech(
    inputs: list[str], pipeline: FakePipeline, tmp_path: Path
) -> None:
    assert generate(*inputs, "-o", str(tmp_path / "v.mp4")).code == 0
    assert pipeline.options[0].emotion is None


def test_an_unusable_clip_is_an_error(inputs: list[str], tmp_path: Path) -> None:
    Path(inputs[1]).write_bytes(b"no recording")
    result = generate(*inputs, "-o", str(tmp_path / "v.mp4"))
    assert result.code == 1
    assert result.err.startswith("Error: ")
    assert not (tmp_path / "v.mp4").exists()


def test_an_unknown_emotion_is_refused_before_anything_is_loaded(inputs: list[str]) -> None:
    result = generate(*inputs, "-o", "v.mp4", "--emotion", "hunger")
    assert result.code == 2
    assert "'hunger' is not one of" in result.err


@pytest.mark.parametrize("face", ["0", "left", "1,2,3", "-1", "100", "3.5,4"])
def test_an_invalid_face_is_refused_before_anything_is_loaded(inputs: list[str], face: str) -> None:
    result = generate(*inputs, "-o", "v.mp4", f"--face={face}")
    assert result.code == 2
    assert "use largest, a number from 1 to 99" in " ".join(result.err.replace("│", " ").split())


def test_missing_weights_are_an_error(
    inputs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: FakePipeline, device: str, detector: Detector) -> None:
        raise CheckpointError("x.safetensors is missing")

    monkeypatch.setattr(FakePipeline, "load", load)
    result = generate(*inputs, "-o", str(tmp_path / "v.mp4"))
    assert (result.code, result.err) == (1, "Error: x.safetensors is missing\n")


def test_an_unwritable_output_is_an_error(inputs: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = generate(*inputs, "-o", str(tmp_path / "file" / "v.mp4"))
    assert result.code == 1
    assert result.err.startswith("Error: ")


@pytest.mark.parametrize("name", ["10:30.mp4", "tcp:host:9.mp4", "%d ?#.mp4", "-.mp4", "x" * 255])
def test_any_legal_file_name_is_accepted(
    inputs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = generate(*inputs, f"--output={name}")
    assert result.code == 0, result.err
    assert {path.name for path in tmp_path.iterdir()} == {"face.jpg", "speech.wav", name}
    assert b"ftyp" in (tmp_path / name).read_bytes()[:16]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, OSError])
def test_an_existing_video_survives_a_failed_run(
    inputs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def failing(_: FakeSynthesis) -> Iterator[NDArray[np.uint8]]:
        yield np.full((5, 64, 64, 3), 128, np.uint8)
        raise error

    monkeypatch.setattr(FakeSynthesis, "frames", failing)
    (tmp_path / "v.mp4").write_bytes(b"the last one")
    assert generate(*inputs, "-o", str(tmp_path / "v.mp4")).code != 0
    assert (tmp_path / "v.mp4").read_bytes() == b"the last one"
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("option", ["--output", "--report", "--landmarks"])
@pytest.mark.parametrize("taken", ["face.jpg", "link.jpg", "speech.wav"])
def test_an_output_that_names_an_input_is_refused_before_the_work_begins(
    inputs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, taken: str
) -> None:
    monkeypatch.setattr(FakePipeline, "load", None)
    (tmp_path / "link.jpg").symlink_to(inputs[0])
    before = [Path(path).read_bytes() for path in inputs]
    places = {"--output": str(tmp_path / "v.mp4"), option: str(tmp_path / taken)}
    result = generate(*inputs, *(part for place in places.items() for part in place))
    assert result.code == 2
    assert "would overwrite an input" in " ".join(result.err.replace("│", " ").split())
    assert [Path(path).read_bytes() for path in inputs] == before


def test_two_outputs_of_one_name_are_refused(inputs: list[str], tmp_path: Path) -> None:
    place = str(tmp_path / "v.mp4")
    result = generate(*inputs, "-o", place, "--report", place)
    assert result.code == 2
    assert "Two outputs" in result.err


def test_notices_are_printed(inputs: list[str], tmp_path: Path) -> None:
    assert "Notice: face_far_from_camera\n" in generate(*inputs, "-o", str(tmp_path / "v.mp4")).out
