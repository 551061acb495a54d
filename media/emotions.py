"""The eight emotions that can be detected, displayed and requested."""

from enum import StrEnum


class Emotion(StrEnum):
    """MEAD's eight categories, with the nouns of the psychology literature (Ekman and Friesen)."""

    NEUTRAL = "neutral"
    HAPPINESS = "happiness"
    SADNESS = "sadness"
    ANGER = "anger"
    FEAR = "fear"
    DISGUST = "disgust"
    SURPRISE = "surprise"
    CONTEMPT = "contempt"


EMOTIONS: tuple[Emotion, ...] = tuple(Emotion)
"""The order of all logits, probabilities and embedding rows."""
