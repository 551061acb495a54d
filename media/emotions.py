"""The eight emotions that are heard, shown and asked for."""

from enum import StrEnum


class Emotion(StrEnum):
    """MEAD's eight categories under the nouns of the psychology literature (Ekman and Friesen)."""

    NEUTRAL = "neutral"
    HAPPINESS = "happiness"
    SADNESS = "sadness"
    ANGER = "anger"
    FEAR = "fear"
    DISGUST = "disgust"
    SURPRISE = "surprise"
    CONTEMPT = "contempt"


EMOTIONS: tuple[Emotion, ...] = tuple(Emotion)
"""The order of every logit, probability and embedding row."""
