/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes on stdin: what is read as a network configuration gives settings, a result that is JSON, stays as it is
 * when it is converted once more, comes back when it is converted there and back, and requests that are one line of
 * JSON each.
 */
#include "../src/exemption.h"
#include "../src/json-check.h"
#include "../src/json-read.h"
#include "../src/request.h"
#include "../src/result.h"
#include "../src/settings.h"
#include "check.h"

#define ROOM (4 * LONGEST_LINE)

static struct cni_error error;

static void check_error(void)
{
	HOLDS(error.code > 0 && *error.message && strlen(error.message) < sizeof(error.message));
	HOLDS(strlen(error.details) < sizeof(error.details));
}

static bool is_object(struct slice text)
{
	struct json_fault fault;
	struct slice object;
	return json_check(text, &object, &fault) && object.length == text.length && json_kind(object) == JSON_OBJECT;
}

/* Converts `result`, which is of its own version or of the configuration's, to `version`. */
static bool convert(struct writer *out, const struct network_config *config, struct slice result,
		    const struct cni_version *version)
{
	struct network_config other = *config;
	other.prev_result = result;
	other.version = version;
	out->length = 0;
	out->full = false;
	if (write_result(out, &other, &error))
		return true;
	check_error();
	return false;
}

static void check_result(const struct network_config *config)
{
	static char first_buffer[ROOM], second_buffer[ROOM];
	struct writer first = { .buffer = first_buffer, .size = ROOM },
		      second = { .buffer = second_buffer, .size = ROOM };
	if (!convert(&first, config, config->prev_result, config->version))
		return;
	HOLDS(is_object(written(&first)));
	HOLDS(convert(&second, config, written(&first), config->version) &&
	      slice_equals(written(&first), written(&second)));
	for (size_t i = 0; i < cni_version_count; i++) {
		if (!convert(&second, config, written(&first), &cni_versions[i]))
			continue;
		HOLDS(is_object(written(&second)));
		static char third_buffer[ROOM], fourth_buffer[ROOM];
		struct writer third = { .buffer = third_buffer, .size = ROOM },
			      fourth = { .buffer = fourth_buffer, .size = ROOM };
		/* There, back and there again: the first way may drop a wrong `version`, after that nothing changes. */
		if (!convert(&third, config, written(&second), config->version))
			continue;
		HOLDS(convert(&fourth, config, written(&third), &cni_versions[i]));
		HOLDS(slice_equals(written(&second), written(&fourth)));
	}
}

static void check_line(const struct writer *out)
{
	HOLDS(out->length > 0 && out->buffer[out->length - 1] == '\n');
	HOLDS(memchr(out->buffer, '\n', out->length) == out->buffer + out->length - 1);
	HOLDS(is_object((struct slice){ .at = out->buffer, .length = out->length - 1 }));
}

static void check_requests(const struct network_config *config, const struct pod *pod)
{
	static char buffer[ROOM];
	struct environment environment = {
		.command_name = "ADD", .container_id = "c1", .netns = "/run/\xff\"\n", .if_name = "eth0", .args = ""
	};
	struct writer out = { .buffer = buffer, .size = ROOM };
	HOLDS(write_attachment_request(&out, &environment, pod, config, &error));
	check_line(&out);
	out.length = 0;
	if (write_gc_request(&out, config, &error))
		check_line(&out);
	else
		check_error();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = copy_of(data, size);
	struct network_config config;
	struct settings settings;
	struct pod pod;
	if (read_network_config(text, "0.3.0", &config, &error)) {
		if (!read_settings(config.object, &settings, &error))
			check_error();
		HOLDS(settings.deadline_seconds >= 1 && settings.socket[0] == '/');
		HOLDS(read_pod("K8S_POD_NAMESPACE=shop;K8S_POD_NAME=cart;K8S_POD_UID=u1", "", &pod, &error));
		HOLDS(exemption_of(&settings, &pod) != EXEMPT_AGENT || strcmp(settings.agent_namespace, "shop") == 0);
		if (config.prev_result.at)
			check_result(&config);
		check_requests(&config, &pod);
	} else {
		check_error();
	}
	free((char *)text.at);
	return 0;
}
