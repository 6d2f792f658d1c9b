/* SPDX-License-Identifier: Apache-2.0 */
/* VERSION: what this plugin keeps. It is asked before anything is known, so nothing on stdin is fine too. */
#include "call.h"
#include "json-check.h"
#include "json-read.h"

static bool read_asked(struct slice input, struct slice *asked, struct cni_error *error)
{
	struct slice object;
	struct json_fault fault;
	if (!json_check(input, &object, &fault)) {
		fail(error, CNI_DECODE_FAILURE, "the question on stdin is not JSON");
		return because(error, "at byte %zu of %zu: %s", fault.offset, input.length, fault.what);
	}
	if (json_find(object, "cniVersion", asked) && json_kind(*asked) != JSON_STRING)
		return fail(error, CNI_DECODE_FAILURE, "cniVersion on stdin is no text");
	return true;
}

bool command_version(struct call *call, struct slice input)
{
	struct writer *out = call->out;
	struct slice asked = { .at = NULL };
	if (input.length > 0 && !read_asked(input, &asked, call->error))
		return false;
	write_text(out, "{\"cniVersion\":");
	if (asked.at)
		write_slice(out, asked);
	else
		write_string(out, slice_of(CNI_NEWEST->text));
	write_text(out, ",\"supportedVersions\":[");
	for (size_t i = 0; i < cni_version_count; i++) {
		write_text(out, i ? "," : "");
		write_string(out, slice_of(cni_versions[i].text));
	}
	write_text(out, "]}");
	return true;
}
