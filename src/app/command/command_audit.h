#ifndef SONNIM_APP_COMMAND_AUDIT_H
#define SONNIM_APP_COMMAND_AUDIT_H

/* `sonnim audit verify`, which opens files (command_audit_verify.c), unlike list and export, which
 * ask a running server. argv[0] is "audit", argv[1] "verify". */

#include "app/command/command.h"

enum exit_code command_audit_verify(int argc, char **argv);

#endif
