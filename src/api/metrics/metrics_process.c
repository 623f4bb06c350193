#include "api/metrics/metrics_process.h"

#include <inttypes.h>
#include <sys/statvfs.h>

#include "api/metrics/metrics_text.h"
#include "base/clock.h"
#include "base/machine.h"

static void write_disk(struct buffer *out, const struct api *api)
{
	struct statvfs space;
	if (statvfs(api->config.data_directory, &space) != 0)
		return;
	metric_one(out, "sonnim_disk_free_bytes", "gauge",
	           "That the server may still take, of the data's",
	           (uint64_t)space.f_bavail * space.f_frsize);
	metric_one(out, "sonnim_disk_size_bytes", "gauge", "Of the file system that holds the data",
	           (uint64_t)space.f_blocks * space.f_frsize);
	metric_one(out, "sonnim_disk_free_files", "gauge",
	           "Files that can still be made there; 0 also where there is no such limit",
	           (uint64_t)space.f_favail);
}

/* Under the manual clock log time has nothing to do with the wall's. */
static void write_clock(struct buffer *out, const struct api *api)
{
	struct journal *journal = api->config.journal;
	if (api->config.manual_clock)
		return;
	metric_real(out, "sonnim_clock_offset_seconds", "gauge",
	            "Wall clock minus log time: below 0 after the clock went back, far above while a "
	            "jump is not followed",
	            (double)(clock_wall_ms() - journal->ops->log_time_ms(journal)) / 1e3);
}

void metrics_write_workspace(struct buffer *out, const struct api *api)
{
	metric_head(out, "sonnim_build_info", "gauge", "1, with the version");
	buffer_printf(out, "sonnim_build_info{version=\"%s\"} 1\n", SONNIM_VERSION);
	metric_one(out, "sonnim_ready", "gauge", "1 while everything is answered", api_is_open(api));
	write_clock(out, api);
}

void metrics_write_process(struct buffer *out, const struct api *api)
{
	struct machine_process process;
	machine_process(&process);
	metric_real(out, "process_start_time_seconds", "gauge", "Since 1970",
	            (double)api->started_ms / 1e3);
	metric_real(out, "process_cpu_seconds_total", "counter", "Processor time, user and system",
	            process.processor_seconds);
	metric_one(out, "process_resident_memory_bytes", "gauge", "Memory, mapped files too",
	           process.resident_bytes);
	metric_one(out, "process_virtual_memory_bytes", "gauge", "Address space",
	           process.virtual_bytes);
	metric_one(out, "process_open_fds", "gauge", "Descriptors in use", process.open_files);
	metric_one(out, "process_max_fds", "gauge", "Descriptors that it may use", process.files_max);
	metric_one(out, "sonnim_memory_resident_bytes", "gauge", "Of the process, without files",
	           machine_used_bytes());
	write_disk(out, api);
}
