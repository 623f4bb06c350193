-- What a part of the server worked out and wants to have at its next start, by name.
CREATE TABLE kept (
	name  TEXT    PRIMARY KEY,
	text  TEXT    NOT NULL,
	at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
