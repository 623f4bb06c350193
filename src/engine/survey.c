#include "engine/survey.h"

#include "engine/engine_internal.h"

struct partition *survey_partition(const struct view *view) { return view->partition; }

/* Behind the others: each has its turn. */
static void append(struct survey *survey)
{
	struct survey **place = &survey->partition->surveys;
	while (*place != NULL)
		place = &(*place)->next;
	survey->next = NULL;
	*place       = survey;
}

void survey_begin(struct survey *survey, const struct survey_ops *ops, struct view *view)
{
	*survey = (struct survey){.ops = ops, .partition = view->partition, .begun_ms = view->now_ms};
	append(survey);
}

void survey_end(struct survey *survey)
{
	struct survey **place = &survey->partition->surveys;
	while (*place != survey)
		place = &(*place)->next;
	*place = survey->next;
}

void survey_before_change(struct partition *partition, uint32_t slot)
{
	for (struct survey *survey = partition->surveys; survey != NULL; survey = survey->next)
		survey->ops->before_change(survey, slot);
}

void survey_break_all(struct partition *partition, enum status status)
{
	while (partition->surveys != NULL) {
		struct survey *survey = partition->surveys;
		survey_end(survey);
		survey->ops->broken(survey, status);
	}
}

int64_t survey_clock_ms(const struct partition *partition)
{
	int64_t clock_ms = atomic_load_explicit(&partition->clock_ms, memory_order_relaxed);
	for (const struct survey *survey = partition->surveys; survey != NULL; survey = survey->next)
		if (survey->begun_ms < clock_ms)
			clock_ms = survey->begun_ms;
	return clock_ms;
}

void survey_go_on(struct partition *partition, int64_t end_ns)
{
	struct survey *survey = partition->surveys;
	survey_end(survey);
	append(survey);
	survey->ops->go_on(survey, end_ns);
}
