-- A person's second factor: secret: sealed; last_step: the newest step of time whose code was used.
CREATE TABLE second_factor (
	person_id  TEXT    PRIMARY KEY REFERENCES person (id) ON DELETE CASCADE,
	secret     BLOB    NOT NULL,
	confirmed  INTEGER NOT NULL,
	last_step  INTEGER NOT NULL,
	created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- hash: keyed, of a code that stands in for the factor once.
CREATE TABLE recovery_code (
	person_id TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,
	hash      BLOB NOT NULL,
	PRIMARY KEY (person_id, hash)
) STRICT, WITHOUT ROWID;
