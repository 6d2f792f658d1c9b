/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/file.h>
#include <sys/socket.h>

#include "addon.h"

/* peerCredentials(fd) → [pid, uid, gid] of whoever made the other end of a connected UNIX socket. */
napi_value peer_credentials(napi_env env, napi_callback_info info)
{
	napi_value arguments[1], result, number;
	struct ucred peer = { 0 };
	socklen_t length = sizeof(peer);
	int fd, domain = 0;
	socklen_t domain_length = sizeof(domain);

	if (!get_arguments(env, info, arguments, 1) || !get_int(env, arguments[0], &fd))
		return NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_length))
		return throw_errno(env, errno, "getsockopt SO_DOMAIN");
	/* Other families answer too, with pid 0 and uid -1 (net/core/sock.c): no identity, but it looks like one. */
	if (domain != AF_UNIX)
		return throw_errno(env, EAFNOSUPPORT, "getsockopt SO_PEERCRED");
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length))
		return throw_errno(env, errno, "getsockopt SO_PEERCRED");

	NAPI(env, napi_create_array_with_length(env, 3, &result));
	NAPI(env, napi_create_int32(env, peer.pid, &number));
	NAPI(env, napi_set_element(env, result, 0, number));
	NAPI(env, napi_create_uint32(env, peer.uid, &number));
	NAPI(env, napi_set_element(env, result, 1, number));
	NAPI(env, napi_create_uint32(env, peer.gid, &number));
	NAPI(env, napi_set_element(env, result, 2, number));
	return result;
}

/* lockDescriptor(fd) → true, or false when another open file description holds the lock. */
napi_value lock_descriptor(napi_env env, napi_callback_info info)
{
	napi_value arguments[1], result;
	bool locked = true;
	int fd;

	if (!get_arguments(env, info, arguments, 1) || !get_int(env, arguments[0], &fd))
		return NULL;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK)
			return throw_errno(env, errno, "flock");
		locked = false;
	}
	NAPI(env, napi_get_boolean(env, locked, &result));
	return result;
}
