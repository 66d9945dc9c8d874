from tools.reference import README, updated


def test_the_readme_tells_the_settings_and_metrics_of_this_code() -> None:
    text = README.read_text()
    assert updated(text) == text, "run `make contracts`"
    assert "`FRAUD_MODELS_DIR`" in text
    assert "`fraud_dead_letters_total`" in text
