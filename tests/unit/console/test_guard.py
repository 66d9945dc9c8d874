"""What is refused: forged, stale, cross-site and unprivileged requests; and what every answer carries."""

from pathlib import Path

import pytest

from console.accounts.roles import Role
from console.web.login import next_path
from tests.support.console_events import alert, case_id, payment, raw
from tests.support.console_site import HOST, PASSWORD, Console, console
from tests.support.memory_topics import MemoryTopics

HOSTILE = [
    "<script>alert(1)</script>",
    "{{ 7*7 }}{% for %}",
    "\u202eevil\u2066",
    '" onmouseover="x',
    "x" * 10_000,
    "<!--",
    "&amp;",
]


def cases(desk: Console) -> int:
    return len(desk.topics.records["cases"])


@pytest.mark.parametrize("path", ["/queue", f"/case/{case_id(1)}", "/models", "/audit", "/controls"])
def test_nobody_reads_without_logging_in(desk: Console, path: str) -> None:
    answer = desk.visitor().get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/login?next={path}"


def test_a_form_without_the_sessions_token_is_forged(desk: Console) -> None:
    mira, tom = desk.logged_in("mira"), desk.logged_in("tom")
    for token in ("", "guess", tom.csrf()):
        form = {"csrf": token, "version": "0", "act": "claim"}
        assert mira.client.post(f"/case/{case_id(1)}/act", data=form).status_code == 403
    assert cases(desk) == 0


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.test"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}]
)
def test_a_form_from_another_site_is_refused_even_with_the_token(desk: Console, headers: dict[str, str]) -> None:
    mira = desk.logged_in("mira")
    form = {"csrf": mira.csrf(), "version": "0", "act": "claim"}
    assert mira.client.post(f"/case/{case_id(1)}/act", data=form, headers=headers).status_code == 403
    assert (
        desk.visitor().post("/login", data={"name": "mira", "password": PASSWORD}, headers=headers).status_code == 403
    )
    assert cases(desk) == 0


def test_a_form_from_our_own_page_is_taken(desk: Console) -> None:
    mira = desk.logged_in("mira")
    form = {"csrf": mira.csrf(), "version": "0", "act": "claim"}
    own = {"origin": HOST, "sec-fetch-site": "same-origin"}
    assert mira.client.post(f"/case/{case_id(1)}/act", data=form, headers=own).status_code == 303


def test_a_stale_form_changes_nothing(desk: Console) -> None:
    mira = desk.logged_in("mira")
    stale = mira.version(case_id(1))
    mira.act(case_id(1), "note", text="called")
    answer = mira.send(f"/case/{case_id(1)}/act", act="claim", version=stale)
    assert answer.status_code == 409
    assert "changed after your page was made" in answer.text
    assert "You hold" not in mira.get(f"/case/{case_id(1)}").text


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("/queue/next", Role.viewer),
        (f"/case/{case_id(1)}/act", Role.viewer),
        (f"/case/{case_id(1)}/verdict", Role.viewer),
        (f"/case/{case_id(1)}/group/device", Role.viewer),
        (f"/case/{case_id(1)}/assign", Role.analyst),
    ],
)
def test_a_role_that_may_not_is_refused(desk: Console, path: str, role: Role) -> None:
    browser = desk.logged_in("eve", role)
    assert browser.send(path, version="0", act="claim", to="eve", text="x").status_code == 403
    assert cases(desk) == 0
    assert [row["result"] for row in desk.site.accounts.audit(limit=1)] == ["role"]


def test_the_audit_is_for_leads(desk: Console) -> None:
    assert desk.logged_in("mira").get("/audit").status_code == 403
    page = desk.logged_in("lea", Role.lead).get("/audit")
    assert page.status_code == 200
    assert "log_in" in page.text


def test_wrong_passwords_are_limited(desk: Console) -> None:
    desk.site.accounts.put_user("mira", Role.analyst, PASSWORD)
    client = desk.visitor()
    answers = [client.post("/login", data={"name": "mira", "password": "wrong"}).status_code for _ in range(6)]
    assert answers == [403, 403, 403, 403, 403, 429]
    assert client.post("/login", data={"name": "mira", "password": PASSWORD}).status_code == 429


def test_logging_out_ends_the_session_on_the_server(desk: Console) -> None:
    mira = desk.logged_in("mira")
    cookies = dict(mira.client.cookies)
    assert mira.send("/logout").status_code == 303
    again = desk.visitor()
    again.cookies.update(cookies)
    assert again.get("/queue").status_code == 303


@pytest.mark.parametrize("wanted", ["https://evil.test", "//evil.test", "/\\evil.test", "evil", "/a\r\nX: y", ""])
def test_logging_in_leads_to_no_other_host(wanted: str) -> None:
    assert next_path(wanted) == "/queue"


def test_every_answer_carries_the_headers_that_browsers_enforce(desk: Console) -> None:
    mira = desk.logged_in("mira")
    for path in ("/queue", "/login", "/static/keys.js", "/nowhere", f"/case/{case_id(1)}"):
        headers = mira.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
    assert mira.get("/queue").headers["cache-control"] == "no-store"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(desk: Console, tmp_path: Path) -> None:
    desk.site.accounts.put_user("mira", Role.analyst, PASSWORD)
    set_cookie = (
        desk.visitor().post("/login", data={"name": "mira", "password": PASSWORD}).headers["set-cookie"].lower()
    )
    assert "httponly" in set_cookie
    assert "samesite=strict" in set_cookie
    with console(tmp_path / "tls", MemoryTopics(), console_https=True) as behind_tls:
        behind_tls.site.accounts.put_user("mira", Role.analyst, PASSWORD)
        answer = behind_tls.visitor().post("/login", data={"name": "mira", "password": PASSWORD})
        assert answer.headers["set-cookie"].startswith("__Host-")
        assert "secure" in answer.headers["set-cookie"].lower()
        assert "strict-transport-security" in answer.headers


def test_a_form_beyond_measure_is_not_read(desk: Console) -> None:
    mira = desk.logged_in("mira")
    answer = mira.client.post("/views", data={"csrf": mira.csrf(), "title": "x" * 300_000})
    assert answer.status_code == 413


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_every_field_is_shown_as_text(desk: Console, text: str) -> None:
    fields = {name: text for name, value in payment(77).items() if isinstance(value, str)}
    keep = {
        "type",
        "schema_version",
        "event_time",
        "transaction_id",
        "amount",
        "currency",
        "account_created_at",
        "card_added_at",
    }
    paid = payment(77, **{name: text for name in fields if name not in keep}, attributes={text: text})
    reasons = [{"code": "device", "text": text, "contribution": 1.0}]
    desk.topics.append("payments", "c", raw(paid))
    desk.topics.append("alerts", "c", raw(alert(77, paid=paid, gain=99.0, reasons=reasons)))
    desk.settle()
    mira = desk.logged_in("mira")
    mira.act(case_id(77), "note", text=text[:4000])
    for path in (f"/case/{case_id(77)}", "/queue", f"/case/{case_id(77)}/group/device"):
        page = mira.get(path)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert '" onmouseover' not in page.text
        assert "\u202e" not in page.text
        assert "49" not in page.text.split("<main")[1].split("</h1>")[0]
        assert "x" * 500 not in page.text
        assert "<!---" not in page.text


def test_a_viewer_sees_stand_ins_for_ids(desk: Console) -> None:
    analyst, viewer = (
        desk.logged_in("mira").get(f"/case/{case_id(1)}").text,
        desk.logged_in("eve", Role.viewer).get(f"/case/{case_id(1)}").text,
    )
    personal = payment(1)
    for field in ("customer_id", "device_id", "card_fingerprint", "ip", "email_hash", "phone_hash"):
        assert f">{personal[field]}<" in analyst
        assert f">{personal[field]}<" not in viewer
        assert f'"{personal[field]}"' not in viewer
    assert "loyalty_points" in analyst
    assert "loyalty_points" not in viewer


def test_the_header_of_a_proxy_counts_from_its_address_only(tmp_path: Path, topics: MemoryTopics) -> None:
    proxied = {"console_proxy_header": "X-User", "console_proxy_addresses": ("10.0.0.1",)}
    with console(tmp_path, topics, **proxied) as desk:
        desk.site.accounts.put_user("mira", Role.analyst, PASSWORD)
        assert desk.visitor("10.0.0.1").get("/queue", headers={"X-User": "mira"}).status_code == 200
        assert desk.visitor("10.0.0.2").get("/queue", headers={"X-User": "mira"}).status_code == 303
        assert desk.visitor("10.0.0.1").get("/queue", headers={"X-User": "nobody"}).status_code == 303
        assert desk.visitor("10.0.0.1").get("/queue").status_code == 303
