"""What the commands say of emails in several languages."""

import sqlite3
from pathlib import Path

import pytest
from commands import skene
from small_project import RETENTION, SETTINGS, write_project, write_users

LOCALIZED = SETTINGS.replace("users:\n", "users:\n  locale: lang\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_project(
        tmp_path, {"retention.yaml": RETENTION.replace("last_activity_at <", "created_at <")}, LOCALIZED
    )
    write_users(root, 1)
    with sqlite3.connect(root / ".skene" / "skene.db") as connection:
        connection.execute("ALTER TABLE users ADD lang VARCHAR(20) DEFAULT 'de_AT'")
        connection.execute("ALTER TABLE users RENAME last_activity_at TO created_at")
    change(root, "re_engagement.mjml", "<mjml>", '<mjml lang="en">')
    translate(root, "de", "Hallo")
    return root


def change(root: Path, file: str, old: str, new: str) -> None:
    text = (root / "templates" / file).read_text("utf-8")
    assert old in text
    (root / "templates" / file).write_text(text.replace(old, new), encoding="utf-8")


def translate(root: Path, language: str, words: str) -> None:
    for ending in ("mjml", "txt"):
        text = (root / "templates" / f"re_engagement.{ending}").read_text("utf-8").replace(' lang="en"', "")
        file = root / "templates" / f"re_engagement.{language}.{ending}"
        file.write_text(text.replace("Hello", words), encoding="utf-8")


def validated(root: Path) -> str:
    result = skene(root, "validate")
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_languages_that_say_the_same_surprise_nobody(root: Path) -> None:
    assert "notice" not in validated(root)


def test_a_placeholder_that_a_language_leaves_out_is_told(root: Path) -> None:
    change(root, "re_engagement.de.txt", "{{ name }}", "du")

    assert "notice templates/re_engagement.de.txt It never uses {{ name }}, which re_engagement.txt does." in validated(
        root
    )


def test_a_language_of_which_nobody_knows_which_it_is_is_told(root: Path) -> None:
    change(root, "re_engagement.mjml", ' lang="en"', "")

    assert (
        "notice templates/re_engagement.mjml It does not say its own language, beside de. Write it into the first tag: "
        '<mjml lang="en">.'
    ) in validated(root)


@pytest.mark.parametrize(
    ("language", "settings", "loop", "why"),
    [
        pytest.param("fr", SETTINGS, "", "skene.yaml does not say where a user's language is. Add `users.locale`."),
        pytest.param("french", LOCALIZED, "", "'french' is neither a language tag, like pt-BR, nor a variant"),
        pytest.param(
            "fr",
            LOCALIZED,
            "      variants: {warm: 1, cool: 1}\n",
            "the email has variants, each with languages of its own: re_engagement.warm.fr.mjml,",
        ),
        pytest.param(
            "fr.warm",
            LOCALIZED,
            "      variants: {warm: 1, cool: 1}\n",
            "the variant comes before the language. Call it re_engagement.warm.fr.mjml.",
        ),
        pytest.param("hot.fr", LOCALIZED, "", "there is no variant 'hot'."),
    ],
)
def test_a_file_that_nobody_ever_gets_is_told(root: Path, language: str, settings: str, loop: str, why: str) -> None:
    translate(root, language, "Bonjour")
    for variant in ("warm", "cool"):
        if loop:
            translate(root, variant, "Hi")
    (root / "skene.yaml").write_text(settings, encoding="utf-8")
    file = root / "loops" / "retention.yaml"
    file.write_text(file.read_text("utf-8").replace("recovery:", f"{loop}recovery:"), encoding="utf-8")

    assert f"notice templates/re_engagement.{language}.mjml Nobody gets this file: {why}" in validated(root)


def test_a_preview_says_in_which_language_an_email_is(root: Path) -> None:
    result = skene(root, "preview", "retention", "--user", "1")

    assert result.exit_code == 0, result.output
    assert "Language de (re_engagement.de.mjml)" in " ".join(result.output.split())
    assert "Hallo Marker1" in result.output


def test_a_preview_shows_another_language(root: Path) -> None:
    translate(root, "pt-BR", "Oi")

    assert "Oi Marker1" in skene(root, "preview", "retention", "--locale", "pt_BR").output
    assert "Hello Marker1" in skene(root, "preview", "retention", "--locale", "pt").output


@pytest.mark.parametrize(
    ("settings", "locale", "why"),
    [
        (LOCALIZED, "german!", "'german!' is not a language tag. Write one like de or pt-BR."),
        (SETTINGS, "de", "skene.yaml does not say where a user's language is, so all get the same email."),
    ],
)
def test_a_preview_in_no_language_is_refused(root: Path, settings: str, locale: str, why: str) -> None:
    (root / "skene.yaml").write_text(settings, encoding="utf-8")

    result = skene(root, "preview", "retention", "--locale", locale)

    assert result.exit_code == 2
    assert why in " ".join(result.output.replace("│", " ").split())
