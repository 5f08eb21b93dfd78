"""No password survives ``redact``, and nothing else is harmed by it."""

import pytest

from protocols.url import redact

MARK = "hunter2"

WITH_A_SECRET = r"""
rtsp://user:hunter2@cam/live
RTSP://user:hunter2@cam/live
rtsps://user:hunter2@cam:322/live
http://user:hunter2@cam:8080/x?y=1
https://user:hunter2@[::1]:8080/x
rtsp://:hunter2@cam/live
rtsp://hunter2@cam/live
rtsp://hunter2:@cam/live
rtsp://user:hunter2@
rtsp://user:hunter2@/live
rtsp://user:p@hunter2@cam/live
rtsp://user:hunter2@x@cam/live
rtsp://user:p:hunter2@cam/live
rtsp://user:p#hunter2@cam/live
rtsp://user:p?hunter2@cam/live
rtsp://user:p/hunter2@cam/live
rtsp://user:p&hunter2=1@cam/live
rtsp://user:hunter2%40x@cam/live
rtsp://us%3Aer:hunter2@cam/live
rtsp://user:%68hunter2@cam/live
rtsp://user:päß-hunter2@cam/live
rtsp://user:p"hunter2@cam/live
rtsp://user:p'hunter2@cam/live
rtsp://user:hunter2!$()*+,;=@cam/live
rtsp://dom;user:hunter2@cam/live
"rtsp://user:hunter2@cam/live"
'rtsp://user:hunter2@cam/live'
<rtsp://user:hunter2@cam/live>
(rtsp://user:hunter2@cam/live)
[b'rtsp://user:hunter2@cam/live']
{"url": "rtsp://user:hunter2@cam/live"}
{"url":"rtsp:\/\/user:hunter2@cam\/live"}
url=rtsp://user:hunter2@cam/live
-i rtsp://user:hunter2@cam/live -f null
rtsp://a:b@c,rtsp://user:hunter2@cam/live
rtsp://cam1/x|rtsp://user:hunter2@cam/live
[Errno 5] Input/output error: 'rtsp://user:hunter2@cam/live'
rtsp://user:hunter2@cam/live: Connection refused
http_proxy=http://user:hunter2@proxy:3128
rtsp%3A%2F%2Fuser%3Ahunter2%40cam%2Flive
rtsp%3a%2f%2fuser%3ahunter2%40cam%2flive
rtsp%253A%252F%252Fuser%253Ahunter2%2540cam
/watch?src=rtsp%3A%2F%2Fuser%3Ahunter2%40cam%2Flive&x=1
sub+connect:tcp://user:hunter2@host:5555
srt://host:9000?passphrase=hunter2
rtmp://host/app?key=hunter2
http://cam/live?token=hunter2
http://cam/live?TOKEN=hunter2&x=1
http://cam/live?a=1&access_token=hunter2
http://cam/live?a=1;password=hunter2
http://cam/live?user=admin&pwd=hunter2#transport=tcp
http://cam/live?usr=a&passwd=hunter2
http://cam/live?auth=hunter2
http://cam/live?api_key=hunter2
http://cam/live?apikey=hunter2
http://cam/live?x-api-key=hunter2
http://cam/live?X-Amz-Signature=hunter2&b
http://cam/live?X-Amz-Security-Token=hunter2
http://cam/live?AWSAccessKeyId=hunter2
http://cam/live?sig=hunter2
http://cam/live?jwt=hunter2
http://cam/live?secret=hunter2
http://cam/live?session_id=hunter2
http://cam/live%3Ftoken%3Dhunter2%26x
http://cam/live#token=hunter2
rtsp://cam/user=admin_password=hunter2_channel=1_stream=0.sdp
rtsp://cam/user=admin&password=hunter2&channel=1
admin:hunter2@192.168.1.5:554/live
//admin:hunter2@192.168.1.5/live
rtsp:/admin:hunter2@camera.lan/live
rtsp:admin:hunter2@camera.lan/live
Authorization: Basic hunter2hunter2==
Authorization: Digest username="a", response="hunter2"
{"Authorization": "Bearer hunter2.x.y"}
'authorization': 'Basic hunter2hunter2'
Bearer hunter2hunter2
password=hunter2
password: hunter2
"password": "hunter2"
--password=hunter2
DEEPMOVIE_TOKEN=hunter2
rtsp://user:hunter2@cam/x@2x.png
rtsp://user:hunter2\@cam/live
""".strip().splitlines()

WITHOUT_A_SECRET = r"""
joe@example.com
mailto:joe@example.com
deepmovie@cam1.service
unit deepmovie@cam1.service: started
at 12:30 @home
http://host:8080/path@2x.jpg
https://medium.com/@joe/title
git@github.com:x/y.git
rtsp://host/live and joe@example.com
rtsp://[fe80::1]/a@b
rtsp://[fe80::1]:554/a@b
rtsp://cam/live?fps=25&size=640x480
rtsp://cam/live?keyframe=1&author=bob&monkey=x&bypass=1&passes=3
tcp://127.0.0.1:5556#format=jpeg#quality=90
tcp://*:5556
{"url":"rtsp://host","mail":"a@b.c"}
['rtsp://h', 'a@b.c']
expected key paint.fps, got 3
key=paint.fps
auth=none
retry_in_s=0.5 error=eof
ratio 3:4@25fps
time: 12:30:01
basic idea of painting
Basic test
the bearer of news
C:\movies\a@b.mp4
camera:0
a token was refused
password is missing
no such file: out.mp4
sub+connect:ipc:///run/a@b
http://host:8080?x=a@b
1:2@3
http://h:80, mail joe@x.org
bind tcp://0.0.0.0:5556: in use
""".strip().splitlines()


@pytest.mark.parametrize("text", WITH_A_SECRET)
def test_no_secret_survives(text: str) -> None:
    assert MARK in text
    assert MARK not in redact(text)
    assert MARK not in redact(f"2026-01-01 open failed: {text}, next try in 3 s\nmore {text}\n")


@pytest.mark.parametrize("text", WITH_A_SECRET)
def test_a_text_without_secrets_any_more_stays_as_it_is(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize("text", WITHOUT_A_SECRET)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_what_is_around_a_secret_stays() -> None:
    assert redact("open rtsp://user:hunter2@cam:554/live?x=1 failed") == "open rtsp://***@cam:554/live?x=1 failed"
    assert redact("http://cam/live?a=1&token=hunter2&b=2#c=3") == "http://cam/live?a=1&token=***&b=2#c=3"
    assert redact('{"url": "rtsp://u:hunter2@cam", "n": 1}') == '{"url": "rtsp://***@cam", "n": 1}'


REPEATED = ["://", "a:", "a", "://a", "?key", "x:y@", "%3A%2F%2F", "://a:b/", "token_", '://"', "basic ", "a.b.", "?a-"]


@pytest.mark.parametrize("piece", REPEATED)
@pytest.mark.timeout(10)  # a pattern that tries every split would take days
def test_a_long_text_made_to_keep_the_patterns_busy_is_done_at_once(piece: str) -> None:
    assert redact(piece * (64_000 // len(piece)) + "\n" + WITH_A_SECRET[0]).endswith("rtsp://***@cam/live")
