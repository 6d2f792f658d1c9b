/* SPDX-License-Identifier: Apache-2.0 */
#include "exemption.h"
#include "json-read.h"
#include "json-string.h"

/*
 * The agent's own pod. Were it to wait for an agent, or to do what one says that has to be replaced, the node would
 * have none ever again.
 */
static bool is_agent(const struct settings *settings, const struct pod *pod)
{
	return slice_equals(pod->namespace, slice_of(settings->agent_namespace)) &&
	       slice_starts_with(pod->name, slice_of(settings->agent_pod_prefix));
}

static bool is_excluded(const struct settings *settings, const struct pod *pod)
{
	struct slice namespace;
	struct json_walk walk = json_walk(settings->exclude_namespaces);
	while (json_next_element(&walk, &namespace)) {
		if (json_string_equals(namespace, pod->namespace))
			return true;
	}
	return false;
}

enum exemption exemption_of(const struct settings *settings, const struct pod *pod)
{
	if (is_agent(settings, pod))
		return EXEMPT_AGENT;
	return is_excluded(settings, pod) ? EXEMPT_NAMESPACE : NOT_EXEMPT;
}
