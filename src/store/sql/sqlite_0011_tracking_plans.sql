-- Which events and properties a source sends (JSON; empty: none, but the version goes on). source 0
-- is the platform's own events API.
CREATE TABLE tracking_plan (
	source     INTEGER PRIMARY KEY,
	version    INTEGER NOT NULL,
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL,
	plan       TEXT    NOT NULL
) STRICT;

-- What was seen of a source, by event and property: of which types (family 1), and what went
-- against its plan (family 2). sample: a message id.
CREATE TABLE observation (
	source   INTEGER NOT NULL,
	family   INTEGER NOT NULL CHECK (family BETWEEN 1 AND 2),
	event    TEXT    NOT NULL,
	property TEXT    NOT NULL,
	kind     TEXT    NOT NULL,
	count    INTEGER NOT NULL,
	first_ms INTEGER NOT NULL,
	last_ms  INTEGER NOT NULL,
	sample   TEXT    NOT NULL,
	PRIMARY KEY (source, family, event, property, kind)
) STRICT, WITHOUT ROWID;

-- What is wrong, exactly; empty: as the code says.
ALTER TABLE dead_letter ADD COLUMN reason TEXT NOT NULL DEFAULT '';
