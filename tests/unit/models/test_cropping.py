import numpy as np
import pytest

from models.cropping import Square, crop_square


def ramp(height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return a picture whose red is the column and whose green is the row."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)


def test_a_square_of_the_same_size_is_a_plain_slice() -> None:
    image = ramp(120, 200)
    window = crop_square(image, Square(30, 20, 64), 64)
    np.testing.assert_array_equal(window, image[20:84, 30:94])


@pytest.mark.parametrize("size", [32, 64, 200])
@pytest.mark.parametrize(
    "square", [Square(50.3, 30.7, 60), Square(-25.5, -10, 80), Square(150, 60.25, 90)]
)
def test_pixels_land_where_points_do(square: Square, size: int) -> None:
    window = crop_square(ramp(120, 200), square, size).astype(float)
    assert window.shape == (size, size, 3)
    # The centre of window pixel (i, j) lies half a pixel in; the ramp's value there is x - 1/2.
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1) + 0.5
    x, y = np.moveaxis(square.to_picture(grid.astype(np.float32), size), -1, 0)
    inside = (x > 3) & (x < 197) & (y > 3) & (y < 117)
    np.testing.assert_allclose(window[..., 0][inside], (x - 0.5)[inside], atol=1.5)
    np.testing.assert_allclose(window[..., 1][inside], (y - 0.5)[inside], atol=1.5)


def test_beyond_the_picture_its_edge_is_repeated() -> None:
    window = crop_square(ramp(100, 100), Square(-50, 0, 100), 100)
    assert (window[:, :50, 0] == 0).all()
    np.testing.assert_array_equal(window[:, 50:], ramp(100, 100)[:, :50])


def test_points_come_back_from_the_window() -> None:
    points = np.random.default_rng(0).uniform(0, 300, (79, 2)).astype(np.float32)
    square = Square.around(130, 110, 173)
    there_and_back = square.to_picture(square.to_window(points, 256), 256)
    np.testing.assert_allclose(there_and_back, points, atol=1e-3)
