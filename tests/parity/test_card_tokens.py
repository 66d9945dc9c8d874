"""A card number that strayed into an event has one token, whichever program meets it."""

from pydantic import SecretStr

from service.bootstrap import decoder, domain
from service.settings import Settings
from training.loop.program import feature_context
from training.settings import load_settings

PAN = "4111111111111111"
BOTH = SecretStr("one secret for both")


def test_service_and_loop_give_a_card_number_the_same_token() -> None:
    settings = Settings(instance_id="a", secret=BOTH)
    theirs, ours = decoder(settings, domain(settings)).pan_token, feature_context(load_settings(secret=BOTH)).token
    assert theirs is not None
    assert ours is not None
    assert theirs(PAN) == ours(PAN)
    assert PAN not in ours(PAN)


def test_another_secret_gives_another_token() -> None:
    tokens = {
        token(PAN)
        for name in ("a", "b")
        if (token := feature_context(load_settings(secret=name * 16)).token) is not None
    }
    assert len(tokens) == 2
