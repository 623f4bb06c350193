-- What retention has reported and dropped, by the name of the thing that is kept for a time.
-- age_ms: the limit under which it was reported.
CREATE TABLE retention (
	name          TEXT    PRIMARY KEY,
	age_ms        INTEGER NOT NULL,
	reported_ms   INTEGER NOT NULL,
	dropped_ms    INTEGER NOT NULL,
	dropped_count INTEGER NOT NULL,
	dropped_bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
