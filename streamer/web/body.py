"""The body of a request: read to its end before anybody acts on it, within a size and a time."""

import asyncio

from starlette.types import Message, Receive

from streamer.web.visit import Rejection


async def read(receive: Receive, limit: int, patience_s: float) -> bytes:
    """Return the body.

    Raises:
        Rejection: it is too long, or takes too long.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(patience_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Rejection(400, "body", "the body ended too soon")
                body += message.get("body", b"")
                if len(body) > limit:
                    raise too_large(limit)
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise Rejection(408, "slow_body", f"the body did not come within {patience_s:g} s") from None


def too_large(limit: int) -> Rejection:
    return Rejection(413, "body", f"the body may have {limit} bytes")


def again(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives the body, and then what ``receive`` gives."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again
