// SPDX-License-Identifier: Apache-2.0
/* Buffers are checked against the sizes that the kernel told of this descriptor, so no call reads or writes past one. */
#include "addon.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* mapCreate(type, name, keySize, valueSize, maxEntries, flags, innerMapFd or -1) */
napi_value map_create(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	uint32_t type, key_size, value_size, max_entries, flags;
	char name[16]; /* BPF_OBJ_NAME_LEN */
	int inner, fd;

	if (!get_args(env, info, "usuuuui", &type, name, sizeof(name), &key_size, &value_size, &max_entries, &flags,
		      &inner))
		return NULL;
	opts.map_flags = flags;
	opts.inner_map_fd = inner < 0 ? 0 : inner;
	fd = bpf_map_create(type, name, key_size, value_size, max_entries, &opts);
	return fd < 0 ? fail(env, "bpf_map_create", fd) : handle_new(env, KIND_MAP, fd);
}

/* mapInfo(map) */
napi_value map_info(napi_env env, napi_callback_info info)
{
	struct bpf_map_info map = {};
	uint32_t len = sizeof(map);
	struct handle *h;
	napi_value out;

	if (!get_args(env, info, "m", &h))
		return NULL;
	if (bpf_obj_get_info_by_fd(h->fd, &map, &len))
		return fail(env, "bpf_obj_get_info_by_fd", errno);
	napi_create_object(env, &out);
	set_num(env, out, "id", map.id);
	set_num(env, out, "type", map.type);
	set_str(env, out, "name", map.name);
	set_num(env, out, "keySize", map.key_size);
	set_num(env, out, "valueSize", map.value_size);
	set_num(env, out, "maxEntries", map.max_entries);
	set_num(env, out, "flags", map.map_flags);
	return out;
}

bool wrong_size(napi_env env, const char *what, size_t have, size_t need)
{
	char message[96];

	if (have == need)
		return false;
	snprintf(message, sizeof(message), "the %s has %zu bytes, the map's has %zu", what, have, need);
	fail_range(env, message);
	return true;
}

/* Queues and stacks have no key. */
static void *key_ptr(const struct handle *h, const struct bytes *key)
{
	return h->key_size ? key->data : NULL;
}

/* mapLookup(map, key): the value, or undefined */
napi_value map_lookup(napi_env env, napi_callback_info info)
{
	napi_value out;
	struct handle *h;
	struct bytes key;
	void *value;
	int err;

	if (!get_args(env, info, "my", &h, &key) || wrong_size(env, "key", key.len, h->key_size))
		return NULL;
	out = js_buffer(env, h->value_len, &value);
	if (!out)
		return fail(env, "napi_create_arraybuffer", ENOMEM);
	err = bpf_map_lookup_elem(h->fd, key_ptr(h, &key), value);
	if (err == -ENOENT)
		return js_undefined(env);
	return err ? fail(env, "bpf_map_lookup_elem", err) : out;
}

/* mapLookupInto(map, key, value): whether it was there; `value` gets it */
napi_value map_lookup_into(napi_env env, napi_callback_info info)
{
	struct bytes key, value;
	struct handle *h;
	int err;

	if (!get_args(env, info, "myy", &h, &key, &value))
		return NULL;
	if (wrong_size(env, "key", key.len, h->key_size) || wrong_size(env, "buffer", value.len, h->value_len))
		return NULL;
	err = bpf_map_lookup_elem(h->fd, key_ptr(h, &key), value.data);
	if (err && err != -ENOENT)
		return fail(env, "bpf_map_lookup_elem", err);
	return js_bool(env, !err);
}

/* mapUpdate(map, key, value, flags) */
napi_value map_update(napi_env env, napi_callback_info info)
{
	struct bytes key, value;
	struct handle *h;
	uint32_t flags;
	int err;

	if (!get_args(env, info, "myyu", &h, &key, &value, &flags))
		return NULL;
	if (wrong_size(env, "key", key.len, h->key_size) || wrong_size(env, "value", value.len, h->value_len))
		return NULL;
	err = bpf_map_update_elem(h->fd, key_ptr(h, &key), value.data, flags);
	return err ? fail(env, "bpf_map_update_elem", err) : NULL;
}

/* mapTake(map, key): the value, which is out of the map then, or undefined */
napi_value map_take(napi_env env, napi_callback_info info)
{
	napi_value out;
	struct handle *h;
	struct bytes key;
	void *value;
	int err;

	if (!get_args(env, info, "my", &h, &key) || wrong_size(env, "key", key.len, h->key_size))
		return NULL;
	out = js_buffer(env, h->value_len, &value);
	if (!out)
		return fail(env, "napi_create_arraybuffer", ENOMEM);
	err = bpf_map_lookup_and_delete_elem(h->fd, key_ptr(h, &key), value);
	if (err == -ENOENT)
		return js_undefined(env);
	return err ? fail(env, "bpf_map_lookup_and_delete_elem", err) : out;
}

/* mapDelete(map, key): whether it was there */
napi_value map_delete(napi_env env, napi_callback_info info)
{
	struct handle *h;
	struct bytes key;
	int err;

	if (!get_args(env, info, "my", &h, &key) || wrong_size(env, "key", key.len, h->key_size))
		return NULL;
	err = bpf_map_delete_elem(h->fd, key_ptr(h, &key));
	if (err && err != -ENOENT)
		return fail(env, "bpf_map_delete_elem", err);
	return js_bool(env, !err);
}

/* Packs all keys; -EAGAIN when there are more than the map can hold: the walk restarted at a key deleted under it. */
static int collect_keys(const struct handle *h, struct text *out)
{
	char *previous = NULL, *next;

	for (uint32_t n = 0; n <= h->max_entries; n++) {
		next = text_reserve(out, h->key_size);
		if (!next)
			return -ENOMEM;
		previous = n ? next - h->key_size : NULL;
		if (bpf_map_get_next_key(h->fd, previous, next))
			return errno == ENOENT ? 0 : -errno;
		out->len += h->key_size;
	}
	return -EAGAIN;
}

/* mapKeys(map): all keys, packed */
napi_value map_keys(napi_env env, napi_callback_info info)
{
	struct text keys = {};
	struct handle *h;
	napi_value out;
	int err;

	if (!get_args(env, info, "m", &h))
		return NULL;
	err = collect_keys(h, &keys);
	out = err ? NULL : js_bytes(env, keys.data, keys.len);
	text_free(&keys);
	if (err == -EAGAIN)
		return fail_own(env, "ERR_ITERATION", "the map changed while its keys were read; read again");
	return err ? fail(env, "bpf_map_get_next_key", err) : out;
}

/* mapFreeze(map): no more writing from user space */
napi_value map_freeze(napi_env env, napi_callback_info info)
{
	struct handle *h;
	int err;

	if (!get_args(env, info, "m", &h))
		return NULL;
	err = bpf_map_freeze(h->fd);
	return err ? fail(env, "bpf_map_freeze", err) : NULL;
}

/* possibleCpus(): how many copies a per-CPU value has */
napi_value possible_cpus(napi_env env, napi_callback_info info)
{
	int n;

	if (!get_args(env, info, ""))
		return NULL;
	n = libbpf_num_possible_cpus();
	return n < 0 ? fail(env, "libbpf_num_possible_cpus", n) : js_num(env, n);
}
