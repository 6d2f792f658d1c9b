/* SPDX-License-Identifier: Apache-2.0 */
#include "addon.h"

/* One a line. */
/* clang-format off */
static const struct {
	const char *name;
	napi_callback call;
} functions[] = {
	{ "netlinkRequest", netlink_request },
	{ "netlinkRequestAsync", netlink_request_async },
	{ "monitorOpen", monitor_open },
	{ "monitorClose", monitor_close },
	{ "monitorRef", monitor_ref },
	{ "namespaceType", namespace_type },
	{ "sysctlRead", sysctl_read },
	{ "sysctlWrite", sysctl_write },
	{ "peerCredentials", peer_credentials },
	{ "lockDescriptor", lock_descriptor },
	{ "packetOpen", packet_open },
	{ "packetRead", packet_read },
	{ "packetDrops", packet_drops },
	{ "renameExchange", rename_exchange },
};
/* clang-format on */

NAPI_MODULE_INIT()
{
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		const char *name = functions[i].name;
		napi_value function;

		NAPI(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, functions[i].call, NULL, &function));
		NAPI(env, napi_set_named_property(env, exports, name, function));
	}
	return exports;
}
