"""The objects of the API, a line for each field: what sinks/openapi.py makes its schemas of."""

# An indented line is `field: type -- description`; `field?` may be absent. A type is a word of WORDS, the name of an object, `[list of]`,
# `{map of}` or the words it can be, `a|b`. `+Name` takes in that object's fields.
OBJECTS = """
Judged
  verdict: FIRED|QUIET|UNKNOWN|NOT_CONFIGURED
  value?: number
  threshold?: number
  distance?: number -- (value - threshold) / scale in the firing direction: 0 is the threshold, positive has fired
  unit?: text
  reason?: text
Condition
  +Judged
  name: text
Evidence
  metric: text
  subject: text
  source: text
  at: time -- when it was true
  known_at: time -- when anyone could have known it
  value: number|exact -- chain integers beyond 2^53 as decimal text
  unit?: text
  age_seconds: number
  block_hash?: text
Gate
  gate: text
  outcome: pass|halve|cut|block|not_built
  verdict: FIRED|QUIET|UNKNOWN|NOT_CONFIGURED
  reason?: text
  factor?: number
  limit_usd?: usd
Grounds
  conditions?: [Condition]
  evidence?: [Evidence]
Asked
  +Grounds
  position?: text
  rule?: text
  subject?: text
  tier?: short|intermediate|structural
  action?: text
  instrument?: text
  asset?: text
  binding?: text -- the cap that cut the size
  basis?: text -- what the size was made of
  notional_usd?: usd -- what it protects
  capital_usd?: usd -- what it ties up
  cost_usd?: usd
  cost_source?: text -- how the cost was reckoned
  horizon_days?: number
  position_value_usd?: usd
Story
  from_ms: time
  to_ms: time
  speed: number -- seconds of the story in one of ours
  done: number -- share of the story told
  title?: text
Now
  at: time -- the engine's clock
  wall: time
  started_at: time
  version: text
  rule_set: text -- hash of everything that can change a decision
  command: text -- what to type for this store before the name of a command
  notice?: text
  story?: Story
Sight
  state: clear|partly|blind|starting
  sentence: text
  sources_up: integer
  sources: integer
  blind: [text] -- rule/subject of what cannot be judged
Source
  id: text
  state: up|late|failing|down|waiting
  up: flag
  configured: flag
  required: flag
  heard_at?: time
  age_seconds?: number
  cadence_seconds?: number
  rejected?: integer
  failing_since?: time
  reason?: text
  brings?: integer -- series it was set up to bring
Alert
  id: text
  at: time
  type: text
  severity: info|warning|critical
  summary: text
  delivery: pending|delivered|failing|silenced|none
  channel?: text
Deliveries
  channel: text
  outcome: text
  count: integer
Durations
  buckets: [any] -- pairs of upper bound and number of durations up to it
  sum: number
Health
  uptime_seconds: number
  loop_lag_seconds?: number
  clock_skew_seconds?: number -- our clock less what three other hosts or more say
  clock_trouble?: text
  outbox_pending?: integer
  outbox_oldest_seconds?: number
  deliveries: [Deliveries]
  alerts_total: integer
  alerts_by_type: {integer}
  collect_seconds: {number}
  decision_seconds?: Durations
Session
  cap_usd: usd
  used_usd: usd
  left_usd: usd
  left_ratio: number
  left_by_tier_usd: {usd}
Greeks
  gamma_usd?: usd -- what the delta gains in a rise of 1%
  vega_usd?: usd -- for one volatility point more
PartStress
  sigmas: number
  days: number
  fall_usd: usd -- lost in a fall, without layers; negative where gained
  rise_usd: usd
Stress
  sigmas: number
  days: number
  direction: fall|rise -- in which the book without layers loses more
  moves: {number} -- by asset, as fractions of today's price
  loss_usd: usd -- without layers; negative where it gains both ways
  protected_loss_usd: usd -- with the layers in force
  exposure_usd: usd -- delta at that price, positive where it loses
Tail
  var_95_usd: usd -- of one day, by revaluing everything
  var_99_usd: usd
  es_95_usd: usd
  es_99_usd: usd
  states: integer
  worst: text
  still?: [text] -- assets held at their price, for want of another
Beta
  value: number -- of the book's equity to the S&P 500
  standard_error: number
  sessions: integer
Capital
  risk_free: number
  risk_free_source: text
  wacc?: number -- interest, funding, margin and the premium of a year over equity
  native_yield?: number -- fees and interest received
  capm_return?: number -- risk-free rate, beta and native yield
  unknown?: {text}
Risk
  greeks?: {Greeks} -- by asset, over positions and layers in force, where there are any
  stress?: Stress
  historical?: Tail -- as the days of the last year were
  scenario?: Tail -- by named stress days and sigma moves
  beta?: Beta
  capital?: Capital
  unknown?: {text} -- what cannot be said, and why
Book
  positions: integer
  mode: steward|promoter
  objective: drawdown|il
  rule_set: text
  equity_usd?: usd -- what is held, perps at their margin; absent while a position cannot be valued
  valued_usd?: usd -- then, the sum of those that can
  unvalued?: [text]
  valued_stress?: PartStress -- what those that can be valued would lose by themselves in either direction: which is adverse is not known
  net_delta_usd?: {usd} -- by asset, over the positions that can be valued and the layers in force
  protected_ratio?: number -- notional of the layers in force over the exposure at the adverse price
  capital_usd?: usd
  session?: Session
  risk?: Risk
  says: [text] -- the same in words
HeldLayer
  id: text
  state: text
  tier: text
  what: text
BreakEvens
  count: none|one|two|more than two
  prices_usd: [usd]
  touches_usd?: [usd] -- zero there, with the same sign on both sides
BreakEven
  alone: BreakEvens
  with_layers: BreakEvens -- as if they were free
  with_cost: BreakEvens
Path
  sigmas: number
  price_usd: usd -- of what a perpetual is sold on, else of the position's risk asset
  layer_usd: usd -- gained by the layer, net of its cost
  layer_return: number -- on its capital
  hedged_usd: usd
  hedged_return: number -- of position and layer, on their capital
  kind: holding-period|xirr
  loss_usd?: usd -- impermanent loss of the LP there, without its fees
  loss_offset?: number -- share of it that the layer makes good net of cost, plain delta against the deposit left out
Thin
  depth_down: number
  cost_usd: usd
  paths: [Path]
  break_even: BreakEven
Returns
  cost_usd: usd
  paths: [Path]
  break_even: BreakEven
  lens: [Thin] -- with depth down and funding at its 99th percentile
  iv_basis: text
  loss_offset_unknown?: text
Fees
  uncollected_usd: usd
  earned_usd?: usd -- over the last 30 days
  in_range_hours?: number
  annual_usd?: usd -- at the rate of the hours in range
Range
  state: inside|below|above
  lower: number
  upper: number
  price: number
  unit?: text
  since?: time -- when it left the range
  out_hours?: number -- of the last 30 days
Loss
  usd: usd
  ratio: number
  basis: text -- what was put in
Carry
  funding_usd?: usd -- a year, positive when received
  supplied_usd?: usd
  owed_usd?: usd
Liquidation
  asset: text
  price_usd: usd
  side: below|above
  distance: number -- share of today's price
  sigmas?: number -- of 7 days
Position
  id: text
  kind: text
  chain?: text
  layers: [HeldLayer]
  unknown?: text -- why it cannot be valued
  holds?: text -- the contracts, of options and condors
  value_usd?: usd -- its equity: of a perp its margin and profit
  basis?: text -- how it was priced, where there is more than one way: the quotes of its options, or their model
  amounts?: {number}
  delta_usd?: {usd}
  gamma_usd?: {usd}
  vega_usd?: {usd}
  greeks_unknown?: text
  fees?: Fees
  range?: Range
  loss?: Loss -- impermanent loss
  carry?: Carry
  health_factor?: number
  liquidations?: [Liquidation]
  break_even?: BreakEven -- in 7 days
  break_even_unknown?: text
  missing?: {text} -- what applies and cannot be said, and why
  says?: [text] -- how it stands, in words
  amount0?: exact
  amount1?: exact
  fees0?: exact
  fees1?: exact
  liquidity?: exact
  shares?: exact
  sqrt_price_x96?: exact
  tick?: exact
  tick_lower?: exact
  tick_upper?: exact
  block_hash?: text -- the block that the exact numbers are of; they need no price, so they stand beside `unknown` too
  at?: time -- of that block
Price
  asset: text
  usd: usd
Funding
  venue: text
  asset: text
  annualised_ratio: number -- positive: longs pay shorts
Tvl
  subject: text
  usd: usd
  change_48h_ratio?: number
Markets
  prices: [Price]
  funding: [Funding]
  tvl: [Tvl]
Episode
  open_since: time
Trigger
  +Judged
  +Grounds
  rule: text
  subject: text
  title: text
  class: safety|evidence|signal
  groups: [text] -- T technical, F fundamental, O on-chain
  proposes: flag -- whether it asks for a layer when it fires
  exposed: [text] -- positions
  episode?: Episode
Layer
  +Asked
  returns?: Returns -- over 7 days from now
  returns_unknown?: text
  id: text
  state: proposed|approved|active|closing|closed|rejected|expired|retracted
  live: flag
  what: text
  reason?: text
  by?: text
  proposed_at: time
  moved_at: time
  valid_until?: time
  gates: [Gate]
Held
  +Asked
  id: text
  at: time
  reason: text
  gates: [Gate]
Tier
  tier: short|intermediate|structural
  horizon: text
  notional_usd: {usd} -- by state
  layers: [text]
  held: [text]
  cost_usd?: usd
  capital_usd?: usd
  left_usd?: usd -- capital that new layers of this tier may still tie up today
GateInForce
  id: text
  title: text
  blocked: integer -- proposals held now that it blocks
Decision
  +Asked
  number: integer
  at: time
  kind: text
  tone: fired|refused|proposed|unknown|good|info
  sentence: text
  id?: text
  layer?: text
  what?: text
  since?: time
  source?: text
  gates?: [Gate]
Alive
  status: ok|failing
  reason?: text
Ready
  status: ready|waiting
  waiting_for?: [text]
Problem
  status: integer
  message: text
Error
  error: Problem
Row
  metric: text
  subject: text
  source: text
  at: text|integer -- ISO-8601 or epoch milliseconds
  known_at?: text|integer -- when it was known; by the metric's own rule where it is left out
  value: number|text
Taken
  accepted: integer
BadRow
  row: integer -- its place in the list, or its line in the CSV; 0 is the whole body
  reason: text
Refused
  error: Problem
  rows: [BadRow] -- the first of the bad ones; nothing was taken
"""
