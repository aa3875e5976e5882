"""DeFi hedge monitor: says when to add a layer of protection, how large, at what cost, and if not now, why not.

The flow: in, think, out.

    collectors -> readings -> the door -> event log -> engine (rules, gates) -> effects -> ledger and outbox -> sinks

Five files tell the whole story: core/engine.py (one event in, effects out), core/rule.py (what a rule and a gate are),
rules/tvl_drawdown.py (a rule), pipeline.py (think, commit, show) and app.py (who is connected to whom).

Imports run down this list, never up, and never between siblings (pyproject.toml holds it).

Speaking to people:

    cli/                        commands, one file each
    commands.py                 what a command may do beside a running daemon: leave a word in its inbox
    backfill.py                 history into the store, page by page; stopped at any time, it goes on where it was
    discovery.py                the positions that an owner holds, for `init`
    probes.py                   what `check` asks of every source, chain, store and channel

Running:

    app.py                      builds the object graph; the only module that knows every other
    shell.py                    what the daemon knows beyond the engine: newest decisions, chart, timings
    daemon.py                   the loop: read a feed, think, commit, show; beside it sender, inbox and port
    story/                      the built-in stress that `demo` plays
    story/feed.py               plays it: a feed like any other, with a clock of its own
    story/scenario.py           the story as a daemon meets it
    story/venues.py             what each source says at an instant
    story/book.py               whose book it is
    story/liquidity.py          its liquidity position, to the unit
    story/loan.py               its loan
    story/macro.py              its inflation and its calendar
    story/paths.py              the lines of the plot with a market's noise
    story/plot.py               every number that was chosen
    replay/                     time-shifting: the same engine on history, unable to notify
    replay/runner.py            the two orders of the same facts: as they could be known, as they were received
    replay/report.py            replay as lines
    replay/explain.py           why a rule fired, or why not: replay, stopped at an instant
    replay/audit.py             the journal thought again must give the recorded decisions, byte for byte
    replay/measure.py           what rules did over a history: episodes, share of time, lead to the next low
    replay/rule_tests.py        unit tests of rules, as promtool has them
    feeds.py                    where events come from: supervised pollers and a ticker
    imports.py                  observations from and to CSV
    spool.py                    rows that wait on disk until the last of their file is checked
    dashboards/                 Grafana and Prometheus files as code, made from the names that sinks/metrics.py exports
    dashboards/overview.py      the dashboard "Overview"
    dashboards/liquidity.py     the dashboard "LP and lending"
    dashboards/alarms.py        alerting and recording rules
    dashboards/queries.py       queries that cannot ask for what is not served
    dashboards/grafana.py       the parts of a dashboard, typed
    config/                     one YAML file and the environment, read into frozen settings, every mistake at once
    config/load.py              the order of reading: file, environment, sections
    config/model.py             what a configuration holds once it is read
    config/yaml_text.py         YAML whose every scalar stays text and remembers its line
    config/environment.py       any setting by environment
    config/draft.py             the settings as written, the place of each, the problems so far
    config/typed.py             one settings class from its part of the tree
    config/checks.py            what no single type can check: addresses, URLs, chains, subjects
    config/position_checks.py   what each kind of position needs and may have
    config/venue_checks.py      positions that are read, against the sources that read them
    config/hidden.py            secrets, from the environment or a file beside
    config/schema.py            the JSON Schema of a configuration
    config/starter.py           the commented file that `init` writes
    pipeline.py                 what happens to one event: think, commit, show

In and out:

    collectors/                 in: one file, one source; thin poll, pure parse
    venues/                     the one poller behind every perpetual venue, by ccxt
    venues/desk.py              one connection to one venue, its errors named by remedy
    venues/account.py           one account at one venue, by a key that can only read
    venues/positions.py         pure parsing of the positions that ccxt hands over
    venues/keys.py              what a key may do, as its venue says
    venues/rows.py              pure parsing of what ccxt hands over
    aave_thresholds.py          which liquidation thresholds are in force for an account of Aave v3
    accounts.py                 what the sources of perpetual positions share: contradictions, hedges, positions that are closed
    oracles.py                  how old the answer of a price feed is
    hours.py                    which blocks an hour holds
    pool_shares.py              the coins of a pool by name, and what one account has of it
    chain_logs.py               event logs over a range of blocks
    v3_contracts.py             what Uniswap v3's contracts are asked about a position, and what their answers mean
    chain_positions.py          what collectors of positions on chains share: rounds of reads, each pass at one block hash
    wallets.py                  balances of wallets, whole or not at all
    chain.py                    reads of one chain, each pass at one block hash
    llama.py                    what the collectors of DefiLlama share: unknown names, days that are over
    rpc.py                      JSON-RPC by web3.py over our own net
    source.py                   what a collector is
    daily_csv.py                CSV tables of daily values, read in one way
    sinks/                      out: metrics, webhooks, the one port and its page
    sinks/sender.py             from the outbox to the channels, at least once
    sinks/webhook.py            one signed webhook and what its answer means
    sinks/receiver.py           a receiver of our own webhooks, on the loopback
    sinks/http.py               the port: page, API, metrics, health
    sinks/guards.py             who may ask, and how
    sinks/push.py               rows that the user's own programs bring
    sinks/stream.py             live updates by server-sent events
    sinks/openapi.py            the API described as data
    sinks/objects.py            its objects, a line for each field
    sinks/metrics.py            Prometheus exposition, a projection of the view model
    sinks/view_model.py         one view model for page, API, `status` and metrics
    sinks/facts.py              what the shell adds to it: clocks, outbox, timings
    sinks/book_view.py          its part: what is at risk
    sinks/position_view.py      its part: one position, and how it stands
    sinks/risk_view.py          its part: greeks, stress, tail and beta of the book
    sinks/prospect_view.py      its part: what layers would return, break-evens, the cost of capital
    sinks/layers_view.py        its part: the ladder
    sinks/markets_view.py       its part: prices, funding, TVL
    sinks/decisions.py          its part: each decision in a plain sentence
    sinks/sight.py              its part: can the monitor see?
    sinks/chart.py              its part: one price and one TVL by the hour
    sinks/shapes.py             the plain shapes of verdicts, evidence and gate results
    store/                      log, decisions, ledger, outbox and inbox of one SQLite file
    store/sqlite.py             one transaction per event, WAL with synchronous=FULL
    store/schema.py             the tables, and the steps from each version to the next
    store/records.py            how events and effects are written down
    store/outbox.py             what waits to be sent, and what became of it
    store/inbox.py              what commands say to the daemon
    store/lock.py               one writer at a time
    registry.py                 plug-ins, found by file name
    net.py                      the network as a port, under one set of limits
    dial.py                     how a connection is made: names, addresses, certificates, lanes
    trust.py                    which certificate authorities this machine believes
    clock.py                    time as a port
    steady.py                   the daemon's clock, which is not believed when it steps
    early.py                    the port answers before the rest of the program is imported
    logs.py                     one line a record, secrets blotted
    resources.py                the folders that ship beside the code

Thinking (pure: no clock, file, socket or dice):

    rules/                      one file, one trigger
    gates/                      one file, one gate
    core/                       everything that rules and gates are made of, and the engine that runs them

The engine:

    core/engine.py              the brain: one event in, effects out
    core/mind.py                what it holds while it thinks, and the one way to record anything
    core/events.py              what comes in: a closed family
    core/effects.py             what goes out: a closed family
    core/state.py               the fold of the effects, which is all that is remembered
    core/settings.py            what the engine must know of a configuration
    core/notices.py             silent sources, blind rules, late prints, the heartbeat
    core/revisions.py           a level that is published anew and turns a verdict over
    core/operator.py            the operator's word, an event like any other

Judging:

    core/rule.py                what a rule is and what a gate is
    core/verdict.py             FIRED, QUIET or UNKNOWN, with number, threshold and distance
    core/view.py                what a rule sees: the market as of now, each read kept as evidence
    core/scope.py               which subjects a rule has, which positions are exposed
    core/windows.py             reads that several rules share: the first source that can answer, what held at an instant
    core/indicators.py          MACD, RSI, pivots, divergence: pure functions over closed bars
    core/tvl.py                 what a change of TVL is made of: prices, tokens that moved, and the rest
    core/tvl_series.py          which points of TVL may be believed: none that is stuck, no spike as a high
    core/tvl_parts.py           what TVL was made of at two instants, out of the market
    core/tvl_confirmed.py       whether a fall of TVL may be believed yet
    core/trends.py              the method's words for trends: expanding, flat, weakens, below its historical median
    core/bars.py                the best bars that any source has, and series brought into step
    core/beta.py                beta to the market, and its standard error
    core/market_beta.py         prices at the closes of sessions, and the beta of the whole book
    core/funding.py             funding across venues: annualised, averaged, weighted median

Layers:

    core/layers.py              asking for layers, and looking after those that were asked for
    core/proposal.py            one layer, with all that a person needs to say yes or no
    core/sizing.py              how large, and at what cost
    core/ledger.py              layers as the fold of their events

The book:

    core/book.py                what is watched and protected, as declared
    core/valuation.py           what a position holds and what it is worth
    core/worth.py               the words for it: valuation, fees, range, loss, carry, liquidation
    core/positions/             one file for each kind of position
    core/positions/tokens.py    plain tokens, declared or read, and shares of a vault
    core/positions/treasury.py  treasuries, less what they owe
    core/positions/uniswap_v2.py  shares of a pair
    core/positions/perp.py      perpetuals
    core/positions/lending.py   accounts of Aave v3 and Compound v3
    core/positions/curve.py     shares of Curve's stable pools
    core/positions/balancer.py  shares of Balancer's weighted and stable pools
    core/perpetual.py           linear perpetuals: equity, liquidation price, funding carry
    core/positions/uniswap_v3.py  concentrated liquidity of Uniswap v3 and v4, from the chain's own integers
    core/exposure.py            worth as a function of prices, volatility and time: layers and positions alike
    core/horizon.py             the world at the horizon, where one price has moved
    core/iv_beta.py             how implied volatility goes with the price
    core/breakeven.py           every price at which a profit is zero
    core/layer_return.py        what a layer and its position return in the paths of the horizon, and in thin markets
    core/cost_of_capital.py     what capital costs (WACC) and ought to earn (CAPM)
    core/cash_flow.py           what liquidity earns against its price, and what that justifies to hedge
    core/xirr.py                rates of return of dated payments
    core/ranges.py              concentrated liquidity as a function of prices
    core/many_ranges.py         many of them in one pass over columns
    core/volatility.py          how far prices move: realised, implied, and shocks of so many sigmas
    core/risk.py                the book with its layers: net greeks, adverse side, stressed exposure, hedge ratio
    core/tail.py                value at risk and expected shortfall, by full revaluation
    core/loss.py                impermanent loss, against what was put in
    core/loss_offset.py         how much of it a layer makes good, and how many strangles its gamma asks for
    core/liquidity.py           what a liquidity position holds without its fees, and its readings so far
    core/standing.py            how a position stands: range, fees, carry
    core/liquidation.py         at which prices an account or a perpetual is liquidated
    core/positions/option.py    single options
    core/positions/iron_condor.py  iron condors
    core/black.py               Black-Scholes and Black 1976: price, greeks, implied volatility
    core/options.py             an option as an exposure; when contracts expire, what they are called
    core/implied.py             the price and the volatility that scenarios start from
    core/marks.py               what closing an option would bring, by quote or by model
    core/condor.py              iron condors: most that can be lost, break-evens, deltas
    core/instruments.py         what a layer can be made of, with its cost and its capital
    core/prospects.py           all of this read from the book as it stands: outlook of a layer, break-even of a position, cost of capital
    core/capital.py             what the budgets are shares of
    core/stableswap.py          Curve's stable pools: their integers, and worth at any prices
    core/weighted.py            Balancer's weighted pools: the same
    core/pool_share.py          what the readings say of a share of a pool
    core/amm.py                 Uniswap v3 in whole numbers, equal to the contracts
    core/amm_v4.py              what Uniswap v4 adds to it: fees, packed words, the rights of hooks
    core/treasury.py            what a treasury holds, is owed and owes: its quick ratio and its equity
    core/constant_product.py    Uniswap v2 in whole numbers, equal to the contract, and x * y = k as a function of prices
    core/aave.py                Aave v3 in whole numbers, equal to the contracts; units of rates
    core/redemption.py          what a token counts for that redeems for more than one coin
    core/tokens.py              well-known tokens by chain and address

Facts:

    core/market.py              everything that is known so far, by series
    core/door.py                the one door: a reading is admitted, or refused with a reason
    core/candles.py             candles whose parts contradict each other
    core/observation.py         a fact with two times
    core/rows.py                one row of observations, as files, feeds and pushes spell it
    core/vocabulary.py          the one table of metrics: unit, range, publication, cadence
    core/sessions.py            trading days: weekends and holidays age nothing
    core/vix_futures.py         when VIX futures end, and the constant-maturity levels between them
    core/prints.py              where each print of CPI and PPI stands: scheduled, moved, late, released, revised, never published
    core/schedule.py            when CPI, PPI and FOMC are scheduled, the user's own calendar before the built-in one
    core/pinned.py              decimals of tokens, which must not change under a position
    core/rebasing.py            levels in another unit or of another base year, refused
    core/us_calendar.py         when CPI and PPI are published and the FOMC decides

Text and bytes:

    core/units.py               durations, rates and money as people write them
    core/decode.py              JSON and numbers from outside, or a sentence
    core/codec.py               canonical JSON, the one spelling of what is stored and signed
    core/text.py                foreign text made safe to show
    core/secret.py              what must not be shown, and how it is blotted out
    core/egress.py              which addresses may be dialled
    core/endpoint.py            where a collector asks
    core/delivery.py            an alert on its way to a channel
    errors.py                   errors, named by who can mend them

Invariants:

- One event is one engine step is one transaction.
- Time is data: `now` is the event's `known_at`; core, rules and gates read no clock, file, socket or dice.
- A decision reads only what could be known by then, live and in replay alike.
- Live and replay differ only in the feed.
- A decision once made is a fact: a restart loads it and never recomputes it.
- The daemon is the only writer of decisions; commands leave it a word.
- What is not known is UNKNOWN, never zero and never QUIET.
- Nothing here trades, and no key that can move funds is ever held.
"""

__version__ = "0.1.0"
