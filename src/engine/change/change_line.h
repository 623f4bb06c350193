#ifndef SONNIM_ENGINE_CHANGE_LINE_H
#define SONNIM_ENGINE_CHANGE_LINE_H

/* The change stream as text: a JSON object an entry, with numbers only, so that it needs neither
 * vault nor store. The same entry is the same bytes wherever it is written.
 *
 *   {"id":"3-1207-0","slot":12,"segmentNumber":5,"change":"entered","at":"…","cause":"event",
 *    "eventPosition":1207}
 *
 * id: partition, position, ordinal. slot null: for everyone in the partition; segmentNumber null:
 * the person came into being; eventPosition only with cause event. */

#include "base/json.h"
#include "engine/engine.h"

void change_line_write(struct json_writer *w, uint32_t partition, const struct change *change);

#endif
