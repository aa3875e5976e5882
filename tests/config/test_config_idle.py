"""Settings that decide nothing yet say so: at the start and in `check`."""

from pathlib import Path

import pytest

from tests.config.catalogue import load_text

IL = (
    "book.objective: il decides nothing yet: layers are sized as for drawdown, since no strangle is proposed; "
    "each layer of an LP says what of the impermanent loss it would make good"
)
PROMOTER = "book.mode: promoter decides nothing yet: rules, gates and sizes are those of steward"


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("{}", ()),
        ("{objective: drawdown, mode: steward}", ()),
        ("{objective: il}", (IL,)),
        ("{mode: promoter}", (PROMOTER,)),
        ("{mode: promoter, objective: il}", (IL, PROMOTER)),
    ],
)
def test_a_setting_that_decides_nothing_yet_is_warned_of(tmp_path: Path, text: str, warned: tuple[str, ...]) -> None:
    assert load_text(tmp_path, f"book: {text}").warnings == warned
