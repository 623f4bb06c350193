-- How much a source may send and from where (JSON; empty: nothing is limited); what it has sent.
ALTER TABLE source ADD COLUMN settings TEXT NOT NULL DEFAULT '';

-- span: enum store_span. source 0 is the platform's own events API.
CREATE TABLE source_count (
	source INTEGER NOT NULL,
	span   INTEGER NOT NULL CHECK (span BETWEEN 1 AND 3),
	at_ms  INTEGER NOT NULL,
	name   TEXT    NOT NULL,
	value  INTEGER NOT NULL,
	PRIMARY KEY (source, span, at_ms, name)
) STRICT, WITHOUT ROWID;
