"""Writes the dashboards beside this file: `python -m deploy.grafana`."""

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.dashboards import DASHBOARDS, build

FOLDER = Path(__file__).parent / "json"


def encoded(name: str) -> str:
    """Return a dashboard as JSON."""
    return JSONEncoder(indent=1, sort_keys=True).encode(build(name, DASHBOARDS[name])) + "\n"


def main() -> None:
    """Write all dashboards."""
    FOLDER.mkdir(exist_ok=True)
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(encoded(name))


if __name__ == "__main__":
    main()
