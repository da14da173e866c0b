"""The pages that the links in emails lead to, where recipients say which email they want; and the one click.

Whoever holds a token may say so for its recipient: it is signed, stands in their mail alone, and can do nothing else.
That is also what makes a forged request harmless: there is no cookie that a browser would add to it, so a page
elsewhere would have to know the token first (CSRF).
"""
