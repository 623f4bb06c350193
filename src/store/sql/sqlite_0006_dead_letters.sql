-- What sources have sent and was rejected. `content` is sealed: under the key of that person, or,
-- where partition is NULL, under one of the workspace. kind: enum ingest_kind.
CREATE TABLE dead_letter (
	id        INTEGER PRIMARY KEY AUTOINCREMENT,
	source    INTEGER NOT NULL,
	at_ms     INTEGER NOT NULL,
	code      TEXT    NOT NULL,
	place     TEXT    NOT NULL,
	kind      INTEGER NOT NULL,
	bytes     INTEGER NOT NULL,
	replays   INTEGER NOT NULL DEFAULT 0,
	partition INTEGER,
	slot      INTEGER,
	content   BLOB    NOT NULL
) STRICT;
CREATE INDEX dead_letter_by_source ON dead_letter (source, id, bytes);
CREATE INDEX dead_letter_by_time ON dead_letter (at_ms);
