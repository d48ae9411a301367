"""Full text of incidents: their words, kept beside them and indexed by the database, SQLite's FTS5 or PostgreSQL's GIN.

Both are given nothing but words in lower case, so that they take texts apart in the same way, and what somebody looks
for can never be read as an operator of their query languages.
"""

import re
from collections.abc import Iterator

from sqlalchemy import Connection, text
from sqlmodel import Session, col, select

from interlock.agents.analyzers import Finding
from interlock.agents.reading import asked_for
from interlock.agents.rows import to_alert
from interlock.agents.tables import AlertRow, FindingRow, IncidentRow, WordsRow

MOST_WORDS = 2000
LONGEST_WORD = 64
MOST_ALERTS = 100
_WORD = re.compile(r"[^\W_]+")

_SQLITE = (
    """CREATE VIRTUAL TABLE IF NOT EXISTS incident_words_index USING fts5(
         words, content='incident_words', content_rowid='number', tokenize='unicode61 remove_diacritics 0')""",
    """CREATE TRIGGER IF NOT EXISTS incident_words_added AFTER INSERT ON incident_words BEGIN
         INSERT INTO incident_words_index (rowid, words) VALUES (new.number, new.words); END""",
    """CREATE TRIGGER IF NOT EXISTS incident_words_gone AFTER DELETE ON incident_words BEGIN
         INSERT INTO incident_words_index (incident_words_index, rowid, words)
         VALUES ('delete', old.number, old.words); END""",
    """CREATE TRIGGER IF NOT EXISTS incident_words_changed AFTER UPDATE ON incident_words BEGIN
         INSERT INTO incident_words_index (incident_words_index, rowid, words)
         VALUES ('delete', old.number, old.words);
         INSERT INTO incident_words_index (rowid, words) VALUES (new.number, new.words); END""",
)
_POSTGRESQL = (
    """CREATE INDEX IF NOT EXISTS incident_words_index ON incident_words
         USING gin (to_tsvector('simple', words))""",
)
_FOUND_BY_SQLITE = """SELECT incident_id FROM incident_words_index
    JOIN incident_words ON incident_words.number = incident_words_index.rowid
    WHERE incident_words_index MATCH :query ORDER BY rank, number DESC LIMIT :limit"""
_FOUND_BY_POSTGRESQL = """SELECT incident_id FROM incident_words, to_tsquery('simple', :query) AS query
    WHERE to_tsvector('simple', words) @@ query
    ORDER BY ts_rank(to_tsvector('simple', words), query) DESC, number DESC LIMIT :limit"""


def make_index(connection: Connection) -> None:
    """Creates the index, if it is not there yet."""
    for statement in _POSTGRESQL if connection.dialect.name == "postgresql" else _SQLITE:
        connection.execute(text(statement))


def remember(session: Session, incident: IncidentRow) -> None:
    """Keeps what is known of an incident by now, so that it is found by these words."""
    words = " ".join(list(dict.fromkeys(_words(" ".join(_told(session, incident)))))[:MOST_WORDS])
    row = session.exec(select(WordsRow).where(WordsRow.incident_id == incident.id)).first()
    if row is None:
        session.add(WordsRow(incident_id=incident.id, words=words))
    elif row.words != words:
        row.words = words
        session.add(row)


def found(session: Session, wanted: str, limit: int) -> list[str]:
    """The incidents that hold every word, or one that begins so; the best match first, nothing if no word is given."""
    words = list(dict.fromkeys(_words(wanted)))
    if not words:
        return []
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        statement, query = _FOUND_BY_POSTGRESQL, " & ".join(f"{word}:*" for word in words)
    else:
        statement, query = _FOUND_BY_SQLITE, " AND ".join(f'"{word}"*' for word in words)
    return list(connection.execute(text(statement), {"query": query, "limit": limit}).scalars())


def _words(said: str) -> Iterator[str]:
    return (word[:LONGEST_WORD] for word in _WORD.findall(said.lower()))


def _told(session: Session, incident: IncidentRow) -> Iterator[str]:
    place = (incident.target_kind, incident.target_namespace or "", incident.target_name)
    yield from (incident.id, incident.title, *place, incident.verdict, incident.blamed, incident.reason)
    for asked in asked_for(session, incident.id):
        yield from (asked.runbook, asked.phase, asked.message)
    findings = select(FindingRow).where(FindingRow.incident_id == incident.id).order_by(col(FindingRow.rank))
    for row in session.exec(findings):
        finding = Finding.model_validate_json(row.content)
        yield from (finding.cause, str(finding.object), finding.summary, *(quote.excerpt for quote in finding.quotes))
    for alert in session.exec(select(AlertRow).where(AlertRow.incident_id == incident.id).limit(MOST_ALERTS)):
        yield from (alert.name, *to_alert(alert).annotations.values())
