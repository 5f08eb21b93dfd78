"""The services of deepmovie that a service manager knows of."""

from streamer.places import Place, instance
from streamer.steps import answer


def instances(where: Place) -> set[str]:
    """Return the names of all services that run, have failed, are started at boot, or have settings."""
    listed = answer(*where.systemctl("list-units", "--plain", "--no-legend", instance("*")))
    listed += "\n" + answer(*where.systemctl("list-unit-files", "--plain", "--no-legend", instance("*")))
    units = [line.split()[0] for line in listed.splitlines() if line.strip()]
    names = {unit.partition("@")[2].removesuffix(".service") for unit in units} - {""}
    return names | {path.stem for path in where.settings.glob("*.toml")}


def running(where: Place) -> dict[str, str]:
    """Return the units that run, and the number of each one's process."""
    units = [instance(name) for name in sorted(instances(where))]
    processes = {unit: answer(*where.systemctl("show", "--property=MainPID", "--value", unit)) for unit in units}
    return {unit: process for unit, process in processes.items() if process not in {"", "0"}}
