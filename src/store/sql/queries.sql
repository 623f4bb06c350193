-- Every statement of every backend, in the SQL that SQLite and PostgreSQL share. `-- name:` begins
-- one. Parameters are $1, $2, … and first appear in that order: SQLite numbers them so.

-- name: begin
BEGIN;

-- name: commit
COMMIT;

-- name: rollback
ROLLBACK;

-- name: workspace_get
SELECT id, partition_count, created_ms, manual_clock, retention_ms FROM workspace;

-- name: workspace_add
INSERT INTO workspace (only_row, id, partition_count, created_ms, manual_clock, retention_ms)
VALUES (1, $1, $2, $3, $4, $5);

-- name: counter_next
UPDATE counter SET value = value + 1 WHERE name = $1 RETURNING value;

-- name: source_list
SELECT id, number, name, write_key, created_ms, updated_ms FROM source ORDER BY number;

-- name: source_by_key
SELECT id, number, name, write_key, created_ms, updated_ms FROM source WHERE write_key = $1;

-- name: source_add
INSERT INTO source (id, number, name, write_key, created_ms, updated_ms)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: source_rename
UPDATE source SET name = $1, updated_ms = $2 WHERE id = $3 RETURNING number;

-- name: source_delete
DELETE FROM source WHERE id = $1 RETURNING number;

-- name: token_add
INSERT INTO token (id, name, hash, scopes, created_ms, expires_ms)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: token_by_hash
SELECT id, name, hash, scopes, created_ms, expires_ms FROM token WHERE hash = $1;

-- name: token_list
SELECT id, name, hash, scopes, created_ms, expires_ms FROM token ORDER BY created_ms, id;

-- name: token_delete
DELETE FROM token WHERE id = $1 RETURNING id;

-- name: segment_list
SELECT s.id, s.number, s.key, s.name, s.description, s.active, s.created_ms, s.updated_ms,
       s.version, s.live_version, v.state, v.reason, v.definition, v.canonical, v.hash,
       coalesce(l.canonical, '')
FROM segment s
JOIN segment_version v ON v.segment_id = s.id AND v.version = s.version
LEFT JOIN segment_version l ON l.segment_id = s.id AND l.version = s.live_version
WHERE s.deleted = $1
ORDER BY s.number;

-- name: segment_get
SELECT s.id, s.number, s.key, s.name, s.description, s.active, s.created_ms, s.updated_ms,
       s.version, s.live_version, v.state, v.reason, v.definition, v.canonical, v.hash,
       coalesce(l.canonical, '')
FROM segment s
JOIN segment_version v ON v.segment_id = s.id AND v.version = s.version
LEFT JOIN segment_version l ON l.segment_id = s.id AND l.version = s.live_version
WHERE s.deleted = 0 AND (s.id = $1 OR s.key = $1)
ORDER BY CASE WHEN s.id = $1 THEN 0 ELSE 1 END
LIMIT 1;

-- name: segment_state
SELECT number, version, live_version, deleted FROM segment WHERE id = $1;

-- name: segment_add
INSERT INTO segment (id, number, key, name, description, active, created_ms, updated_ms, version,
                     live_version, deleted)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, 0, 0);

-- name: segment_change
UPDATE segment SET key = $1, name = $2, description = $3, active = $4, updated_ms = $5, version = $6
WHERE id = $7;

-- name: segment_version_add
INSERT INTO segment_version (segment_id, version, state, reason, definition, canonical, hash)
VALUES ($1, $2, $3, '', $4, $5, $6);

-- name: segment_version_replace
UPDATE segment_version SET state = $1
WHERE segment_id = $2 AND version < $3 AND state = $4;

-- name: segment_version_state
SELECT state FROM segment_version WHERE segment_id = $1 AND version = $2;

-- name: segment_version_settle
UPDATE segment_version SET state = $1, reason = $2 WHERE segment_id = $3 AND version = $4;

-- name: segment_live
UPDATE segment SET live_version = $1 WHERE id = $2;

-- name: segment_delete
UPDATE segment SET deleted = 1 WHERE id = $1;

-- name: outbox_add
INSERT INTO outbox (id, kind, payload) VALUES ($1, $2, $3);

-- name: outbox_list
SELECT id, kind, payload FROM outbox ORDER BY id LIMIT $1;

-- name: outbox_done
DELETE FROM outbox WHERE id <= $1;

-- name: consumer_list
SELECT name, cursor, created_ms, updated_ms FROM consumer ORDER BY name;

-- name: consumer_get
SELECT name, cursor, created_ms, updated_ms FROM consumer WHERE name = $1;

-- name: consumer_put
INSERT INTO consumer (name, cursor, created_ms, updated_ms) VALUES ($1, $2, $3, $3)
ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor, updated_ms = excluded.updated_ms
RETURNING created_ms;

-- name: consumer_delete
DELETE FROM consumer WHERE name = $1 RETURNING name;
