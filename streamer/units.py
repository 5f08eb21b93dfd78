"""The unit as it is installed: the shipped one, made to fit the place."""

import re

from streamer.places import SYSTEM_PROGRAM, Place

NEEDS_ROOT = {
    "another account": "DynamicUser User RemoveIPC",
    "a view of the files of its own": "ProtectSystem ProtectHome PrivateTmp PrivateDevices ProtectProc",
    "a kernel out of its reach": "ProtectControlGroups ProtectKernelLogs ProtectKernelModules ProtectKernelTunables",
    "accounts and a host name of its own": "PrivateUsers ProtectHostname",
    "rules for devices": "DevicePolicy ProtectClock",
    "privileges to take away": "CapabilityBoundingSet",
}
"""The directives that only the service manager of the whole machine can carry out, by what each would need."""

_OTHERS = ("Wants=network", "After=network", "Environment=HOME=")
"""What a user's unit does not need: the network is up at the login, and a user has a home."""

_HEADER = """\
# Made from deepmovie@.service by `deepmovie install-service --user`, which replaces it each time; a change of your own
# belongs in a drop-in (`systemctl --user edit deepmovie@door`).
#
# Your service manager is not root, and cannot give what these directives ask for; so they are left out:
{left_out}
# The program sees what you see, cameras and GPU included. It still can gain no privilege and make no unusual call.

"""


def unit_text(shipped: str, where: Place) -> str:
    """Return the unit that runs the program of ``where``."""
    text = shipped.replace(f"{SYSTEM_PROGRAM}/bin/deepmovie", f"{where.program}/bin/deepmovie")
    return text if where.scope == "system" else _for_a_user(text)


def _for_a_user(text: str) -> str:
    left_out = {key for keys in NEEDS_ROOT.values() for key in keys.split()}
    kept = [
        line
        for line in text.splitlines()
        if not line.startswith(("#", *_OTHERS)) and line.partition("=")[0] not in left_out
    ]
    body = re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip().replace("multi-user.target", "default.target")
    told = "\n".join(f"#   {needs}: {keys}" for needs, keys in NEEDS_ROOT.items())
    return f"{_HEADER.format(left_out=told)}{body}\n"
