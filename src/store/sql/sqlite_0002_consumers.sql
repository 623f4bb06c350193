-- Named places in the change stream. cursor: what the API handed out, opaque here.
CREATE TABLE consumer (
	name       TEXT    PRIMARY KEY,
	cursor     TEXT    NOT NULL,
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
