#ifndef SONNIM_API_HANDLERS_H
#define SONNIM_API_HANDLERS_H

/* The handlers that routes.c names, by the file that holds them. */

#include "api/route.h"

/* collect.c */
api_handler_fn collect_track, collect_identify, collect_page, collect_screen, collect_group,
	collect_alias, collect_merge, collect_batch, collect_beacon, collect_metrics, collect_settings;

/* statistics.c */
api_handler_fn sources_statistics;

/* tracking_plan.c */
api_handler_fn tracking_plan_get, tracking_plan_put, tracking_plan_delete;

/* observed_api.c */
api_handler_fn source_types_list, source_types_delete, source_violations_list,
	source_violations_delete;

/* dead_letters.c, dead_letters_replay.c */
api_handler_fn dead_letters_list, dead_letters_get, dead_letters_delete, dead_letters_delete_all,
	dead_letters_replay, dead_letters_replay_one;

/* debugger_api.c */
api_handler_fn debugger_get, debugger_watch;

/* pixel.c */
api_handler_fn pixel_track, pixel_page;

/* event_types_api.c */
api_handler_fn event_types_create, event_types_list;

/* collect.c: the platform's own events API */
api_handler_fn events_post, events_post_single, events_health;

/* segments.c */
api_handler_fn segments_create, segments_list, segments_get, segments_update, segments_delete,
	segments_set_status;

/* segment_preview.c */
api_handler_fn segments_preview;

/* segment_reads.c */
api_handler_fn segments_members, segments_statistics, segments_history;

/* users.c, profile.c, user_events.c */
api_handler_fn users_search;
api_handler_fn master_key_rotate;
api_handler_fn consents_get, consents_put;
api_handler_fn classification_get, classification_put;
api_handler_fn users_segments, users_history, users_profile, users_profile_put, users_events;

/* user_explain.c */
api_handler_fn users_explain;

/* audit_api.c, audit_export_api.c */
api_handler_fn audit_list, audit_head_get, audit_export;

/* sources.c, tokens_api.c, clock_api.c, changes.c */
api_handler_fn sources_create, sources_list, sources_get, sources_update, sources_delete;
api_handler_fn tokens_create, tokens_list, tokens_delete, tickets_create;
api_handler_fn clock_post;
api_handler_fn changes_list;

/* auth_api.c, me_api.c */
api_handler_fn auth_register, auth_login, auth_login_totp, auth_refresh, auth_logout, auth_password,
	auth_reset_request, auth_reset, auth_sessions, auth_end_session, auth_end_sessions;
api_handler_fn me_get, me_put, settings_get, settings_put, subscription_get, subscription_put;

/* totp_api.c */
api_handler_fn totp_get, totp_begin, totp_confirm, totp_end, people_api_reset_totp;

/* sso_login_api.c, sso_providers_api.c */
api_handler_fn oidc_start, oidc_callback, oidc_exchange;
api_handler_fn sso_providers_list, sso_providers_get, sso_providers_put, sso_providers_delete;

/* people_api.c, roles_api.c */
api_handler_fn people_api_list, people_api_create, people_api_get, people_api_put,
	people_api_delete, people_api_sessions, people_api_end_sessions;
api_handler_fn invitations_create, invitations_list, invitations_delete;
api_handler_fn roles_list, roles_put, roles_delete;
api_handler_fn signing_keys_get, signing_keys_post, jwks_get;

/* workspaces_api.c, members_api.c */
api_handler_fn workspaces_create, workspaces_list, workspaces_get, workspaces_put,
	workspaces_delete, workspaces_switch, workspaces_mine;
api_handler_fn members_api_list, members_api_put, members_api_delete;

/* fact_types_api.c */
api_handler_fn fact_types_create, fact_types_list;

/* dimensions_api.c */
api_handler_fn dimensions_list, dimensions_post, dimensions_get_row, dimensions_put_row,
	dimensions_delete_row;

/* mart_api.c */
api_handler_fn mart_get;

/* consumers.c */
api_handler_fn consumers_list, consumers_get, consumers_put, consumers_delete;

/* calculate_api.c, overlap_api.c, overview.c */
api_handler_fn audience_calculate, audience_overlap, audience_overview;

/* saved.c, saved_write_api.c */
api_handler_fn audiences_create, audiences_list, audiences_get, audiences_update, audiences_delete,
	audiences_versions, audiences_refresh;

/* audience_export_api.c */
api_handler_fn audience_export_create, audience_export_get, audience_export_file;

/* destinations_api.c */
api_handler_fn destinations_create, destinations_list, destinations_get, destinations_update,
	destinations_delete;

/* audience_socket.c */
api_handler_fn audiences_watch;

/* health.c, openapi.c, metrics.c */
api_handler_fn health_live, health_ready, openapi_get, metrics_get;

/* jobs_api.c */
api_handler_fn jobs_api_list, jobs_api_get, jobs_api_cancel, jobs_api_retry, jobs_api_file,
	jobs_api_watch, jobs_api_watch_all;

/* retention_api.c */
api_handler_fn retention_get;

/* schedules_api.c */
api_handler_fn schedules_list, schedules_get, schedules_put, schedules_delete, schedules_run;

/* imports_api.c, exports_api.c */
api_handler_fn imports_create, imports_rejected, exports_create, exports_file;

/* backups_api.c */
api_handler_fn privacy_create, privacy_upload, privacy_list, privacy_get, privacy_cancel,
	privacy_file, privacy_subject;
api_handler_fn backups_list_get, backups_post, backups_post_verify, backups_post_prune;

/* filters_api.c */
api_handler_fn filters_api_get, filters_api_create, filters_api_put, filters_api_delete;

/* live_handlers.c */
api_handler_fn live_segment, live_user;

#endif
