-- Event types of the platform's own events API beside the built-in ones.
CREATE TABLE event_type (
	name        TEXT    PRIMARY KEY,
	description TEXT    NOT NULL,
	created_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
