-- Of the home workspace: the others that there are, who of its people may enter which, and what
-- sessions came of that. limits: JSON. code: what credentials of it
-- begin with. due_ms: when it has something to do by itself.
CREATE TABLE workspace_entry (
	id              TEXT    PRIMARY KEY,
	code            TEXT    NOT NULL UNIQUE,
	slug            TEXT    NOT NULL UNIQUE,
	name            TEXT    NOT NULL,
	state           TEXT    NOT NULL,
	limits          TEXT    NOT NULL,
	partition_count INTEGER NOT NULL,
	retention_ms    INTEGER NOT NULL,
	due_ms          INTEGER NOT NULL,
	version         INTEGER NOT NULL,
	created_ms      INTEGER NOT NULL,
	updated_ms      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE workspace_member (
	workspace_id TEXT    NOT NULL REFERENCES workspace_entry (id) ON DELETE CASCADE,
	person_id    TEXT    NOT NULL REFERENCES person (id) ON DELETE CASCADE,
	roles        TEXT    NOT NULL,
	created_ms   INTEGER NOT NULL,
	PRIMARY KEY (workspace_id, person_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX workspace_member_by_person ON workspace_member (person_id);

-- A session of another workspace ends with the one that it was begun from, and with the membership.
CREATE TABLE workspace_visit (
	session_id      TEXT PRIMARY KEY,
	workspace_id    TEXT NOT NULL,
	person_id       TEXT NOT NULL,
	home_session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
	FOREIGN KEY (workspace_id, person_id) REFERENCES workspace_member (workspace_id, person_id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX workspace_visit_by_session ON workspace_visit (home_session_id);
CREATE INDEX workspace_visit_by_member ON workspace_visit (workspace_id, person_id);
