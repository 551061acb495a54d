import numpy as np
import pytest

from media.geometry import Square, crop_square, cut_tiles


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
    "square",
    [
        Square(50.3, 30.7, 60),
        Square(-25.5, -10, 80),
        Square(150, 60.25, 90),
        Square(60, 30, 60, 20),
        Square(-10, 20.5, 80, -75),
        Square(90, 35, 70.5, 180),
    ],
)
def test_pixels_land_where_points_do(square: Square, size: int) -> None:
    window = crop_square(ramp(120, 200), square, size).astype(float)
    assert window.shape == (size, size, 3)
    # The centre of window pixel (i, j) lies half a pixel in; the ramp's value there is x - 1/2.
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1) + 0.5
    x, y = np.moveaxis(square.to_picture(grid.astype(np.float32), size), -1, 0)
    reach = 3 * max(1, square.side / size)
    inside = (x > reach) & (x < 200 - reach) & (y > reach) & (y < 120 - reach)
    np.testing.assert_allclose(window[..., 0][inside], (x - 0.5)[inside], atol=2)
    np.testing.assert_allclose(window[..., 1][inside], (y - 0.5)[inside], atol=2)


def test_beyond_the_picture_its_edge_is_repeated() -> None:
    window = crop_square(ramp(100, 100), Square(-50, 0, 100), 100)
    assert (window[:, :50, 0] == 0).all()
    np.testing.assert_array_equal(window[:, 50:], ramp(100, 100)[:, :50])


@pytest.mark.parametrize("thin", [1, 2, 3, 5])
@pytest.mark.parametrize("offset", [-150.0, -149.25, -101.0])
def test_a_picture_thinner_than_a_pixel_of_the_window_fills_it(thin: int, offset: float) -> None:
    line = np.zeros((thin, 300, 3), np.uint8)
    line[:, 150:] = 200
    row = np.repeat([0, 200], 50)
    wide = crop_square(line, Square(0, offset, 300), 100)[..., 0]
    np.testing.assert_allclose(wide, np.tile(row, (100, 1)), atol=20)
    high = crop_square(line.swapaxes(0, 1).copy(), Square(offset, 0, 300), 100)[..., 0]
    np.testing.assert_array_equal(high, wide.T)


def test_tiles_of_a_very_long_picture_show_it() -> None:
    line = np.full((1, 2_000, 3), 200, np.uint8)
    for tile, _ in cut_tiles(line, 1_000, 32):
        np.testing.assert_array_equal(tile, np.full((32, 32, 3), 200))


@pytest.mark.parametrize("angle", [0, 33, -120])
def test_points_come_back_from_the_window(angle: float) -> None:
    points = np.random.default_rng(0).uniform(0, 300, (79, 2)).astype(np.float32)
    square = Square.around(130, 110, 173, angle)
    there_and_back = square.to_picture(square.to_window(points, 256), 256)
    np.testing.assert_allclose(there_and_back, points, atol=1e-3)


def test_a_square_turns_clockwise_about_its_centre() -> None:
    square = Square(10, 10, 20, 90)
    corners = np.array([(0, 0), (20, 0)], np.float32)
    np.testing.assert_allclose(square.to_picture(corners, 20), [(30, 10), (30, 30)], atol=1e-5)
    assert Square(10, 10, 20, 45).holds(20, 33)
    assert not Square(10, 10, 20, 45).holds(29, 29)


@pytest.mark.parametrize(
    ("square", "inside"),
    [
        (Square(10, 20, 30), Square(10, 20, 30)),
        (Square(-5, 80, 30, 45), Square(0, 70, 30)),
        (Square(0, -10, 130), Square(15, 0, 100)),
    ],
)
def test_a_square_is_moved_and_shrunk_into_a_picture(square: Square, inside: Square) -> None:
    assert square.within(200, 100) == inside


@pytest.mark.parametrize(("height", "width"), [(120, 200), (200, 120), (40, 200), (200, 200)])
@pytest.mark.parametrize("side", [50.0, 100.0, 200.0])
def test_tiles_cover_the_picture_and_overlap_by_a_quarter(
    height: int, width: int, side: float
) -> None:
    face = side / 4
    corners = [
        (x, y) for x in np.arange(0, width - face, 3) for y in np.arange(0, height - face, 3)
    ]
    squares = [square for _, square in cut_tiles(ramp(height, width), side, 40)]
    for x, y in corners:
        assert any(
            s.left - 1 <= x <= s.left + side - face + 1
            and s.top - 1 <= y <= s.top + side - face + 1
            for s in squares
        )


def test_a_tile_shows_its_place() -> None:
    for window, square in cut_tiles(ramp(120, 200), 60.0, 40):
        assert window.shape == (40, 40, 3)
        middle = window[20, 20].astype(float)
        np.testing.assert_allclose(
            middle[:2] + 0.5, square.to_picture(np.full(2, 20.5), 40), atol=1
        )
