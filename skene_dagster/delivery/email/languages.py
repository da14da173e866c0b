"""The languages of a template: `<template>.<locale>.mjml` and `.txt`; after the variant, if there is one."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from skene_dagster import locales
from skene_dagster.codes import Code
from skene_dagster.errors import Place, TemplateError
from skene_dagster.files import names_in
from skene_dagster.loops.plan import Email


def languages(folder: Path, email: Email) -> Mapping[str, str]:
    """Name the templates of an email by their languages, as tags; under an empty tag the one for everybody else.

    Where no column of the users table says their language, all get that one.
    """
    others = {tag: names[0] for tag, names in _translations(folder, email).items()} if email.locale else {}
    return {"": email.template, **others}


def ambiguous(folder: Path, email: Email) -> Iterator[TemplateError]:
    """Find files in a language that another file is in."""
    for first, *others in _translations(folder, email).values() if email.locale else ():
        for name in others:
            message = f"The file is in the same language as {first}.mjml."
            yield TemplateError(
                message, advice="Keep one of them.", place=Place(f"{folder.name}/{name}.mjml"), code=Code.LANGUAGE
            )


def stems(folder: Path) -> list[str]:
    """Name what there are files of, without `.mjml` and `.txt`."""
    try:
        files = names_in(folder)
    except (OSError, ValueError):
        return []
    return sorted({name.rpartition(".")[0] for name in files if name.endswith((".mjml", ".txt"))})


def _translations(folder: Path, email: Email) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for stem in stems(folder):
        template, _, part = stem.rpartition(".")
        if template == email.template and (tag := locales.tag_of(part)):
            found.setdefault(tag, []).append(stem)
    return found
