"""How what is drawn is laid over what is painted."""

import torch

from models.landmarks_to_video.painted_window import lay_over


def test_an_unseen_colour_does_not_show_at_the_edge_of_what_is_laid_over_it() -> None:
    warp, new = torch.full((1, 3, 1, 5), 0.8), torch.full((1, 3, 1, 5), 0.6)
    unseen, mask = torch.zeros(1, 3, 1, 5), torch.ones(1, 1, 1, 5)
    share = torch.linspace(0, 1, 5).reshape(1, 1, 1, 5)
    colour, seen = lay_over(unseen, mask, new, share)
    torch.testing.assert_close(seen * warp + (1 - seen) * colour, torch.lerp(warp, new, share))


def test_layers_are_mixed_as_far_as_each_is_seen() -> None:
    torch.manual_seed(1)
    warp, colour, new = torch.rand(3, 2, 3, 4, 4)
    mask, share, kept = torch.rand(3, 2, 1, 4, 4)
    laid, seen = lay_over(colour, mask, new, share, kept)
    beneath, above = (torch.lerp(paint, warp, m) for paint, m in ((colour, mask), (new, kept)))
    torch.testing.assert_close(torch.lerp(laid, warp, seen), torch.lerp(beneath, above, share))
