"""The numbers as Prometheus reads them."""

import re
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.streamer.web.studio import Site, Studio, open_to_visitors

BASE_UNITS = ("seconds", "bytes", "ratio")
OTHER_UNITS = re.compile(r"_(ms|milliseconds|minutes|hours|kb|mb|mib|kib|kilobytes|megabytes|percent|hertz|hz|px)(_|$)")


def families(site: Site) -> dict[str, Metric]:
    answer = site.get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {family.name: family for family in text_string_to_metric_families(answer.body.decode())}


def value(found: dict[str, Metric], name: str, **labels: str) -> float:
    (sample,) = [each for each in found[name].samples if each.labels == labels]
    return sample.value


def complaints(family: Metric) -> list[str]:
    """Return what `promtool check metrics` would say of a family."""
    name = family.name
    found = []
    if not name.startswith("deepmovie_") or not re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", name):
        found.append("the name")
    if not family.documentation.endswith("."):
        found.append("no help text")
    if OTHER_UNITS.search(name):
        found.append("not a base unit")
    if family.type in name.split("_"):
        found.append("the type in the name")
    for sample in family.samples:
        if family.type == "counter" and not sample.name.endswith("_total"):
            found.append("a counter without _total")
        if family.type == "gauge" and sample.name.endswith(("_total", "_count", "_sum", "_bucket")):
            found.append("a gauge that looks like another kind")
        if {"le", "quantile"} & set(sample.labels):
            found.append("a label that means something else")
    return found


def test_the_names_keep_prometheus_rules(studio: Studio, site: Site) -> None:
    studio.show()
    studio.telemetry.frames.refuse("shape")
    studio.telemetry.trouble("null:", "failed")
    found = families(site)
    assert len(found) > 25
    assert {name: complaints(family) for name, family in found.items() if complaints(family)} == {}
    studio.telemetry.trouble("null:", None)


@pytest.mark.parametrize(
    "text",
    [
        "# HELP x a.\n# TYPE x gauge\nx 1\n",
        "# HELP deepmovie_age_ms a.\n# TYPE deepmovie_age_ms gauge\ndeepmovie_age_ms 1\n",
        "# HELP deepmovie_a_gauge a.\n# TYPE deepmovie_a_gauge gauge\ndeepmovie_a_gauge 1\n",
    ],
)
def test_a_bad_name_is_found(text: str) -> None:
    (family,) = text_string_to_metric_families(text)
    assert complaints(family)


def test_the_numbers_are_those_of_the_stream(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    with open_to_visitors(studio) as site:
        assert "deepmovie_energy" not in families(site), "unknown is not 0"
        for _ in range(3):
            studio.show()
        studio.telemetry.reconnect()
        studio.notices.add("peer_auth_failed", "an unlisted key")
        studio.telemetry.frames.refuse("shape")
        studio.telemetry.trouble("source", "eof", retry_in_s=1)
        found = families(site)
    assert value(found, "deepmovie_frames_received") == 4
    assert value(found, "deepmovie_frames_published") == 3
    assert value(found, "deepmovie_frames_dropped", reason="shape") == 1
    assert value(found, "deepmovie_source_reconnects") == 1
    assert value(found, "deepmovie_zeromq_events", event="peer_auth_failed") == 1
    assert value(found, "deepmovie_state", state="source_lost") == 1
    assert sum(sample.value for sample in found["deepmovie_state"].samples) == 1
    assert value(found, "deepmovie_trouble_seconds", part="source", reason="eof") >= 0
    assert value(found, "deepmovie_energy", term="style") == 2
    assert value(found, "deepmovie_temporal_error") == pytest.approx(0.02)
    assert value(found, "deepmovie_engine_resets") == 1
    assert value(found, "deepmovie_frame_age_seconds", percentile="50") > 0
    assert value(found, "deepmovie_sink_frames_handed", sink="null:") == 0
    assert value(found, "deepmovie_process_resident_memory_bytes") > 2**20
