"""Objects of the catalog over the real API: created, read, changed, archived, and what is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx2 as httpx
import pytest

from tests.console.office import Office, office
from tests.newsroom import BROWSER

ADMIN, OPS = "admin@news.example", "ops@news.example"


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("api") / "ads.db") as open_office:
        yield open_office


@pytest.fixture
def api(place: Office) -> httpx.Client:
    return place.with_token(ADMIN, "read", "write", "users")


def test_a_campaign_is_built_step_by_step_and_serves_within_a_second(
    place: Office, api: httpx.Client
) -> None:
    creative: dict[str, object] = {
        "name": "tea-300",
        "line_item": "tea-house",
        "kind": "image",
        "size": "728x90",
        "image": "https://cdn.example/tea.png",
        "alt": "Tea",
        "click": "https://tea.example/",
    }
    steps: list[tuple[str, dict[str, object]]] = [
        ("slots", {"site": "daily", "name": "sidebar", "sizes": ["728x90"]}),
        ("advertisers", {"name": "tea"}),
        ("campaigns", {"advertiser": "tea", "name": "autumn"}),
        ("line_items", {"campaign": "tea/autumn", "name": "tea-house", "tier": "house"}),
        ("creatives", creative),
    ]
    for collection, body in steps:
        made = api.post(f"/api/v1/{collection}", json=body)
        assert made.status_code == 201, made.text
        assert api.get(made.headers["location"]).json() == made.json()
        assert {key: made.json()[key] for key in body} == body
    end = time.monotonic() + 5
    while True:
        page = {"site": "daily", "slots": [{"slot": "sidebar"}]}
        (fill,) = place.visitor().post("/v1/fill", json=page).json()["fills"]
        if "creative" in fill:
            break
        assert time.monotonic() < end, fill
        time.sleep(0.02)
    assert fill["line_item"] == "tea-house"


def test_a_change_needs_the_version_that_was_seen(api: httpx.Client) -> None:
    seen = api.get("/api/v1/line_items/savings-top")
    tag = seen.headers["etag"]
    path = "/api/v1/line_items/savings-top"
    first = api.patch(path, json={"paused": True}, headers={"if-match": tag})
    assert (first.status_code, first.json()["state"], first.json()["version"]) == (200, "paused", 2)
    second = api.patch(path, json={"labels": None}, headers={"if-match": tag})
    assert second.status_code == 409
    assert second.json()["versions"] == {"line_item/savings-top": 2}
    assert api.get(path).json() == first.json()
    assert api.delete(path, headers={"if-match": tag}).status_code == 409
    assert api.patch(path, json={}, headers={"if-match": "new"}).status_code == 422


def test_all_faults_are_said_at_once(api: httpx.Client) -> None:
    body = {"price": {"cpm": "-1"}, "goal": {"impressions": 0}, "target": {"site": ["dayly"]}}
    refused = api.patch("/api/v1/line_items/savings-top", json=body)
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    keys = [fault["key"] for fault in refused.json()["faults"]]
    prefix = "advertiser.himal-bank.campaign.savings.line_item.savings-top"
    assert keys == [f"{prefix}.price.cpm", f"{prefix}.goal.impressions", f"{prefix}.target.site[0]"]


def test_lists_are_cut_into_pages_and_filtered(api: httpx.Client) -> None:
    edits = [
        {
            "action": "add",
            "kind": "line_item",
            "name": f"extra-{n}",
            "parent": "himal-bank/savings",
            "set": {"tier": "house", "target": {"site": ["daily"]}, "paused": n % 2 == 1},
        }
        for n in range(7)
    ]
    assert api.post("/api/v1/changes", json={"edits": edits}).status_code == 200
    names: list[str] = []
    after = ""
    while True:
        page = api.get("/api/v1/line_items", params={"limit": 3, "after": after}).json()
        names += [one["name"] for one in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert names == ["savings-top", *(f"extra-{n}" for n in range(7))]
    paused = api.get("/api/v1/line_items", params={"state": "paused", "q": "extra"}).json()["items"]
    assert [one["name"] for one in paused] == ["extra-1", "extra-3", "extra-5"]
    assert api.get("/api/v1/slots", params={"inside": "daily"}).json()["items"][0]["name"] == "article-top"
    assert api.get("/api/v1/campaigns", params={"after": "nowhere/nothing"}).status_code == 422


def test_many_edits_are_all_made_or_none_and_a_dry_run_only_tells(api: httpx.Client) -> None:
    good = {"action": "change", "kind": "line_item", "name": "savings-top", "set": {"paused": True}}
    bad = {"action": "archive", "kind": "site", "name": "nowhere"}
    assert api.post("/api/v1/changes", json={"edits": [good, bad]}).status_code == 422
    dry = api.post("/api/v1/changes", json={"edits": [good], "dry_run": True}).json()
    assert (dry["version"], [change["action"] for change in dry["changes"]]) == (1, ["change"])
    assert api.get("/api/v1/line_items/savings-top").json()["version"] == 1


def test_history_tells_what_changed_and_undo_takes_it_back(api: httpx.Client) -> None:
    before = api.get("/api/v1/catalog").text
    api.delete("/api/v1/advertisers/himal-bank")
    (newest, *_) = api.get("/api/v1/history").json()
    assert (newest["version"], newest["author"]) == (2, ADMIN)
    assert {change["action"] for change in newest["changes"]} == {"remove"}
    assert api.post("/api/v1/history/2/undo", json={}).json()["version"] == 3
    assert api.get("/api/v1/catalog").text == before
    assert api.get("/api/v1/catalog", params={"version": 2}).text != before
    assert api.post("/api/v1/history/99/undo", json={}).status_code == 404
    assert (
        api.get("/api/v1/history", params={"collection": "sites", "name": "daily"}).json()[0]["version"] == 1
    )


def test_a_catalog_file_is_planned_and_applied(api: httpx.Client) -> None:
    text = api.get("/api/v1/catalog").text.replace('cpm = "4.50"', 'cpm = "5.50"')
    planned = api.put("/api/v1/catalog", content=text, params={"dry_run": True}).json()
    assert [change["name"] for change in planned["changes"]] == ["savings-top"]
    assert api.put("/api/v1/catalog", content=text).json()["version"] == 2
    assert api.get("/api/v1/line_items/savings-top").json()["price"] == {"cpm": "5.50"}
    broken = api.put("/api/v1/catalog", content="[[site]]\nname = 3\n")
    assert (broken.status_code, broken.json()["faults"][0]["key"]) == (422, "site[0].name")
    assert api.put("/api/v1/catalog", content=b"\xff").status_code == 422


def test_ad_ops_see_and_change_their_own_only(place: Office, api: httpx.Client) -> None:
    api.post("/api/v1/advertisers", json={"name": "foreign"})
    ops = place.with_token(OPS, "write")
    assert [one["name"] for one in ops.get("/api/v1/advertisers").json()["items"]] == ["himal-bank"]
    assert ops.get("/api/v1/advertisers/foreign").status_code == 404
    assert ops.delete("/api/v1/advertisers/foreign").status_code == 404
    assert ops.patch("/api/v1/line_items/savings-top", json={"paused": True}).status_code == 200
    assert ops.delete("/api/v1/sites/daily").status_code == 403
    assert ops.post("/api/v1/advertisers", json={"name": "everywhere"}).status_code == 403
    assert "foreign" not in ops.get("/api/v1/catalog").text
    assert "foreign" not in ops.get("/api/v1/history").text


def test_people_are_invited_changed_and_disabled_by_administrators(place: Office, api: httpx.Client) -> None:
    asked = {"email": "new@news.example", "role": "publisher", "sites": ["daily"]}
    made = api.post("/api/v1/users", json=asked)
    assert made.status_code == 201
    assert "/console/password/" in made.json()["password_url"]
    path = f"/api/v1/users/{made.json()['id']}"
    rights = {"role": "ad_ops", "sites": ["*"]}
    assert api.patch(path, json={"rights": rights, "disabled": True}).json()["disabled"] is True
    own = next(user for user in api.get("/api/v1/users").json() if user["email"] == ADMIN)
    assert api.patch(f"/api/v1/users/{own['id']}", json={"disabled": True}).status_code == 409
    assert place.with_token(OPS, "write", "users").get("/api/v1/users").status_code == 403
    catalog_only = place.with_token(ADMIN, "read", "write")
    assert catalog_only.post("/api/v1/users", json=asked).status_code == 403
    assert catalog_only.post("/console/users/new", data=asked).status_code == 403


def test_a_token_makes_no_token_that_may_more(place: Office) -> None:
    reader = place.with_token(ADMIN, "write")
    for scope in ("reports", "users"):
        assert reader.post("/api/v1/tokens", json={"name": "x", "scopes": [scope]}).status_code == 422
    longer = reader.post("/api/v1/tokens", json={"name": "x", "scopes": ["read"], "days": 300}).json()
    own = min(token["expires_at"] for token in reader.get("/api/v1/tokens").json())
    assert datetime.fromisoformat(longer["expires_at"]) < datetime.now(UTC) + timedelta(days=1, minutes=1)
    assert longer["expires_at"] >= own
    made = reader.post("/api/v1/tokens", json={"name": "x", "scopes": ["read"], "days": 1})
    assert made.status_code == 201
    program = httpx.Client(base_url=place.url, headers={"authorization": f"Bearer {made.json()['token']}"})
    with program:
        assert program.get("/api/v1/me").json()["scopes"] == ["read"]
        assert program.post("/api/v1/advertisers", json={"name": "x"}).status_code == 403
    assert reader.delete(f"/api/v1/tokens/{made.json()['id']}").status_code == 204
    assert reader.delete(f"/api/v1/tokens/{made.json()['id']}").status_code == 404


def test_nobody_is_refused_as_a_program_expects(place: Office) -> None:
    refused = place.visitor().get("/api/v1/sites")
    assert (refused.status_code, refused.json()["status"]) == (401, 401)
    wrong = place.visitor().get("/api/v1/sites", headers={"authorization": "Bearer adsrv_x"})
    assert (wrong.status_code, wrong.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')


def test_a_whole_catalog_is_put_only_upon_the_version_that_it_was_made_from(api: httpx.Client) -> None:
    read = api.get("/api/v1/catalog")
    seen, version = {"if-match": read.headers["etag"]}, int(read.headers["etag"].strip('"'))
    assert api.put("/api/v1/catalog", content=read.text, headers=seen).json()["changes"] == []
    api.patch("/api/v1/line_items/savings-top", json={"labels": ["somebody-elses"]})
    stale = api.put("/api/v1/catalog", content=read.text, headers=seen)
    assert (stale.status_code, stale.json()["versions"]) == (409, {"catalog": version + 1})
    assert api.get("/api/v1/line_items/savings-top").json()["labels"] == ["somebody-elses"]
    newer = {"if-match": api.get("/api/v1/catalog").headers["etag"]}
    assert api.get("/api/v1/catalog?version=1").headers["etag"] == '"1"'
    assert api.put("/api/v1/catalog", content=read.text, headers=newer).is_success


def test_lists_are_narrowed_by_tier_and_by_what_holds_them_at_any_depth(api: httpx.Client) -> None:
    def names(collection: str, **asked: str) -> list[str]:
        return [one["name"] for one in api.get(f"/api/v1/{collection}", params=asked).json()["items"]]

    assert names("creatives", inside="himal-bank") == ["savings-970"]
    assert names("creatives", inside="himal-bank/savings") == ["savings-970"]
    assert names("creatives", inside="himal") == []
    assert "savings-top" in names("line_items", tier="guaranteed")
    assert "savings-top" not in names("line_items", tier="house")


def test_the_past_is_asked_for_by_moment(api: httpx.Client) -> None:
    first = api.get("/api/v1/history").json()[-1]
    assert [one["version"] for one in api.get("/api/v1/history", params={"until": first["at"]}).json()] == [1]
    then = api.get("/api/v1/catalog", params={"at": first["at"]})
    assert (then.headers["etag"], then.text) == ('"1"', api.get("/api/v1/catalog?version=1").text)
    before = api.get("/api/v1/catalog", params={"at": "2000-01-01T00:00:00Z"})
    assert (before.headers["etag"], before.text.strip()) == ('"0"', "")
    assert api.get("/api/v1/catalog", params={"at": "2000-01-01T00:00:00"}).status_code == 422


def test_administrators_help_whoever_has_lost_password_or_second_factor(
    place: Office, api: httpx.Client
) -> None:
    browser = place.signed_in(OPS)
    (ops,) = [user for user in api.get("/api/v1/users").json() if user["email"] == OPS]
    path = f"/api/v1/users/{ops['id']}"
    made = api.post(f"{path}/link")
    assert made.status_code == 201 and "/console/password/" in made.json()["password_url"]
    assert browser.get("/console/account").status_code == 200
    assert api.delete(f"{path}/sessions").status_code == 204
    assert browser.get("/console/account").status_code == 303
    assert api.delete(f"{path}/second_factor").status_code == 204
    assert api.patch(path, json={"disabled": True}).is_success
    assert api.post(f"{path}/link").status_code == 409
    assert api.patch(path, json={"disabled": False}).is_success
    for method, below in (("post", "link"), ("delete", "sessions"), ("delete", "second_factor")):
        assert api.request(method, f"/api/v1/users/999/{below}").status_code == 404
        ops_api = place.with_token(OPS, "write", "users")
        assert ops_api.request(method, f"{path}/{below}").status_code == 403


def test_sampled_page_requests_are_listed_and_explained(place: Office, api: httpx.Client) -> None:
    reader = place.visitor()
    reader.headers["user-agent"] = BROWSER
    body = {"site": "daily", "page": {"section": "tea"}, "slots": [{"slot": "article-top"}], "tally": ""}
    assert reader.post("/v1/fill", json=body).status_code == 200
    (page,) = api.get("/api/v1/pages").json()
    assert (page["site"], page["section"]) == ("daily", "tea")
    assert api.get("/api/v1/explain", params=page["question"]).json()["page"]["section"] == "tea"
    assert place.with_token("bank@bank.example", "read").get("/api/v1/pages").status_code == 403
