"""Pictures of open mouths, with and without teeth."""

import torch
from torch import Tensor

from models.landmarks_to_video.face_regions import MOUTH, signed_distance
from models.landmarks_to_video.mouth.complexion import COMPLEXION
from models.landmarks_to_video.mouth.lip_lines import UprightLips
from tests.unit.models.faces import face_landmarks

SKIN = torch.zeros(1, COMPLEXION)
SKIN[:, 0] = torch.tensor(0.6).log()
WHITE, LIPS = (0.80, 0.78, 0.74), (0.7, 0.35, 0.35)
DARK, TONGUE = (0.2, 0.1, 0.1), (0.85, 0.45, 0.45)
BLACK, LIP_SHADE, SHADED = (0.06, 0.03, 0.03), (0.45, 0.22, 0.22), (0.465, 0.452, 0.43)

Part = tuple[tuple[float, float, float], tuple[float, float]]


def portrait(
    opening: float, teeth: tuple[float, float, float], span: tuple[float, float] = (0, 1)
) -> tuple[Tensor, Tensor]:
    """Return `[1, 3, 256, 256]` and landmarks: lips around a dark mouth, with teeth over a span of
    the way from the upper to the lower lip.
    """
    landmarks = torch.from_numpy(face_landmarks(opening=opening))[None]
    places = torch.stack(
        torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="xy"), dim=-1
    ).reshape(1, -1, 2)
    between = signed_distance(places, landmarks[:, MOUTH.polygons[0]]) > 0
    lips = UprightLips.of(landmarks)
    x, y = lips.from_crop(places).unbind(dim=-1)
    upper, lower = lips.edges(x)
    depth = (y - upper) / (lower - upper)
    shown = between & (depth >= span[0]) & (depth <= span[1])
    image = torch.tensor(LIPS).repeat(256 * 256, 1)
    image[between[0]], image[shown[0]] = torch.tensor(DARK), torch.tensor(teeth)
    return image.T.reshape(1, 3, 256, 256).clone(), landmarks


def with_parts(opening: float, *parts: Part) -> tuple[Tensor, Tensor]:
    """Return a portrait like `portrait`, whose mouth is dark but for parts: each a colour over a
    span of the way from the upper to the lower lip.
    """
    image, landmarks = portrait(opening, DARK)
    for colour, span in parts:
        part, _ = portrait(opening, colour, span)
        shown = (part - torch.tensor(colour).reshape(1, 3, 1, 1)).abs().amax(dim=1) < 1e-3
        image = torch.where(shown[:, None], part, image)
    return image, landmarks


def with_a_spot(opening: float, span: tuple[float, float], across: slice) -> tuple[Tensor, Tensor]:
    """Return a portrait like `portrait`, whose mouth is dark but for a white spot over some columns
    of the picture.
    """
    image, landmarks = portrait(opening, DARK)
    image[..., across] = portrait(opening, WHITE, span)[0][..., across]
    return image, landmarks
