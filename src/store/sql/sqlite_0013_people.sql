-- People who log in, their sessions, invitations to become one, and roles of one's own.
-- email_hash: keyed, so that a person is found without the address. profile, origin, email: sealed.
CREATE TABLE person (
	id          TEXT    PRIMARY KEY,
	email_hash  BLOB    NOT NULL UNIQUE,
	profile     BLOB    NOT NULL,
	password    TEXT    NOT NULL,
	roles       TEXT    NOT NULL,
	tier        TEXT    NOT NULL,
	active      INTEGER NOT NULL,
	version     INTEGER NOT NULL,
	created_ms  INTEGER NOT NULL,
	updated_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- generation: how often its refresh token was exchanged.
CREATE TABLE session (
	id           TEXT    PRIMARY KEY,
	person_id    TEXT    NOT NULL REFERENCES person (id) ON DELETE CASCADE,
	generation   INTEGER NOT NULL,
	refresh_hash BLOB    NOT NULL,
	origin       BLOB    NOT NULL,
	created_ms   INTEGER NOT NULL,
	used_ms      INTEGER NOT NULL,
	expires_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_person ON session (person_id, created_ms, id);
CREATE INDEX session_by_end ON session (expires_ms);

CREATE TABLE invitation (
	id         TEXT    PRIMARY KEY,
	hash       BLOB    NOT NULL UNIQUE,
	email      BLOB    NOT NULL,
	roles      TEXT    NOT NULL,
	tier       TEXT    NOT NULL,
	created_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE role (
	name        TEXT    PRIMARY KEY,
	description TEXT    NOT NULL,
	scopes      TEXT    NOT NULL,
	created_ms  INTEGER NOT NULL,
	updated_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
