"""The rate of return of dated payments, against pyxirr's public test cases, by hand, and as a property of the net present value."""

import math
import random
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import assume, event, example, given
from hypothesis import strategies as st

from monitor.core.units import DAY
from monitor.core.verdict import Unknown
from monitor.core.xirr import Flow, holding_return, period_return, xirr

SAME_INSTANT = [(0, -100.0), (0, 60.0), (0, 40.0)]


def flows(text: str) -> list[Flow]:
    """Payments as `date,amount` in words."""
    rows = (row.split(",") for row in text.split())
    return [Flow((date.fromisoformat(day) - date(1970, 1, 1)).days * DAY, float(usd)) for day, usd in rows]


def after(*payments: tuple[float, float]) -> list[Flow]:
    """Payments by (days from the first, USD)."""
    return [Flow(round(days * DAY), usd) for days, usd in payments]


def net_present_value(rate: float, payments: list[Flow]) -> float:
    first = min(flow.at for flow in payments)
    return math.fsum(flow.usd * (1 + rate) ** (-(flow.at - first) / (365 * DAY)) for flow in payments)


# Dates and amounts of pyxirr's own tests (github.com/Anexen/pyxirr, tests/samples, names as there); the rates are those of pyxirr 0.10.8.
ZEROS = "2021-12-31,0 2022-12-31,0 2023-12-31,-100 2024-12-31,10 2025-12-31,0 2026-12-31,10 2027-12-31,10 2028-12-31,10 2029-12-31,200 2030-12-31,0"
MINUS_0_993 = "2021-06-08,-1000000.0 2022-06-29,5000.0 2023-06-08,-3.0 2023-06-30,0.0"
MINUS_0_13 = """
2015-05-04,-200 2015-05-07,-75 2015-05-15,-620 2015-05-04,-0.01 2015-05-06,-100 2015-05-14,-299.99 2015-05-19,-20 2015-05-26,-100 2015-05-27,-340
2015-06-01,-500 2015-06-05,-100 2015-06-18,-1008.52 2015-06-22,-65 2015-06-22,-120 2015-06-22,-450 2015-06-30,-450.75 2015-07-06,-80
2015-07-13,-130 2015-07-16,-1050 2015-07-31,-1000 2015-08-10,-65 2015-08-17,-400 2015-09-14,-100 2015-09-16,-956.88 2015-09-28,-117
2015-10-01,-50 2015-10-02,-1130 2015-10-29,-70 2015-11-02,-188 2015-11-06,-250 2015-12-29,-100 2015-12-31,9518.08"""
UNORDERED_1938 = """
1937-07-02,-10 1937-07-03,10 1937-07-04,1338.17 1938-07-29,10147.5 1938-08-11,-578133.57 1938-08-12,-12559.95 1938-04-22,1519.64
1938-05-22,10147.5 1938-06-22,-11500 1938-10-22,544.47 1938-08-28,701.78 1938-09-09,-600.68 1938-09-10,-601.95 1938-09-11,-518.2
1938-11-10,36000 1938-11-12,22308.68 1938-12-11,-753.37 1939-01-07,-20.05 1939-02-10,-43.15 1939-03-11,-742.98 1939-08-17,-11220
1939-10-17,1.27 1939-04-04,11220 1939-04-09,-3846.05 1939-04-12,1058.75 1939-06-18,-2.94 1939-05-11,-36000 1939-05-12,-15016.3
1939-06-11,-6.49 1939-08-02,-36.72 1939-08-10,-72.54 1939-08-12,15892.29 1939-08-26,-88.71 1939-09-08,-53.5 1939-09-10,-260.09
1939-11-01,-3.85 1939-11-12,-289.11 1939-12-10,-46.99 1939-12-13,63.32 1940-01-10,63.32 1940-02-09,621.47 1940-02-10,-383.63
1940-03-11,63.32 1940-04-11,63.32 1940-05-11,419.94 1940-08-11,-4.87 1941-01-10,1507.56 1941-09-12,-14.49 1940-11-30,-1.31
1941-08-01,7064.85 1941-08-11,-0.82 1941-11-10,3554.11 1942-02-10,16891.26"""
RW_50 = """
-1000000.0 20013.762767996534 22627.142853733552 21913.842208046477 28551.419495848317 19508.64312770872 24018.508012029757
24703.196702143276 16350.81225543668 25369.483686095657 24090.660535131305 15079.15134693606 27241.963510804293 30602.792879389785
32405.738249846454 16199.337003723545 16843.52425324068 19415.85805136018 29658.82772067889 30080.627353209547 20217.67685581632
29394.443032110572 26093.583426970967 20942.237132321323 32096.997928524153 16771.82267158162 27451.535464227807 22240.671748900044
19693.20889017347 15656.644171908643 29140.80993974786 33719.224409649316 24093.858627480684 31418.394007668012 34369.59753185898
22454.37408450286 34298.04139895853 31127.311743382554 29771.166236615736 23714.6047053632 29201.63326709254 33590.97562618985
34885.21721090955 21172.971845923967 34398.16572113883 33271.988707028024 34491.42469951532 25499.11783914676 20585.927728707844
30744.79592974533 20570.335028059013"""
EQUAL_PAYMENTS = [*((day, -87.17) for day in range(180)), (180, 5809.3)]
# No solution there: the rate that there is, -90% for 19 years, is lost in rounding.
SAMPLE_30_20 = """
2024-09-09,-203.365347602624 2030-12-24,1208.31894521971 2027-01-06,62.911729089493 2037-03-04,23.214035363974 2035-11-13,-1797.01688426533
2041-06-22,-2017.27457461588 2037-12-19,3997.91924991427 2028-04-10,1115.24111568803 2040-09-15,-1915.56819372739 2042-02-02,1484.15862672955
2035-02-27,1247.32460407966 2035-02-04,-42.316649900985 2037-05-15,973.000278031422 2036-08-01,1169.69300353766 2024-12-03,-24.233785734572
2041-12-20,-1130.58496750037 2031-11-01,-265.351566140742 2036-11-28,37.001024894264 2026-01-10,555.940111271138 2030-08-18,-1794.45399928709
2032-07-16,-1953.03088397946 2042-06-06,-171.922891863423 2029-10-09,-1910.9048070744 2033-03-20,343.762478283701 2026-07-30,2453.50647798804
2026-07-13,-2607.11784778847 2038-02-26,2697.77682033517 2042-03-22,-2529.313275386 2033-04-05,606.724921312875 2043-05-27,188.397614961121"""
# Issues 75 and 61: pyxirr itself finds none there, because its tolerance grows with the amounts; its authors call the rates right.
ISSUE_75 = """
2018-06-30,-84000000 2019-03-31,800000 2019-06-30,760000 2019-09-30,680000 2019-12-31,800000 2020-03-31,280000 2020-06-30,740000
2020-09-30,520000 2022-03-31,-2100000 2023-03-31,-13000000 2024-09-30,-3000000 2024-09-30,-4100000 2024-12-31,-250000 2024-12-31,-1800000
2025-03-31,-8400000 2025-12-31,1800000 2026-03-31,43000 2026-03-31,-6600"""


@pytest.mark.parametrize(
    ("payments", "rate"),
    [
        (flows(ZEROS), 0.1756807305807823),
        (flows(MINUS_0_993), -0.993785049949483),
        (flows(MINUS_0_13), -0.13423264079788869),
        (flows(UNORDERED_1938), -0.5945650822679835),
        (after(*EQUAL_PAYMENTS), -0.9930635667937945),
        # The first two on one day, the others 30 days apart.
        (after(*((max(0, 30 * (place - 1)), float(usd)) for place, usd in enumerate(RW_50.split()))), 0.1324218814388814),
        (flows("2020-01-01,-1000 2021-01-01,1000 2022-01-01,1000"), 0.61649430468268),
        (flows(ISSUE_75), -0.912781382),
        (flows("2024-11-21,-100 2024-11-28,-100 2024-12-03,100"), -0.99999999999998322),
        (flows("2020-05-27,350 2020-05-28,-377.5"), (377.5 / 350) ** 365 - 1),
    ],
)
def test_it_finds_the_rates_that_pyxirr_is_tested_with(payments: list[Flow], rate: float):
    assert xirr(payments).rate == pytest.approx(rate, rel=1e-9)
    assert xirr(list(reversed(payments))) == xirr(payments)


def test_it_names_the_rates_that_pyxirr_passes_over():
    assert xirr(flows(MINUS_0_993)).others == pytest.approx((-0.9995965225383258,), rel=1e-9)


def test_it_finds_no_rate_where_pyxirr_is_tested_to_find_none():
    with pytest.raises(Unknown, match="too extreme") as told:
        xirr(flows(SAMPLE_30_20))
    assert told.value.code == "steep"


def drawn(seed: int) -> list[Flow]:
    rng = random.Random(seed)
    days = [0, *sorted(rng.randint(1, 3000) for _ in range(rng.randint(1, 29)))]
    return after(*((day, -1000.0 if day == 0 else rng.random() * 200) for day in days))


# What pyxirr 0.10.8 gives for `drawn(0)`, `drawn(1)`, ...
PYXIRR_DRAWN = [
    0.3446571725651473, -0.19995393651359544, 0.39873961348924875, -0.046006010653508705, -0.0795899128337475, 0.17501665242608003,
    0.40986535219908116, -0.032247527366752425, -0.10920443865961207, 0.14671005952561492, 0.1556109032357033, 0.11364401949832581,
    0.08119425381941478, -0.02961388899185068,
]  # fmt: skip


@pytest.mark.parametrize(("seed", "rate"), list(enumerate(PYXIRR_DRAWN)))
def test_it_finds_what_pyxirr_finds_in_drawn_payments(seed: int, rate: float):
    assert xirr(drawn(seed)).rate == pytest.approx(rate, abs=1e-8)


@pytest.mark.parametrize(
    ("payments", "rate", "others"),
    [
        (after((0, -100), (365, 110)), 0.10, ()),
        (after((0, -100), (365, 100)), 0.0, ()),
        (after((0, -100), (365, 50)), -0.5, ()),
        (after((0, 100), (365, -110)), 0.10, ()),
        (after((0, -1), (365, 0.5)), -0.5, ()),
        (after((0, -100), (730, 121)), 0.10, ()),
        (after((0, -100), (36.5, 101)), 1.01**10 - 1, ()),
        (after((0, -100), (1, 110)), 1.1**365 - 1, ()),
        (after((0, -1), (365, 1e12)), 1e12 - 1, ()),
        # The bounds of the search depend on the ratio of payments, not on their size: the logarithms of 2 and of a half make nothing together.
        (after((0, -0.5), (365, 1.5)), 2.0, ()),
        (after((0, -0.01), (36.5, 0.02)), 2.0**10 - 1, ()),
        # -1 + 2.3 v - 1.32 v^2 with v = 1 / (1 + rate): 10% and 20%.
        (after((0, -100), (365, 230), (730, -132)), 0.10, (0.20,)),
        (after((0, 100), (365, -230), (730, 132)), 0.10, (0.20,)),
        # (1 - 0.5 v)(1 - 1.2 v), and a pair on the other side of 10%: (1 - 1.05 v)(1 - 3 v).
        (after((0, -100), (365, 170), (730, -60)), 0.2, (-0.5,)),
        (after((0, -100), (365, 405), (730, -315)), 0.05, (2.0,)),
        # 10%, 20% and 30%.
        (after((0, -1000), (365, 3600), (730, -4310), (1095, 1716)), 0.10, (0.20, 0.30)),
        # It touches zero at 20% and does not cross it: -(1 - 1.2 v)^2.
        (after((0, -100), (365, 240), (730, -144)), 0.20, ()),
        # (1 - 1.2 v)^3: the three are one.
        (after((0, -1000), (365, 3600), (730, -4320), (1095, 1728)), 0.20, ()),
    ],
)  # fmt: skip
def test_it_finds_the_rates_that_are_known_by_hand(payments: list[Flow], rate: float, others: tuple[float, ...]):
    found = xirr(payments)
    assert found.rate == pytest.approx(rate, rel=1e-6, abs=1e-12)
    assert found.others == pytest.approx(others, rel=1e-9)


@pytest.mark.parametrize(
    ("payments", "code"),
    [
        ([], "one-sign"),
        (after((0, 0)), "one-sign"),
        (after((0, -1), (365, -2)), "one-sign"),
        (after((0, -1), (365, 0)), "one-sign"),
        (after((0, 1), (365, 0)), "one-sign"),
        (after((0, 1), (365, 2)), "one-sign"),
        (after(*SAME_INSTANT), "one-sign"),
        (after((0, -100), (365, 230), (730, -133)), "no-rate"),
        (after((0, 100), (365, -10), (730, 100)), "no-rate"),
        (after((0, -1), (1e-7, 2)), "steep"),
        (after((0, -1e-200), (365, 1e200)), "no-rate"),
        (after((0, -2), (1, 1e-300)), "steep"),
        (after((0, -1), (365, math.nan)), "flows"),
        (after((0, -1), (365, math.inf)), "flows"),
    ],
)
def test_it_says_why_there_is_no_rate(payments: list[Flow], code: str):
    with pytest.raises(Unknown) as told:
        xirr(payments)
    assert told.value.code == code


MONEY = st.floats(-1e6, 1e6).filter(lambda usd: abs(usd) > 1e-3)


@given(st.lists(st.tuples(st.integers(0, 4000), MONEY), min_size=2, max_size=12))
@example([(0, -1.0), (365, 1.0)])
@example([(0, -100.0), (365, 230.0), (730, -132.0)])
@example([(0, -100.0), (365, 240.0), (730, -144.0)])
def test_at_every_rate_found_the_payments_come_to_nothing(payments: list[tuple[int, float]]):
    known = after(*payments)
    try:
        found = xirr(known)
    except Unknown as why:
        event(why.code)
        return
    largest = max(abs(usd) for _, usd in payments)
    for rate in (found.rate, *found.others):
        assert abs(net_present_value(rate, known)) <= 2e-3 * largest * len(known)


@given(st.lists(st.floats(-0.9, 3.0), min_size=1, max_size=4, unique=True))
@example([0.1, 0.2, 0.3])
@example([-0.5])
def test_all_rates_that_payments_were_made_for_are_found(rates: list[float]):
    ordered = sorted(rates)
    assume(all(b - a > 0.05 for a, b in pairwise(ordered)))
    amounts = [1.0]
    for rate in rates:  # times (1 - (1 + rate) v)
        amounts = [one - (1 + rate) * before for one, before in zip([*amounts, 0.0], [0.0, *amounts], strict=True)]
    found = xirr(after(*((365 * year, usd) for year, usd in enumerate(amounts))))
    assert sorted((found.rate, *found.others)) == pytest.approx(ordered, abs=1e-6)
    assert abs(math.log1p(found.rate) - math.log(1.1)) == pytest.approx(min(abs(math.log1p(rate) - math.log(1.1)) for rate in rates), abs=1e-5)


@pytest.mark.parametrize(
    ("payments", "gain"),
    [(after((0, -100), (7, 103)), 0.03), (after((0, -100), (1, -100), (7, 150)), -0.25), (after((0, -1)), -1.0), (after((0, -1), (7, 0.5)), -0.5)],
)
def test_the_plain_return_is_what_came_back_over_what_was_paid(payments: list[Flow], gain: float):
    assert holding_return(payments) == pytest.approx(gain, rel=1e-12)


def test_there_is_no_return_on_nothing():
    for payments in ([], after((0, 0), (7, 100))):
        with pytest.raises(Unknown, match="nothing was paid"):
            holding_return(payments)
        with pytest.raises(Unknown, match="nothing was paid"):
            period_return(payments)


def test_the_days_are_those_between_the_first_payment_and_the_last():
    assert period_return(after((400, -100), (410, 103))).kind == "holding-period"
    assert period_return(after((0, -100), (7, 10), (40, 100))).kind == "xirr"


def test_under_30_days_a_return_is_not_annualised_and_from_30_days_on_it_is():
    short = period_return(after((30 - 1 / DAY, 110), (0, -100)))
    month = period_return(after((30, 110), (0, -100)))
    assert (short.kind, month.kind) == ("holding-period", "xirr")
    assert (short.value, month.value) == pytest.approx((0.10, 1.1 ** (365 / 30) - 1))
    assert short.others == month.others == ()
    assert period_return(after((0, -100), (365, 230), (730, -132))).others == pytest.approx((0.20,))


# Found by pyxirr 0.10.8 for the same draws.
@pytest.mark.parametrize(
    ("days", "rate"), [(50, 35400207872993.914), (100, 2.818138932029398e28), (200, -0.9027888269738245), (500, -0.38545636860813953)]
)
def test_hundreds_of_payments_of_either_sign_have_the_rate_that_pyxirr_finds(days: int, rate: float):
    dice = random.Random(days)
    assert xirr([Flow(day * DAY, dice.uniform(-5000, 5000)) for day in range(days)]).rate == pytest.approx(rate, rel=1e-9)
