"""Who could come to a ZeroMQ address, and whether anybody asks them for a key."""

import ipaddress

from protocols.grammar import SOCKETS, TCP, Url


def asks_for_keys(url: Url, *, has_key: bool) -> bool:
    """Return whether the socket of a URL speaks CURVE: once we have a key, each that binds, and each that names a key.

    Args:
        url: with the pattern of its socket filled in.
        has_key: we have one.
    """
    if url.scheme not in SOCKETS or not has_key or url.options.get("curve") == "no":
        return False
    return bool(url.bind) or "peer" in url.options


def is_exposed(url: Url, *, has_key: bool = False) -> bool:
    """Return whether other machines could feed or watch a ZeroMQ address without being asked for a key.

    Args:
        url: with the pattern of its socket filled in.
        has_key: we have one.
    """
    found = TCP.fullmatch(url.address)
    return found is not None and not _is_loopback(found[1].strip("[]")) and not asks_for_keys(url, has_key=has_key)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a name, an interface, *, or a short form such as 127.1
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
