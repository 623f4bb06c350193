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
SELECT id, number, name, write_key, created_ms, updated_ms, settings FROM source ORDER BY number;

-- name: source_by_key
SELECT id, number, name, write_key, created_ms, updated_ms, settings FROM source
WHERE write_key = $1;

-- name: source_add
INSERT INTO source (id, number, name, write_key, created_ms, updated_ms, settings)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: source_change
UPDATE source SET name = $1, updated_ms = $2, settings = $3 WHERE id = $4 RETURNING number;

-- name: source_delete
DELETE FROM source WHERE id = $1 RETURNING number;

-- name: count_add
INSERT INTO source_count (source, span, at_ms, name, value) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (source, span, at_ms, name) DO UPDATE SET value = value + excluded.value;

-- name: count_prune
DELETE FROM source_count WHERE source = $1 AND span = $2 AND at_ms < $3;

-- name: count_list
SELECT at_ms, name, value FROM source_count
WHERE source = $1 AND span = $2 AND at_ms >= $3 AND at_ms < $4
ORDER BY at_ms, name;

-- name: count_forget
DELETE FROM source_count WHERE source = $1;

-- name: letter_add
INSERT INTO dead_letter (source, at_ms, code, place, kind, bytes, partition, slot, content, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: letter_trim_count
DELETE FROM dead_letter WHERE source = $1 AND id <=
	(SELECT id FROM dead_letter WHERE source = $1 ORDER BY id DESC LIMIT 1 OFFSET $2);

-- name: letter_trim_bytes
DELETE FROM dead_letter WHERE source = $1 AND id <=
	(SELECT max(id) FROM (SELECT id, sum(bytes) OVER (ORDER BY id DESC) AS behind
	                      FROM dead_letter WHERE source = $1) AS newest WHERE behind > $2);

-- name: letter_get
SELECT id, source, at_ms, code, place, kind, bytes, replays, partition, slot, content, reason
FROM dead_letter WHERE source = $1 AND id = $2;

-- name: letter_list
SELECT id, source, at_ms, code, place, kind, bytes, replays, partition, slot, content, reason
FROM dead_letter WHERE source = $1 AND ($2 = '' OR code = $2) AND at_ms >= $3 AND at_ms < $4
	AND id < $5
ORDER BY id DESC LIMIT $6;

-- name: letter_list_total
SELECT count(*) FROM dead_letter
WHERE source = $1 AND ($2 = '' OR code = $2) AND at_ms >= $3 AND at_ms < $4;

-- name: letter_again
UPDATE dead_letter SET code = $1, place = $2, reason = $3, replays = replays + 1
WHERE source = $4 AND id = $5;

-- name: letter_all
SELECT id, source, at_ms, code, place, kind, bytes, replays, partition, slot, content, reason
FROM dead_letter WHERE id > $1 ORDER BY id LIMIT $2;

-- name: letter_reseal
UPDATE dead_letter SET content = $1 WHERE id = $2;

-- name: letter_delete
DELETE FROM dead_letter WHERE source = $1 AND id = $2 RETURNING id;

-- name: letter_expire
DELETE FROM dead_letter WHERE at_ms < $1;

-- name: letter_forget
DELETE FROM dead_letter WHERE source = $1;

-- name: letter_totals
SELECT count(*), coalesce(sum(bytes), 0), coalesce(min(at_ms), 0) FROM dead_letter
WHERE at_ms < $1;

-- name: plan_list
SELECT source, version, created_ms, updated_ms, plan FROM tracking_plan
WHERE plan <> '' ORDER BY source;

-- name: plan_get
SELECT source, version, created_ms, updated_ms, plan FROM tracking_plan WHERE source = $1;

-- name: plan_put
INSERT INTO tracking_plan (source, version, created_ms, updated_ms, plan)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (source) DO UPDATE SET version = excluded.version, created_ms = excluded.created_ms,
	updated_ms = excluded.updated_ms, plan = excluded.plan;

-- name: plan_forget
DELETE FROM tracking_plan WHERE source = $1;

-- name: observation_list
SELECT source, family, event, property, kind, count, first_ms, last_ms, sample FROM observation
ORDER BY source, family, event, property, kind;

-- name: observation_put
INSERT INTO observation (source, family, event, property, kind, count, first_ms, last_ms, sample)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (source, family, event, property, kind) DO UPDATE SET count = excluded.count,
	first_ms = excluded.first_ms, last_ms = excluded.last_ms, sample = excluded.sample;

-- name: observation_drop
DELETE FROM observation WHERE source = $1 AND family = $2;

-- name: observation_forget
DELETE FROM observation WHERE source = $1;

-- name: token_add
INSERT INTO token (id, name, hash, scopes, created_ms, expires_ms, person_id, rate, burst)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: token_by_hash
SELECT id, name, hash, scopes, created_ms, expires_ms, person_id, rate, burst
FROM token WHERE hash = $1;

-- name: token_list
SELECT id, name, hash, scopes, created_ms, expires_ms, person_id, rate, burst
FROM token ORDER BY created_ms, id;

-- name: token_delete
DELETE FROM token WHERE id = $1 RETURNING id;

-- name: token_delete_of
DELETE FROM token WHERE person_id = $1;

-- name: person_list
SELECT id, email_hash, profile, password, roles, tier, active, version, created_ms, updated_ms,
	EXISTS (SELECT 1 FROM second_factor f WHERE f.person_id = person.id AND f.confirmed <> 0),
	email_verified
FROM person ORDER BY created_ms, id;

-- name: person_get
SELECT id, email_hash, profile, password, roles, tier, active, version, created_ms, updated_ms,
	EXISTS (SELECT 1 FROM second_factor f WHERE f.person_id = person.id AND f.confirmed <> 0),
	email_verified
FROM person WHERE id = $1;

-- name: person_by_email
SELECT id, email_hash, profile, password, roles, tier, active, version, created_ms, updated_ms,
	EXISTS (SELECT 1 FROM second_factor f WHERE f.person_id = person.id AND f.confirmed <> 0),
	email_verified
FROM person WHERE email_hash = $1;

-- name: person_by_link
SELECT id, email_hash, profile, password, roles, tier, active, version, created_ms, updated_ms,
	EXISTS (SELECT 1 FROM second_factor f WHERE f.person_id = person.id AND f.confirmed <> 0),
	email_verified
FROM person WHERE id = (SELECT person_id FROM person_link WHERE hash = $1);

-- name: person_link
INSERT INTO person_link (hash, person_id) VALUES ($1, $2);

-- name: sso_provider_list
SELECT name, id, settings, credentials, created_ms, updated_ms FROM sso_provider ORDER BY name;

-- name: sso_provider_get
SELECT name, id, settings, credentials, created_ms, updated_ms FROM sso_provider WHERE name = $1;

-- name: sso_provider_put
INSERT INTO sso_provider (name, id, settings, credentials, created_ms, updated_ms)
VALUES ($1, $2, $3, $4, $5, $5)
ON CONFLICT (name) DO UPDATE SET settings = excluded.settings, credentials = excluded.credentials,
	updated_ms = excluded.updated_ms
RETURNING id, created_ms;

-- name: sso_provider_delete
DELETE FROM sso_provider WHERE name = $1 RETURNING name;

-- name: person_add
INSERT INTO person (id, email_hash, profile, password, roles, tier, active, version, created_ms,
                    updated_ms, email_verified)
VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $8, $9);

-- name: person_change
UPDATE person SET email_hash = $1, profile = $2, password = $3, roles = $4, tier = $5, active = $6,
	updated_ms = $7, email_verified = $8, version = version + 1
WHERE id = $9 AND version = $10 RETURNING version;

-- name: person_touch
UPDATE person SET version = version + 1 WHERE id = $1;

-- name: person_delete
DELETE FROM person WHERE id = $1 RETURNING id;

-- name: session_add
INSERT INTO session (id, person_id, generation, refresh_hash, origin, created_ms, used_ms,
                     expires_ms)
SELECT $1, id, 0, $2, $3, $4, $4, $5
FROM person WHERE id = $6 AND version = $7 AND active <> 0 RETURNING id;

-- name: session_get
SELECT id, person_id, generation, refresh_hash, origin, created_ms, used_ms, expires_ms
FROM session WHERE id = $1;

-- name: session_list
SELECT id, person_id, generation, refresh_hash, origin, created_ms, used_ms, expires_ms
FROM session WHERE person_id = $1 ORDER BY created_ms, id;

-- name: session_renew
UPDATE session SET generation = generation + 1, refresh_hash = $1, used_ms = $2, expires_ms = $3
WHERE id = $4 AND generation = $5 RETURNING generation;

-- name: session_delete
DELETE FROM session WHERE id = $1 RETURNING id;

-- name: session_delete_of
DELETE FROM session WHERE person_id = $1 AND id <> $2;

-- name: session_expire
DELETE FROM session WHERE expires_ms <= $1;

-- name: session_count
SELECT count(*) FROM session;

-- name: invitation_add
INSERT INTO invitation (id, hash, email, roles, tier, created_ms, expires_ms, trusted)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: invitation_list
SELECT id, hash, email, roles, tier, created_ms, expires_ms, trusted
FROM invitation ORDER BY created_ms, id;

-- name: invitation_by_hash
SELECT id, hash, email, roles, tier, created_ms, expires_ms, trusted
FROM invitation WHERE hash = $1;

-- name: invitation_delete
DELETE FROM invitation WHERE id = $1 RETURNING id;

-- name: invitation_expire
DELETE FROM invitation WHERE expires_ms <= $1;

-- name: invitation_forget_first
DELETE FROM invitation WHERE length(email) = 0;

-- name: factor_get
SELECT person_id, secret, confirmed, last_step, created_ms,
	(SELECT count(*) FROM recovery_code r WHERE r.person_id = second_factor.person_id)
FROM second_factor WHERE person_id = $1;

-- name: factor_begin
INSERT INTO second_factor (person_id, secret, confirmed, last_step, created_ms)
VALUES ($1, $2, 0, 0, $3)
ON CONFLICT (person_id) DO UPDATE SET secret = excluded.secret, created_ms = excluded.created_ms
	WHERE second_factor.confirmed = 0
RETURNING person_id;

-- name: factor_confirm
UPDATE second_factor SET confirmed = 1, last_step = $1
WHERE person_id = $2 AND confirmed = 0 AND secret = $3 RETURNING person_id;

-- name: factor_use_step
UPDATE second_factor SET last_step = $1
WHERE person_id = $2 AND confirmed <> 0 AND last_step < $1 RETURNING person_id;

-- name: factor_delete
DELETE FROM second_factor WHERE person_id = $1 RETURNING person_id;

-- name: recovery_add
INSERT INTO recovery_code (person_id, hash) VALUES ($1, $2);

-- name: recovery_use
DELETE FROM recovery_code WHERE person_id = $1 AND hash = $2 RETURNING person_id;

-- name: recovery_forget
DELETE FROM recovery_code WHERE person_id = $1;

-- name: role_list
SELECT name, description, scopes, created_ms, updated_ms FROM role ORDER BY name;

-- name: role_put
INSERT INTO role (name, description, scopes, created_ms, updated_ms) VALUES ($1, $2, $3, $4, $4)
ON CONFLICT (name) DO UPDATE SET description = excluded.description, scopes = excluded.scopes,
	updated_ms = excluded.updated_ms
RETURNING created_ms;

-- name: role_delete
DELETE FROM role WHERE name = $1 RETURNING name;

-- name: segment_list
SELECT s.id, s.number, s.key, s.name, s.description, s.active, s.created_ms, s.updated_ms,
       s.version, s.live_version, v.state, v.reason, v.definition, v.canonical, v.hash,
       coalesce(l.canonical, ''),
       (SELECT max(n.version) FROM segment_version n WHERE n.segment_id = s.id)
FROM segment s
JOIN segment_version v ON v.segment_id = s.id AND v.version = s.version
LEFT JOIN segment_version l ON l.segment_id = s.id AND l.version = s.live_version
WHERE s.deleted = $1
ORDER BY s.number;

-- name: segment_get
SELECT s.id, s.number, s.key, s.name, s.description, s.active, s.created_ms, s.updated_ms,
       s.version, s.live_version, v.state, v.reason, v.definition, v.canonical, v.hash,
       coalesce(l.canonical, ''),
       (SELECT max(n.version) FROM segment_version n WHERE n.segment_id = s.id)
FROM segment s
JOIN segment_version v ON v.segment_id = s.id AND v.version = s.version
LEFT JOIN segment_version l ON l.segment_id = s.id AND l.version = s.live_version
WHERE s.deleted = 0 AND (s.id = $1 OR s.key = $1)
ORDER BY CASE WHEN s.id = $1 THEN 0 ELSE 1 END
LIMIT 1;

-- name: segment_state
SELECT number, version, live_version, deleted,
       (SELECT max(n.version) FROM segment_version n WHERE n.segment_id = segment.id)
FROM segment WHERE id = $1;

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

-- name: segment_version_write
UPDATE segment_version SET definition = $1 WHERE segment_id = $2 AND version = $3;

-- name: segment_version_replace
UPDATE segment_version SET state = $1
WHERE segment_id = $2 AND version < $3 AND state = $4;

-- name: segment_version_state
SELECT state FROM segment_version WHERE segment_id = $1 AND version = $2;

-- name: segment_version_settle
UPDATE segment_version SET state = $1, reason = $2 WHERE segment_id = $3 AND version = $4;

-- name: segment_live
UPDATE segment SET live_version = $1 WHERE id = $2;

-- name: segment_back
UPDATE segment SET version = $1, active = $2, updated_ms = $3 WHERE id = $4;

-- name: segment_delete
UPDATE segment SET deleted = 1 WHERE id = $1;

-- name: outbox_add
INSERT INTO outbox (id, kind, payload) VALUES ($1, $2, $3);

-- name: outbox_list
SELECT id, kind, payload FROM outbox ORDER BY id LIMIT $1;

-- name: outbox_done
DELETE FROM outbox WHERE id <= $1;

-- name: event_type_list
SELECT name, description, created_ms FROM event_type ORDER BY name;

-- name: event_type_add
INSERT INTO event_type (name, description, created_ms) VALUES ($1, $2, $3);

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

-- name: filter_list
SELECT name, definition, created_ms, updated_ms FROM filter ORDER BY name;

-- name: filter_put
INSERT INTO filter (name, definition, created_ms, updated_ms) VALUES ($1, $2, $3, $3)
ON CONFLICT (name) DO UPDATE SET definition = excluded.definition, updated_ms = excluded.updated_ms
RETURNING created_ms;

-- name: filter_delete
DELETE FROM filter WHERE name = $1 RETURNING name;

-- name: job_add
INSERT INTO job (id, number, kind, params, asked_by, schedule, priority, created_ms, run_from_ms,
                 state, cancel_wanted, saved, attempt, started_ms, finished_ms, updated_ms, done,
                 total, unit, message, resume, result, code, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, 0, $11, $11, $8, 0, -1, '', '', $12, '', '',
        '');

-- name: job_get
SELECT id, number, kind, params, asked_by, schedule, priority, created_ms, run_from_ms, state,
       cancel_wanted, saved, attempt, started_ms, finished_ms, updated_ms, done, total, unit,
       message, resume, result, code, reason
FROM job WHERE id = $1;

-- name: job_list
SELECT id, number, kind, params, asked_by, schedule, priority, created_ms, run_from_ms, state,
       cancel_wanted, saved, attempt, started_ms, finished_ms, updated_ms, done, total, unit,
       message, resume, result, code, reason
FROM job
WHERE ($1 = '' OR kind = $1) AND ($2 = 0 OR state = $2)
  AND ($3 = 0 OR (state >= 3 AND finished_ms < $3)) AND ($4 = 0 OR number < $4)
ORDER BY number DESC
LIMIT $5;

-- name: job_list_total
SELECT count(*) FROM job
WHERE ($1 = '' OR kind = $1) AND ($2 = 0 OR state = $2)
  AND ($3 = 0 OR (state >= 3 AND finished_ms < $3));

-- name: job_ready
SELECT id, number, kind, params, asked_by, schedule, priority, created_ms, run_from_ms, state,
       cancel_wanted, saved, attempt, started_ms, finished_ms, updated_ms, done, total, unit,
       message, resume, result, code, reason
FROM job
WHERE kind = $1 AND state = 1 AND run_from_ms <= $2
ORDER BY priority DESC, number
LIMIT 1;

-- name: job_next_run
SELECT run_from_ms FROM job WHERE state = 1 AND run_from_ms > $1 ORDER BY run_from_ms LIMIT 1;

-- name: job_change
UPDATE job
SET run_from_ms = $1, state = $2,
    cancel_wanted = CASE WHEN $2 = 2 THEN cancel_wanted ELSE 0 END,
    saved = $3, attempt = $4, started_ms = $5, finished_ms = $6, updated_ms = $7, done = $8,
    total = $9, unit = $10, message = $11, resume = $12, result = $13, code = $14, reason = $15
WHERE id = $16 AND state = $17
RETURNING cancel_wanted;

-- name: job_cancel
UPDATE job
SET cancel_wanted = CASE WHEN state = 2 THEN 1 ELSE 0 END,
    finished_ms = CASE WHEN state = 1 THEN $1 ELSE finished_ms END,
    updated_ms = CASE WHEN state = 5 THEN updated_ms ELSE $1 END,
    state = CASE WHEN state = 1 THEN 5 ELSE state END
WHERE id = $2 AND state IN (1, 2, 5);

-- name: job_delete
DELETE FROM job WHERE id = $1 AND state NOT IN (1, 2) RETURNING id;

-- name: job_count
SELECT kind, state, count(*) FROM job GROUP BY kind, state ORDER BY kind, state;

-- name: schedule_list
SELECT name, kind, params, cron, priority, active, created_ms, updated_ms, next_ms, last_ms, last_id
FROM schedule ORDER BY name;

-- name: schedule_get
SELECT name, kind, params, cron, priority, active, created_ms, updated_ms, next_ms, last_ms, last_id
FROM schedule WHERE name = $1;

-- name: schedule_put
INSERT INTO schedule (name, kind, params, cron, priority, active, created_ms, updated_ms, next_ms,
                      last_ms, last_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, '')
ON CONFLICT (name) DO UPDATE
SET kind = excluded.kind, params = excluded.params, cron = excluded.cron,
    priority = excluded.priority, active = excluded.active, updated_ms = excluded.updated_ms,
    next_ms = excluded.next_ms
RETURNING created_ms, last_ms, last_id;

-- name: schedule_fire
UPDATE schedule SET last_ms = next_ms, next_ms = $1, last_id = $2
WHERE name = $3 AND next_ms = $4
RETURNING name;

-- name: schedule_delete
DELETE FROM schedule WHERE name = $1 RETURNING name;

-- name: retention_list
SELECT name, age_ms, reported_ms, dropped_ms, dropped_count, dropped_bytes
FROM retention ORDER BY name;

-- name: retention_put
INSERT INTO retention (name, age_ms, reported_ms, dropped_ms, dropped_count, dropped_bytes)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (name) DO UPDATE
SET age_ms = excluded.age_ms, reported_ms = excluded.reported_ms, dropped_ms = excluded.dropped_ms,
    dropped_count = excluded.dropped_count, dropped_bytes = excluded.dropped_bytes;

-- name: audience_list
SELECT id, number, kind, name, description, definition, segment_id, version, created_ms, updated_ms,
       as_of_ms, figures
FROM audience WHERE number > $1 ORDER BY number LIMIT $2;

-- name: audience_total
SELECT count(*) FROM audience;

-- name: audience_get
SELECT id, number, kind, name, description, definition, segment_id, version, created_ms, updated_ms,
       as_of_ms, figures
FROM audience WHERE id = $1;

-- name: audience_by_segment
SELECT id, number, kind, name, description, definition, segment_id, version, created_ms, updated_ms,
       as_of_ms, figures
FROM audience WHERE segment_id = $1 AND segment_id <> '';

-- name: audience_add
INSERT INTO audience (id, number, kind, name, description, definition, segment_id, version,
                      created_ms, updated_ms, as_of_ms, figures)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11);

-- name: audience_change
UPDATE audience
SET name = $1, description = $2, definition = $3, version = $4, updated_ms = $5, as_of_ms = $6,
    figures = $7
WHERE id = $8;

-- name: audience_delete
DELETE FROM audience WHERE id = $1 RETURNING id;

-- name: audience_delete_by_segment
DELETE FROM audience WHERE segment_id = $1 AND segment_id <> '';

-- name: audience_version_add
INSERT INTO audience_version (audience_id, version, name, description, definition, at_ms)
VALUES ($1, $2, $3, $4, $5, $6);

-- The audience of a segment says what the live version of that says, as a version more.
-- name: audience_back
UPDATE audience
SET definition = (SELECT v.definition FROM segment_version v
                  WHERE v.segment_id = $1 AND v.version = $2),
    version = version + 1, updated_ms = $3
WHERE segment_id = $1;

-- name: audience_back_version
INSERT INTO audience_version (audience_id, version, name, description, definition, at_ms)
SELECT id, version, name, description, definition, updated_ms FROM audience WHERE segment_id = $1;

-- name: audience_version_list
SELECT version, name, description, definition, at_ms
FROM audience_version WHERE audience_id = $1 ORDER BY version DESC;

-- name: audience_members_clear
DELETE FROM audience_members WHERE audience_id = $1;

-- name: audience_members_add
INSERT INTO audience_members (audience_id, partition, count, slots) VALUES ($1, $2, $3, $4);

-- name: audience_members_list
SELECT partition, count, slots FROM audience_members WHERE audience_id = $1 ORDER BY partition;

-- name: destination_list
SELECT id, name, kind, settings, credentials, version, created_ms, updated_ms
FROM destination ORDER BY name;

-- name: destination_get
SELECT id, name, kind, settings, credentials, version, created_ms, updated_ms
FROM destination WHERE id = $1 OR name = $1;

-- name: destination_add
INSERT INTO destination (id, name, kind, settings, credentials, version, created_ms, updated_ms)
VALUES ($1, $2, $3, $4, $5, 1, $6, $6);

-- name: destination_change
UPDATE destination
SET name = $1, settings = $2, credentials = $3, version = version + 1, updated_ms = $4
WHERE id = $5 AND version = $6 RETURNING version;

-- name: destination_delete
DELETE FROM destination WHERE id = $1 OR name = $1 RETURNING id;

-- name: kept_get
SELECT text, at_ms FROM kept WHERE name = $1;

-- name: kept_put
INSERT INTO kept (name, text, at_ms) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET text = excluded.text, at_ms = excluded.at_ms;

-- name: workspace_entry_list
SELECT id, code, slug, name, state, limits, partition_count, retention_ms, due_ms, version,
       created_ms, updated_ms
FROM workspace_entry ORDER BY created_ms, id;

-- name: workspace_entry_add
INSERT INTO workspace_entry (id, code, slug, name, state, limits, partition_count, retention_ms,
                             due_ms, version, created_ms, updated_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 1, $9, $9);

-- name: workspace_entry_change
UPDATE workspace_entry
SET name = $1, state = $2, limits = $3, version = version + 1, updated_ms = $4
WHERE id = $5 AND version = $6 RETURNING version;

-- name: workspace_entry_due
UPDATE workspace_entry SET due_ms = $1 WHERE id = $2 RETURNING id;

-- name: workspace_entry_delete
DELETE FROM workspace_entry WHERE id = $1 RETURNING id;

-- name: member_list
SELECT workspace_id, person_id, roles, created_ms
FROM workspace_member WHERE workspace_id = $1 OR person_id = $1
ORDER BY created_ms, workspace_id, person_id;

-- name: member_put
INSERT INTO workspace_member (workspace_id, person_id, roles, created_ms) VALUES ($1, $2, $3, $4)
ON CONFLICT (workspace_id, person_id) DO UPDATE SET roles = excluded.roles;

-- name: member_delete
DELETE FROM workspace_member WHERE workspace_id = $1 AND person_id = $2 RETURNING person_id;

-- name: visit_add
INSERT INTO workspace_visit (session_id, workspace_id, person_id, home_session_id)
VALUES ($1, $2, $3, $4);

-- name: visit_check
SELECT v.session_id
FROM workspace_visit v
JOIN session s ON s.id = v.home_session_id
JOIN person p ON p.id = v.person_id
WHERE v.session_id = $1 AND v.workspace_id = $2 AND s.expires_ms > $3 AND p.active = 1;
