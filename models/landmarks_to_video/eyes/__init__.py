"""Eyes that blink, widen and narrow, with glasses or without."""
