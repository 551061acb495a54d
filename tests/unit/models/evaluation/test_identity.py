import pytest

from models.evaluation.identity import CROSS, REAL, SELF, IdentityScore, identity_table


def test_similarity_is_reported_next_to_that_of_real_frames() -> None:
    scores = [
        IdentityScore("grid", "a", REAL, 0.9, 0.2),
        IdentityScore("grid", "b", REAL, 0.7, 0.4),
        IdentityScore("grid", "a", SELF, 0.8, 0.3),
        IdentityScore("grid", "b", SELF, 0.6, 0.5),
        IdentityScore("grid", "b", CROSS, 0.35, 0.5),
    ]
    ratios = {row["method"]: row["CSIM / real"] for row in identity_table(scores).rows}
    assert ratios == pytest.approx({REAL: 1.0, SELF: 0.7 / 0.8, CROSS: 0.5})
