#ifndef SONNIM_TESTS_AUDIT_FIXTURE_H
#define SONNIM_TESTS_AUDIT_FIXTURE_H

/* A trail in a directory of its own, and what the tests do to its files. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/audit.h"
#include "audit/audit_verify.h"

extern struct audit_settings trail_settings;
extern const char           *trail_directory; /* DIRECTORY/data; made anew for each test */
extern const char           *trail_keyring;
extern const uint8_t         trail_workspace[16];

int trail_setup(void **state);
int trail_teardown(void **state);

struct audit *trail_open(void);
struct audit *trail_open_with(const struct audit_system *system);

/* A disk that fails with these errors (errno; 0: none), and counts its syncs. trail_setup() mends
 * it. */
extern struct trail_disk {
	atomic_int allocate_error, write_error, sync_error, sync_count;
} trail_disk;
extern const struct audit_system trail_disk_system;

/* Adds so many changes and waits for each. */
void trail_fill(struct audit *audit, unsigned count);

/* A trail of `count` changes, closed. */
void trail_make(unsigned count);

/* All lines of all files, in order; `*ret_content` is to be freed. */
size_t trail_lines(struct buffer *ret_content, struct text **ret_lines);
void   trail_write(uint64_t first_seq, struct text content); /* in the file's place */
void   trail_read(uint64_t first_seq, struct buffer *out);
size_t trail_file_count(void);

/* Verifies with the keyring's head and keys; the findings are joined in `ret_findings`. */
enum { TRAIL_FINDINGS_BYTES = 4096 };
enum status trail_verify(struct audit_report *ret_report, char ret_findings[TRAIL_FINDINGS_BYTES]);

/* The same as that of a workspace (NULL: any), with this head (NULL: none) in the place of the
 * keyring's. */
enum status trail_verify_with(const uint8_t *workspace_id, const struct audit_head *head,
                              struct audit_report *ret_report,
                              char                 ret_findings[TRAIL_FINDINGS_BYTES]);

#endif
