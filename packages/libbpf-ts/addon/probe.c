// SPDX-License-Identifier: Apache-2.0
/*
 * What the kernel can do, by trial loads. libbpf's probes answer "no" when bpf(2) itself is refused, so that is asked first,
 * and the refusal is thrown.
 */
#include "addon.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
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

/* Program types that load only with an attach type; as probe_prog_load() of libbpf. */
static uint32_t attach_type_of(uint32_t type)
{
	switch (type) {
	case BPF_PROG_TYPE_CGROUP_SOCK_ADDR:
		return BPF_CGROUP_INET4_CONNECT;
	case BPF_PROG_TYPE_CGROUP_SOCKOPT:
		return BPF_CGROUP_GETSOCKOPT;
	case BPF_PROG_TYPE_LIRC_MODE2:
		return BPF_LIRC_MODE2;
	case BPF_PROG_TYPE_SK_LOOKUP:
		return BPF_SK_LOOKUP;
	default:
		return 0;
	}
}

/* These load only with the BTF of what they attach to. */
static bool cannot_ask(uint32_t type)
{
	return type == BPF_PROG_TYPE_TRACING || type == BPF_PROG_TYPE_EXT || type == BPF_PROG_TYPE_LSM ||
	       type == BPF_PROG_TYPE_STRUCT_OPS;
}

/*
 * What the verifier says of a helper that is not for this type; everything else is about the arguments, which are wrong on
 * purpose. libbpf's own probe knows the last phrase since 1.5 only, and says yes to every helper on kernels that use it.
 */
static bool refuses_helper(const char *log)
{
	return strstr(log, "invalid func ") || strstr(log, "unknown func ") ||
	       strstr(log, "program of this type cannot use helper ");
}

/* probeHelper(programType, helper): loads a program that calls it and does nothing else */
napi_value probe_helper(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	struct bpf_insn insns[] = {
		{ .code = BPF_JMP | BPF_CALL },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	uint32_t type, helper;
	char log[4096] = "";
	int fd;

	if (!get_args(env, info, "uu", &type, &helper))
		return NULL;
	if (cannot_ask(type))
		return fail(env, "bpf_prog_load", EOPNOTSUPP);
	insns[0].imm = (int32_t)helper;
	opts.expected_attach_type = attach_type_of(type);
	opts.prog_flags = type == BPF_PROG_TYPE_SYSCALL ? BPF_F_SLEEPABLE : 0;
	opts.log_buf = log;
	opts.log_size = sizeof(log);
	opts.log_level = 1;
	fd = bpf_prog_load(type, NULL, "GPL", insns, ARRAY_SIZE(insns), &opts);
	if (fd >= 0)
		close(fd);
	if (fd < 0 && !log[0])
		return fail(env, "bpf_prog_load", fd);
	return js_bool(env, fd >= 0 || !refuses_helper(log));
}

/* BPF_PROG_TYPE_NETFILTER and BPF_NETFILTER, since 6.4: newer than libbpf 1.1 and its probes */
#define PROGRAM_TYPE_NETFILTER 32
#define ATTACH_NETFILTER 45

/* probeNetfilter(): loads a program that accepts everything */
napi_value probe_netfilter(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = ATTACH_NETFILTER);
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd;

	if (!get_args(env, info, ""))
		return NULL;
	fd = bpf_prog_load((enum bpf_prog_type)PROGRAM_TYPE_NETFILTER, NULL, "GPL", insns, ARRAY_SIZE(insns), &opts);
	if (fd == -EPERM || fd == -ENOSYS)
		return fail(env, "bpf_prog_load", fd);
	if (fd >= 0)
		close(fd);
	return js_bool(env, fd >= 0);
}

/* probeBatch(mapType): reads a batch of an empty map */
napi_value probe_batch(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	uint64_t cursor[2], key[2], value[64];
	uint32_t type, count = 1;
	int fd, err;

	if (!get_args(env, info, "u", &type))
		return NULL;
	opts.map_flags = type == BPF_MAP_TYPE_LPM_TRIE ? BPF_F_NO_PREALLOC : 0;
	fd = bpf_map_create(type, "probe", type == BPF_MAP_TYPE_LPM_TRIE ? 8 : 4, 4, 1, &opts);
	if (fd < 0)
		return fail(env, "bpf_map_create", fd);
	err = bpf_map_lookup_batch(fd, NULL, cursor, key, value, &count, NULL);
	close(fd);
	return js_bool(env, !err || err == -ENOENT);
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
