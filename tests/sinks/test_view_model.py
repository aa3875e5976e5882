"""The view model says what the engine knows, in one shape for page, API and metrics; what is not known is absent, never 0."""

import json
import time

import pytest

from monitor.core.capital import portfolio_capital_usd
from monitor.core.effects import EpisodeClosed
from monitor.core.events import Batch, Configured, Signal, Tick
from monitor.core.observation import Observation
from monitor.core.units import DAY, HOUR
from monitor.sinks.chart import Chart
from monitor.sinks.view_model import view_model
from tests.sinks.stage import BLOCK, END, START, Stage, approve_all, hour, play, position, settings


def shown(stage, **facts):
    return view_model(stage.engine, stage.facts(**facts))


def trigger(model, rule, subject):
    return next(t for t in model["triggers"] if (t["rule"], t["subject"]) == (rule, subject))


def short_play():
    """One hour of the story: enough to have a book, too little to have fired."""
    return play(end=START + HOUR)


def test_the_model_is_plain_finite_json(staged):
    assert json.loads(json.dumps(shown(staged), allow_nan=False))["now"]["at"] == END


def test_the_headline_says_what_fired_what_waits_and_whether_it_sees(staged):
    assert shown(staged)["headline"] == (
        "Three triggers fired, one layer waiting for your word. It is partly blind: anchor-feed is silent, two triggers cannot be judged."
    )


def test_before_anything_was_heard_the_headline_does_not_reassure():
    stage = Stage()
    stage.apply(Configured(START, settings()))
    model = shown(stage)
    assert model["sight"]["state"] == "starting"
    assert model["headline"] == "Nothing has fired. No source has been heard yet."


def test_a_store_on_which_no_daemon_ran_does_not_reassure_either():
    model = shown(Stage())
    assert model["headline"].startswith("Nothing has been judged here: no daemon has run on this store.")


def test_triggers_stand_in_the_order_fired_blind_nearest_not_set_up(staged):
    triggers = shown(staged)["triggers"]
    states = [t["verdict"] for t in triggers]
    assert states == ["FIRED"] * 3 + ["UNKNOWN"] * 2 + ["QUIET"] * 2 + ["NOT_CONFIGURED"] * 2
    assert triggers[0]["rule"] == "defi-layer"
    quiet = [t["distance"] for t in triggers if t["verdict"] == "QUIET"]
    assert quiet == sorted(quiet, reverse=True)


def test_a_trigger_carries_its_number_its_episode_and_its_evidence_with_ages(staged):
    shown_trigger = trigger(shown(staged, clock_ms=END + 90_000, story=None), "tvl-drawdown", "protocol:uniswap-v3")
    assert (shown_trigger["verdict"], shown_trigger["threshold"], shown_trigger["unit"]) == ("FIRED", -0.08, "fraction")
    assert shown_trigger["distance"] == pytest.approx((-0.08 - shown_trigger["value"]) / 0.08)
    assert shown_trigger["episode"]["open_since"] < END
    assert [e["metric"] for e in shown_trigger["evidence"]] == ["tvl.usd"]
    assert shown_trigger["evidence"][0]["age_seconds"] == 90.0


def test_a_blind_trigger_has_a_reason_and_no_number(staged):
    blind = trigger(shown(staged), "tvl-drawdown", "protocol:anchor")
    assert (blind["verdict"], blind["reason"]) == ("UNKNOWN", "tvl.usd protocol:anchor from anchor-feed is 4.0 h old")
    assert not {"value", "threshold", "distance", "episode"} & blind.keys()


def test_an_lp_shows_its_chain_integers_exactly_and_the_block_they_were_read_at(staged):
    lp = next(p for p in shown(staged)["positions"] if p["id"] == "eth-usdc")
    exact = {name: staged.engine.market.series(f"position.{name}", "eth-usdc", "ethereum").value[-1] for name in ("amount0", "liquidity")}
    assert (lp["amount0"], lp["liquidity"]) == (str(exact["amount0"]), str(exact["liquidity"]))
    assert int(lp["amount0"]) > 2**53
    assert lp["block_hash"] == BLOCK


def test_an_lp_without_a_price_or_read_long_ago_still_shows_what_its_block_said():
    stage = Stage()
    stage.apply(Configured(START, settings()))
    for now in (START, START + HOUR, START + 2 * HOUR):
        stage.apply(Batch(now, "ethereum", tuple(position(now))))
    stage.apply(Tick(START + 9 * HOUR))
    lp = shown(stage)["positions"][0]
    assert lp["unknown"] == "position.liquidity eth-usdc from ethereum is 7.0 h old"
    read = {row.metric: str(row.value) for row in position(START + 2 * HOUR)}
    assert {f"position.{name}": lp[name] for name in ("liquidity", "amount0", "amount1", "fees0", "fees1")}.items() <= read.items()
    assert (lp["block_hash"], lp["at"]) == (BLOCK, START + 2 * HOUR)
    assert not {"value_usd", "amounts", "delta_usd"} & lp.keys()


def test_an_lp_whose_numbers_are_not_of_one_block_shows_none_of_them_F_042():
    stage = short_play()
    first, *_ = position(START + 2 * HOUR)
    stage.apply(Batch(START + 2 * HOUR, "ethereum", (first,)))
    lp = shown(stage)["positions"][0]
    assert lp["unknown"] == "the position's numbers come from more than one block, instant or source"
    assert not {"liquidity", "amount0", "block_hash", "at"} & lp.keys()


def test_equity_is_the_sum_of_the_positions_and_a_perp_is_worth_its_margin(staged):
    model = shown(staged)
    held = {p["id"]: p["value_usd"] for p in model["positions"]}
    assert model["book"]["equity_usd"] == pytest.approx(held["eth-usdc"] + held["wallet"] + held["btc-short"])
    assert model["book"]["capital_usd"] == portfolio_capital_usd(staged.engine.view())
    assert model["book"]["net_delta_usd"]["BTC"] == pytest.approx(-held["btc-short"] / 0.2)


def test_a_position_without_a_price_is_unknown_and_the_book_has_no_equity():
    stage = short_play()
    stage.apply(
        Configured(START + HOUR, {**settings(), "positions": [*settings()["positions"], {"id": "dust", "kind": "tokens", "amounts": {"DOGE": 5}}]})
    )
    model = shown(stage)
    assert model["positions"][-1] == {"id": "dust", "kind": "tokens", "layers": [], "unknown": "no fresh price of DOGE"}
    assert model["book"]["unvalued"] == ["dust"]
    assert model["book"]["valued_usd"] > 0
    assert not {"equity_usd", "protected_ratio", "capital_usd", "session"} & model["book"].keys()


def test_a_book_without_positions_has_no_equity_and_says_no_zero():
    stage = short_play()
    stage.apply(Configured(START + HOUR, settings(positions=[])))
    assert not {"equity_usd", "net_delta_usd", "protected_ratio", "capital_usd", "session"} & shown(stage)["book"].keys()


def test_active_layers_protect_and_are_taken_off_the_net_delta():
    stage = play()
    before = shown(stage)["book"]
    approve_all(stage)
    after, layer = shown(stage), next(iter(stage.engine.state.ledger)).proposal
    assert before["protected_ratio"] == 0
    price = stage.engine.view().price_usd("ETH")
    # The coins were sold at the price of the quote; what they are worth moves on.
    assert price != layer.price_usd
    assert after["book"]["net_delta_usd"]["ETH"] == pytest.approx(before["net_delta_usd"]["ETH"] - layer.notional_usd / layer.price_usd * price)
    assert after["book"]["protected_ratio"] == pytest.approx(layer.notional_usd / before["net_delta_usd"]["ETH"])
    assert after["ladder"][0]["notional_usd"] == {"active": layer.notional_usd}
    assert after["headline"].startswith("Three triggers fired, one layer in force, one layer refused for now.")


def test_the_room_of_the_session_is_what_the_layers_of_today_have_left():
    stage = play(end=START + 10 * DAY + 21 * HOUR)  # the layer was proposed this hour
    session = shown(stage)["book"]["session"]
    layer = next(iter(stage.engine.state.ledger)).proposal
    capital = shown(stage)["book"]["capital_usd"]
    assert session["cap_usd"] == pytest.approx(0.25 * 0.10 * capital)
    assert session["used_usd"] == layer.capital_usd
    assert session["left_usd"] == max(0.0, session["cap_usd"] - layer.capital_usd)
    assert session["left_by_tier_usd"]["short"] == max(0.0, min(session["left_usd"], session["cap_usd"] / 2 - layer.capital_usd))


def test_without_its_gate_there_is_no_room_of_a_session():
    stage = short_play()
    assert "session" in shown(stage)["book"]
    stage.apply(Configured(START + HOUR, settings(gates={})))
    assert "session" not in shown(stage)["book"]
    assert all("left_usd" not in tier for tier in shown(stage)["ladder"])


def test_a_refused_layer_stands_with_every_gate_and_those_that_were_not_built(staged):
    model = shown(staged)
    held = model["held"][0]
    assert (held["position"], held["reason"].split(":")[0]) == ("wallet", "macro-blackout")
    outcomes = {gate["gate"]: gate["outcome"] for gate in held["gates"]}
    assert outcomes["macro-blackout"] == "block"
    assert outcomes["session-cap"] == "pass"
    assert outcomes["consensus"] == "not_built"
    assert model["gates"] == [
        {"id": "macro-blackout", "title": "No new layer around CPI, PPI and FOMC", "blocked": 1},
        {"id": "session-cap", "title": "At most 25% of the defined-risk capital in new layers a day", "blocked": 0},
    ]


def test_a_refusal_is_shown_no_longer_than_what_asked_for_the_layer():
    stage = play()
    assert [one["position"] for one in shown(stage)["held"]] == ["wallet"]
    rule = next(iter(stage.engine.state.held.values())).proposal
    stage.engine.state.fold(EpisodeClosed(END, rule.rule, rule.subject, rule.episode_since, "past its exit"))
    assert shown(stage)["held"] == []


SOURCES = [("defillama", "up"), ("anchor-feed", "down")]


@pytest.mark.parametrize(("name", "state"), SOURCES)
def test_a_source_is_up_or_down_with_its_age(staged, name, state):
    source = next(s for s in shown(staged)["sources"] if s["id"] == name)
    assert (source["state"], source["up"]) == (state, state == "up")
    assert source["age_seconds"] == (END - source["heard_at"]) / 1000


def test_a_source_that_was_never_heard_waits_and_has_no_age():
    stage = Stage()
    stage.apply(Configured(START, settings()))
    source = shown(stage)["sources"][0]
    assert (source["state"], source["up"]) == ("waiting", False)
    assert not {"heard_at", "age_seconds"} & source.keys()


def test_ages_grow_with_the_clock_when_no_event_comes(staged):
    source = shown(staged, clock_ms=END + 3 * HOUR, story=None)["sources"][0]
    assert (source["age_seconds"], source["state"]) == (3 * 3600, "late")


def test_the_markets_are_absent_once_they_are_stale():
    stage = short_play()
    assert {p["asset"] for p in shown(stage)["markets"]["prices"]} == {"BTC", "ETH"}
    assert {t["subject"] for t in shown(stage)["markets"]["tvl"]} == {"protocol:uniswap-v3", "protocol:anchor", "chain:ethereum"}
    stage.apply(Batch(START + 30 * HOUR, "bls", ()))
    assert shown(stage)["markets"] == {"prices": [], "funding": [], "tvl": []}


def test_funding_is_annualised_over_the_interval_in_force(staged):
    rows = {(row["venue"], row["asset"]): row["annualised_ratio"] for row in shown(staged)["markets"]["funding"]}
    assert rows["binance", "ETH"] == pytest.approx(0.00006 * (1 - 2.2) * 8760 / 8)


def test_facts_that_the_shell_did_not_measure_are_absent(staged):
    unmeasured = {"outbox_pending": None, "outbox_oldest_seconds": None, "loop_lag_seconds": None, "decision_seconds": None, "story": None}
    model = shown(staged, **unmeasured, notice="", chart=None)
    assert not unmeasured.keys() & model["health"].keys()
    assert not {"story", "notice"} & model["now"].keys()
    assert "chart" not in model


def test_it_is_cheap_enough_to_be_made_every_second(staged):
    facts = staged.facts()
    started = time.process_time()
    for _ in range(20):
        view_model(staged.engine, facts)
    assert (time.process_time() - started) / 20 < 0.05


# --- decisions ----------------------------------------------------------------------------------------------------------


def sentences(stage, kind):
    return [d["sentence"] for d in stage.decisions.recent() if d["kind"] == kind]


def test_each_decision_is_one_plain_sentence(staged):
    assert sentences(staged, "proposed")[0].startswith("Proposed a short perp on ETH of ")
    assert sentences(staged, "refused") == [
        "Refused a layer for wallet, because macro-blackout: the CPI of 2022-05-11 is 11.5 h away; the window is open until 2 h after it"
    ]
    assert "tvl-drawdown fired for protocol:uniswap-v3: TVL of protocol:uniswap-v3 is -8.3%" in sentences(staged, "fired")[1]
    assert sentences(staged, "source") == ["Source anchor-feed is down: HTTP 503 from the gateway, 3 tries"]
    assert sentences(staged, "blind")[-1].startswith("tvl-drawdown for protocol:anchor cannot be judged: ")


def test_a_decision_opens_into_its_evidence_and_gates(staged):
    refused = next(d for d in staged.decisions.recent() if d["kind"] == "refused")
    assert [c["name"] for c in refused["conditions"]] == ["tvl-drawdown", "macro-rising"]
    assert refused["gates"][-1]["outcome"] == "not_built"
    fired = next(d for d in staged.decisions.recent() if d["kind"] == "fired" and d["rule"] == "tvl-drawdown")
    assert fired["evidence"][0]["metric"] == "tvl.usd"


def test_the_blindness_of_a_start_is_no_decision():
    stage = Stage()
    stage.apply(Configured(START, settings()))
    assert stage.decisions.recent() == ()


def test_seeing_again_is_told_once():
    stage = play()
    anchor = tuple(Observation("tvl.usd", "protocol:anchor", "anchor-feed", END + i * HOUR, END + i * HOUR, 1.3e10) for i in range(-9, 2))
    stage.apply(Batch(END + HOUR, "anchor-feed", anchor))
    told = sentences(stage, "seeing")
    assert [s.split(" can be")[0] for s in told] == ["defi-layer for protocol:anchor", "tvl-drawdown for protocol:anchor"]


def test_quoting_anew_is_not_proposing_twice(staged):
    assert len(sentences(staged, "proposed")) == 1


def test_what_the_operator_did_is_told_with_who():
    stage = play()
    layer = next(iter(stage.engine.state.ledger))
    stage.apply(Signal(END, "s1", "alice", "approve", layer.id))
    stage.apply(Signal(END, "s2", "bob", "activate", layer.id, note="filled at 2,270"))
    newest = [d["sentence"] for d in stage.decisions.recent()[:2]]
    assert newest == [
        "The short perp in ETH for eth-usdc is active, by bob: filled at 2,270",
        "The short perp in ETH for eth-usdc is approved, by alice",
    ]


# --- chart --------------------------------------------------------------------------------------------------------------


def test_the_chart_draws_the_largest_delta_and_the_first_tvl_that_is_watched(staged):
    chart = shown(staged)["chart"]
    assert (chart["asset"], chart["tvl_subject"]) == ("ETH", "protocol:uniswap-v3")
    assert len(chart["at"]) == len(chart["price_usd"]) == len(chart["tvl_usd"]) == 14 * 24 + 1
    assert chart["at"][-1] == END


def test_the_tvl_that_fired_is_the_one_that_is_drawn(staged):
    marks = ({"at": END - DAY, "mark": "fired", "label": "", "rule": "tvl-drawdown", "subject": "chain:ethereum"},)
    assert (Chart().draw(staged.engine, marks) or {})["tvl_subject"] == "chain:ethereum"
    past = ({**marks[0], "at": END - 15 * DAY},)
    assert (Chart().draw(staged.engine, past) or {})["tvl_subject"] == "protocol:uniswap-v3"


def test_a_story_is_as_old_as_what_was_told_of_it(staged):
    assert shown(staged, clock_ms=END + DAY)["now"]["at"] == END
    assert shown(staged, clock_ms=END + DAY, story=None)["now"]["at"] == END + DAY


def test_a_hole_in_the_data_is_a_hole_in_the_line():
    stage = play(end=START + 10 * HOUR)
    hour(stage, START + 20 * HOUR)
    prices = (stage.chart.draw(stage.engine) or {})["price_usd"]
    assert prices[-1] is not None
    assert prices[-3:-1] == [None, None]


def test_a_daemon_that_wakes_up_long_after_its_last_price_has_nothing_to_draw():
    stage = play(end=START + 10 * HOUR)
    stage.engine.apply(Tick(START + 60 * DAY))
    assert stage.chart.draw(stage.engine) is None


def test_the_chart_marks_layers_and_the_episodes_of_what_it_draws(staged):
    marks = shown(staged)["chart"]["marks"]
    assert {(m["mark"], m.get("rule")) for m in marks} == {
        ("fired", "tvl-drawdown"),
        ("fired", "defi-layer"),
        ("proposed", None),
        ("refused", None),
    }
    assert {m["subject"] for m in marks if "subject" in m} == {"protocol:uniswap-v3"}


def test_the_chart_is_drawn_anew_only_when_there_is_something_new(staged):
    first = staged.chart.draw(staged.engine, staged.decisions.marks())
    assert staged.chart.draw(staged.engine, staged.decisions.marks()) is first
