"""Who may import whom, and what no line of the program may do: the rules of the house, checked on the syntax tree."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("models", "protocols", "streamer")
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]

OUTSIDE = {
    "protocols": {"numpy", "zmq", "av", "cv2"},
    "models": {"torch", "torchvision", "onnxruntime", "numpy", "cv2", "safetensors"},
}
"""What a package may import besides itself and the standard library; `streamer` may import everything."""

LAYERS = (
    {"__main__"},
    {"cli"},
    {"command", "service_commands", "settings_commands", "stream_commands", "study_commands"},
    {"arguments", "install", "reference", "report", "schema"},
    {"bench", "doctor", "uninstall", "obstacles"},
    {"window"},
    {"daemon", "demo", "send", "watch", "compare", "keygen"},
    {"rendering"},
    {"cluster", "hands"},
    {"hand", "remote"},
    {"looking", "premises"},
    {"wish"},
    {"delivery", "failure", "painting", "preview", "progress", "stopping"},
    {"reading", "scenes"},
    {"shelf"},
    {"tasks"},
    {"passes", "prints"},
    {"atelier", "film"},
    {"opening", "survey"},
    {"chunks", "job", "lock", "timetable", "workshop"},
    {"atomic", "attachments"},
    {"compare_page", "compare_sheet"},
    {"compare_plates"},
    {"compare_study"},
    {"compare_light", "compare_pace"},
    {"compare_films", "compare_curves", "compare_reveal", "compare_tables"},
    {"compare_scene", "compare_methods", "compare_findings"},
    {"server", "serving"},
    {"app", "connection"},
    {"api", "guard", "health", "look", "metrics", "pages"},
    {"audience", "body", "credentials", "door", "replies", "stream", "viewing", "visit"},
    {"demo_report", "bench_frame", "checkups"},
    {"bench_report"},
    {"bench_quality"},
    {"quality"},
    {
        "bench_energy",
        "bench_flow",
        "checkups_devices",
        "checkups_networks",
        "checkups_onnx",
        "checkups_torch",
        "checkups_video",
    },
    {"environment", "services", "units"},
    {"places", "steps"},
    {"pack"},
    {"children", "contact_sheet", "recorder", "scene_flow", "steadiness"},
    {"reload"},
    {"exchange"},
    {"pipeline"},
    {"assemble"},
    {"memory", "restyling"},
    {"matching"},
    {"engine", "edges"},
    {"originals"},
    {"energy", "flows", "fills"},
    {"networks"},
    {"painter", "workers", "listening"},
    {"crew", "idle", "keeper", "lagging", "scout"},
    {"canvas", "control", "origins"},
    {"finish", "mask"},
    {"stand_in"},
    {"gallery", "recordings", "slate", "snapshot"},
    {"picture", "pixels", "sizing"},
    {"stats", "news", "mailbox", "governor", "telemetry", "ledger", "pulse", "timeline", "backoff"},
    {"trouble"},
    {
        "allocator",
        "cgroup",
        "checkpoint",
        "interrupts",
        "tally",
        "config",
        "paint",
        "recipe",
        "section",
        "diagnosis",
        "disguises",
        "machine",
        "network_name",
        "stopwatch",
        "settings",
        "exits",
        "generations",
        "hangup",
        "log",
        "log_writer",
        "redaction",
        "secrets",
        "notify",
    },
)
"""The files of `streamer`, from the top down: each imports only from its own layer and from those below."""

CONCRETE = {
    *(f"protocols.{name}" for name in ("zeromq", "video", "scene", "scene_source")),
    *(f"models.{name}" for name in ("vgg", "weights", "objective", "adjoint", "flow", "cuts", "color", "paintings")),
    *(f"models.{name}" for name in ("raft", "onnx_network", "onnx_pictures")),
}
"""What is injected: the daemon knows it by its Protocol, and only these files by its name."""
COMPOSERS = {
    "assemble",
    "bench",
    "bench_energy",
    "bench_flow",
    "bench_frame",
    "compare_films",
    "compare_scene",
    "quality",
    "checkups_onnx",
    "checkups_torch",
    "energy",
    "engine",
    "fills",
    "flows",
    "networks",
    "scene_flow",
    "steadiness",
    "survey",
    "demo",
    "send",
    "originals",
    "origins",
}

PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
PICKLING_METHODS = {"send_pyobj", "recv_pyobj", "send_serialized", "recv_serialized"}
TIMESTAMPS = {"captured_at", "published_at", "epoch"}
"""The only names that may hold the time of day: what other machines read. Our own spans are measured monotonically."""
BROAD = {"Exception", "BaseException"}


def broken_rules(path: str, source: str) -> list[str]:
    """Return what is wrong with a file of the program, as `path:line: what`; `path` is relative to the root."""
    tree = ast.parse(source)
    found = [*_imports_out_of_place(path, tree), *_pickles(tree), *_wall_clocks(tree), *_swallowed(tree)]
    return [f"{path}:{line}: {what}" for line, what in found]


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the full name of everything imported, names out of a package included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            for alias in node.names:
                yield node.lineno, f"{origin}.{alias.name}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            yield node.lineno, str(node.args[0].value) if isinstance(node.args[0], ast.Constant) else "?"


def _imports_out_of_place(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    package, file = Path(path).parts[0], Path(path).stem
    for line, name in _imports(tree):
        top, _, rest = name.partition(".")
        if top in {"", "?"}:
            yield line, f"imports {name}: name the module in full"
        elif package != "streamer" and top not in {package, *OUTSIDE[package], *sys.stdlib_module_names}:
            yield line, f"{package} imports {top}"
        elif package == "streamer" and top == "streamer":
            imported = rest.removeprefix("web.").removeprefix("render.").split(".")[0]
            yield from ((line, f"{file} imports {above}") for above in _above(file, imported))
        elif package == "streamer" and file not in COMPOSERS and ".".join(name.split(".")[:2]) in CONCRETE:
            yield line, f"{file} names the concrete {name}"


def _above(file: str, imported: str) -> Iterator[str]:
    """Yield `imported` if it is a file of a higher layer than `file`."""
    layers = {name: depth for depth, layer in enumerate(LAYERS) for name in layer}
    if layers.get(imported, len(LAYERS)) < layers.get(file, 0):
        yield f"{imported}, which lies above it"


def _pickles(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for line, name in _imports(tree):
        if name.split(".")[0] in PICKLES:
            yield line, f"imports {name}: whoever writes a pickle runs code here"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in PICKLING_METHODS:
            yield node.lineno, f"uses {node.attr}, which pickles"
        if isinstance(node, ast.Call):
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if ast.unparse(node.func) == "torch.load" and options.get("weights_only") != "True":
                yield node.lineno, "torch.load without weights_only=True unpickles"
            if options.get("allow_pickle", "False") != "False":
                yield node.lineno, "allow_pickle unpickles"


def _wall_clocks(tree: ast.Module) -> Iterator[tuple[int, str]]:
    stamps = {id(inner) for stamp in _timestamps(tree) for inner in ast.walk(stamp)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and ast.unparse(node) in {"time.time", "time.time_ns"}
            and id(node) not in stamps
        ):
            yield node.lineno, "reads the wall clock for something that is not a timestamp"
    for line, name in _imports(tree):
        if name in {"time.time", "time.time_ns"} or name.split(".")[0] == "datetime":
            yield line, f"imports {name}: the clock is time.monotonic(), for a timestamp time.time()"


def _timestamps(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield what becomes a timestamp: `published_at=...`, `header["published_at"] = ...`, and a clock named `wall`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in TIMESTAMPS:
            yield node.value
        if isinstance(node, ast.Assign):
            pairs = (pair for target in node.targets for pair in _assigned(target, node.value))
            yield from (value for target, value in pairs if _name(target) in TIMESTAMPS)
        if isinstance(node, ast.arguments):
            options = zip(node.kwonlyargs, node.kw_defaults, strict=True)
            yield from (default for option, default in options if option.arg == "wall" and default)


def _assigned(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    """Return who gets what in `a = b` and in `a, b = c, d`."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return list(zip(target.elts, value.elts, strict=True))
    return [(target, value)]


def _name(target: ast.expr) -> str:
    """Return the last name of `x`, `x.name` or `x["name"]`."""
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return str(target.slice.value)
    return ast.unparse(target).rpartition(".")[2].removeprefix("_")


def _swallowed(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield node.lineno, "catches everything, Ctrl-C included"
        elif isinstance(node, ast.ExceptHandler) and _names(node.type) & BROAD:
            if all(isinstance(line, ast.Pass) or ast.unparse(line) == "..." for line in node.body):
                yield node.lineno, "swallows every error"
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress") and _names(node) & BROAD:
            yield node.lineno, "swallows every error"


def _names(node: ast.AST | None) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)} if node else set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_keeps_the_rules_of_the_house(path: Path) -> None:
    assert broken_rules(str(path.relative_to(ROOT)), path.read_text()) == []


def test_every_file_of_the_streamer_has_its_layer() -> None:
    placed = [name for layer in LAYERS for name in layer]
    assert len(placed) == len(set(placed))
    assert {path.stem for path in (ROOT / "streamer").rglob("*.py")} - {"__init__"} <= set(placed)


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("protocols/wire.py", "import torch", "protocols imports torch"),
        ("protocols/wire.py", "from models.warp import warp", "protocols imports models"),
        ("protocols/wire.py", "def f():\n    import structlog", "protocols imports structlog"),
        ("models/warp.py", "from protocols.frame import Frame", "models imports protocols"),
        ("models/warp.py", "import streamer.config", "models imports streamer"),
        ("models/warp.py", "importlib.import_module('zmq')", "models imports zmq"),
        ("models/warp.py", "importlib.import_module(name)", "name the module in full"),
        ("models/warp.py", "from . import flow", "name the module in full"),
        ("streamer/mailbox.py", "from streamer.daemon import run", "mailbox imports daemon"),
        ("streamer/config.py", "from streamer import cli", "config imports cli"),
        ("streamer/web/viewing.py", "from streamer.web.app import make_app", "viewing imports app"),
        ("streamer/painter.py", "from streamer.web import viewing", "painter imports viewing"),
        ("streamer/daemon.py", "from protocols.zeromq import ZmqSink", "daemon names the concrete protocols.zeromq"),
        ("streamer/painter.py", "from models import vgg", "painter names the concrete models.vgg"),
        ("streamer/send.py", "import pickle", "imports pickle"),
        ("streamer/send.py", "from pickle import loads", "imports pickle.loads"),
        ("protocols/zeromq.py", "socket.recv_pyobj()", "recv_pyobj"),
        ("models/weights.py", "torch.load(path)", "torch.load without weights_only"),
        ("models/weights.py", "torch.load(path, weights_only=False)", "torch.load without weights_only"),
        ("models/weights.py", "np.load(path, allow_pickle=True)", "allow_pickle"),
        ("streamer/governor.py", "started = time.time()", "wall clock"),
        ("streamer/governor.py", "age = time.time() - frame.captured_at", "wall clock"),
        ("streamer/governor.py", "captured_at, began = 0.0, time.time()", "wall clock"),
        ("streamer/governor.py", "def f(*, clock=time.time): ...", "wall clock"),
        ("streamer/governor.py", "from time import time", "imports time.time"),
        ("streamer/governor.py", "from datetime import datetime", "imports datetime"),
        ("streamer/workers.py", "try:\n    f()\nexcept:\n    raise", "catches everything"),
        ("streamer/workers.py", "try:\n    f()\nexcept Exception:\n    pass", "swallows every error"),
        ("streamer/workers.py", "try:\n    f()\nexcept (OSError, BaseException):\n    ...", "swallows every error"),
        ("streamer/workers.py", "with contextlib.suppress(Exception):\n    f()", "swallows every error"),
    ],
)
def test_a_broken_rule_is_found(path: str, source: str, complaint: str) -> None:
    [found] = broken_rules(path, source)
    assert complaint in found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("protocols/wire.py", "import json, zmq, av, cv2\nfrom protocols.frame import Frame"),
        ("models/weights.py", "from safetensors.torch import load_file\nimport torchvision\nfrom models import vgg"),
        ("models/weights.py", "torch.load(path, weights_only=True)"),
        ("streamer/assemble.py", "from protocols.zeromq import ZmqSink\nfrom models.flow import Dis"),
        ("streamer/stream_commands.py", "from streamer.daemon import run"),
        ("streamer/painter.py", "from models.stylizer import Stylizer\nfrom streamer import telemetry"),
        ("protocols/wire.py", "header['published_at'] = time.time() if at is None else at"),
        ("protocols/zeromq.py", "Frame(captured_at=time.time(), received_at=time.monotonic())"),
        ("protocols/zeromq.py", "self._epoch = time.time_ns() // 1_000_000"),
        ("protocols/scene.py", "captured_at, received_at = time.time(), time.monotonic()"),
        ("streamer/telemetry.py", "def f(*, wall=time.time, clock=time.monotonic): ..."),
        ("streamer/workers.py", "try:\n    f()\nexcept Closed:\n    pass"),
        ("streamer/workers.py", "try:\n    f()\nexcept Exception as error:\n    log.warning('failed', error=error)"),
    ],
)
def test_a_kept_rule_is_no_complaint(path: str, source: str) -> None:
    assert broken_rules(path, source) == []
