// SPDX-License-Identifier: Apache-2.0
/*
 * Externals that own a file descriptor or an object. Each kind has a type tag, so an external of another kind, or of
 * another addon, is refused instead of being taken for what it is not.
 */
#include "addon.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Random, made once for this library. Its place in memory is part of them: another copy of it in the same process, perhaps of another
 * version, has other structs behind its externals.
 */
static const napi_type_tag tags[] = {
	[KIND_OBJECT] = { 0x6b1c6b9a3f7e4d11, 0x9f0a52c1de8873b0 },
	[KIND_RING] = { 0x6b1c6b9a3f7e4d12, 0xa41be7305c96d8f1 },
	[KIND_MAP] = { 0x6b1c6b9a3f7e4d13, 0xb7d4930e1f62c5a2 },
	[KIND_PROGRAM] = { 0x6b1c6b9a3f7e4d14, 0xc8e5a41f2073d6b3 },
	[KIND_LINK] = { 0x6b1c6b9a3f7e4d15, 0xd9f6b5203184e7c4 },
	[KIND_STATISTICS] = { 0x6b1c6b9a3f7e4d16, 0xeaf7c6314295f8d5 },
};

static const char *const kind_names[] = {
	[KIND_OBJECT] = "object",
	[KIND_RING] = "ring buffer",
	[KIND_MAP] = "map",
	[KIND_PROGRAM] = "program",
	[KIND_LINK] = "link",
	[KIND_STATISTICS] = "statistics switch",
	[KIND_ANY] = "map, program or link",
};

static napi_type_tag tag_of(enum kind kind)
{
	napi_type_tag tag = tags[kind];

	tag.upper ^= (uintptr_t)tags;
	return tag;
}

napi_value external_new(napi_env env, enum kind kind, void *data, napi_finalize finalize)
{
	napi_type_tag tag = tag_of(kind);
	napi_value out;

	if (napi_create_external(env, data, finalize, NULL, &out) != napi_ok)
		return NULL;
	if (napi_type_tag_object(env, out, &tag) != napi_ok)
		return NULL;
	return out;
}

static bool has_tag(napi_env env, napi_value value, enum kind kind)
{
	napi_type_tag tag = tag_of(kind);
	bool same = false;

	return napi_check_object_type_tag(env, value, &tag, &same) == napi_ok && same;
}

void *external_get(napi_env env, napi_value value, enum kind kind)
{
	bool any = kind == KIND_ANY;
	napi_valuetype type;
	char message[64];
	bool good = false;
	void *data = NULL;

	napi_typeof(env, value, &type);
	if (type == napi_external && any)
		good = has_tag(env, value, KIND_MAP) || has_tag(env, value, KIND_PROGRAM) ||
		       has_tag(env, value, KIND_LINK) || has_tag(env, value, KIND_STATISTICS);
	else if (type == napi_external)
		good = has_tag(env, value, kind);
	if (good && napi_get_value_external(env, value, &data) == napi_ok)
		return data;
	snprintf(message, sizeof(message), "expected a handle of a BPF %s", kind_names[kind]);
	return fail_type(env, message);
}

static void handle_free(napi_env env, void *data, void *hint)
{
	struct handle *h = data;

	(void)env;
	(void)hint;
	if (h->fd >= 0)
		close(h->fd);
	free(h);
}

static bool is_per_cpu(uint32_t type)
{
	return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY ||
	       type == BPF_MAP_TYPE_LRU_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

/* As bpf_map_value_size() of kernel/bpf/syscall.c: what one lookup copies out, and one update copies in. */
static int map_shape(struct handle *h)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);
	int cpus;

	if (bpf_obj_get_info_by_fd(h->fd, &info, &len))
		return -errno;
	h->key_size = info.key_size;
	h->value_len = info.value_size;
	h->max_entries = info.max_entries;
	if (!is_per_cpu(info.type))
		return 0;
	cpus = libbpf_num_possible_cpus();
	if (cpus < 0)
		return cpus;
	h->value_len = ((info.value_size + 7) & ~7u) * (uint32_t)cpus;
	return 0;
}

/*
 * A pin path may name any kind, and BPF_OBJ_GET_INFO_BY_FD answers for whatever the descriptor is: ask /proc, as bpftool
 * does (get_fd_type() in tools/bpf/bpftool/common.c).
 */
static bool right_kind(napi_env env, enum kind kind, int fd)
{
	static const char *const marks[] = {
		[KIND_MAP] = "bpf-map",
		[KIND_PROGRAM] = "bpf-prog",
		[KIND_LINK] = "bpf_link",
		[KIND_STATISTICS] = "bpf-stats",
	};
	char path[64], target[128], message[256];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0) {
		fail(env, "readlink", errno);
		return false;
	}
	target[n] = '\0';
	if (strstr(target, marks[kind]) || (kind == KIND_LINK && strstr(target, "bpf-link")))
		return true;
	snprintf(message, sizeof(message), "expected a BPF %s, found %s", kind_names[kind], target);
	fail_own(env, "ERR_WRONG_KIND", message);
	return false;
}

napi_value handle_new(napi_env env, enum kind kind, int fd)
{
	struct handle *h;
	napi_value out;
	int err;

	if (!right_kind(env, kind, fd)) {
		close(fd);
		return NULL;
	}
	h = calloc(1, sizeof(*h));
	if (!h) {
		close(fd);
		return fail(env, "calloc", ENOMEM);
	}
	h->kind = kind;
	h->fd = fd;
	err = kind == KIND_MAP ? map_shape(h) : 0;
	if (err) {
		handle_free(env, h, NULL);
		return fail(env, "bpf_obj_get_info_by_fd", err);
	}
	out = external_new(env, kind, h, handle_free);
	if (!out)
		handle_free(env, h, NULL);
	return out;
}

/* openPinned(kind, path) */
napi_value handle_open_pinned(napi_env env, napi_callback_info info)
{
	char path[PATH_LEN];
	enum kind kind;
	int fd;

	if (!get_args(env, info, "ks", &kind, path, sizeof(path)))
		return NULL;
	fd = bpf_obj_get(path);
	return fd < 0 ? fail(env, "bpf_obj_get", fd) : handle_new(env, kind, fd);
}

/* openById(kind, id) */
napi_value handle_open_by_id(napi_env env, napi_callback_info info)
{
	enum kind kind;
	uint32_t id;
	int fd;

	if (!get_args(env, info, "ku", &kind, &id))
		return NULL;
	if (kind == KIND_MAP)
		fd = bpf_map_get_fd_by_id(id);
	else if (kind == KIND_PROGRAM)
		fd = bpf_prog_get_fd_by_id(id);
	else
		fd = bpf_link_get_fd_by_id(id);
	return fd < 0 ? fail(env, "bpf_get_fd_by_id", fd) : handle_new(env, kind, fd);
}

/*
 * nextId(kind, id): the next greater id that the kernel has, whoever holds it, or undefined (BPF_*_GET_NEXT_ID,
 * kernel/bpf/syscall.c, bpf_obj_get_next_id())
 */
napi_value handle_next_id(napi_env env, napi_callback_info info)
{
	uint32_t id, next;
	enum kind kind;
	int err;

	if (!get_args(env, info, "ku", &kind, &id))
		return NULL;
	if (kind == KIND_MAP)
		err = bpf_map_get_next_id(id, &next);
	else if (kind == KIND_PROGRAM)
		err = bpf_prog_get_next_id(id, &next);
	else
		err = bpf_link_get_next_id(id, &next);
	if (err == -ENOENT)
		return js_undefined(env);
	return err ? fail(env, "bpf_get_next_id", err) : js_num(env, next);
}

/* fd(handle) */
napi_value handle_fd(napi_env env, napi_callback_info info)
{
	struct handle *h;

	return get_args(env, info, "h", &h) ? js_num(env, h->fd) : NULL;
}

/* pin(handle, path) */
napi_value handle_pin(napi_env env, napi_callback_info info)
{
	char path[PATH_LEN];
	struct handle *h;
	int err;

	if (!get_args(env, info, "hs", &h, path, sizeof(path)))
		return NULL;
	err = bpf_obj_pin(h->fd, path);
	return err ? fail(env, "bpf_obj_pin", err) : NULL;
}

/* close(handle): again is harmless */
napi_value handle_close(napi_env env, napi_callback_info info)
{
	struct handle *h;

	if (!get_args(env, info, "H", &h))
		return NULL;
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
	return NULL;
}
