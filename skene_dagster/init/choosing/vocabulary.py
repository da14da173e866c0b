"""The names that products give their tables and columns; those of columns are without `_`, in order of preference."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PEOPLE = {
    **dict.fromkeys(_words("user"), 30),
    **dict.fromkeys(_words("member person usuario utilisateur benutzer mitglied"), 20),
    **dict.fromkeys(_words("customer kunde"), 18),
    **dict.fromkeys(_words("client player student learner"), 12),
    **dict.fromkeys(_words("subscriber"), 8),
    **dict.fromkeys(_words("profile"), 6),
    **dict.fromkeys(_words("account"), 4),
}
"""Words for users, and what they are worth."""

OTHER_SUBJECTS = frozenset(
    _words("""
        address admin administrator agent archive attempt audit backup ban block blocklist campaign code comment company
        confirmation connection contact credential deleted device email emailaddress employee event export feedback
        group history identity import integration invitation invite invoice job key lead log login mailbox message meta
        metadata newsletter notification oauth operator order organization otp partner payment permission post
        preference provider queue recipient request reset review role secret sender session setting signup social
        staff supplier tag team temp template ticket tmp token vendor verification visit waitlist webhook
    """)
)
"""Words for what is no user, or not all of one."""

ADDRESSES = {"email": 30, "emailaddress": 30, "mail": 25, "mailaddress": 25, "emailid": 25}
NO_ADDRESS = frozenset(
    _words("""
        at billing bounce bounced confirmation confirmed count date hash new notification old opt pending sent to token
        unconfirmed verification verified verify
    """)
)
"""Words that make of a column whose name has `email` something other than the address."""

PASSWORDS = frozenset(
    _words("""
        authhash cryptedpassword encryptedpassword hashedpassword pass passwd password passworddigest passwordhash
        passwordhashed pwd pwdhash
    """)
)

NAMES = _words("displayname fullname realname name firstname givenname forename nickname username")
CREATED = _words("""
    createdat datejoined registeredat registered registrationdate signedupat signupat joinedat createdatetime
    createddate creationdate datecreated createtime created joined insertedat regdate createdon timecreated signupdate
    joindate dateadd
""")
ACTIVITY = _words("""
    lastactivityat lastactivity lastactiveat lastactive lastseenat lastseen seenat lastaccess lastaccessat lastvisit
    lastvisitat lastonline lastusedat currentsigninat currentloginat lastsigninat lastlogin lastloginat lastlogindate
    lastlogintime lastloggedin lastsignin
""")
SEEN = ACTIVITY[: ACTIVITY.index("currentsigninat")]
"""Those of activity that are more than sign-ins."""
BEFORE_LAST = {"lastsigninat": "currentsigninat", "lastloginat": "currentloginat"}
"""Where there is the second, the first is the sign-in before it."""
UPDATED = _words("updatedat modifiedat updated modified dateupdated changedat updatedon")
VERIFIED = _words("""
    emailverifiedat emailverified isverified verified verifiedat confirmedat emailconfirmed isconfirmed confirmed
    emailconfirmedat isemailverified
""")
TIMEZONES = _words("timezone tz timezonename tzname timezoneid")
LOCALES = _words("locale language lang languagecode preferredlanguage lcid")
PLANS = _words("plan planname plancode subscriptionplan tier plantype")
GONE_AT = _words("""
    deletedat discardedat archivedat suspendedat bannedat lockedat disabledat deactivatedat blockedat anonymizedat
""")
GONE = _words("""
    deleted isdeleted banned isbanned isbot bot guest isguest isanonymous suspended issuspended disabled isdisabled
    blocked isblocked archived isarchived spam
""")
PRESENT = _words("isactive active enabled isenabled")
STAFF = _words("isstaff isadmin staff admin isinternal isemployee")

PASSING = frozenset(_words("session token device cache job invitation key"))
"""Words for tables whose rows go when somebody signs out, or after a while: no row says nothing."""
PER_SIGN_IN = frozenset(_words("login visit signin loginevent"))
"""Words for tables with a row for each visit, or each sign-in."""
SIGNED_IN_AT = _words("startedat createdat datetime loggedinat timestamp time at")

EVENTS = {
    **dict.fromkeys(_words("event track"), 25),
    **dict.fromkeys(_words("usage activity"), 15),
    **dict.fromkeys(_words("action analytic"), 12),
    **dict.fromkeys(_words("log"), 6),
}
"""Words for usage events, and what they are worth."""
NO_EVENTS = frozenset(
    _words("""
        admin alias attendee cache calendar comment django email error failed failure feed group history identify inbox
        invitation invite invoice job login mail message meta migration notification order outbox page payment post
        queue registration schema screen session subscription task ticket token version webhook wp
    """)
)
EVENT_NAMES = _words("eventtext eventname event action activity verb name type eventtype description")
EVENT_TIMES = _words("""
    timestamp occurredat happenedat eventtime eventat time at ts trackedat createdat created date loggedat
""")
SURE_EVENT_TIMES = EVENT_TIMES[: EVENT_TIMES.index("trackedat")]
ARRIVED = _words("receivedat loadedat insertedat ingestedat uuidts")
EVENT_USERS = _words("userid distinctid actorid personid memberid customerid accountid causerid uid user")
SURE_EVENT_USERS = EVENT_USERS[: EVENT_USERS.index("memberid")]
APPOINTMENTS = _words("startsat startat endsat endat starttime endtime startdate venue location capacity")
"""Columns of events that people go to."""
PROPERTIES = _words("properties props payload data metadata context attributes params")
