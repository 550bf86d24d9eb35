"""Links for a new password, by a mail server that takes mails as real ones do."""

from __future__ import annotations

import email
import re
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path

import pytest

from tests.console.office import PASSWORD, Office, office, text_of

ADMIN = "admin@news.example"
NEW = "eight lakes lie above"


class Postbox(socketserver.StreamRequestHandler):
    """Takes mails (RFC 5321), without TLS."""

    def setup(self) -> None:
        super().setup()
        self.wfile.write(b"220 mail.example\r\n")
        while line := self.rfile.readline().strip().upper():
            if line.startswith(b"EHLO"):
                self.wfile.write(b"250-mail.example\r\n250 8BITMIME\r\n")
            elif line == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (part := self.rfile.readline()) != b".\r\n":
                    lines.append(part)
                self.server.mails.append(email.message_from_bytes(b"".join(lines)))  # type: ignore[attr-defined]
                self.wfile.write(b"250 taken\r\n")
            elif line == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 fine\r\n")


@contextmanager
def postbox() -> Iterator[tuple[int, list[Message]]]:
    """A mail server: its port, and what it was given."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Postbox) as server:
        server.daemon_threads = True
        server.mails = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], server.mails  # type: ignore[attr-defined]
        server.shutdown()


@pytest.fixture
def mailed(tmp_path: Path) -> Iterator[tuple[Office, list[Message]]]:
    with postbox() as (port, mails):
        url = f"smtp://127.0.0.1:{port}"
        with office(tmp_path / "ads.db", smtp_url=url, mail_from="ads@news.example") as place:
            yield place, mails


def said_in(mail: Message) -> str:
    """The text of a mail, as a reader sees it."""
    content = mail.get_payload(decode=True)
    assert isinstance(content, bytes), "a mail is text alone"
    return content.decode()


def link_in(mails: list[Message], count: int) -> str:
    """The path of the link in the newest of so many mails."""
    end = time.monotonic() + 10
    while len(mails) < count:
        assert time.monotonic() < end, "no mail came"
        time.sleep(0.02)
    found = re.search(r"http://[^/]+(/console/password/\S+)", said_in(mails[-1]))
    assert found, mails[-1]
    return found[1]


def test_whoever_forgot_their_password_sets_a_new_one_by_a_link(mailed: tuple[Office, list[Message]]) -> None:
    place, mails = mailed
    visitor = place.visitor()
    assert "Send me a link" in visitor.get("/console/forgotten").text
    asked = visitor.post("/console/forgotten", data={"email": ADMIN.upper()})
    link = link_in(mails, 1)
    assert (mails[0]["To"], mails[0]["From"]) == (ADMIN, "ads@news.example")
    assert visitor.post(link, data={"password": NEW}).status_code == 303
    signed = visitor.post("/console/sign-in", data={"email": ADMIN, "password": NEW})
    assert signed.status_code == 303
    assert visitor.post("/console/sign-in", data={"email": ADMIN, "password": PASSWORD}).status_code == 401
    nobody = visitor.post("/console/forgotten", data={"email": "nobody@news.example"})
    assert text_of(nobody.text) == text_of(asked.text) and len(mails) == 1


def test_nobody_is_flooded_and_no_foreign_page_asks(mailed: tuple[Office, list[Message]]) -> None:
    place, mails = mailed
    visitor = place.visitor()
    foreign = {"sec-fetch-site": "cross-site"}
    assert visitor.post("/console/forgotten", data={"email": ADMIN}, headers=foreign).status_code == 403
    for _ in range(6):
        assert visitor.post("/console/forgotten", data={"email": ADMIN}).status_code == 200
    link_in(mails, 3)
    visitor.post("/console/forgotten", data={"email": "ops@news.example"})
    link_in(mails, 4)
    assert [mail["To"] for mail in mails].count(ADMIN) == 3


def test_who_is_invited_is_sent_the_link(mailed: tuple[Office, list[Message]]) -> None:
    place, mails = mailed
    form = {"email": "sita@news.example", "name": "Sita", "role": "admin"}
    shown = place.signed_in(ADMIN).post("/console/users/new", data=form).text
    assert "on its way" in shown and "/console/password/" not in shown
    assert place.visitor().get(link_in(mails, 1)).status_code == 200
    assert "You have an account" in said_in(mails[0])


def test_without_a_mail_server_it_says_whom_to_ask(tmp_path: Path) -> None:
    with office(tmp_path / "ads.db") as place:
        visitor = place.visitor()
        for answer in (visitor.get("/console/forgotten"), visitor.post("/console/forgotten", data={})):
            assert "This server sends no mail" in text_of(answer.text)


def test_a_password_is_not_sent_in_the_clear(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with (
        postbox() as (port, mails),
        office(
            tmp_path / "ads.db", smtp_url=f"smtp://me:hunter2@127.0.0.1:{port}", mail_from="ads@news.example"
        ) as place,
    ):
        assert place.visitor().post("/console/forgotten", data={"email": ADMIN}).status_code == 200
        end, said = time.monotonic() + 10, ""
        while "no TLS" not in said:
            assert time.monotonic() < end, said
            time.sleep(0.02)
            said += "".join(capfd.readouterr())
        assert "hunter2" not in said and mails == []
