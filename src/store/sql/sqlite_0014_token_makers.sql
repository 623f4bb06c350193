-- person_id: the person who made the token; empty: none, so it depends on nobody.
ALTER TABLE token ADD COLUMN person_id TEXT NOT NULL DEFAULT '';
CREATE INDEX token_by_person ON token (person_id) WHERE person_id <> '';
