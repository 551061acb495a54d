"""The 79 landmarks of a face: their layout, their detector, their normal form.

A face is `[79, 2]` float32, x right and y down:

     0-16  jaw                  48-59  outer lips
    17-26  brows                60-67  inner lips
    27-35  nose                 68-69  iris centres, the viewer's left first
    36-47  eyes                 70-78  upper forehead, left to right

Points 0-67 are the iBUG-68 order. Left and right are the viewer's.
"""

NUM_LANDMARKS = 79
CROP_SIZE = 256
"""Pixels along each side of a face crop, of stage two's input and of its output."""
CROP_INTEROCULARS = 4.2
"""Side of a face crop in distances between the eyes' centres."""

JAW = slice(0, 17)
BROWS = slice(17, 27)
NOSE_BRIDGE = slice(27, 31)
NOSE_BASE = slice(31, 36)
LEFT_EYE = slice(36, 42)
RIGHT_EYE = slice(42, 48)
OUTER_LIPS = slice(48, 60)
INNER_LIPS = slice(60, 68)
MOUTH = slice(48, 68)
IRISES = slice(68, 70)
FOREHEAD = slice(70, 79)

# The MediaPipe Face Mesh vertex under each landmark.
FACE_MESH = (
    *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),
    *(71, 63, 105, 66, 107, 336, 296, 334, 293, 301),
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),
    *(78, 82, 13, 312, 308, 317, 14, 87),
    *(468, 473),
    *(54, 103, 67, 109, 10, 338, 297, 332, 284),
)
