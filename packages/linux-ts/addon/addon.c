/* SPDX-License-Identifier: Apache-2.0 */
#include "addon.h"

static const struct {
	const char *name;
	napi_callback call;
} functions[] = {
	{ "netlinkRequest", netlink_request },
	{ "monitorOpen", monitor_open },
	{ "monitorClose", monitor_close },
	{ "monitorRef", monitor_ref },
	{ "namespaceType", namespace_type },
	{ "sysctlRead", sysctl_read },
	{ "sysctlWrite", sysctl_write },
	{ "peerCredentials", peer_credentials },
	{ "lockDescriptor", lock_descriptor },
};

NAPI_MODULE_INIT()
{
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		napi_value function;

		NAPI(env, napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].call, NULL, &function));
		NAPI(env, napi_set_named_property(env, exports, functions[i].name, function));
	}
	return exports;
}
