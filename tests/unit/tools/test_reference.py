from tools.reference import FOLDER, pages


def test_the_reference_tells_the_settings_and_metrics_of_this_code() -> None:
    made = pages()
    for name, text in made.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, "run `make reference`"
    assert "`FRAUD_MODELS_DIR`" in made["settings.md"]
    assert "`fraud_dead_letters_total`" in made["metrics.md"]
