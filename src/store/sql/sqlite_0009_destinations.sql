-- Where audiences are sent. settings: JSON; credentials: sealed under a key of the workspace.
CREATE TABLE destination (
	id          TEXT    PRIMARY KEY,
	name        TEXT    NOT NULL UNIQUE,
	kind        TEXT    NOT NULL,
	settings    TEXT    NOT NULL,
	credentials BLOB    NOT NULL,
	version     INTEGER NOT NULL,
	created_ms  INTEGER NOT NULL,
	updated_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
