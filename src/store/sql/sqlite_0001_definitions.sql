-- The workspace, sources, tokens, segments with their versions, and the outbox to the journal.

-- "Sonn", so that a foreign database is told apart.
PRAGMA application_id = 1399811694;

-- The migrations that were applied, with the SHA-256 of their text: it must not change afterwards.
CREATE TABLE schema_version (
	number     INTEGER PRIMARY KEY,
	name       TEXT    NOT NULL,
	sha256     TEXT    NOT NULL,
	applied_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE workspace (
	only_row        INTEGER PRIMARY KEY CHECK (only_row = 1),
	id              TEXT    NOT NULL,
	partition_count INTEGER NOT NULL CHECK (partition_count BETWEEN 1 AND 1024),
	created_ms      INTEGER NOT NULL,
	manual_clock    INTEGER NOT NULL CHECK (manual_clock IN (0, 1)),
	retention_ms    INTEGER NOT NULL CHECK (retention_ms > 0)
) STRICT;

-- The last number given out of each sequence; deleting what bears a number does not free it.
CREATE TABLE counter (
	name  TEXT    PRIMARY KEY,
	value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO counter (name, value) VALUES ('source', 0), ('segment', 0), ('outbox', 0);

CREATE TABLE source (
	id         TEXT    PRIMARY KEY,
	number     INTEGER NOT NULL UNIQUE,
	name       TEXT    NOT NULL,
	write_key  TEXT    NOT NULL UNIQUE,
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
	id         TEXT    PRIMARY KEY,
	name       TEXT    NOT NULL,
	hash       BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
	scopes     TEXT    NOT NULL,
	created_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE segment (
	id           TEXT    PRIMARY KEY,
	number       INTEGER NOT NULL UNIQUE,
	key          TEXT    NOT NULL,
	name         TEXT    NOT NULL,
	description  TEXT    NOT NULL,
	active       INTEGER NOT NULL CHECK (active IN (0, 1)),
	created_ms   INTEGER NOT NULL,
	updated_ms   INTEGER NOT NULL,
	version      INTEGER NOT NULL CHECK (version >= 1),
	live_version INTEGER NOT NULL CHECK (live_version BETWEEN 0 AND version),
	deleted      INTEGER NOT NULL CHECK (deleted IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX segment_key ON segment (key) WHERE deleted = 0;

-- state: enum store_version_state.
CREATE TABLE segment_version (
	segment_id TEXT    NOT NULL REFERENCES segment (id),
	version    INTEGER NOT NULL,
	state      INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),
	reason     TEXT    NOT NULL,
	definition TEXT    NOT NULL,
	canonical  TEXT    NOT NULL,
	hash       BLOB    NOT NULL CHECK (length(hash) = 32),
	PRIMARY KEY (segment_id, version)
) STRICT, WITHOUT ROWID;

-- kind: enum record_kind.
CREATE TABLE outbox (
	id      INTEGER PRIMARY KEY,
	kind    INTEGER NOT NULL,
	payload BLOB    NOT NULL
) STRICT;
