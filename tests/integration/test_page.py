"""The page in a real browser: it loads clean, shows what there is, follows what happens, and never runs what a source calls itself."""

import re
from contextlib import asynccontextmanager

import pytest

from monitor.core.events import Configured, Failed
from monitor.core.units import HOUR
from monitor.sinks.http import Face
from monitor.sinks.metrics import Exposition
from monitor.sinks.view_model import view_model
from tests.integration.tools import chromium_path
from tests.sinks.stage import END, START, Stage, approve_all, hour, play, settings

WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
HOSTILE = '<img src=x onerror="window.robbed=1"><script>window.robbed=1</script>\u202e@everyone'


@pytest.fixture(scope="module")
def chromium():
    """The path of a browser, or the test is skipped with a line that says how to get one."""
    pytest.importorskip("playwright", reason="playwright is missing: pip install playwright")
    return str(chromium_path())


class Browser:
    """One browser, one page at a time, and everything it complained of or asked for."""

    def __init__(self, browser, face, port):
        self.browser, self.face, self.address = browser, face, f"http://127.0.0.1:{port}/"
        self.complaints, self.requests = [], []

    async def open(self, viewport=WIDE, **options):
        context = await self.browser.new_context(viewport=viewport, **options)
        page = await context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text) if message.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        await page.goto(self.address)
        await page.wait_for_selector("#link[data-state=live]")
        await page.wait_for_selector("#strip .value")
        return page


@asynccontextmanager
async def looking_at(stage, chromium, change=lambda model: model):
    from playwright.async_api import async_playwright

    def snapshot():
        return change(view_model(stage.engine, stage.facts()))

    face = Face(snapshot, Exposition(snapshot), interval_seconds=0.05)
    port = await face.start("127.0.0.1", 0)
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=flags)
        try:
            yield Browser(browser, face, port)
        finally:
            await browser.close()
            await face.stop()


@pytest.fixture(scope="module")
def told():
    """The story at its end; tests that go on with it play their own."""
    return play()


async def text_of(page, selector):
    return re.sub(r"\s+", " ", await page.inner_text(selector))


async def until_opened(page, disclosure="details"):
    """The inside is built by the `toggle` event, which a browser sends some time after the click or the key."""
    await page.wait_for_selector(f"{disclosure}[open]")
    filled = "name => [...document.querySelectorAll(name + '[open] > .inside')].every(inside => inside.childElementCount > 0)"
    await page.wait_for_function(filled, arg=disclosure)


async def test_it_loads_without_a_complaint_and_asks_nobody_else(told, chromium):
    async with looking_at(told, chromium) as look:
        page = await look.open()
        await page.wait_for_selector("#chart canvas")
        assert look.complaints == []
        assert {url.split("/")[2] for url in look.requests} == {look.address.split("/")[2]}


async def test_one_look_tells_what_fired_what_is_proposed_and_what_is_blind(told, chromium):
    async with looking_at(told, chromium) as look:
        page = await look.open()
        headline = await text_of(page, "h1")
        assert headline.startswith("Three triggers fired, one layer waiting for your word. It is partly blind: anchor-feed is silent")
        first = await text_of(page, ".trigger >> nth=0")
        assert "defi-layer · protocol:uniswap-v3" in first and "Fired for 27 h" in first and "macro-rising" in first
        ladder = await text_of(page, "#ladder")
        assert "Short perp on ETH for eth-usdc" in ladder and "Refused macro-blackout" in ladder
        assert "9 h ago" in await text_of(page, ".source[data-state=down]")
        assert await page.title() == "(3) Hedge monitor"


async def test_a_bar_passes_its_threshold_when_the_rule_has_fired_and_not_before(told, chromium):
    async with looking_at(told, chromium) as look:
        page = await look.open(reduced_motion="reduce")
        widths = await page.eval_on_selector_all(
            ".trigger",
            "rows => rows.map(r => [r.dataset.verdict, r.querySelector('.track i').offsetWidth / r.querySelector('.track').offsetWidth])",
        )
        assert all((width > 0.7) == (verdict == "FIRED") for verdict, width in widths if verdict in {"FIRED", "QUIET"})
        assert {verdict for verdict, _ in widths} >= {"FIRED", "QUIET", "UNKNOWN"}


async def test_it_follows_what_happens_and_keeps_what_was_opened(chromium):
    stage = play()
    async with looking_at(stage, chromium) as look:
        page = await look.open()
        await page.click(".layer summary")
        await until_opened(page, ".layer")
        assert await page.locator(".layer[open] .gates li").count() == 2
        approve_all(stage)
        stage.apply(Failed(END, "okx", "HTTP 500"))
        look.face.publish()
        await page.wait_for_selector(".layer[data-state=active][open]")
        assert "one layer in force" in await text_of(page, "h1")
        assert "The short perp in ETH for eth-usdc is active, by alice" in await text_of(page, "#decisions")
        assert "HTTP 500" in await text_of(page, ".source[data-state=failing]")
        assert look.complaints == []


async def test_time_moves_on_the_page(chromium):
    stage = play(end=START + HOUR)
    async with looking_at(stage, chromium) as look:
        page = await look.open()
        assert await text_of(page, "#clock") == "28 Apr 2022, 01:00 UTC"
        hour(stage, START + 2 * HOUR)
        look.face.publish()
        await page.wait_for_selector("#clock:has-text('02:00')")


async def test_it_says_when_the_monitor_is_gone_and_finds_it_again(told, chromium):
    async with looking_at(told, chromium) as look:
        page = await look.open()
        await look.face.stop()
        await page.wait_for_selector("#link[data-state=lost]")
        assert "may be old" in await text_of(page, "#link")


@pytest.mark.parametrize("viewport", [NARROW, {"width": 320, "height": 700}, {"width": 768, "height": 900}])
async def test_nothing_is_wider_than_the_window(told, chromium, viewport):
    async with looking_at(told, chromium) as look:
        page = await look.open(viewport)
        for summary in await page.query_selector_all("details:not(.more) > summary"):
            if await summary.is_visible():
                await summary.click()
        await until_opened(page)
        assert await page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


async def test_the_keyboard_alone_opens_a_decision_into_its_evidence(told, chromium):
    async with looking_at(told, chromium) as look:
        page = await look.open()
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.className") == "skip"
        decision = page.locator("details.decision", has_text="Refused a layer for wallet")
        for _ in range(60):
            await page.keyboard.press("Tab")
            if await decision.locator("summary").evaluate("summary => summary === document.activeElement"):
                break
        await page.keyboard.press("Enter")
        await until_opened(page, "details.decision")
        opened = await decision.inner_text()
        assert "macro-blackout blocked it" in opened and "Not built yet, so not asked: " in opened


async def test_a_screen_reader_hears_headings_lists_and_live_regions(told, chromium):
    async with looking_at(told, chromium) as look:
        page = await look.open()
        headings = await page.eval_on_selector_all("h2", "all => all.map(one => one.textContent)")
        assert headings == ["Triggers", "The ladder", "The book", "Sources", "Price and TVL", "Decisions"]
        assert await page.get_attribute("h1", "aria-live") == "polite"
        unnamed = await page.eval_on_selector_all("section", "all => all.filter(one => !one.hasAttribute('aria-labelledby')).length")
        assert unnamed == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_stands_out_from_its_ground(told, chromium, scheme):
    """WCAG AA: 4.5 to 1 for every colour that text is set in."""
    async with looking_at(told, chromium) as look:
        page = await look.open(color_scheme=scheme)
        names = ["--ink", "--soft", "--near-text", "--fired", "--blind", "--propose", "--good"]
        script = "n => ['--paper', ...n].map(x => getComputedStyle(document.documentElement).getPropertyValue(x).trim())"
        paper, *colours = await page.evaluate(script, names)
        weak = {name: round(contrast(colour, paper), 2) for name, colour in zip(names, colours, strict=True) if contrast(colour, paper) < 4.5}
        assert weak == {}


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


async def test_f_144_f_096_hostile_names_are_shown_and_never_run(told, chromium):
    """Every text that could come from outside, set to markup: the page shows it as text, and builds no element from it."""
    async with looking_at(told, chromium, hostile_model) as look:
        page = await look.open()
        for summary in await page.query_selector_all("details > summary"):
            if await summary.is_visible():
                await summary.click()
        await until_opened(page)
        assert await page.evaluate("window.robbed") is None
        assert await page.locator("img").count() == 0
        assert await page.locator("script").count() == 2
        assert "<script>window.robbed=1</script>" in await text_of(page, "h1")
        assert look.complaints == []


def hostile_model(value, key=""):
    kept = {"verdict", "state", "tier", "outcome", "kind", "mark", "tone", "class", "instrument"}
    if isinstance(value, dict):
        return {k: hostile_model(v, k) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [hostile_model(v, key) for v in value]
    return HOSTILE if isinstance(value, str) and key not in kept else value


async def test_a_start_without_anything_is_a_calm_page(chromium):
    stage = Stage()
    stage.apply(Configured(START, settings(positions=[], sources={}, rules={}, gates={})))
    async with looking_at(stage, chromium) as look:
        page = await look.open()
        for section in ("#book", "#chart", "#decisions", "#sources"):
            assert not await page.is_visible(section)
        assert look.complaints == []
