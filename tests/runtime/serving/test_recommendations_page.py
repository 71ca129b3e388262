"""The page that shows how recommendations come about, in a real browser, of a real service with its updater."""

import socket
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.runtime.serving.browser import CHROMIUM, Browser
from tests.runtime.serving.conftest import Worker, run_worker
from tests.runtime.serving.live_shop.purchases import NAMES
from tests.runtime.serving.live_shop_processes import SERVICE, fill, updating, write_live_shop_bundle
from tests.runtime.serving.valkey_process import Valkey

pytestmark = [pytest.mark.process, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")]

TOKEN = "a-token-of-16-characters"  # noqa: S105 - a made-up one
ITEMS = "[...document.querySelectorAll('#list tbody tr')].map(row => JSON.parse(row.dataset.item))"
# Whatever reaches beyond the section that it is in, or beyond the page.
CUT_OFF = """[...document.querySelectorAll('body *')].filter(one => {
  const box = one.closest('section')?.getBoundingClientRect(), own = one.getBoundingClientRect();
  return own.right > Math.min(box?.right ?? Infinity, document.documentElement.clientWidth) + 1;
})"""
SAID = "document.getElementById('said').textContent"


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """A worker of the live shop and its updater; it asks for a token."""
    folder = tmp_path_factory.mktemp("page")
    bundle = write_live_shop_bundle(folder / "versions").folder
    with Valkey(folder) as valkey, updating(valkey), socket.create_server(("127.0.0.1", 0), backlog=1024) as made:
        fill(valkey)
        running = run_worker(made, bundle, service=SERVICE, MLSD_STORE_URL=valkey.url, MLSD_TOKEN=TOKEN)
        yield running
        running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all tests of the module."""
    with Browser() as running:
        yield running


@pytest.fixture
def page(worker: Worker, browser: Browser) -> Iterator[Browser]:
    """The page, with the token typed in and the first list shown; no error is left unsaid."""
    browser.open(f"{worker.url}/docs/recommendations")
    browser.wait("document.getElementById('guard').hidden === false")
    browser.faults.clear()  # the 401 that asks for the token
    browser.run("document.getElementById('token').focus()")
    browser.type(TOKEN)
    browser.press("Tab")
    browser.wait(f"{ITEMS}.length")
    yield browser
    assert browser.faults == []


def ask(page: Browser, user: str) -> None:
    """Type a user and press Enter, as with a keyboard."""
    page.run("document.getElementById('said').textContent = ''")
    page.run("document.getElementById('user').select()")
    page.type(user)
    page.press("Enter", "\r")
    page.wait(f"{SAID}.includes(' items in ')")


def test_without_the_token_the_page_shows_nothing(worker: Worker) -> None:
    """The page itself is open, what it loads is not; and it loads nothing from elsewhere."""
    page = httpx.get(f"{worker.url}/docs/recommendations")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "live-shop" not in page.text
    assert httpx.get(f"{worker.url}/openapi.json").status_code == 401
    assert httpx.post(f"{worker.url}/docs/recommendations").status_code == 405


def test_the_page_shows_how_the_list_came_about(page: Browser, worker: Worker) -> None:
    """Items in order with sources and why, the history, candidates by source, stages: as the trace has them."""
    ask(page, "3")
    headers = {"authorization": f"Bearer {TOKEN}", "x-mlsd-trace": "1"}
    answer = httpx.post(f"{worker.url}/recommend", json={"user_id": 3}, headers=headers).json()
    assert page.run(ITEMS) == [one["item"] for one in answer["items"]]
    shown = page.run("document.getElementById('list').innerText")
    for one in answer["items"]:
        assert all(text in shown for text in (one["describe"], *one["sources"], *one["why"]))
    history = page.run("[...document.querySelectorAll('#history li')].map(li => li.firstChild.textContent)")
    assert history == [one["describe"] for one in answer["trace"]["history"]]
    titles = page.run("[...document.querySelectorAll('#candidates h3')].map(h => h.firstChild.textContent.trim())")
    assert titles == list(answer["trace"]["candidates"])
    stages = page.run("[...document.querySelectorAll('#stages tbody tr')].map(row => row.cells[0].textContent)")
    assert stages == ["fetch", "retrieve"]


def test_real_requests_are_offered(page: Browser) -> None:
    """The picker has the users of the bundle's requests; choosing one shows that user's list."""
    offered = page.run("[...document.querySelectorAll('#examples option')].map(one => one.textContent)")
    assert offered == [f"user_id {user}" for user in range(6)]
    before = page.run(ITEMS)
    page.run("{ const s = document.getElementById('examples'); s.value = '2'; s.dispatchEvent(new Event('change')); }")
    page.wait(f"JSON.stringify({ITEMS}) !== {str(before).replace(' ', '')!r}")
    assert page.run("document.getElementById('user').value") == "2"
    ask(page, "3")
    assert page.run("document.getElementById('examples').selectedOptions[0].textContent") == "user_id 3"
    ask(page, "77")
    assert page.run("document.getElementById('examples').selectedIndex") == -1
    ask(page, "2")
    assert page.run(ITEMS)[:3] == [4, 3, 2]


def test_somebody_unknown_is_a_cold_start(page: Browser) -> None:
    """A user of whom nothing is known gets what is popular, and the page says so."""
    page.run("document.getElementById('unknown').click()")
    page.wait("document.getElementById('marks').textContent.includes('cold start')")
    assert page.run("Number(document.getElementById('user').value)") > 10**6
    assert page.run(ITEMS) == [0, 2, 4, 6, 8, 10]
    assert "Nothing is known" in page.run("document.getElementById('history').textContent")


def test_an_event_sent_from_the_page_changes_the_list(page: Browser) -> None:
    """With the keyboard alone: a purchase of the last item reaches history and list, marked as new, focus kept."""
    ask(page, "1")
    before = page.run(ITEMS)
    page.run("[...document.querySelectorAll('#list button')].at(-1).focus()")
    page.press("Enter", "\r")
    page.wait(f"{SAID}.includes('The history knew it after')")
    after = page.run(ITEMS)
    assert after != before
    history = page.run("[...document.querySelectorAll('#history li')].map(li => li.innerText)")
    assert history[0].startswith(NAMES[before[-1]])
    assert history[0].endswith("new")
    assert [line.endswith("new") for line in history[1:]] == [False] * (len(history) - 1)
    moved = page.run(
        "[...document.querySelectorAll('#list tbody tr')].map(row => row.querySelector('.change')?.textContent ?? '')"
    )
    places = {item: place for place, item in enumerate(before)}
    assert moved == [_moved(places.get(item), place) for place, item in enumerate(after)]
    assert page.run("document.activeElement.ariaLabel") == f"Bought now: {NAMES[before[-1]]}"
    page.resize(390)
    assert page.run(f"{CUT_OFF}.map(one => one.outerHTML)") == []
    page.resize(1280)


def _moved(was: int | None, place: int) -> str:
    if was is None:
        return "new"
    return "" if was == place else f"{'▲' if was > place else '▼'} {abs(was - place)}"


def test_what_is_no_request_is_said(page: Browser) -> None:
    """A request that is no JSON, and one that does not fit, are told with what is wrong; the page goes on."""
    page.run("document.getElementById('request').value = '{'")
    page.run("document.getElementById('send').click()")
    page.wait(f"{SAID}.includes('not JSON')")
    page.run('document.getElementById(\'request\').value = \'{"user_id": 1, "k": "x"}\'')
    page.run("document.getElementById('send').click()")
    page.wait(f"{SAID}.includes('k: ')")
    page.faults.clear()  # the 422
    page.run("document.getElementById('request').value = '{\"user_id\": 1}'")
    ask(page, "4")
    assert page.run(ITEMS)[:3] == [6, 5, 4]


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_cut_off(page: Browser, width: int) -> None:
    """Wide or narrow, nothing reaches beyond its section or the page, and every field and button has a name."""
    ask(page, "5")
    page.resize(width)
    assert page.run(f"{CUT_OFF}.map(one => one.outerHTML)") == []
    named = "one.ariaLabel || one.labels?.length || (one.tagName === 'BUTTON' && one.textContent)"
    seen = "[...document.querySelectorAll('input,select,textarea,button')].filter(one => one.checkVisibility())"
    unnamed = f"{seen}.filter(one => !({named}))"
    assert page.run(f"{unnamed}.map(one => one.outerHTML)") == []


def test_the_docs_lead_to_the_page_where_there_are_recommendations(
    page: Browser, worker: Worker, start: Callable[..., Worker]
) -> None:
    """A link for a service that recommends; for one that decides neither link nor page."""
    for url, hidden in ((worker.url, False), (start().url, True)):
        page.open(f"{url}/docs")
        page.wait("document.getElementById('title').textContent !== '…'")
        if not hidden:
            page.faults.clear()  # the 401 that asks for the token
            page.run("document.getElementById('token').focus()")
            page.type(TOKEN)
            page.press("Tab")
        page.wait("document.querySelectorAll('section').length")
        assert page.run("document.getElementById('lists').hidden") is hidden
        assert page.run("document.querySelector('textarea').value.length") > 2
        assert page.run("[...document.querySelectorAll('table')].every(one => one.rows.length > 1)")
    assert httpx.get(f"{url}/docs/recommendations").status_code == 404
