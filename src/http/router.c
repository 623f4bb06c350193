#include "http/router.h"

#include <assert.h>
#include <stdlib.h>

#include "base/vector.h"
#include "http/percent.h"

struct entry {
	const struct http_route *route;
	char                    *path; /* prefix and pattern */
	struct text              names[HTTP_PARAMS_MAX];
	size_t                   name_count;
};

struct node {
	struct text literal; /* "" for the root and for a parameter */
	VECTOR(struct node *) children;
	struct node *parameter;         /* NULL: none */
	VECTOR(struct entry *) entries; /* one for each method */
	char *allow;
};

struct http_router {
	struct node root;
	VECTOR(struct entry *) entries; /* in the order of addition */
	struct http_route options;
	bool              has_options;
};

struct http_router *http_router_new(void) { return calloc(1, sizeof(struct http_router)); }

static void free_node(struct node *node)
{
	for (size_t i = 0; i < node->children.count; i++) {
		free_node(node->children.items[i]);
		free(node->children.items[i]);
	}
	if (node->parameter) {
		free_node(node->parameter);
		free(node->parameter);
	}
	VECTOR_DONE(&node->children);
	VECTOR_DONE(&node->entries);
	free(node->allow);
}

void http_router_free(struct http_router *router)
{
	if (!router)
		return;
	free_node(&router->root);
	for (size_t i = 0; i < router->entries.count; i++) {
		free(router->entries.items[i]->path);
		free(router->entries.items[i]);
	}
	VECTOR_DONE(&router->entries);
	free(router);
}

/* ---- Building ---- */

static struct node *child_for(struct node *node, struct text segment)
{
	if (segment.length > 0 && segment.data[0] == '{') {
		if (!node->parameter)
			node->parameter = calloc(1, sizeof *node);
		return node->parameter;
	}
	for (size_t i = 0; i < node->children.count; i++)
		if (text_equal(node->children.items[i]->literal, segment))
			return node->children.items[i];
	struct node *child = calloc(1, sizeof *child);
	child->literal     = segment;
	VECTOR_ADD(&node->children, child);
	return child;
}

/* The segment that begins behind the slash at *at; moves *at to the next slash or the end. */
static struct text next_segment(const char **at, const char *end)
{
	const char *begin = *at + 1;
	const char *slash = memchr(begin, '/', (size_t)(end - begin));

	*at = slash ? slash : end;
	return (struct text){begin, (size_t)(*at - begin)};
}

static struct node *node_for(struct http_router *router, struct entry *entry)
{
	struct node *node     = &router->root;
	const char  *at       = entry->path;
	const char  *end      = at + strlen(at);
	size_t       segments = 0;

	assert(*at == '/');
	while (at < end) {
		struct text segment = next_segment(&at, end);
		assert(++segments <= HTTP_PATH_SEGMENTS_MAX);
		if (segment.length > 0 && segment.data[0] == '{') {
			assert(segment.data[segment.length - 1] == '}' && segment.length > 2);
			assert(entry->name_count < HTTP_PARAMS_MAX);
			entry->names[entry->name_count++] = (struct text){segment.data + 1, segment.length - 2};
		} else {
			assert(!memchr(segment.data, '{', segment.length));
			assert(!memchr(segment.data, '%', segment.length));
		}
		node = child_for(node, segment);
	}
	return node;
}

static struct entry *entry_of(const struct node *node, struct text method)
{
	for (size_t i = 0; i < node->entries.count; i++)
		if (text_equal(text_of(node->entries.items[i]->route->method), method))
			return node->entries.items[i];
	return NULL;
}

static void write_allow(struct node *node)
{
	struct buffer allow = {0};

	for (size_t i = 0; i < node->entries.count; i++)
		buffer_printf(&allow, "%s, ", node->entries.items[i]->route->method);
	if (entry_of(node, TEXT("GET")) && !entry_of(node, TEXT("HEAD")))
		buffer_add_text(&allow, TEXT("HEAD, "));
	if (!entry_of(node, TEXT("OPTIONS")))
		buffer_add_text(&allow, TEXT("OPTIONS, "));
	allow.data[allow.length - 2] = '\0';
	free(node->allow);
	node->allow = allow.data;
}

void http_router_add(struct http_router *router, const char *prefix,
                     const struct http_route *routes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct buffer path  = {0};
		struct entry *entry = calloc(1, sizeof *entry);
		buffer_printf(&path, "%s%s", prefix, routes[i].pattern);
		buffer_add_u8(&path, 0);
		entry->route = &routes[i];
		entry->path  = path.data;

		struct node *node = node_for(router, entry);
		assert(routes[i].handler);
		assert(!entry_of(node, text_of(routes[i].method)));
		VECTOR_ADD(&node->entries, entry);
		VECTOR_ADD(&router->entries, entry);
		write_allow(node);
	}
}

void http_router_set_options(struct http_router *router, http_handler_fn *handler, void *user)
{
	router->options     = (struct http_route){"OPTIONS", "", handler, user};
	router->has_options = true;
}

size_t http_router_count(const struct http_router *router) { return router->entries.count; }

const struct http_route *http_router_at(const struct http_router *router, size_t index,
                                        const char **ret_path)
{
	assert(index < router->entries.count);

	*ret_path = router->entries.items[index]->path;
	return router->entries.items[index]->route;
}

/* ---- Matching ---- */

struct walk {
	struct text segments[HTTP_PATH_SEGMENTS_MAX];
	size_t      count;
	struct text values[HTTP_PARAMS_MAX];
	size_t      value_count;
};

static const struct node *walk_from(const struct node *node, struct walk *walk, size_t index)
{
	if (index == walk->count)
		return node->entries.count > 0 ? node : NULL;
	struct text segment = walk->segments[index];

	for (size_t i = 0; i < node->children.count; i++) {
		if (!text_equal(node->children.items[i]->literal, segment))
			continue;
		const struct node *found = walk_from(node->children.items[i], walk, index + 1);
		if (found)
			return found;
		break;
	}
	if (!node->parameter || segment.length == 0)
		return NULL;
	walk->values[walk->value_count++] = segment;
	const struct node *found          = walk_from(node->parameter, walk, index + 1);
	if (!found)
		walk->value_count--;
	return found;
}

static bool split(struct text path, struct arena *arena, struct walk *walk)
{
	const char *at  = path.data;
	const char *end = at + path.length;

	while (at < end) {
		struct text segment = next_segment(&at, end);
		if (walk->count == HTTP_PATH_SEGMENTS_MAX ||
		    !percent_decode(arena, segment, &walk->segments[walk->count++]))
			return false;
	}
	return true;
}

static enum http_match match_options(const struct http_router *router,
                                     struct http_matched      *ret_matched)
{
	if (!router->has_options)
		return HTTP_MATCH_NO_METHOD;
	ret_matched->route = &router->options;
	return HTTP_MATCH_FOUND;
}

enum http_match http_router_match(const struct http_router *router, struct text method,
                                  struct text path, struct arena *arena,
                                  struct http_matched *ret_matched)
{
	struct walk walk;
	walk.count = walk.value_count = 0;

	*ret_matched = (struct http_matched){.path = "", .allow = "OPTIONS"};
	bool options = text_equal(method, TEXT("OPTIONS"));

	if (options && text_equal(path, TEXT("*")))
		return match_options(router, ret_matched);
	if (path.length == 0 || path.data[0] != '/' || !split(path, arena, &walk))
		return HTTP_MATCH_BAD_PATH;
	const struct node *node = walk_from(&router->root, &walk, 0);
	if (!node)
		return options && router->has_options ? match_options(router, ret_matched)
		                                      : HTTP_MATCH_NO_PATH;

	const struct entry *entry = entry_of(node, method);
	if (!entry && text_equal(method, TEXT("HEAD")))
		entry = entry_of(node, TEXT("GET"));
	ret_matched->allow = node->allow;
	if (!entry)
		return options ? match_options(router, ret_matched) : HTTP_MATCH_NO_METHOD;

	ret_matched->route        = entry->route;
	ret_matched->path         = entry->path;
	ret_matched->params.count = entry->name_count;
	for (size_t i = 0; i < entry->name_count; i++) {
		ret_matched->params.names[i]  = entry->names[i];
		ret_matched->params.values[i] = walk.values[i];
	}
	return HTTP_MATCH_FOUND;
}
