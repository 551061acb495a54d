"""Retraining everything with one command, from a tiny data folder."""

from dataclasses import replace

import pytest
import torch

from models.checkpoints import load_checkpoint
from models.landmarks_to_video.visual_translator import VisualTranslator
from models.manifest import MANIFEST, WEIGHTS
from models.training.__main__ import Recipe
from tests.integration.models.tiny_data import train_quickly, write_training_data

MINUTES = 0.005


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """A recipe and its result."""
    root = tmp_path_factory.mktemp("training")
    write_training_data(root / "data")
    recipe = Recipe(root / "data", root / "out", MINUTES, MINUTES)
    train_quickly(recipe)
    return recipe


def test_the_weights_are_those_that_the_product_ships(recipe: Recipe) -> None:
    shipped = {path.name for path in WEIGHTS.iterdir()}
    assert {path.name for path in recipe.weights.iterdir()} == shipped
    for name in shipped - {MANIFEST}:
        state, sizes = load_checkpoint(recipe.weights / name)
        expected, expected_sizes = load_checkpoint(WEIGHTS / name)
        assert {n: t.shape for n, t in state.items()} == {n: t.shape for n, t in expected.items()}
        assert sizes == expected_sizes


def test_both_trainings_end_with_a_table_and_a_sheet(recipe: Recipe) -> None:
    for stage, column in (("landmark_generator", "lip r"), ("visual_translator", "PSNR")):
        assert column in (recipe.out / stage / "validation.md").read_text()
        assert (recipe.out / stage / "sheet.png").stat().st_size > 1000


def test_the_same_command_resumes_the_run(recipe: Recipe) -> None:
    caches = {path: path.stat().st_mtime_ns for path in recipe.cache.iterdir()}
    state = recipe.out / "visual_translator" / "state.pt"
    before = torch.load(state)
    train_quickly(replace(recipe, minutes_video=before["seconds"] / 60 + 0.001))
    assert {path: path.stat().st_mtime_ns for path in recipe.cache.iterdir()} == caches
    after = torch.load(state)["steps"]
    assert all(after[part] > steps > 0 for part, steps in before["steps"].items())
    VisualTranslator.load(torch.device("cpu"), recipe.weights / "visual_translator.safetensors")
