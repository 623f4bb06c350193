-- Audiences that were saved. kind: enum store_audience_kind. What each version said stays; members
-- of a snapshot are kept by partition as numbers of persons, which alone say nothing of anybody.
INSERT INTO counter (name, value) VALUES ('audience', 0);

CREATE TABLE audience (
	id          TEXT    PRIMARY KEY,
	number      INTEGER NOT NULL UNIQUE,
	kind        INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 2),
	name        TEXT    NOT NULL,
	description TEXT    NOT NULL,
	definition  TEXT    NOT NULL,
	segment_id  TEXT    NOT NULL,
	version     INTEGER NOT NULL,
	created_ms  INTEGER NOT NULL,
	updated_ms  INTEGER NOT NULL,
	as_of_ms    INTEGER NOT NULL,
	figures     TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX audience_segment ON audience (segment_id) WHERE segment_id <> '';

CREATE TABLE audience_version (
	audience_id TEXT    NOT NULL REFERENCES audience (id) ON DELETE CASCADE,
	version     INTEGER NOT NULL,
	name        TEXT    NOT NULL,
	description TEXT    NOT NULL,
	definition  TEXT    NOT NULL,
	at_ms       INTEGER NOT NULL,
	PRIMARY KEY (audience_id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE audience_members (
	audience_id TEXT    NOT NULL REFERENCES audience (id) ON DELETE CASCADE,
	partition   INTEGER NOT NULL,
	count       INTEGER NOT NULL,
	slots       BLOB    NOT NULL,
	PRIMARY KEY (audience_id, partition)
) STRICT;
