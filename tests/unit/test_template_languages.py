"""Each user gets an email in their language, if it has files in it, and the email says which language that is."""

from pathlib import Path

import pytest
from template_world import FOOTER, TemplateWorld, email, mjml

from skene_dagster.delivery.email.languages import languages
from skene_dagster.delivery.email.mjml.compiled import compile_mjml

TEXTS = {"hello": "Hello", "hello.de": "Hallo", "hello.pt-BR": "Oi", "hello.ar": "Ahlan"}


@pytest.fixture
def world(tmp_path: Path) -> TemplateWorld:
    return TemplateWorld(tmp_path)


def written(world: TemplateWorld, *names: str) -> None:
    for name in names:
        world.write(mjml(TEXTS.get(name, name)), f"{TEXTS.get(name, name)}\n{FOOTER}", name)


@pytest.mark.parametrize(
    ("locale", "words", "about"),
    [
        pytest.param("de-AT", "Hallo", 'lang="de" dir="ltr"', id="a region has the language's"),
        pytest.param("de", "Hallo", 'lang="de" dir="ltr"', id="the language itself"),
        pytest.param("DE", "Hallo", 'lang="de" dir="ltr"', id="in capitals"),
        pytest.param(" de_DE.UTF-8 ", "Hallo", 'lang="de" dir="ltr"', id="as a machine names it"),
        pytest.param("pt_BR", "Oi", 'lang="pt-BR" dir="ltr"', id="with an underscore"),
        pytest.param("ar-EG", "Ahlan", 'lang="ar" dir="rtl"', id="from right to left"),
        pytest.param("pt", "Hello", 'lang="und" dir="auto"', id="never a narrower one"),
        pytest.param("en_US", "Hello", 'lang="und" dir="auto"', id="no files in it"),
        pytest.param("klingon", "Hello", 'lang="und" dir="auto"', id="no tag"),
        pytest.param("../hello.de", "Hello", 'lang="und" dir="auto"', id="a path"),
        pytest.param("de" * 5_000, "Hello", 'lang="und" dir="auto"', id="too long"),
        pytest.param("", "Hello", 'lang="und" dir="auto"', id="empty"),
        pytest.param(None, "Hello", 'lang="und" dir="auto"', id="NULL"),
        pytest.param(7, "Hello", 'lang="und" dir="auto"', id="a number"),
        pytest.param(b"de", "Hello", 'lang="und" dir="auto"', id="bytes"),
    ],
)
def test_a_user_gets_the_nearest_language(world: TemplateWorld, locale: object, words: str, about: str) -> None:
    written(world, *TEXTS)

    message = world.render(user={"id": 7, "name": "Ada", "lang": locale}, locale="lang")

    assert words in message.html
    assert message.text.startswith(words)
    assert f"<html {about}" in message.html


def test_a_template_says_its_own_language(world: TemplateWorld) -> None:
    world.write(mjml().replace("<mjml>", '<!-- Farsi\n -->\n<mjml lang="fa">'))

    assert '<html lang="fa" dir="rtl"' in world.render().html


def test_what_a_template_says_of_its_direction_stays(world: TemplateWorld) -> None:
    world.write(mjml().replace("<mjml>", '<mjml dir="ltr" lang="ar">'))

    assert '<html lang="ar" dir="ltr"' in world.render().html


def test_the_subject_is_of_the_language_too(world: TemplateWorld) -> None:
    written(world, "hello")
    world.write(mjml(subject="Hallo, {{ name }}"), name="hello.de")

    assert world.render(user={"id": 7, "name": "Ada", "lang": "de"}, locale="lang").subject == "Hallo, Ada"


def test_where_nobodys_language_is_known_all_get_the_same(world: TemplateWorld) -> None:
    written(world, *TEXTS)

    assert "Hello" in world.render(user={"id": 7, "name": "Ada", "lang": "de"}).html


def test_each_variant_has_languages_of_its_own(world: TemplateWorld) -> None:
    variants = (("warm", 0.5), ("plain", 0.5))
    written(world, "hello.warm", "hello.warm.de", "hello.plain", "hello.de")

    assert world.faults(locale="lang", variants=variants) == []
    assert languages(world.folder, email(locale="lang", template="hello.warm")) == {
        "": "hello.warm",
        "de": "hello.warm.de",
    }
    assert languages(world.folder, email(locale="lang", template="hello.plain")) == {"": "hello.plain"}


def test_each_language_is_checked_like_the_template_for_all(world: TemplateWorld) -> None:
    written(world, "hello")
    world.write(mjml("{{ nme }}"), None, "hello.de")
    assert (
        "/hello.de.txt The file is missing. Write the text for mail clients without HTML."
        in world.faults(locale="lang")[0]
    )

    world.write(mjml("{{ nme }}"), name="hello.de")
    assert "/hello.de.mjml:2 {{ nme }} is not provided" in world.faults(locale="lang")[0]
    assert world.faults() == []


@pytest.mark.parametrize(
    ("lang", "fault"),
    [
        ("en", "The file's name says 'pt-BR', and <mjml> says lang='en'. Leave `lang` out: the name says it."),
        ("german", "lang='german' is not a language tag. Write one like en or pt-BR."),
    ],
)
def test_a_file_says_one_language(world: TemplateWorld, lang: str, fault: str) -> None:
    written(world, "hello")
    world.write(mjml().replace("<mjml>", f'\n<mjml lang="{lang}">'), name="hello.pt-BR")

    assert world.faults(locale="lang") == [f"{world.folder.name}/hello.pt-BR.mjml:2 {fault}"]


def test_a_language_has_one_file(world: TemplateWorld) -> None:
    written(world, "hello", "hello.pt-BR", "hello.pt_BR")

    assert world.faults(locale="lang") == [
        f"{world.folder.name}/hello.pt_BR.mjml The file is in the same language as hello.pt-BR.mjml. Keep one of them."
    ]


def test_the_tag_is_compiled_once_for_each_language() -> None:
    source = mjml()

    assert compile_mjml(source, "de") is compile_mjml(source, "de")
    assert compile_mjml(source, "de").html != compile_mjml(source, "fr").html
