"""The dashboard and the alerts ask for numbers that the daemon gives, in words that Prometheus understands."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streamer.ledger import Place
from tests.streamer.web.studio import Site, Studio
from tests.tools import tool

FOLDER = Path(__file__).parents[3] / "docs" / "monitoring"
DASHBOARD = json.loads((FOLDER / "grafana.json").read_text())
PANELS = DASHBOARD["panels"]
GIVEN_BY_PROMETHEUS = {"job", "instance"}
SELECTOR = re.compile(r"(deepmovie_\w+)\{([^}]*)\}")


def queries() -> Iterator[tuple[str, str]]:
    """Yield every query of the dashboard, and the text that names its lines."""
    for panel in PANELS:
        yield from ((target["expr"], target["legendFormat"]) for target in panel["targets"])


def asked(query: str, legend: str = "") -> dict[str, set[str]]:
    """Return the metrics of a query, and the labels that each must have."""
    shown = set(re.findall(r"\{\{(\w+)\}\}", legend))
    found = {name: set(re.findall(r"(\w+)\s*(?==)", matchers)) for name, matchers in SELECTOR.findall(query)}
    return {name: (labels | shown) - GIVEN_BY_PROMETHEUS for name, labels in found.items()}


@pytest.fixture(scope="module")
def given(studio: Studio, site: Site) -> dict[str, set[str]]:
    """The metrics of a stream that has seen everything, and the labels of each."""
    studio.show()
    studio.show()
    studio.telemetry.frames.refuse("shape")
    studio.telemetry.trouble("source", "lost")
    studio.telemetry.sinks["null:"].enter()
    studio.telemetry.sinks["null:"].drop("busy", Place.WAITING)
    assert site.get("/", Host="elsewhere").status == 421
    text = site.get("/metrics").body.decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.name: set(sample.labels) for sample in samples}


def test_the_dashboard_asks_for_what_there_is(given: dict[str, set[str]]) -> None:
    wanted = [(name, labels) for query in queries() for name, labels in asked(*query).items()]
    assert len({name for name, _ in wanted}) > 15
    for name, labels in wanted:
        assert labels <= given[name], name


def test_the_alerts_ask_for_what_there_is(given: dict[str, set[str]]) -> None:
    rules = (FOLDER / "alerts.yml").read_text()
    wanted = [pair for query in re.findall(r"expr: (.*)", rules) for pair in asked(query).items()]
    assert len(wanted) == 2
    for name, labels in wanted:
        assert labels <= given[name], name


def test_every_panel_has_a_place_of_its_own() -> None:
    squares = [
        (x, y)
        for place in (panel["gridPos"] for panel in PANELS)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(squares) == len(set(squares))
    assert max(x for x, _ in squares) < 24
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_every_panel_asks_the_chosen_prometheus_for_the_chosen_streams() -> None:
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert variables == {"datasource", "instance"}
    for panel in PANELS:
        assert panel["datasource"]["uid"] == "${datasource}"
    for query, _ in queries():
        assert query.count("deepmovie_") == query.count('instance=~"$instance"'), query


def promtool(*words: str | Path, text: str = "") -> None:
    done = subprocess.run(
        [tool("promtool", "Debian: prometheus"), *words], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_alerts_fire_when_they_should_and_only_then() -> None:
    promtool("check", "rules", FOLDER / "alerts.yml")
    promtool("test", "rules", FOLDER / "alerts_test.yml")


def test_prometheus_understands_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "1m").replace("$instance", ".*")}
        for number, (query, _) in enumerate(queries())
    ]
    file = tmp_path / "dashboard.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))  # JSON is YAML
    promtool("check", "rules", file)


def test_prometheus_likes_our_names(given: dict[str, set[str]], site: Site) -> None:
    promtool("check", "metrics", text=site.get("/metrics").body.decode())
