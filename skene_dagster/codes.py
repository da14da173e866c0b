"""The code of everything that `validate` finds: stable, so that programs, comments and searches can name it.

A code keeps its meaning for ever; one that is not used any more is not given to anything else.
"""

from enum import Enum


class Code(Enum):
    """What is wrong, or may surprise, in one kind."""

    MORE = ("SK100", "More errors", "Only the first errors of a file are listed. Correct them, and validate again.")
    UNREADABLE = (
        "SK101",
        "A file cannot be read",
        "It is missing, too large, not UTF-8, no regular file, or a link to a place outside the project.",
    )
    SYNTAX = (
        "SK102",
        "A file is not valid",
        "It is not the YAML, TypeScript or Python that a loop or skene.yaml may be written in.",
    )
    UNKNOWN_FIELD = (
        "SK103",
        "A field does not exist",
        "Check its spelling and its indentation: docs/loop-format.md and docs/settings.md list all fields.",
    )
    MISSING_FIELD = ("SK104", "A field is missing", "It has no default. Add it.")
    NOT_A_CHOICE = ("SK105", "A value is none of those that are possible", "The message lists them.")
    WRONG_KIND = (
        "SK106",
        "A value is of the wrong kind",
        "A text where a number is needed, for example. Often a value needs quotes, or has some it should not have.",
    )
    OUT_OF_BOUNDS = ("SK107", "A number or a text is too large, too small or too long", "The message says the limit.")
    BAD_VALUE = ("SK108", "A value cannot be used", "The message says how it is to be written.")
    SETTINGS = (
        "SK200",
        "skene.yaml, or a variable, contradicts itself",
        "The message names the part, and the way out.",
    )
    ENVIRONMENT = ("SK201", "A variable of the environment is wrong", "docs/settings.md lists them.")
    LOOP = ("SK300", "A loop says something impossible", "The message says what to write instead.")
    NAME = (
        "SK301",
        "A name cannot be used, or is used twice",
        "Names of loops and steps are lower-case words joined by `_`, and each exists once.",
    )
    TRIGGER = ("SK302", "A trigger cannot work", "Its schedule, table, event or step is impossible.")
    CONDITION = ("SK303", "A condition cannot work", "It does not fit its trigger, or what skene.yaml describes.")
    ACTION = ("SK304", "An action cannot work", "Its template's name, its columns or its options are impossible.")
    GOAL = (
        "SK305",
        "A goal cannot be measured",
        "It names what skene.yaml does not describe, or a time that cannot be.",
    )
    TOPIC = ("SK306", "A loop's topic is unknown", "Marketing emails have a topic, one of `topics` of skene.yaml.")
    SENDER = ("SK307", "An email's sender is unknown, or lacks something", "Complete it in skene.yaml.")
    VARIANTS = ("SK308", "Variants cannot be compared", "All steps of a loop have the same ones, at least two.")
    RECOVERY = ("SK309", "What follows a failure is impossible", "A run waits for a day at most.")
    SHARED = ("SK310", "What a loop takes from skene.yaml is not there", "Describe it in skene.yaml first.")
    EXPRESSION = (
        "SK311",
        "An expression cannot be used",
        "`{{user.x}}` reads the users table, `{{row.x}}` a column of the condition; statements belong in the template.",
    )
    SQL = (
        "SK400",
        "SQL is refused",
        "A condition is one SELECT in MySQL's dialect, which reads the product's tables and has one meaning.",
    )
    ONE_SELECT = ("SK401", "SQL is not exactly one SELECT", "A condition only reads, by one statement.")
    FUNCTION = ("SK402", "A function cannot be used", "It does more than compute, or is none of MySQL's.")
    TEMPLATE = ("SK500", "A template is wrong", "The message says what is, and where.")
    NO_TEMPLATE = ("SK501", "A template, or one of its two files, is missing", "It is `<name>.mjml` and `<name>.txt`.")
    NOT_PROVIDED = (
        "SK502",
        "A template uses a name that it does not get",
        "It gets the names of `personalization`, and what docs/loop-format.md lists under Template.",
    )
    JINJA = ("SK503", "A template is not valid Jinja, or uses what is not allowed", "It runs in a sandbox.")
    MJML = ("SK504", "A template is not valid MJML", "What MJML would drop or repair silently is refused.")
    FOOTER = (
        "SK505",
        "A marketing email has no way to say no, or no postal address",
        "Print `{{ unsubscribe_url }}` and `{{ postal_address }}`, or write `transactional: true` if it was asked for.",
    )
    TOO_LARGE = ("SK506", "An email is too large", "Gmail cuts it off.")
    LANGUAGE = ("SK507", "The language of a template's file is unclear", "One file for each, named by its tag.")
    NO_SUBJECT = ("SK508", "An email has no subject", "Write it into `<mj-title>` in `<mj-head>`.")
    DATABASE = ("SK600", "The database refused", "The message has its own words. Trying again later may help.")
    UNREACHABLE = ("SK601", "The database cannot be reached", "Check `SKENE_DATABASE_URL`, and the network.")
    NO_TABLE = ("SK602", "A table is not in the database", "Check its name, and its schema.")
    NO_COLUMN = ("SK603", "A column is not in the database", "Check its name: the message lists those that are near.")
    SQL_REFUSED = ("SK604", "The database refuses SQL", "It is understood here, but not there: the message says why.")
    ZONE = ("SK701", "A time zone may be taken for another", "Write the zone of a place: `Europe/Berlin`.")
    EITHER_DAY = ("SK702", "A schedule with a day and a weekday runs on either", "Leave one of them out.")
    NEEDS_TIDB = ("SK703", "A condition cannot run on the embedded database", "It runs on TiDB and MySQL.")
    COMES_TWICE = ("SK704", "A condition may return somebody twice", "The run would fail. Select distinct keys.")
    NEVER = ("SK705", "A condition leaves out users who never did it", "A comparison with NULL is never true.")
    BETWEEN_TICKS = ("SK706", "A window leaves gaps between ticks", "Who is in a gap is never selected.")
    NO_HOLDOUT = ("SK707", "A goal is not measured", "Somebody has to be held out, to compare with.")
    NO_GOAL = ("SK708", "A holdout has no purpose", "Without a goal nothing is compared.")
    SMALLEST_EFFECT = (
        "SK709",
        "What a holdout can show",
        "The smaller it is, the larger an effect must be to be seen.",
    )
    WHOLE_TABLE = ("SK710", "A condition reads a whole table", "An index may help: the message has its statement.")
    NO_MOMENT = ("SK711", "Values of a column are not moments", "They count as NULL.")
    LACKING = ("SK712", "Users lack a value that an email needs", "Write a fallback: `{{ user.name or 'there' }}`.")
    LOCAL_TIME = ("SK713", "A column seems to hold local time", "Moments are read as UTC.")
    LEFT_OUT = ("SK714", "One language of a template leaves out what another uses", "Perhaps it was forgotten.")
    OWN_LANGUAGE = ("SK715", "A template with languages does not say its own", 'Write `<mjml lang="en">`.')
    NOBODYS_FILE = ("SK716", "Nobody can ever get a template's file", "Its name says no language, or no variant.")
    INTERNAL = ("SK900", "skene-dagster failed on a file", "The bug is ours. Please report it.")

    def __init__(self, id: str, title: str, means: str) -> None:  # noqa: A002 - SARIF's word for it
        self.id = id
        self.title = title
        self.means = means
