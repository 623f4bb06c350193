#ifndef SONNIM_API_WORKSPACES_JSON_H
#define SONNIM_API_WORKSPACES_JSON_H

/* What workspaces_api.c and members_api.c share. */

#include "api/call.h"
#include "api/workspace/workspaces.h"

/* NULL: this is not the home workspace, and that was answered. */
const struct api_workspaces *workspaces_of(struct api_call *call);

/* "id", "slug" and "name" */
void workspaces_json_members(struct json_writer *writer, const struct api_workspace *workspace);

/* Lets a person of home in, with these roles there. Waits until it is open. */
MUST_USE enum status members_put(struct api_call *call, const struct api_workspaces *workspaces,
                                 const struct api_workspace *workspace, struct text person_id,
                                 struct text roles, struct error *err);

#endif
