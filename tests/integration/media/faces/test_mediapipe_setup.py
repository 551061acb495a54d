import subprocess
import sys

DETECTOR = """
import sys
from media.faces.landmarks import LandmarkDetector
with LandmarkDetector():
    assert "matplotlib" not in sys.modules
import matplotlib.pyplot
print(matplotlib.pyplot.figure.__name__)
"""


def test_a_detector_imports_nothing_for_plots_and_leaves_plots_to_others() -> None:
    command = [sys.executable, "-c", DETECTOR]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert output == "figure\n"
