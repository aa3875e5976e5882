"""The dashboard "LP and lending": what the book could lose, and how its liquidity and its loans stand."""

from monitor.dashboards.grafana import Dashboard, Panel, Query, Row, Stat, Step, TimeSeries, Variable
from monitor.dashboards.overview import BLUE, GREEN, PLAIN, RED, YELLOW, layer_annotations
from monitor.dashboards.queries import ASSET, POSITION, label_values, select


def dashboard() -> Dashboard:
    return Dashboard(
        uid="hedge-monitor-lp-lending",
        title="LP and lending",
        description="What the book could lose with and without its layers, and how its liquidity and its loans stand.",
        tags=("hedge-monitor",),
        rows=(Row("Risk of the book", _risk()), Row("Liquidity", _liquidity()), Row("Lending", _lending())),
        variables=(
            Variable("position", "Position", label_values("position", "position_value_usd"), "Positions of the book, by their configured ids."),
            Variable("asset", "Asset", label_values("asset", "book_delta_usd"), "Assets that the book has a delta in."),
        ),
        annotations=layer_annotations(),
    )


def _risk() -> tuple[Panel, ...]:
    return (
        Stat(
            title="A bad week",
            description="Loss in the adverse 1.5 sigma move of 7 days, without layers and with those in force.",
            unit="currencyUSD",
            steps=(Step(None, GREEN), Step(0, YELLOW)),
            queries=(Query(select("book_stress_loss_usd"), "{{layers}} layers", instant=True),),
            empty="no volatility is known",
        ),
        Stat(
            title="Expected shortfall of one day, 99%",
            description="Mean loss of the worst 1% of days: as the last year's were, and by named stress days and sigma moves.",
            unit="currencyUSD",
            steps=(Step(None, GREEN), Step(0, YELLOW)),
            queries=(Query(select("book_expected_shortfall_usd", level="99"), "{{method}}", instant=True),),
            empty="too few days of prices",
        ),
        TimeSeries(
            title="Net delta by asset",
            description="Positions and the layers in force together, so that one exposure is never hedged twice.",
            unit="currencyUSD",
            steps=(Step(None, RED), Step(0, BLUE)),
            queries=(Query(select("book_delta_usd", asset=ASSET), "{{asset}}"),),
        ),
        TimeSeries(
            title="Net gamma by asset",
            description="How the net delta changes when the asset rises by 1%; below 0 it grows into a fall, as that of liquidity does.",
            unit="currencyUSD",
            steps=(Step(None, RED), Step(0, BLUE)),
            queries=(Query(select("book_gamma_usd", asset=ASSET), "{{asset}}"),),
        ),
        TimeSeries(
            title="Value at risk of one day",
            description="Loss that is not exceeded in 95 or 99% of the states, by revaluing everything in each.",
            unit="currencyUSD",
            steps=PLAIN,
            queries=(Query(select("book_value_at_risk_usd"), "{{method}} {{level}}%"),),
        ),
        TimeSeries(
            title="Loss of a bad week",
            description="The adverse 1.5 sigma move of 7 days: what is between the two lines is what the layers in force protect.",
            unit="currencyUSD",
            steps=PLAIN,
            queries=(Query(select("book_stress_loss_usd"), "{{layers}} layers"),),
        ),
    )


def _liquidity() -> tuple[Panel, ...]:
    return (
        TimeSeries(
            title="Fees not collected",
            description="What collect would pay now, at today's prices.",
            unit="currencyUSD",
            steps=PLAIN,
            queries=(Query(select("position_fees_usd", position=POSITION), "{{position}}"),),
        ),
        TimeSeries(
            title="Impermanent loss",
            description="Liquidity less the amounts that were put in, as a share of the latter; fees left out, so it is never above 0.",
            unit="percentunit",
            steps=(Step(None, RED), Step(-0.02, YELLOW), Step(0, GREEN)),
            queries=(Query(select("impermanent_loss_ratio", position=POSITION), "{{position}}"),),
        ),
        TimeSeries(
            title="Gamma",
            description="How a position's delta changes when its asset rises by 1%. 0 while it is out of range.",
            unit="currencyUSD",
            steps=PLAIN,
            queries=(Query(select("position_gamma", position=POSITION), "{{position}}"),),
        ),
    )


def _lending() -> tuple[Panel, ...]:
    return (
        TimeSeries(
            title="Health factor",
            description="By the protocol's own oracle. Below 1 an account can be liquidated; 1.5 is where the method warns.",
            unit="short",
            steps=(Step(None, RED), Step(1.05, YELLOW), Step(1.5, GREEN)),
            queries=(Query(select("health_factor", position=POSITION), "{{position}}"),),
            decimals=2,
            line=True,
        ),
    )
