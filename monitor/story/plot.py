"""When the story plays and where its lines pass: every number that was chosen rather than drawn.

Days are counted from `START_MS`, fractions of a day are fine. Lines are straight between their corners; `paths` adds the noise of a market.
"""

from monitor.core.units import DAY, HOUR, MINUTE, parse_time

START_MS = parse_time("2025-08-05")
DAYS = 10
END_MS = START_MS + DAYS * DAY
HISTORY_DAYS = 126
HISTORY_MS = START_MS - HISTORY_DAYS * DAY
STEP_MS = 15 * MINUTE
SEED = 7

Corners = tuple[tuple[float, float], ...]

# USD. ETH loses 17% in two waves; its second low is lower and slower than the first, and it has recovered half before the print.
ETH_USD: Corners = (
    (0.0, 3620), (0.5, 3600), (1.0, 3655), (1.5, 3610), (2.0, 3560), (2.4, 3600), (2.67, 3510), (2.83, 3470), (3.0, 3400), (3.17, 3290),
    (3.33, 3180), (3.5, 3095), (3.67, 3075), (3.83, 3035), (4.0, 3130), (4.33, 3190), (4.67, 3250), (4.83, 3225), (5.0, 3230),
    (5.17, 3170), (5.33, 3160), (5.5, 3090), (5.67, 3060), (5.83, 3005), (6.0, 3085), (6.17, 3080), (6.33, 3145), (6.5, 3165),
    (6.67, 3230), (6.83, 3330), (7.0, 3350), (7.17, 3360), (7.33, 3350), (7.51, 3352), (7.54, 3268), (7.67, 3235), (8.0, 3290),
    (8.5, 3270), (9.0, 3350), (9.5, 3330), (10.0, 3410),
)  # fmt: skip
# BTC falls with it, but its second low is the higher one.
BTC_USD: Corners = (
    (0.0, 114_000), (0.5, 113_600), (1.0, 114_700), (2.0, 112_800), (2.4, 113_600), (3.0, 110_000), (3.5, 104_600), (3.83, 103_300),
    (4.33, 106_300), (4.67, 107_600), (5.2, 106_200), (5.83, 104_900), (6.33, 106_800), (6.83, 109_300), (7.51, 109_700),
    (7.54, 107_900), (8.0, 108_600), (8.5, 108_200), (9.0, 109_800), (10.0, 111_400),
)  # fmt: skip
# Change of TVL against the first day. Withdrawals go on while the price already recovers; they end after the print.
CHAIN_TVL_CHANGE: Corners = (
    (0.0, 0.0), (1.0, -0.003), (2.0, -0.022), (2.4, -0.026), (3.0, -0.052), (3.5, -0.076), (3.62, -0.095), (4.2, -0.115), (4.6, -0.127),
    (5.0, -0.143), (5.83, -0.181), (6.6, -0.209), (7.0, -0.223), (7.5, -0.243), (7.8, -0.251), (7.94, -0.252), (8.0, -0.243),
    (8.4, -0.249), (9.0, -0.264), (9.3, -0.264), (10.0, -0.255),
)  # fmt: skip
# What share of the chain's fall each line takes part in: liquidity in pools of stablecoins stays, and few leave the other chain.
TVL_USD = {
    "chain:ethereum": (88e9, 1.0), "protocol:uniswap-v3": (4.6e9, 0.70), "protocol:uniswap-v3@ethereum": (3.1e9, 0.74),
    "chain:base": (3.9e9, 0.25), "protocol:aave-v3": (29e9, 0.40), "protocol:aave-v3@base": (1.1e9, 0.20),
}  # fmt: skip
# A fraction a year: longs stop paying, then shorts pay.
FUNDING: Corners = (
    (0.0, 0.105), (2.0, 0.095), (3.0, 0.06), (4.0, -0.01), (5.0, -0.035), (6.0, -0.068), (7.0, -0.03), (8.0, 0.01), (9.0, 0.04),
    (10.0, 0.06),
)  # fmt: skip
# Open interest in coins against the first day.
LEVERAGE_CHANGE: Corners = ((0.0, 0.0), (2.4, 0.01), (3.0, -0.01), (4.0, -0.06), (6.2, -0.12), (8.0, -0.115), (10.0, -0.09))

CPI_PRINT_MS = parse_time("2025-08-12T12:30")
PPI_PRINT_MS = parse_time("2025-08-14T12:30")

# One venue answers with errors for 22 hours, then delivers what it owes.
DEAD_VENUE = "hyperliquid"
DEAD_FROM_MS = START_MS + 8 * DAY + 8 * HOUR
HEALS_MS = START_MS + 9 * DAY + 6 * HOUR
DEATH = "no answer within 10 s (the venue's API is unreachable)"
