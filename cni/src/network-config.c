/* SPDX-License-Identifier: Apache-2.0 */
#include "network-config.h"
#include "json-check.h"
#include "json-read.h"
#include "json-string.h"
#include "name.h"

/* Without a cniVersion it is 0.1.0, as libcni has it (pkg/version/conf.go), and chains came with 0.3.0. */
static bool read_version(struct network_config *config, const char *since, struct cni_error *error)
{
	struct slice value = slice_of("\"0.1.0\"");
	if (json_find(config->object, "cniVersion", &value) && json_kind(value) != JSON_STRING)
		return fail(error, CNI_DECODE_FAILURE, "cniVersion of the network configuration is no text");
	config->version = cni_version_find(value);
	if (!config->version) {
		fail(error, CNI_INCOMPATIBLE_VERSION,
		     "the network configuration is of a CNI version that this plugin does not keep");
		return because(error, "cniVersion is %.*s; there are %s", SLICE(value), cni_version_list);
	}
	if (!cni_version_has(config->version, since)) {
		fail(error, CNI_INCOMPATIBLE_VERSION,
		     "the network configuration's CNI version does not have this command");
		return because(error, "cniVersion is %s; the command came with %s", config->version->text, since);
	}
	return true;
}

static bool check_name(struct slice object, struct cni_error *error)
{
	struct slice value;
	char name[256];
	if (!json_find(object, "name", &value) || json_kind(value) != JSON_STRING)
		return fail(error, CNI_INVALID_CONFIG, "name of the network configuration is missing");
	if (!json_text(value, name, sizeof(name)) || !is_cni_name(name))
		return fail(error, CNI_INVALID_CONFIG,
			    "name of the network configuration is %.*s, which is no name of a network", SLICE(value));
	return true;
}

bool read_network_config(struct slice text, const char *since, struct network_config *config, struct cni_error *error)
{
	struct json_fault fault;
	*config = (struct network_config){ .version = NULL };
	if (!json_check(text, &config->object, &fault)) {
		fail(error, CNI_DECODE_FAILURE, "the network configuration on stdin is not JSON");
		return because(error, "at byte %zu of %zu: %s", fault.offset, text.length, fault.what);
	}
	if (json_kind(config->object) != JSON_OBJECT)
		return fail(error, CNI_DECODE_FAILURE, "the network configuration on stdin is no JSON object");
	if (!read_version(config, since, error) || !check_name(config->object, error))
		return false;
	struct slice prev_result;
	if (!json_find(config->object, "prevResult", &prev_result) || json_kind(prev_result) == JSON_NULL)
		return true;
	if (json_kind(prev_result) != JSON_OBJECT)
		return fail(error, CNI_INVALID_CONFIG, "prevResult of the network configuration is no object");
	config->prev_result = prev_result;
	return true;
}
