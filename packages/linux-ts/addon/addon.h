/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINUX_TS_ADDON_H
#define LINUX_TS_ADDON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <node_api.h>

/*
 * The native side takes and returns numbers, strings and bytes only; classes, ownership and codecs are TypeScript. A
 * failed system call becomes a JavaScript Error with `errno` (negative) and `syscall`, which src/errors.ts makes a
 * LinuxError.
 */

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Gives up, with a JavaScript exception pending, when a Node-API call fails. */
#define NAPI(env, call)                                                                                                \
	do {                                                                                                           \
		if ((call) != napi_ok) {                                                                               \
			throw_napi(env, #call);                                                                        \
			return NULL;                                                                                   \
		}                                                                                                      \
	} while (0)

/* error.c */
napi_value throw_errno(napi_env env, int error, const char *syscall);
void throw_napi(napi_env env, const char *call);

/* value.c */
bool get_arguments(napi_env env, napi_callback_info info, napi_value *arguments, size_t count);
bool get_int(napi_env env, napi_value value, int *out);
bool get_uint32(napi_env env, napi_value value, uint32_t *out);
bool get_bytes(napi_env env, napi_value value, uint8_t **data, size_t *length);
char *get_string(napi_env env, napi_value value);
napi_value new_bytes(napi_env env, const void *data, size_t length);

/* netns.c */
struct netns_visit {
	int home; /* descriptor of the netns to come back to; -1 when the thread never left */
};

int netns_enter(struct netns_visit *visit, int netns, const char **syscall);
void netns_leave(struct netns_visit *visit);
napi_value namespace_type(napi_env env, napi_callback_info info);

/* netlink.c */
int netlink_socket(int netns, int protocol, int flags, const char **syscall);
napi_value netlink_request(napi_env env, napi_callback_info info);
napi_value netlink_request_async(napi_env env, napi_callback_info info);

/* monitor.c */
napi_value monitor_open(napi_env env, napi_callback_info info);
napi_value monitor_close(napi_env env, napi_callback_info info);
napi_value monitor_ref(napi_env env, napi_callback_info info);

/* sysctl.c */
napi_value sysctl_read(napi_env env, napi_callback_info info);
napi_value sysctl_write(napi_env env, napi_callback_info info);

/* descriptor.c */
napi_value peer_credentials(napi_env env, napi_callback_info info);
napi_value lock_descriptor(napi_env env, napi_callback_info info);

/* packet.c */
napi_value packet_open(napi_env env, napi_callback_info info);
napi_value packet_read(napi_env env, napi_callback_info info);
napi_value packet_drops(napi_env env, napi_callback_info info);

/* rename.c */
napi_value rename_exchange(napi_env env, napi_callback_info info);

#endif
