"""Passwords taken out of any text: an error, a log line, a command, a page of JSON."""

import re

MASK = "***"

# Each pattern is linear: repetitions are bounded or anchored at something that cannot occur within them.

# A quote belongs to a password, unless what follows shows that it ends a string.
_URL_CHARACTER = r"""(?:[^\s/"'<>]|["'](?![\s,:;)\]}>]|$))"""
_SLASHES = r"(?:\\?/\\?/)"  # JSON may escape them
_QUERY_WITH_AT = r"(?![^\s/:@?#]+(?::\d{1,5})?[?#][^\s:@]*@)"  # http://host:80?mail=joe@example.com
_USERINFO = re.compile(rf"(?<=:)({_SLASHES}){_QUERY_WITH_AT}{_URL_CHARACTER}{{0,2000}}@")
# A password with a bare slash: what stands before the slash is not host:port, nor an IPv6 address.
_USERINFO_WITH_SLASH = re.compile(
    rf"(?<=:)({_SLASHES})(?![\[*])[^\s/:@\"'<>]{{0,200}}:(?!\d{{1,5}}(?![^\s/\"'<>,?#)\]}}])|\*)[^\s\"'<>]{{0,500}}@"
)
_ENCODED_USERINFO = re.compile(r"(%(?:25){0,3}3A(?:%(?:25){0,3}2F){2})[^\s\"'<>&]{0,500}?%(?:25){0,3}40", re.IGNORECASE)
# "admin:secret@192.168.1.5" and "rtsp:/admin:secret@camera.lan", but not "mailto:joe@example.com".
_BARE_USERINFO = re.compile(
    r"(?<![\w.%+@/-])(?!(?:mailto|sips?|xmpp|acct):)([/\\]{0,2})[\w.%+-]{1,64}:(?!\*\*\*@)[^\s@/\\\"'<>:]{1,200}@"
    r"(?=\[|localhost|(?:[\w-]{1,63}\.){1,8}\w)",
    re.IGNORECASE,
)

_NAMES_IN_QUERIES = (
    r"(?:(?:access|auth|refresh|id|api|security|session|bearer)?_?-?token|pass(?:word|wd|phrase|code)?|pwd|pw|secret"
    r"|(?:access|api|auth|stream|secret|private|session)?_?-?key(?:_?-?id)?|awsaccesskeyid|auth|authorization"
    r"|sig(?:nature)?|credentials?|jwt|session_?-?id|login)"
)
_NAMES_ANYWHERE = r"(?:(?:access|auth|api)?_?token|password|passwd|passphrase|pwd|secret|api_?key)"
_EQUALS = r"(?:(?P<plain>=)|%(?:25){0,3}3D)"
_VALUE = r"""[^\s&;#"'<>,)\]}|]{1,2000}"""
_ENCODED_VALUE = r"""(?:(?!%(?:25){0,3}(?:26|23))[^\s&;#"'<>,)\]}|]){1,2000}"""
_QUERY = re.compile(
    rf"((?:[?&;#]|%(?:25){{0,3}}(?:3F|26))(?:[\w.-]{{0,40}}[_.-])?{_NAMES_IN_QUERIES}{_EQUALS})(?!{re.escape(MASK)})(?(plain){_VALUE}|{_ENCODED_VALUE})",
    re.IGNORECASE,
)
_FREE = re.compile(
    rf"((?<![a-z0-9])(?:[a-z0-9]{{1,20}}[_-])?{_NAMES_ANYWHERE}[\"']?(?:=|:\s?)[\"']?)(?!{re.escape(MASK)}){_VALUE}",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"""((?:(?:proxy-)?authorization|(?:set-)?cookie)["']?\s?[:=]\s?(?P<quote>["'])?)(?(quote)(?:(?!(?P=quote))[^\r\n])|[^\r\n]){1,2000}""",
    re.IGNORECASE,
)
# What a camera checks a password by: short ones can be tried until it fits.
_DIGEST = re.compile(r"""(\bresponse\s?=\s?\\?["']?)[0-9a-f]{32,64}\b""", re.IGNORECASE)
_LOGIN = re.compile(r"(\b(?:basic|bearer)\s)[\w.~+/=-]{8,2000}", re.IGNORECASE)


def redact(text: str) -> str:
    """Return the text with ``***`` for user and password of URLs, for tokens in their queries and for HTTP logins.

    URLs may be percent-encoded or lie within JSON, Python or shell text. Other text stays as it is.
    """
    text = _without_logins(text) if "@" in text else text
    if "%" in text:
        text = _ENCODED_USERINFO.sub(rf"\1{MASK}%40", text)
    for pattern in (_QUERY, _FREE, _HEADER, _DIGEST, _LOGIN):
        text = pattern.sub(rf"\1{MASK}", text)
    return text


def _without_logins(text: str) -> str:
    text = _USERINFO_WITH_SLASH.sub(rf"\1{MASK}@", text)
    text = _USERINFO.sub(rf"\1{MASK}@", text)
    return _BARE_USERINFO.sub(rf"\1{MASK}@", text)
