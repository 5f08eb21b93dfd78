"""What is wrong with one part of the stream: since when, why, and when it is tried again."""

from dataclasses import dataclass

_WORDS = {
    ("device", "fallback"): "the GPU does not work; painting on the CPU",
    ("size", "too_large"): "there is too little memory for the size asked for; painting smaller",
    ("memory", "size_reduced"): "the device ran out of memory; painting smaller for a while",
    ("checkpoint", "failed"): "the picture cannot be kept for the next start",
    ("flow", "failed"): "the network of the optical flow fails; DIS stands in",
    ("flow", "on_cpu"): "the network of the optical flow runs on the CPU, as onnxruntime has no CUDA here",
    ("fill", "failed"): "the network of the fill fails; the painting's palette stands in",
    ("fill", "on_cpu"): "the network of the fill runs on the CPU, as onnxruntime has no CUDA here",
    ("style", "failed"): "the painting that was asked for cannot be used; the one before it stays",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong, at one moment."""

    part: str
    """``source``, ``device``, ``memory``, ``size``, ``style``, ``flow``, ``fill``, ``checkpoint``, ``http`` or a sink's
    name."""
    reason: str
    """In one word."""
    lasts_s: float
    error: str = ""
    """The same for people; may hold a password."""
    retry_in_s: float | None = None
    """When it is tried again; None if that is up to somebody else."""

    def __str__(self) -> str:
        """Return it in words: ``source lost 12 s ago, trying again in 4 s: connection refused``."""
        if words := _WORDS.get((self.part, self.reason)):
            return words
        began = f"{self.part} lost {self.lasts_s:.0f} s ago"
        if self.retry_in_s is None:
            again = ""
        else:
            again = f", trying again in {self.retry_in_s:.0f} s" if self.retry_in_s >= 0.5 else ", trying again now"
        return f"{began}{again}: {self.error or self.reason}"
