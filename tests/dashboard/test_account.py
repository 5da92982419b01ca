"""Who may use the dashboard: logins by OpenID Connect, roles passed on to a secured gateway, the end of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.processes import free_port
from dashboard import launch
from dashboard.account import account
from dashboard.login_file import token_kind
from serving.client import Client
from tests.dashboard.browsing import PATIENCE_MS, faults, take_sample
from tests.dashboard.identity import CLIENT, Provider
from tests.serving.security.authority import Authority
from zoo import errors

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

GOOD = """[auth]
redirect_uri = "https://here/oauth2callback"
cookie_secret = "0123456789abcdef0123456789abcdef"
client_id = "a"
client_secret = "b"
server_metadata_url = "https://there/.well-known/openid-configuration"
expose_tokens = "id"
"""


def test_a_login_file_that_nobody_could_log_in_by_is_refused(tmp_path):
    file = tmp_path / "login.toml"
    file.write_text(GOOD)
    assert token_kind(file) == "id"
    for good, bad, told in (
        ('client_id = "a"', "", "has no client_id"),
        ("0123456789abcdef0123456789abcdef", "short", "shorter than 32"),
        ('"id"', '["id", "access"]', "names the one token"),
        ("[auth]", "[author]", "no table"),
        ('"a"', '"a', "no TOML"),
    ):
        file.write_text(GOOD.replace(good, bad))
        with pytest.raises(errors.BadConfig, match=told):
            token_kind(file)
    with pytest.raises(errors.BadConfig, match="cannot be read"):
        token_kind(tmp_path / "none.toml")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "hospital.example"])
def test_the_dashboard_is_not_open_to_others_unless_somebody_says_so(host, tmp_path):
    with pytest.raises(errors.BadConfig, match="ask nobody who they are"):
        launch.run(host=host)
    launch.check_open(host, login=None, no_login=True)
    launch.check_open(host, login=tmp_path, no_login=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_one_person_at_their_own_machine_needs_no_login(host):
    launch.check_open(host, login=None, no_login=False)


def test_an_account_is_read_from_the_token_and_its_secret_is_not_shown():
    provider = Provider()
    try:
        token = provider.token("anne")
    finally:
        provider.stop()
    who = account({"name": "Dr Anne Example", "sub": "other"}, token)
    assert (who.subject, who.name, who.roles) == ("anne", "Dr Anne Example", ("clinician",))
    assert not who.expired
    assert token not in repr(who)


def test_an_opaque_token_is_known_by_the_identitys_claims():
    who = account({"sub": "anne", "email": "anne@example.org", "role": "clinician", "exp": 1}, "opaque")
    assert (who.subject, who.name, who.roles, who.expired) == ("anne", "anne@example.org", ("clinician",), True)


class Site:
    """A hospital: an identity provider, a gateway that believes its tokens, a dashboard that asks for a login."""

    def __init__(self, provider: Provider, address: str, authority: Path, gateway: str) -> None:
        self.provider, self.address, self.authority, self.gateway = provider, address, authority, gateway

    def visit(self, browser: Browser, person: str) -> Page:
        """A browser of its own, logged in."""
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(self.address)
        page.get_by_text("This dashboard is for people it knows.").wait_for()
        self.log_in(page, person)
        page.get_by_role("button", name="I have read this").click()
        page.get_by_text("How to begin").wait_for()
        return page

    def log_in(self, page: Page, person: str) -> None:
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("link", name=person).click()
        page.get_by_role("button", name="Log out").wait_for()


@pytest.fixture(scope="module")
def site(tmp_path_factory, registry: Path, model_server, samples: Path) -> Iterator[Site]:
    from serving.server import create_server
    from serving.settings import Settings

    folder = tmp_path_factory.mktemp("hospital")
    provider, authority, port = Provider(), Authority(folder), free_port()
    certificate, key = authority.sign("gateway")
    (folder / "keys.json").write_text(provider.keys())
    chosen: dict[str, object] = {
        "registry": registry,
        "model_server": f"localhost:{model_server.port}",
        "port": 0,
        "tls_certificate": certificate,
        "tls_key": key,
        "token_jwks": folder / "keys.json",
        "token_audience": CLIENT,
        "store": f"sqlite:///{folder / 'store.db'}",
        "watch_interval_s": 0.2,
    }
    gateway = create_server(Settings.from_environment({}, **chosen))
    gateway.start()
    address = f"http://localhost:{port}"
    login = provider.login_file(folder / "login.toml", f"{address}/oauth2callback")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("KERASCOPE_TLS_CA", str(authority.certificate))
        process = launch.start(host="127.0.0.1", port=port, gateway=gateway.address, samples=samples, login=login)
    assert launch.wait_until_up(port, timeout_s=60)
    yield Site(provider, address, authority.certificate, gateway.address)
    launch.stop(process)
    gateway.stop(0)
    provider.stop()


@pytest.mark.slow
def test_two_people_log_in_and_each_has_their_own_role_and_pictures(browser: Browser, site: Site):
    anne = site.visit(browser, "anne")
    anne.get_by_text("clinician").wait_for()
    take_sample(anne)
    anne.get_by_role("tab", name="Answer back").click()
    anne.get_by_role("button", name="Accept").or_(anne.get_by_role("radio", name="Accept")).first.click()
    anne.get_by_role("button", name="Send the answer").click()
    anne.get_by_role("cell", name="Dr Anne Example").wait_for()

    ben = site.visit(browser, "ben")  # an engineer: models, but no study
    ben.get_by_text("engineer").wait_for()
    assert ben.locator(".ks-finding").count() == 0
    ben.get_by_role("link", name="Worklist").click()
    ben.get_by_text("This is not for your role").first.wait_for()
    assert "Sample 1" not in ben.locator("body").inner_text()

    with Client(site.gateway, tls_ca=site.authority, token=site.provider.token("anne")) as client:
        (stored,) = client.analyses()
        assert [review.user for review in stored.reviews] == ["Dr Anne Example"]
    for page in (anne, ben):
        page.context.close()


@pytest.mark.slow
def test_the_door_speaks_the_browsers_language_and_leads_to_no_page(browser: Browser, site: Site):
    page = browser.new_context(locale="de-DE", color_scheme="dark").new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(site.address)
    page.get_by_role("button", name="Anmelden").wait_for()
    assert faults(page) == []
    assert page.get_by_role("link", name="Arbeitsliste").count() == 0
    page.context.close()


@pytest.mark.slow
def test_another_person_in_the_same_browser_finds_nothing_of_the_one_before(browser: Browser, site: Site):
    page = site.visit(browser, "anne")
    take_sample(page)
    page.get_by_role("button", name="Log out").click()
    page.get_by_text("This dashboard is for people it knows.").wait_for()
    site.log_in(page, "ben")
    page.get_by_role("button", name="I have read this").click()
    page.get_by_text("How to begin").wait_for()
    assert page.get_by_text("Ben Example").is_visible()
    assert page.locator(".ks-finding").count() == 0
    page.context.close()


@pytest.mark.slow
def test_the_page_notices_by_itself_that_the_login_has_ended(browser: Browser, site: Site):
    site.provider.seconds = 6
    try:
        page = browser.new_context().new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(site.address)
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("link", name="anne").click()
        page.get_by_text("Your login has ended.").wait_for()  # whether it was open for a while or not, nobody clicks
    finally:
        site.provider.seconds = 3600
    site.log_in(page, "anne")
    page.context.close()


@pytest.mark.slow
def test_a_session_of_one_is_emptied_before_another_takes_it(open_page: Callable[..., object], canned):
    script = """
import streamlit as st
from dashboard import account
account.only(st.session_state.pop("test-who", "anne"))
st.session_state.setdefault("studies", []).append("a picture of anne's")
"""
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_string(script, default_timeout=60).run()
    assert len(app.session_state["studies"]) == 1
    assert len(app.run().session_state["studies"]) == 2
    app.session_state["test-who"] = "ben"
    assert len(app.run().session_state["studies"]) == 1
