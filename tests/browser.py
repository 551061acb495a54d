"""Chromium, for tests of what a visitor sees."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine; `apt-get install chromium` has it"
)


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """Run Chromium within the context.

    Args:
        arguments: what else its command line gets.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-background-networking", *arguments],
        )
        yield browser
        browser.close()
