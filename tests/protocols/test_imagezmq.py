"""Stock imageZMQ at the other end, both ways."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import imagezmq
import numpy as np
import pytest
import zmq

from protocols.frame import Frame
from protocols.wire import topics
from protocols.zeromq import ZmqSink, ZmqSource
from tests.protocols.listener import Listener, wait_until
from tests.protocols.test_zeromq import free_port, peer

BGR = np.full((32, 48, 3), (200, 100, 20), np.uint8)
RGB = BGR[..., ::-1]


@contextmanager
def stock_sender(address: str, *, reply: bool) -> Iterator[Any]:
    sender = imagezmq.ImageSender(connect_to=address, REQ_REP=reply)
    sender.zmq_socket.linger = 0
    with sender:
        yield sender


def send(sender: Any, form: str) -> Any:
    if form == "raw":
        return sender.send_image("cam1", BGR)
    return sender.send_jpg("cam1", cv2.imencode(".jpg", BGR)[1])


def is_the_picture(frame: Frame) -> bool:
    return bool(np.abs(frame.image.astype(int) - RGB).max() <= 3)


@pytest.mark.parametrize("form", ["raw", "jpeg"])
def test_a_stock_sender_that_waits_for_replies_feeds_our_rep_source(form: str) -> None:
    with Listener(ZmqSource("tcp://127.0.0.1:*", pattern="rep", bind=True)) as listener:
        with stock_sender(listener.endpoint, reply=True) as sender:
            assert [send(sender, form) for _ in range(10)] == [b"OK"] * 10
        received = [listener.next_frame() for _ in range(10)]
    assert [frame.sequence for frame in received] == list(range(10))
    assert all(map(is_the_picture, received))


@pytest.mark.parametrize("topic", ["", "cam1"])
@pytest.mark.parametrize("form", ["raw", "jpeg"])
def test_a_stock_publisher_feeds_our_sub_source(form: str, topic: str) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    with stock_sender(address, reply=False) as sender, Listener(ZmqSource(address, topic=topic)) as listener:
        wait_until(lambda: listener.heard, "the subscription", meanwhile=lambda: send(sender, form))
        assert is_the_picture(listener.next_frame())


def test_a_stock_sender_of_a_gray_picture_is_answered_and_rejected() -> None:
    with Listener(ZmqSource("tcp://127.0.0.1:*", pattern="rep", bind=True)) as listener:
        with stock_sender(listener.endpoint, reply=True) as sender:
            assert sender.send_image("cam1", BGR[..., 0]) == b"OK"
        rejected = listener.next()
    assert not isinstance(rejected, Frame)
    assert rejected.reason == "shape"


@pytest.mark.parametrize("form", ["raw", "jpeg"])
def test_a_stock_hub_receives_what_we_publish(form: Any) -> None:
    sink = ZmqSink("tcp://127.0.0.1:*", name="painted", format=form, quality=95)
    sink.open()
    hub = imagezmq.ImageHub(open_port=sink.endpoint, REQ_REP=False)
    frame = Frame(np.ascontiguousarray(RGB), 4, 0.0, 0.0, 0.0)
    try:
        wait_until(lambda: hub.zmq_socket.poll(5), "the hub", meanwhile=lambda: sink.write(frame))
        if form == "raw":
            name, image = hub.recv_image()
        else:
            name, data = hub.recv_jpg()
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    finally:
        hub.close()
        sink.close()
    assert name == "painted"
    assert np.abs(image.astype(int) - BGR).max() <= 3


def test_stock_senders_begin_their_headers_with_one_of_our_topics() -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    with stock_sender(address, reply=False) as sender, peer(zmq.SUB, address) as subscriber:
        wait_until(lambda: subscriber.poll(5), "the subscription", meanwhile=lambda: sender.send_image("cam1", BGR))
        header, payload = subscriber.recv_multipart()
    assert header.startswith(topics("cam1"))
    assert json.loads(header) == {"msg": "cam1", "dtype": "uint8", "shape": [32, 48, 3]}
    assert payload == BGR.tobytes()
