// SPDX-License-Identifier: Apache-2.0
/*
 * What the kernel can do, by libbpf's trial loads. libbpf answers "no" (and for helpers even "yes") when bpf(2) itself is
 * refused, so that is asked first, and the refusal is thrown.
 */
#include "addon.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <unistd.h>

/* probeBpf(): throws when this process may not create even a small array */
napi_value probe_bpf(napi_env env, napi_callback_info info)
{
	int fd;

	if (!get_args(env, info, ""))
		return NULL;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "probe", 4, 4, 1, NULL);
	if (fd < 0)
		return fail(env, "bpf_map_create", fd);
	close(fd);
	return js_bool(env, true);
}

/* errno is that of the trial load: with some capabilities a few types only are refused. */
static napi_value answer(napi_env env, const char *call, int result)
{
	int err = errno;

	if (result < 0)
		return fail(env, call, result);
	if (result == 0 && (err == EPERM || err == ENOSYS))
		return fail(env, call, err);
	return js_bool(env, result > 0);
}

/* probeProgramType(type) */
napi_value probe_program_type(napi_env env, napi_callback_info info)
{
	uint32_t type;

	if (!get_args(env, info, "u", &type))
		return NULL;
	errno = 0;
	return answer(env, "libbpf_probe_bpf_prog_type", libbpf_probe_bpf_prog_type(type, NULL));
}

/* probeMapType(type) */
napi_value probe_map_type(napi_env env, napi_callback_info info)
{
	uint32_t type;

	if (!get_args(env, info, "u", &type))
		return NULL;
	errno = 0;
	return answer(env, "libbpf_probe_bpf_map_type", libbpf_probe_bpf_map_type(type, NULL));
}

/* probeHelper(programType, helper) */
napi_value probe_helper(napi_env env, napi_callback_info info)
{
	uint32_t type, helper;

	if (!get_args(env, info, "uu", &type, &helper))
		return NULL;
	errno = 0;
	return answer(env, "libbpf_probe_bpf_helper", libbpf_probe_bpf_helper(type, helper, NULL));
}

/* typeName(kind, n): libbpf's own name of a map or program type, undefined when it knows none */
napi_value type_name(napi_env env, napi_callback_info info)
{
	const char *name;
	enum kind kind;
	uint32_t n;

	if (!get_args(env, info, "ku", &kind, &n))
		return NULL;
	if (kind == KIND_MAP)
		name = libbpf_bpf_map_type_str(n);
	else if (kind == KIND_PROGRAM)
		name = libbpf_bpf_prog_type_str(n);
	else
		name = libbpf_bpf_link_type_str(n);
	return name ? js_str(env, name) : js_undefined(env);
}

/* version() */
napi_value version(napi_env env, napi_callback_info info)
{
	return get_args(env, info, "") ? js_str(env, libbpf_version_string()) : NULL;
}
