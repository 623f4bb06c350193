-- Providers of single sign-on. settings: JSON; credentials: sealed under a key of the workspace.
CREATE TABLE sso_provider (
	name        TEXT    PRIMARY KEY,
	id          TEXT    NOT NULL UNIQUE,
	settings    TEXT    NOT NULL,
	credentials BLOB    NOT NULL,
	created_ms  INTEGER NOT NULL,
	updated_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who a person is at a provider: hash: keyed, of issuer and subject.
CREATE TABLE person_link (
	hash      BLOB PRIMARY KEY,
	person_id TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX person_link_by_person ON person_link (person_id);
