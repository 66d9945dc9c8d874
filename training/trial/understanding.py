"""What the columns of the file are: drafted, or as the owner's own files say."""

from dataclasses import dataclass
from pathlib import Path

from fraud.features.platform import Platform
from fraud.money import Rates
from runtime.platform_file import DeclaredPlatform, read_platform, standing_for
from training.data.drafting.draft import Draft, Understood, draft
from training.data.drafting.write import parsed, write_draft
from training.data.importing.mapping import InvalidMapping, Mapping, load_mapping
from training.modelling.train_loop import Progress


@dataclass(frozen=True, slots=True)
class Understanding:
    """How the file is read.

    Attributes:
        mapping, declared: as the commands take them.
        mapping_file, platform_file: where they stand.
        columns: for people, in the order of the file.
        notes: what the draft could not tell.
    """

    mapping: Mapping
    declared: DeclaredPlatform
    mapping_file: Path
    platform_file: Path
    columns: tuple[Understood, ...]
    notes: tuple[str, ...]

    @property
    def platform(self) -> Platform:
        """Whose payments they are."""
        return self.declared.platform

    @property
    def rates(self) -> Rates:
        """Into the platform's base currency."""
        return self.declared.rates


def understand(
    file: Path,
    label: str | None,
    out: Path,
    *,
    mapping_file: Path | None,
    platform_file: Path | None,
    progress: Progress,
) -> Understanding:
    """Drafts what was not given; an owner's own files count as they are.

    Raises:
        InvalidMapping, Misconfigured: the draft has to be mended by hand, or the files do not fit together.
    """
    if mapping_file is None:
        made = draft(file, label, advance=lambda share: progress(f"reading {file.name}", share))
        return _drafted(made, out, platform_file)
    mapping = load_mapping(str(mapping_file))
    beside = platform_file or mapping_file.with_name("platform.toml")
    if not beside.is_file():
        raise InvalidMapping(f"{beside} does not exist: give --platform, which says what the attributes are")
    declared = read_platform(beside)
    if label is not None and (mapping.label is None or mapping.label.column != label):
        raise InvalidMapping(
            f"{mapping_file} does not name {label} as the label: leave --label out, or mend the mapping"
        )
    return Understanding(mapping, declared, mapping_file, beside, tuple(_declared(mapping, declared.platform)), ())


def _drafted(made: Draft, out: Path, platform_file: Path | None) -> Understanding:
    mapping_file, drafted_platform = write_draft(made, out)
    if made.problems:
        raise InvalidMapping(f"{'; '.join(made.problems)}: mend {mapping_file} and give it with --mapping")
    mapping, platform = parsed(made)
    declared = standing_for(platform) if platform_file is None else read_platform(platform_file)
    return Understanding(
        mapping, declared, mapping_file, platform_file or drafted_platform, tuple(made.columns), tuple(made.notes)
    )


def _declared(mapping: Mapping, platform: Platform) -> list[Understood]:
    """The owner's own words."""
    rows = [
        Understood(mapping.time.column, "event_time", "", "", mapping.time.format, used=True),
        Understood(mapping.amount.column, "amount", "", "", f"{mapping.amount.unit} units", used=True),
    ]
    for name, source in mapping.fields.items():
        said = f"constant {source.constant}" if source.constant is not None else "as mapped"
        rows.append(Understood(", ".join(source.columns), name, "", "", said, used=True))
    for name, attribute in mapping.attributes.items():
        kind = str(platform.fields[name].kind) if name in platform.fields else "not declared, hence not used"
        rows.append(
            Understood(attribute.column, f"attribute {name}", kind, "", "as mapped", used=name in platform.fields)
        )
    if mapping.label is not None:
        rows.append(Understood(mapping.label.column, "label", "", "", "the label, never a feature", used=True))
    return rows
