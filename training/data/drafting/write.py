"""A draft as two files: a mapping and a platform's declaration, each line with its evidence."""

import tomllib
from pathlib import Path
from typing import Final

from fraud.features.platform import Platform
from training.data.drafting.draft import Draft, Understood
from training.data.drafting.identifiers import FieldGuess
from training.data.drafting.names import slug
from training.data.drafting.times import TimeGuess
from training.data.drafting.toml_text import Value, comment, key, line
from training.data.importing.mapping import ROW, Mapping

NEVER_DAYS: Final = 36_500
"""Maturity where silence never counts as genuine, because genuine payments are marked."""

ABSENT: Final = "?"
"""A column that the owner has to name."""


def mapping_text(draft: Draft) -> str:
    """`mapping.toml`: which column becomes which field."""
    table = draft.table
    lines = [
        comment(f"Drafted from {table.path.name}: {table.rows:,} rows, {len(table.columns):,} columns."),
        *_told(draft),
        "",
        line("name", draft.name),
        line("about", f"drafted from {table.path.name}"),
        line("missing", table.missing, "texts that mean absent"),
    ]
    if table.decimal == ",":
        lines.append(line("decimal", ",", "numbers are written with a comma"))
    if table.file.delimiter != "," or table.file.encoding != "utf-8":
        lines.append(line("file", {"delimiter": table.file.delimiter, "encoding": table.file.encoding}))
    lines += ["", *_time(draft), *_amount(draft), "", "[fields]", *_fields(draft)]
    lines += ["", "[attributes]", *_attributes(draft), *_label(draft)]
    return "\n".join(lines) + "\n"


def platform_text(draft: Draft) -> str:
    """`platform.toml`: what the shop's own fields are."""
    lines = [
        comment(f"Drafted from {draft.table.path.name}. Kinds: number, flag, category, entity."),
        line("name", draft.name),
        line("base_currency", draft.constant_currency, "all amounts are turned into it"),
        line("stage", "pre_auth", "which fields are known before authorisation, the data do not tell: check them"),
        line("partitions", 1, "of the input topic"),
    ]
    facts = {row.column: row for row in draft.columns}
    for name, own in draft.own.items():
        lines += ["", f"[fields.{key(name)}]"]
        lines += [
            line("kind", str(own.kind), f"{own.why}; {facts[own.column].evidence}"),
            line("meaning", own.column[:200]),
        ]
    return "\n".join(lines) + "\n"


def write_draft(draft: Draft, out: Path) -> tuple[Path, Path]:
    """Writes both files into a folder; their paths."""
    out.mkdir(parents=True, exist_ok=True)
    mapping, platform = out / "mapping.toml", out / "platform.toml"
    mapping.write_text(mapping_text(draft), encoding="utf-8")
    platform.write_text(platform_text(draft), encoding="utf-8")
    return mapping, platform


def parsed(draft: Draft) -> tuple[Mapping, Platform]:
    """Mapping and declaration as the commands read them."""
    mapping = Mapping.model_validate(tomllib.loads(mapping_text(draft)))
    return mapping, Platform.model_validate(tomllib.loads(platform_text(draft)))


def _told(draft: Draft) -> list[str]:
    lines = []
    for title, said in (("To be mended before an import:", draft.problems), ("To be checked:", draft.notes)):
        if said:
            lines += [comment(""), comment(title), *(comment(f"- {note}") for note in said)]
    return lines


def _row(draft: Draft, column: str | None) -> Understood | None:
    return next((row for row in draft.columns if row.column == column), None)


def _evidence(draft: Draft, column: str | None) -> list[str]:
    row = _row(draft, column)
    return [] if row is None else [comment(f"{row.column}: {row.evidence}")]


def _time_source(guess: TimeGuess) -> dict[str, Value]:
    source: dict[str, Value] = {"from": guess.column, "format": guess.format}
    return source | ({"origin": guess.origin} if guess.origin else {})


def _time(draft: Draft) -> list[str]:
    if draft.time is None:
        return [line("time", {"from": ABSENT, "format": "iso"}, "name the column: no guess")]
    return [*_evidence(draft, draft.time.column), line("time", _time_source(draft.time))]


def _amount(draft: Draft) -> list[str]:
    if draft.amount is None:
        return [line("amount", {"from": ABSENT, "unit": "major"}, "name the column: no guess")]
    said = "" if draft.amount.sure else "a guess: check it"
    unit = "minor" if draft.amount.minor else "major"
    return [*_evidence(draft, draft.amount.column), line("amount", {"from": draft.amount.column, "unit": unit}, said)]


def _fields(draft: Draft) -> list[str]:
    lines = []
    if "transaction_id" not in draft.fields:
        lines.append(line("transaction_id", {"from": [ROW], "prefix": "row-"}, "no column names each payment: its row"))
    for name, guess in draft.fields.items():
        lines += [*_evidence(draft, guess.column), line(name, _field_source(guess), guess.note)]
    if draft.currency is not None:
        return [*lines, *_evidence(draft, draft.currency), line("currency", {"from": [draft.currency]})]
    return [*lines, line("currency", {"constant": draft.constant_currency}, "check it")]


def _field_source(guess: FieldGuess) -> dict[str, Value]:
    source: dict[str, Value] = {"from": [guess.column]}
    if guess.column == ROW:
        source["prefix"] = "row-"
    return source | ({"hashed": True} if guess.hashed else {})


def _attributes(draft: Draft) -> list[str]:
    """Every column that is no field, in the order of the file; what is left out stands as a comment."""
    names = {own.column: name for name, own in draft.own.items()}
    lines = []
    for row in draft.columns:
        if row.column in names:
            lines.append(line(names[row.column], row.column, f"{row.kind}: {row.evidence}"))
        elif not row.used:
            lines.append(comment(f"{line(slug(row.column), row.column)}  # left out, {row.why}: {row.evidence}"))
    return lines


def _label(draft: Draft) -> list[str]:
    label = draft.label
    if label is None:
        return []
    common = draft.table.values[label.column].most_common(10)
    counts = ", ".join(f'"{value}" {count:,}' for value, count in common)
    lines = [
        "",
        "[label]",
        comment(f"{label.column}: {counts}"),
        line("from", label.column),
        line("fraud", label.fraud),
    ]
    if label.genuine:
        lines.append(line("genuine", label.genuine, "any other value says nothing"))
    lines.append(line("delay_days", 0, "days from the payment to the report: check it"))
    if draft.report_time is not None:
        lines.append(line("time", _time_source(draft.report_time), "when it was reported"))
    said = "silence never counts as genuine" if label.genuine else "age at which silence counts as genuine"
    return [*lines, line("maturity_days", NEVER_DAYS if label.genuine else 0, said)]
