-- Work in the background, and what adds it by the clock. state: enum store_job_state.
INSERT INTO counter (name, value) VALUES ('job', 0);

CREATE TABLE job (
	id            TEXT    PRIMARY KEY,
	number        INTEGER NOT NULL UNIQUE,
	kind          TEXT    NOT NULL,
	params        TEXT    NOT NULL,
	asked_by      TEXT    NOT NULL,
	schedule      TEXT    NOT NULL,
	priority      INTEGER NOT NULL,
	created_ms    INTEGER NOT NULL,
	run_from_ms   INTEGER NOT NULL,
	state         INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
	cancel_wanted INTEGER NOT NULL CHECK (cancel_wanted IN (0, 1)),
	saved         INTEGER NOT NULL CHECK (saved IN (0, 1)),
	attempt       INTEGER NOT NULL,
	started_ms    INTEGER NOT NULL,
	finished_ms   INTEGER NOT NULL,
	updated_ms    INTEGER NOT NULL,
	done          INTEGER NOT NULL,
	total         INTEGER NOT NULL,
	unit          TEXT    NOT NULL,
	message       TEXT    NOT NULL,
	resume        BLOB    NOT NULL,
	result        TEXT    NOT NULL,
	code          TEXT    NOT NULL,
	reason        TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX job_ready ON job (run_from_ms) WHERE state = 1;
CREATE INDEX job_kind ON job (kind, state);

CREATE TABLE schedule (
	name       TEXT    PRIMARY KEY,
	kind       TEXT    NOT NULL,
	params     TEXT    NOT NULL,
	cron       TEXT    NOT NULL,
	priority   INTEGER NOT NULL,
	active     INTEGER NOT NULL CHECK (active IN (0, 1)),
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL,
	next_ms    INTEGER NOT NULL,
	last_ms    INTEGER NOT NULL,
	last_id    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
