-- Filters of audiences that were added through the API. definition: JSON (model/filter.h).
CREATE TABLE filter (
	name       TEXT    PRIMARY KEY,
	definition TEXT    NOT NULL,
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
