"""A built-in stress, stylised and invented, of about ten days: total value locked bleeds, funding turns, a CPI print lands, RSI recovers.

Only release dates are taken from a real calendar. No price, rate or index level in it was ever quoted by anyone.
"""
