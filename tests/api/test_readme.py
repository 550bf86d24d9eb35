"""The examples of the README with curl, as somebody types them, against a real server."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.console.office import _token, office

README = Path(__file__).parents[2] / "README.md"


def examples() -> list[str]:
    """The commands of the first block below the heading."""
    part = README.read_text(encoding="utf-8").partition("\n## Management API\n")[2]
    block = re.search(r"```sh\n(.*?)```", part, re.DOTALL)
    assert block, "there are no examples"
    return re.findall(r"^(?:curl|[A-Z]+=)(?:[^\n']|'[^']*')*$", block[1], re.MULTILINE)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_each_example_does_what_it_says(tmp_path: Path) -> None:
    commands = examples()
    assert len(commands) > 12
    with office(tmp_path / "ads.db") as place:
        token = asyncio.run(_token(place.db, "admin@news.example", ("read", "write")))
        script = "\n".join(commands).replace("http://127.0.0.1:8000", place.url)
        assert place.url in script
        # Each answer with its status on a line of its own, and the first that is refused ends it.
        script = script.replace("curl ", "curl -sS --fail-with-body -w '\\n%{stderr}%{http_code}\\n' ")
        ran = subprocess.run(
            ["bash", "-euc", script],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={"TOKEN": token, "PATH": "/usr/bin:/bin:/usr/local/bin"},
        )
        assert ran.returncode == 0, f"{ran.stderr}{ran.stdout[-400:]}"
        statuses = ran.stderr.split()
        assert len(statuses) == sum(shlex.split(one)[0] == "curl" for one in commands)
        assert set(statuses) <= {"200", "201", "204"}
        assert "savings-top" in (tmp_path / "items.csv").read_text()
        api = place.with_token("admin@news.example", "read")
        assert api.get("/api/v1/line_items/savings-top").json()["price"] == {"cpm": "4.50"}
        assert api.get("/api/v1/line_items/loans-top").json()["paused"] is True
